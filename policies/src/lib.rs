#![doc = include_str!("../README.md")]

pub mod act;
pub mod checkpoint;
pub mod chunk;
pub mod config;
pub mod convert;
pub mod device;
pub mod diffusion;
pub mod draws;
pub mod error;
pub mod folder;
pub mod graph;
mod kept;
mod kernels;
pub mod layers;
pub mod policy;
pub mod precision;
pub mod preflight;
pub mod processor;
pub mod recorded;
pub mod tdmpc;
pub mod trial;
pub mod vision;
pub mod vqbet;

pub use config::Config;
pub use device::{Device, Options, Program};
pub use error::{Error, Result};
pub use policy::Policy;
pub use precision::Precision;
