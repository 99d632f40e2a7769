//! What time it is on the host.

use serde::{Deserialize, Serialize};

use super::{Message, Refusal};

/// An instant of the host's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The version.
    pub v: u64,
    /// In nanoseconds.
    pub at: i64,
}

impl Message for Now {
    const MOST: usize = 128;

    fn check(&self) -> Result<(), Refusal> {
        Ok(())
    }
}
