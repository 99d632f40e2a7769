//! A bus of virtual servos that drivers cannot tell from hardware: bytes take their time on the
//! line, joints have mass and play, and everything that goes wrong on a real bus goes wrong here
//! on demand.
//!
//! [`VirtualBus`] is the bus itself; [`VirtualBus::wire`] links it to a driver inside the process,
//! [`pty`] puts it behind a pseudo-terminal for any other program, and [`control`] lets other
//! processes push its joints and break its cables. [`VirtualBoard`] stands between a host and the bus
//! and has reflexes. [`VirtualBus::embodied`] screws its servos into a
//! [`Body`], a world that turns their joints.

pub mod arm;
mod board;
mod body;
mod bus;
pub mod control;
mod fault;
mod hearing;
mod line;
mod link;
mod motor;
mod protection;
pub mod pty;
pub mod record;
mod served;
mod servo;

pub use board::VirtualBoard;
pub use body::{Body, Push, Turned};
pub use bus::{ServoState, VirtualBus};
use fault::Demand;
pub use fault::{FaultCounts, FaultKind, FaultPlan, FaultPlanError};
pub use motor::Mount;
pub use served::{Serve, Served};
pub use servo::Device;

#[cfg(test)]
mod tests;
