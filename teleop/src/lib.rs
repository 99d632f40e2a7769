#![doc = include_str!("../README.md")]

pub mod keys;
pub mod leader;
pub mod scripted;

pub use leader::{Lead, Leader, LeaderError};
