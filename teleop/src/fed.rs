//! A source that another thread feeds with chunks of rows, such as a policy's.
//!
//! ```text
//!  policy ── Arc<Chunk> ─▶ newest ─┐
//!    ▲                             ├─▶ at this instant: one row, or two blended
//!    └──── Arc<Chunk> ── used ◀────┘
//! ```
//! A chunk says when its first row is due, so that one that took long to make is joined at the row
//! for now: what it says of the past is left out. A chunk takes over gradually from the one before,
//! which stays at its last row once it is used up, also where that one had not taken over itself yet.
//! Nothing is allocated or freed here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{Error, Nanos};

use crate::source::{Lead, Source};

/// How long a chunk usually takes to take over.
pub const BLEND: Nanos = 150 * MILLI;

/// How many chunks may be on their way.
const ROOM: usize = 4;

/// Rows that follow each other at a steady rate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chunk {
    /// When the first row is due.
    pub first: Nanos,
    /// Rows per second.
    pub rate: f64,
    /// How long it takes to take over from the one before.
    pub blend: Nanos,
    /// Values in a row.
    pub width: usize,
    /// The rows, one behind the other.
    pub rows: Vec<f64>,
}

impl Chunk {
    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When its last row is no longer meant.
    pub fn end(&self) -> Nanos {
        self.first.saturating_add((self.len() as f64 / self.rate * SECOND as f64) as Nanos)
    }

    /// A value at an instant, between the rows before and behind it; before the first row and behind
    /// the last one it is as there.
    pub fn at(&self, now: Nanos, column: usize) -> Option<f64> {
        let last = self.len().checked_sub(1)?;
        let place = (now - self.first) as f64 / SECOND as f64 * self.rate;
        let row = (place as usize).min(last);
        let value = |row: usize| self.rows.get(row.min(last) * self.width + column).copied();
        let (here, next) = (value(row)?, value(row + 1)?);
        Some(here + (place - row as f64).clamp(0.0, 1.0) * (next - here))
    }
}

/// What is fed.
pub struct Fed {
    newest: Consumer<Arc<Chunk>>,
    used: Producer<Arc<Chunk>>,
    chunk: Option<Arc<Chunk>>,
    /// The one that is being taken over from, and since when.
    before: Option<(Arc<Chunk>, Nanos)>,
    /// How far from what that one says the follower was then, for each value.
    off: Vec<f64>,
    /// Which of a row's values are this follower's: from here on.
    column: usize,
    lead: Lead,
    starved: Arc<AtomicU64>,
}

/// What feeds.
pub struct Feeder {
    newest: Producer<Arc<Chunk>>,
    used: Consumer<Arc<Chunk>>,
    starved: Arc<AtomicU64>,
}

/// Both ends, for a follower of so many values that begin at this place of a row.
pub fn fed(column: usize, values: usize) -> (Feeder, Fed) {
    let (newest, take) = RingBuffer::new(ROOM);
    // As many as are on their way and in use may come back before anybody looks.
    let (lay_back, used) = RingBuffer::new(ROOM + 2);
    let starved = Arc::new(AtomicU64::new(0));
    let feeder = Feeder { newest, used, starved: Arc::clone(&starved) };
    let (lead, off) = (Lead::new(values), vec![0.0; values]);
    let (chunk, before) = (None, None);
    (feeder, Fed { newest: take, used: lay_back, chunk, before, off, column, lead, starved })
}

impl Feeder {
    /// Hands a chunk over; it takes the place of the one before. Answers whether there was room.
    pub fn feed(&mut self, chunk: Arc<Chunk>) -> bool {
        while self.used.pop().is_ok() {}
        self.newest.push(chunk).is_ok()
    }

    /// In how many ticks there was nothing left to do, so that the arm held still.
    pub fn starved(&self) -> u64 {
        self.starved.load(Ordering::Relaxed)
    }
}

impl Fed {
    /// Forgets what it was fed with: nothing is asked for until a new chunk is there.
    pub fn forget(&mut self) {
        while let Ok(chunk) = self.newest.pop() {
            self.lay_back(chunk);
        }
        let before = self.before.take().map(|(chunk, _since)| chunk);
        for chunk in [before, self.chunk.take()].into_iter().flatten() {
            self.lay_back(chunk);
        }
        self.lead.age = Nanos::MAX;
    }

    fn take(&mut self, now: Nanos) {
        while let Ok(chunk) = self.newest.pop() {
            for (place, off) in self.off.iter_mut().enumerate() {
                let column = self.column + place;
                let old = self.chunk.as_ref().and_then(|old| old.at(now, column));
                let said = said(self.chunk.as_deref(), self.before.as_ref(), *off, now, column);
                *off = said.zip(old).map_or(0.0, |(said, old)| said - old);
            }
            if let Some((old, _)) = self.before.take() {
                self.lay_back(old);
            }
            self.before = self.chunk.replace(chunk).map(|old| (old, now));
        }
        let blend = self.chunk.as_ref().map_or(0, |chunk| chunk.blend);
        if let Some((old, _)) = self.before.take_if(|(_, since)| now - *since >= blend) {
            self.lay_back(old);
        }
    }

    fn lay_back(&mut self, chunk: Arc<Chunk>) {
        // Only with a feeder that is gone is there no room; then the process ends anyway.
        self.used.push(chunk).unwrap_or_default();
    }
}

/// What a chunk says of a column while it takes over from the one before, from which the follower was so
/// far off.
fn said(
    chunk: Option<&Chunk>,
    before: Option<&(Arc<Chunk>, Nanos)>,
    off: f64,
    now: Nanos,
    column: usize,
) -> Option<f64> {
    let chunk = chunk?;
    let asked = chunk.at(now, column)?;
    let old = before.and_then(|(old, since)| Some((old.at(now, column)? + off, since)));
    let Some((old, since)) = old else { return Some(asked) };
    let share = match chunk.blend {
        1.. => ((now - since) as f64 / chunk.blend as f64).min(1.0),
        _ => 1.0,
    };
    Some(old + share * (asked - old))
}

impl Source for Fed {
    fn read(&mut self, now: Nanos) -> Result<&Lead, Error> {
        self.take(now);
        let Some(chunk) = &self.chunk else { return Ok(&self.lead) };
        if now >= chunk.end() {
            self.starved.fetch_add(1, Ordering::Relaxed);
        }
        for (place, (value, off)) in self.lead.values.iter_mut().zip(&self.off).enumerate() {
            let column = self.column + place;
            let said = said(Some(chunk), self.before.as_ref(), *off, now, column);
            *value = said.unwrap_or(*value);
        }
        self.lead.age = 0;
        Ok(&self.lead)
    }

    fn lead(&self) -> &Lead {
        &self.lead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(first: Nanos, rows: &[f64]) -> Arc<Chunk> {
        Arc::new(Chunk { first, rate: 10.0, blend: BLEND, width: 2, rows: rows.to_vec() })
    }

    fn said(fed: &mut Fed, ms: Nanos) -> f64 {
        fed.read(ms * MILLI).unwrap().values[0]
    }

    #[test]
    fn before_the_first_chunk_nothing_is_meant() {
        let (_feeder, mut fed) = fed(0, 1);
        assert_eq!(fed.read(0).unwrap().age, Nanos::MAX);
    }

    #[test]
    fn a_chunk_that_comes_late_is_joined_at_the_row_for_now() {
        let (mut feeder, mut fed) = fed(1, 1);
        assert!(feeder.feed(chunk(0, &[9.0, 0.0, 9.0, 1.0, 9.0, 2.0])));
        assert_eq!(said(&mut fed, 100), 1.0);
        assert_eq!(said(&mut fed, 150), 1.5);
        assert_eq!(feeder.starved(), 0);
        assert_eq!((said(&mut fed, 290), feeder.starved()), (2.0, 0));
        assert_eq!((said(&mut fed, 300), feeder.starved()), (2.0, 1), "it holds, and that is told");
    }

    #[test]
    fn the_next_chunk_takes_over_without_a_jump() {
        let (mut feeder, mut fed) = fed(0, 1);
        feeder.feed(chunk(0, &[0.0; 40]));
        assert_eq!(said(&mut fed, 500), 0.0);
        feeder.feed(chunk(500 * MILLI, &[30.0; 40]));
        assert_eq!(said(&mut fed, 500), 0.0);
        assert_eq!(said(&mut fed, 550), 10.0);
        assert_eq!(said(&mut fed, 600), 20.0);
        assert_eq!(said(&mut fed, 650), 30.0);
    }

    #[test]
    fn a_chunk_that_comes_before_the_last_has_taken_over_makes_no_jump() {
        let (mut feeder, mut fed) = fed(0, 1);
        feeder.feed(chunk(0, &[0.0; 80]));
        assert_eq!(said(&mut fed, 500), 0.0);
        feeder.feed(chunk(500 * MILLI, &[30.0; 80]));
        said(&mut fed, 500);
        assert_eq!(said(&mut fed, 550), 10.0);
        feeder.feed(chunk(550 * MILLI, &[40.0; 80]));
        assert_eq!(said(&mut fed, 550), 10.0);
        assert_eq!(said(&mut fed, 600), 20.0);
        feeder.feed(chunk(600 * MILLI, &[50.0; 80]));
        assert_eq!(said(&mut fed, 600), 20.0);
        assert_eq!(said(&mut fed, 675), 35.0);
        assert_eq!(said(&mut fed, 750), 50.0);
        assert_eq!(said(&mut fed, 900), 50.0);
    }

    #[test]
    fn a_chunk_without_a_blend_counts_at_once() {
        let (mut feeder, mut fed) = fed(0, 1);
        feeder.feed(chunk(0, &[0.0; 80]));
        said(&mut fed, 500);
        feeder.feed(Arc::new(Chunk { blend: 0, ..(*chunk(0, &[30.0; 80])).clone() }));
        assert_eq!(said(&mut fed, 500), 30.0);
    }

    #[test]
    fn what_is_used_up_holds_its_last_row_until_the_next_takes_over_and_comes_back() {
        let (mut feeder, mut fed) = fed(0, 1);
        let chunks: Vec<_> = (0..20)
            .map(|at: i32| chunk(Nanos::from(at) * SECOND, &[f64::from(at) * 3.0; 2]))
            .collect();
        for (at, one) in (0_u32..).zip(&chunks) {
            assert!(feeder.feed(Arc::clone(one)), "no room for {at}");
            let (now, held) = (Nanos::from(at) * 1000, f64::from(at.max(1) - 1) * 3.0);
            assert_eq!(said(&mut fed, now), held, "no jump");
            if at > 0 {
                assert_eq!(said(&mut fed, now + 50), held + 1.0);
            }
            assert_eq!(said(&mut fed, now + 150), f64::from(at) * 3.0);
        }
        for at in 20..22 {
            feeder.feed(chunk(at * SECOND, &[0.0; 2]));
            said(&mut fed, at * 1000);
            said(&mut fed, at * 1000 + 150);
        }
        let held = chunks.iter().filter(|chunk| Arc::strong_count(chunk) > 1).count();
        assert_eq!(held, 0);
    }
}
