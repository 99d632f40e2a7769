#![doc = include_str!("../README.md")]

mod address;
mod error;
mod http;
mod link;

#[cfg(test)]
mod tests;

pub use error::{Error, Result};
pub use http::{Client, Options, Part};
pub use link::{Link, Piece};
