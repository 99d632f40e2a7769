//! Policies as the real LeRobot ran them (`tests/golden/policies`): chunks, actions and what single
//! modules gave, on every executor that is built in.

#![allow(clippy::unwrap_used, clippy::panic)] // golden data that is not there must fail the test

mod act;
mod case;
mod diffusion;
mod formula;
mod misfits;
mod policy;
mod run;
mod switches;
mod tdmpc;
mod vqbet;
