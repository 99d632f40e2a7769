#![doc = include_str!("../README.md")]

pub mod leader;
pub mod scripted;

pub use leader::{Lead, Leader, LeaderError};
