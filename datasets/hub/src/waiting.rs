//! Waiting that somebody may end.

use std::time::{Duration, Instant};

use crate::Result;

/// How long nobody looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(50);

/// Waits until an instant, as long as `go_on` lets it.
pub(crate) fn wait_until(until: Instant, go_on: impl Fn() -> Result<()>) -> Result<()> {
    loop {
        go_on()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(GLANCE));
    }
}
