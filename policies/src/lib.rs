#![doc = include_str!("../README.md")]

pub mod checkpoint;
pub mod config;
pub mod error;
pub mod graph;
pub mod processor;

pub use config::Config;
pub use error::{Error, Result};
