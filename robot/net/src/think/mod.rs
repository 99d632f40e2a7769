//! Policies elsewhere: whoever has them answers what robots saw with what to do.
//!
//! ```text
//!  robot ── frames ─▶ desk: one question of each robot, the newest ─▶ policy ── rows ─▶ robot
//! ```
//! Nothing is kept from one question to the next, so that a policy that was started anew goes on where
//! the one before ended.

pub mod ask;
mod desk;
pub mod serve;

pub use ask::Elsewhere;
pub use serve::{Served, Turn};
