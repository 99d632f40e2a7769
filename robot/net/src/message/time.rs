//! What time it is somewhere.

use serde::{Deserialize, Serialize};

use super::{Message, Refusal};

/// The answer to who asks a robot for the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// The version.
    pub v: u64,
    /// When it was said, on the clock that everything else of the robot is stamped with, in nanoseconds.
    pub now: i64,
}

impl Message for Time {
    const MOST: usize = 64;

    fn check(&self) -> Result<(), Refusal> {
        Ok(())
    }
}
