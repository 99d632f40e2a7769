//! Loops that move arms.

pub mod stats;
pub mod teleoperate;
