//! A robot on another machine as its arms and cameras here show it, before a stand-in for the machine
//! that can also do what none should: fall silent, refuse, forget.

// All of it is test code, helpers included: a failure is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arms;
mod cameras;
#[path = "../../../../tests/counting.rs"]
mod counting;
mod leases;
mod stand;
