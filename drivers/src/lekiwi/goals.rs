//! The way from the control thread to who speaks: the newest goals, and nothing that was before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::host::VALUES;
use crate::Nanos;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    /// Which one, counted from 1; 0 before there is any.
    pub number: u64,
    /// How often all that was said before was taken back.
    pub cuts: u64,
    /// When it was said.
    pub at: Nanos,
    /// Where to; nowhere, if what was said before is taken back.
    pub values: Option<[f64; VALUES]>,
}

/// Cuts, instant, and whether there are values.
const HEAD: usize = 3;

/// Room for one. Whoever writes waits for nobody, and whoever reads sees all of one or none.
pub(super) struct Newest {
    /// Odd while it is written.
    turn: AtomicU64,
    words: [AtomicU64; HEAD + VALUES],
}

impl Newest {
    /// The newest, unless it is just being written.
    pub fn read(&self) -> Option<Goal> {
        let turn = self.turn.load(Ordering::Acquire);
        let [cuts, at, there, values @ ..] =
            self.words.each_ref().map(|word| word.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let whole = turn.is_multiple_of(2) && self.turn.load(Ordering::Relaxed) == turn;
        whole.then(|| Goal {
            number: turn / 2,
            cuts,
            at: at.cast_signed(),
            values: (there != 0).then(|| values.map(f64::from_bits)),
        })
    }
}

/// The end that the control thread has; there is one.
pub(super) struct Goals {
    newest: Arc<Newest>,
    number: u64,
    cuts: u64,
}

impl Goals {
    pub fn new() -> (Self, Arc<Newest>) {
        let words = std::array::from_fn(|_| AtomicU64::new(0));
        let newest = Arc::new(Newest { turn: AtomicU64::new(0), words });
        (Self { newest: Arc::clone(&newest), number: 0, cuts: 0 }, newest)
    }

    /// Says where to go, instead of all that was said before; gives the number of that.
    pub fn push(&mut self, at: Nanos, values: &[f64]) -> u64 {
        let mut goal = [0.0; VALUES];
        goal.iter_mut().zip(values).for_each(|(goal, value)| *goal = *value);
        self.write(at, Some(goal))
    }

    /// Takes back all that was said before and has not arrived.
    pub fn cut(&mut self, at: Nanos) {
        self.cuts += 1;
        self.write(at, None);
    }

    fn write(&mut self, at: Nanos, values: Option<[f64; VALUES]>) -> u64 {
        let Newest { turn, words } = &*self.newest;
        turn.store(2 * self.number + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let head = [self.cuts, at.cast_unsigned(), u64::from(values.is_some())];
        let values = values.unwrap_or_default().map(f64::to_bits);
        for (word, new) in words.iter().zip(head.into_iter().chain(values)) {
            word.store(new, Ordering::Relaxed);
        }
        self.number += 1;
        turn.store(2 * self.number, Ordering::Release);
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_counts_and_a_cut_takes_back_what_was_before() {
        let (mut goals, newest) = Goals::new();
        assert_eq!(newest.read().map(|goal| (goal.number, goal.values)), Some((0, None)));
        for number in 1..100 {
            assert_eq!(goals.push(7, &[number as f64, -0.5]), number);
        }
        let goal = newest.read().unwrap();
        assert_eq!((goal.number, goal.cuts, goal.at), (99, 0, 7));
        assert_eq!(goal.values.unwrap()[..3], [99.0, -0.5, 0.0]);
        goals.cut(8);
        let cut = Goal { number: 100, cuts: 1, at: 8, values: None };
        assert_eq!(newest.read(), Some(cut));
    }

    #[test]
    fn nobody_sees_halves_of_two() {
        let (mut goals, newest) = Goals::new();
        let write = move || {
            for number in 1..200_000_u64 {
                goals.push(number.cast_signed(), &[number as f64; VALUES]);
            }
        };
        let writes = std::thread::Builder::new().spawn(write).unwrap();
        while !writes.is_finished() {
            let Some(Goal { number, at, values: Some(values), .. }) = newest.read() else {
                continue;
            };
            assert_eq!((at.cast_unsigned(), values), (number, [number as f64; VALUES]));
        }
        writes.join().unwrap();
    }
}
