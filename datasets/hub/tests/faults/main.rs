//! A push, a pull, and between them and the hub everything that goes wrong.

// All of it is test code, helpers included: a failure is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod interrupted;
mod mixed;
mod parrot;
#[path = "../../../../tests/proxy/mod.rs"]
mod proxy;
mod refused;
mod single;
mod slow;
mod stand;
