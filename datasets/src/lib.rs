#![doc = include_str!("../README.md")]

mod error;
pub mod image;

pub use error::{Error, Result};
pub use image::{Image, PixelFormat};
