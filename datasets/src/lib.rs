#![doc = include_str!("../README.md")]

mod error;
pub mod image;
pub mod video;

pub use error::{Error, Result};
pub use image::{Image, PixelFormat};
