//! What an arm promises, asked of a virtual bus that does to it what real ones do.

// All of it is test code, helpers included: a failure is a panic, and figures are printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod asking;
mod calibrating;
mod giving_way;
mod kills;
mod reflexes;
mod setting_up;
mod soak;
mod world;
