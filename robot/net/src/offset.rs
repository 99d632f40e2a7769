//! How far another machine's clock is ahead of this one's.
//!
//! ```text
//!   here   asked ────────────┬─────────── answered      round = answered - asked
//!   there                  said                         ahead = said - the middle of that
//! ```
//! Nobody knows when between the two it was said, so that an answer is off by half its round trip at
//! most: of the newest few the quickest counts. What counts changes by less than half a tick at once, so
//! that one tick's instant never goes behind that of the tick before it, once the first few answers are in
//! and unless the other clock itself begins anew.

use std::collections::VecDeque;

use sinew_drivers::Nanos;
use sinew_drivers::clock::MILLI;

/// How many answers are kept.
pub const WINDOW: usize = 16;

/// How many are asked for before anything is brought over.
pub const FIRST: usize = 8;

/// By how much what counts may change at once, after the first few answers, however slow the ticks are.
const STEP: Nanos = 5 * MILLI;

/// So much two clocks drift apart at most while answers are kept.
const DRIFT: Nanos = 10 * MILLI;

/// What one answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    ahead: Nanos,
    round: Nanos,
}

impl Answer {
    /// Whether both can be true of one clock.
    fn agrees(&self, other: &Self) -> bool {
        let room = (self.round / 2).saturating_add(other.round / 2).saturating_add(DRIFT);
        self.ahead.saturating_sub(other.ahead).saturating_abs() <= room
    }
}

/// What is known of another clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    answers: VecDeque<Answer>,
    ahead: Option<Nanos>,
    step: Nanos,
}

impl Offset {
    /// Nothing yet, of a clock whose instants are brought over once in such a period.
    pub fn of(period: Nanos) -> Self {
        Self { answers: VecDeque::new(), ahead: None, step: STEP.min(period / 2) }
    }

    /// Takes an answer: what was said there, and when here it was asked for and had come.
    pub fn hear(&mut self, asked: Nanos, said: Nanos, answered: Nanos) {
        let round = answered.saturating_sub(asked).max(0);
        let ahead = said.saturating_sub(asked.saturating_add(round / 2));
        let answer = Answer { ahead, round };
        if self.quickest().is_some_and(|quickest| !quickest.agrees(&answer)) {
            // It was started anew, and nothing of before is true of it.
            self.answers.clear();
            self.ahead = None;
        }
        if self.answers.len() >= WINDOW {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
        let best = self.quickest().map_or(ahead, |quickest| quickest.ahead);
        self.ahead = Some(match self.ahead {
            Some(ahead) if self.answers.len() > FIRST => {
                ahead.saturating_add(best.saturating_sub(ahead).clamp(-self.step, self.step))
            }
            _ => best,
        });
    }

    /// By how much the other clock is ahead; none before the first answer.
    pub fn ahead(&self) -> Option<Nanos> {
        self.ahead
    }

    /// By how much that may be wrong, as far as the answers say.
    pub fn error(&self) -> Nanos {
        self.quickest().map_or(Nanos::MAX, |quickest| quickest.round / 2)
    }

    fn quickest(&self) -> Option<Answer> {
        self.answers.iter().min_by_key(|answer| answer.round).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sinew_drivers::clock::{MICRO, SECOND};

    use super::*;

    /// Asks at an instant a clock that is so far ahead, with these ways there and back.
    fn ask(offset: &mut Offset, at: Nanos, ahead: Nanos, there: Nanos, back: Nanos) {
        offset.hear(at, at + there + ahead, at + there + back);
    }

    #[test]
    fn of_several_answers_the_quickest_counts() {
        let mut offset = Offset::of(SECOND);
        assert_eq!((offset.ahead(), offset.error()), (None, Nanos::MAX));
        ask(&mut offset, 0, SECOND, 90 * MILLI, 10 * MILLI);
        assert_eq!((offset.ahead(), offset.error()), (Some(SECOND + 40 * MILLI), 50 * MILLI));
        ask(&mut offset, SECOND, SECOND, MILLI, MILLI);
        ask(&mut offset, 2 * SECOND, SECOND, 10 * MILLI, 90 * MILLI);
        assert_eq!((offset.ahead(), offset.error()), (Some(SECOND), MILLI));
    }

    #[test]
    fn one_that_is_too_old_counts_no_more_and_what_follows_comes_in_small_steps() {
        let mut offset = Offset::of(SECOND);
        ask(&mut offset, 0, SECOND, MICRO, MICRO);
        // From now on the way back takes long, which looks as if the clock were behind.
        for number in 1..WINDOW {
            ask(&mut offset, Nanos::try_from(number).unwrap() * SECOND, SECOND, 0, 40 * MILLI);
            assert_eq!(offset.ahead(), Some(SECOND));
        }
        let mut before = SECOND;
        for number in 0..4 {
            ask(&mut offset, (16 + number) * SECOND, SECOND, 0, 40 * MILLI);
            let ahead = offset.ahead().unwrap();
            assert_eq!(before - ahead, STEP);
            before = ahead;
        }
        ask(&mut offset, 20 * SECOND, SECOND, 0, 40 * MILLI);
        assert_eq!(offset.ahead(), Some(SECOND - 20 * MILLI), "as far as it can be wrong");
    }

    #[test]
    fn a_fast_loops_instants_never_go_back() {
        let period = 2 * MILLI;
        let mut offset = Offset::of(period);
        for number in 0..40 {
            // The way there takes ever longer, which looks as if the clock were ever further ahead.
            let before = offset.ahead();
            ask(&mut offset, number * SECOND, SECOND, (number - 8).max(0) * MILLI, 0);
            let step = offset.ahead().unwrap() - before.unwrap_or(SECOND);
            assert!(period - step >= period / 2, "{step}");
        }
        assert!(offset.ahead() > Some(SECOND + MILLI));
    }

    #[test]
    fn a_clock_that_begins_anew_is_believed_at_once() {
        let mut offset = Offset::of(SECOND);
        for number in 0..20 {
            ask(&mut offset, number * SECOND, 5000 * SECOND, MILLI, MILLI);
        }
        ask(&mut offset, 20 * SECOND, -3 * SECOND, 4 * MILLI, 4 * MILLI);
        assert_eq!(offset.ahead(), Some(-3 * SECOND));
    }

    proptest! {
        #[test]
        fn it_is_off_by_half_the_quickest_way_at_most_and_later_changes_in_small_steps(
            ways in prop::collection::vec((0..60_000_i64, 0..60_000_i64), 1..60),
            ahead in -1_000_000_000_000_i64..1_000_000_000_000,
            drift in -100..100_i64,
        ) {
            let mut offset = Offset::of(SECOND);
            let mut before = None;
            for (number, (there, back)) in ways.iter().enumerate() {
                let at = Nanos::try_from(number).unwrap() * SECOND;
                let true_ahead = ahead + at / 1_000_000 * drift;
                ask(&mut offset, at, true_ahead, there * MICRO, back * MICRO);
                let newest = ways.iter().take(number + 1).rev().take(WINDOW);
                let quickest = newest.map(|(there, back)| there + back).min().unwrap() * MICRO;
                prop_assert!((offset.error() - quickest / 2).abs() <= 1);
                let found = offset.ahead().unwrap();
                if number < FIRST {
                    let drifted = 8 * SECOND / 1_000_000 * drift.abs();
                    let off = (found - true_ahead).abs();
                    prop_assert!(off <= quickest / 2 + drifted + 1, "off by {off}");
                } else {
                    let step = before.replace(found).map_or(0, |before: Nanos| found - before);
                    prop_assert!(step.abs() <= STEP, "{step}");
                }
            }
        }

        #[test]
        fn whatever_a_stranger_says_is_a_number(
            said in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i64>()), 0..40),
        ) {
            let mut offset = Offset::of(SECOND);
            for (asked, said, answered) in said {
                offset.hear(asked, said, answered);
                prop_assert!(offset.ahead().is_some());
            }
        }
    }
}
