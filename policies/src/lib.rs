#![doc = include_str!("../README.md")]

pub mod checkpoint;
pub mod error;
pub mod graph;

pub use error::{Error, Result};
