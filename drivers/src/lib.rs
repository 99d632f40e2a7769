#![doc = include_str!("../README.md")]

pub mod arm;
pub mod base;
pub mod bridge;
pub mod bus;
pub mod calibrate;
pub mod calibration_file;
pub mod camera;
pub mod clock;
mod descriptor;
pub mod durable;
pub mod error;
pub mod lekiwi;
mod line;
pub mod port;
pub mod scan;
pub mod serial;
pub mod setup;
#[cfg(feature = "sim")]
pub mod sim;
pub mod spec;
pub mod stop;
pub mod tcp;
pub mod telemetry;
pub mod wire;
pub mod zmtp;

pub use arm::Arm;
pub use bus::Bus;
pub use clock::{Clock, Nanos};
pub use error::Error;
pub use spec::ArmSpec;
pub use wire::Wire;
