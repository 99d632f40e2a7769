//! Loops that move arms.

pub mod record;
pub mod stats;
pub mod tap;
pub mod teleoperate;
