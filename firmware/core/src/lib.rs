#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

#[cfg(test)]
extern crate std;

pub mod bridge;
pub mod calibration;
pub mod dynamixel;
pub mod feetech;
pub mod joint;
pub mod limits;
pub mod packet;
pub mod reflex;
pub mod register;
pub mod servo;
pub mod tables;
