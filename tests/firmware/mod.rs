//! The firmware as it is compiled for a board, run by QEMU against virtual servos.
//!
//! `SINEW_FIRMWARE` names the image, which `firmware/check` builds; without it each test says on stderr
//! that it was skipped.

mod adapter;
mod bridge;
mod lab;
mod machine;
