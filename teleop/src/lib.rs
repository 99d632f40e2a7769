#![doc = include_str!("../README.md")]

pub mod fed;
#[cfg(feature = "gamepad")]
pub mod gamepad;
pub mod handover;
pub mod jog;
pub mod keyboard;
pub mod keys;
pub mod kinematics;
pub mod leader;
pub mod phone;
pub mod played;
pub mod ramp;
pub mod scripted;
pub mod source;
pub mod workspace;

pub use leader::{Leader, LeaderError};
pub use played::Played;
pub use source::{Lead, Source};
