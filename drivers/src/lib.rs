#![doc = include_str!("../README.md")]

pub mod bus;
pub mod calibration_file;
pub mod clock;
pub mod error;
pub mod spec;
pub mod wire;

pub use bus::Bus;
pub use clock::{Clock, Nanos};
pub use error::Error;
pub use spec::ArmSpec;
pub use wire::Wire;
