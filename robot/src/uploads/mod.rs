//! What goes up to a hub: asked for and kept on the disk, then pushed, by whoever has the time.
//!
//! ```text
//!  record --push ─ an episode is saved ─▶ queue ─▶ background (beside the recording)
//!  sinew hub push ───────────────────────▶ queue ─▶ attempt  (while somebody looks)
//!  sinew hub retry ◀── what was not finished ──┘
//! ```

mod attempt;
mod background;
mod gather;
mod wait;

pub use attempt::now;
pub use background::Background;
pub use gather::kind_of;
pub use wait::{see_through, summary};

use sinew_hub::queue::Queue;

use crate::robot_file::state_folder;

/// Below it no server would wait.
const LEAST_RATE: f64 = 1000.0;

/// What waits to be uploaded from this machine.
pub fn queue() -> Queue {
    Queue::at(state_folder().join("uploads"))
}

/// Bytes a second, as people write them: 500k, 2M, 1.5M.
pub fn rate(text: &str) -> Result<u64, String> {
    let trimmed = text.trim().trim_end_matches("/s").trim_end_matches(['B', 'b']);
    let (number, unit) = match trimmed.char_indices().last() {
        Some((at, 'k' | 'K')) => (&trimmed[..at], 1e3),
        Some((at, 'm' | 'M')) => (&trimmed[..at], 1e6),
        Some((at, 'g' | 'G')) => (&trimmed[..at], 1e9),
        _ => (trimmed, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(rate) if rate * unit >= LEAST_RATE && rate * unit < 1e15 => Ok((rate * unit) as u64),
        _ => Err(format!("{text:?} is no rate: bytes a second from 1k on, as in 500k or 2M")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, bytes) in
            [("500k", 500_000), ("2M", 2_000_000), ("1.5MB/s", 1_500_000), ("2000", 2000)]
        {
            assert_eq!(rate(text), Ok(bytes));
        }
        for wrong in ["", "fast", "-1", "0", "999", "nan", "inf", "k", "1e30M"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
