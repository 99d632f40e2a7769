//! Loops that move arms.

#[cfg(feature = "sim")]
pub mod attempt;
pub mod control;
#[cfg(feature = "sim")]
pub mod eyes;
#[cfg(feature = "zenoh")]
pub mod hosting;
pub mod realtime;
pub mod record;
pub mod rehearsal;
#[cfg(feature = "policies")]
pub mod rollout;
pub mod stats;
pub mod tap;
pub mod tracking;
