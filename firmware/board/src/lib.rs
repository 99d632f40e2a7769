#![doc = include_str!("../README.md")]
#![no_std]

mod bus;
mod identity;
mod light;
mod panic;
mod run;
mod store;
mod usb;

pub use run::run;
