#![doc = include_str!("../README.md")]

pub mod behind;
pub mod dynamics;
pub mod env;
mod error;
pub mod expert;
pub mod model;
pub mod motor;
#[cfg(feature = "mujoco")]
mod mujoco;
pub mod physics;
pub mod render;
pub mod scene;
mod solver;
pub mod task;
pub mod touch;
pub mod views;
pub mod world;

pub use env::Env;
pub use error::Error;
pub use physics::Physics;
pub use task::Task;
pub use world::{Setup, World};
