#![doc = include_str!("../README.md")]

pub mod leader;

pub use leader::{Lead, Leader, LeaderError};
