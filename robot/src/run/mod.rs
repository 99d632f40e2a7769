//! Loops that move arms.

#[cfg(feature = "sim")]
pub mod attempt;
#[cfg(all(feature = "sim", feature = "policies"))]
pub mod behind;
pub mod control;
#[cfg(all(feature = "policies", feature = "zenoh"))]
pub mod elsewhere;
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
