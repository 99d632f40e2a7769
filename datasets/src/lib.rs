#![doc = include_str!("../README.md")]

pub mod depth;
mod durable;
pub mod edit;
mod error;
pub mod export;
pub mod frame;
pub mod image;
pub mod loader;
pub mod pull;
pub mod reader;
pub mod remote;
pub mod report;
pub mod schema;
pub mod sizes;
mod source;
pub mod stats;
pub mod tables;
pub mod upload;
pub mod verify;
pub mod video;
pub mod writer;

pub use error::{Error, Result};
pub use frame::{Frame, Stages, Stamps, Value};
pub use image::{Image, PixelFormat};
pub use reader::Dataset;
pub use writer::Writer;
