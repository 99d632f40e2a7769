#![doc = include_str!("../README.md")]

pub mod behind;
pub mod dynamics;
mod error;
pub mod model;
pub mod motor;
pub mod scene;
mod solver;
pub mod task;
pub mod touch;
pub mod world;

pub use error::Error;
pub use world::{Setup, World};
