//! How a board's clock stands to this one: every answer tells a little.

use crate::Nanos;
use crate::clock::MICRO;

/// How much two quartzes drift apart, in parts of a million.
const DRIFT_PPM: Nanos = 60;

/// The difference of two clocks, as well as it is known.
///
/// The board looked at its clock between a question and its answer, so it is known to half of the time
/// that took; the quickest exchange knows best, until drift has made it worse than a new one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offset {
    known: Option<Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The board's clock less ours.
    offset: Nanos,
    /// How far that may be off.
    error: Nanos,
    /// When it was found out.
    at: Nanos,
}

impl Offset {
    /// Takes one exchange: when it began and ended here, and what the board's clock showed in it.
    pub fn learn(&mut self, sent: Nanos, came: Nanos, board_us: u64) {
        let error = (came - sent).max(0) / 2 + MICRO;
        let offset = nanos(board_us).saturating_sub(sent.midpoint(came));
        if self.known.is_none_or(|known| error <= known.error_at(came)) {
            self.known = Some(Known { offset, error, at: came });
        }
    }

    /// An instant of the board's on our clock.
    pub fn here(&self, board_us: u64) -> Option<Nanos> {
        self.known.map(|known| nanos(board_us).saturating_sub(known.offset))
    }

    /// How far that may be off at `now`.
    pub fn error(&self, now: Nanos) -> Option<Nanos> {
        self.known.map(|known| known.error_at(now))
    }
}

impl Known {
    fn error_at(&self, now: Nanos) -> Nanos {
        let since = now.saturating_sub(self.at).max(0);
        self.error.saturating_add(since / 1_000_000 * DRIFT_PPM)
    }
}

fn nanos(micros: u64) -> Nanos {
    Nanos::try_from(micros).unwrap_or(Nanos::MAX / MICRO).saturating_mul(MICRO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{MILLI, SECOND};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_never_off_by_more_than_it_says(
            ahead in 0..1_000_000_000_000i64, ppm in -50..50i64,
            exchanges in proptest::collection::vec((0..50 * MILLI, 0..20 * MILLI, 0..SECOND), 1..100),
        ) {
            let board = |now: Nanos| (now + ahead + now / 1_000_000 * ppm) / MICRO;
            let mut offset = Offset::default();
            let mut now = 0;
            for (out, back, pause) in exchanges {
                let (sent, looked) = (now, now + out);
                now = looked + back;
                offset.learn(sent, now, board(looked) as u64);
                let error = offset.error(now).unwrap();
                let off = (offset.here(board(now) as u64).unwrap() - now).abs();
                prop_assert!(off <= error + 2 * MICRO, "{off} of {error}");
                now += pause;
            }
        }
    }

    #[test]
    fn the_quickest_exchange_counts() {
        let mut offset = Offset::default();
        offset.learn(0, 100 * MICRO, 1_000_050);
        offset.learn(SECOND, SECOND + 30 * MILLI, 2_000_001);
        assert_eq!(offset.here(3_000_000), Some(2 * SECOND));
        assert!(offset.error(2 * SECOND).unwrap() < 200 * MICRO);
    }
}
