#![doc = include_str!("../README.md")]

pub mod checkpoint;
pub mod config;
pub mod device;
pub mod error;
pub mod graph;
mod kernels;
pub mod precision;
pub mod processor;

pub use config::Config;
pub use device::{Device, Options, Program};
pub use error::{Error, Result};
pub use precision::Precision;
