//! The wire formats against the manufacturers' own examples and against any bytes at all.

mod any;
mod damage;
mod registers;
mod round_trip;
mod vectors;
