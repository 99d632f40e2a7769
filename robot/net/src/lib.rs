//! Robots and policies on other machines, over [zenoh](https://zenoh.io).
//!
//! ```text
//!   machine with the arm                                      anybody who holds the lease
//!   arm ◀─ limits ◀─ host ◀──────────── action ◀──────────── remote ◀─ leader, keys, policy
//!    └──▶ state, cameras ─▶ host ─────▶ state, camera ──────▶ remote ─▶ recorder, view
//! ```
//! The machine with the arm keeps its limits, its watchdog and its stop: a link that is cut leaves no
//! arm moving. One holder of a lease at a time is obeyed, and only with messages signed with the
//! lease's secret.
//!
//! What it says on the network, key by key and field by field: docs/NETWORK.md.

pub mod error;
pub mod host;
pub mod key;
pub mod message;
pub mod offset;
pub mod presence;
pub mod remote;
pub mod ros2;
pub mod session;
pub mod think;
pub mod trust;

pub use error::Error;
pub use session::{Network, Options};
