//! A LeKiwi that LeRobot's own host program runs, driven from here.
//!
//! ```text
//! its host, port 5556 ── {"_cams": […], joints and speeds}, a JPEG file each ─▶ newest ─▶ whoever looks
//! its host, port 5555 ◀──────────── {joint: goal, …, "x.vel": …} ◀──────────── newest goals
//! ```
//! Its host says neither when it read nor what it sent, and keeps its own limits: instants here are of
//! arrival. Its base stops by itself when nothing is said for half a second, its arm stays where it was sent.
//! The protocol: LeRobot 0.6.1, `lekiwi_host.py` and `lekiwi_client.py`.

mod arm;
mod goals;
mod host;

pub use arm::LeKiwiArm;
pub use host::{Eye, LeKiwi, Ports};

#[cfg(test)]
mod tests;
