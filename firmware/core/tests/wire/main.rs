//! The wire formats against the manufacturers' own examples and against any bytes at all.

#![allow(clippy::expect_used)] // a test fails by panicking, its helpers too

mod any;
mod damage;
mod registers;
mod round_trip;
mod vectors;
