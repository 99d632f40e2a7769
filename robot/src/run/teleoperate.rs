//! A leader drives a follower.
//!
//! ```text
//!  deadline ─▶ leader.read ─▶ follower.observe ─▶ follower.command ─▶ next deadline
//!                                                    (limits inside)
//! ```
//! Deadlines are absolute: a late tick makes no later one late, and ticks that cannot be caught up
//! are left out, not run in a burst. Nothing in a tick allocates, locks or prints.

use sinew_drivers::arm::Arm;
use sinew_drivers::bus::BusCounts;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::stop::StopReport;
use sinew_drivers::{Clock, Error, Nanos};
use sinew_teleop::{Leader, LeaderError};

use super::stats::{Stats, together};

/// A leader that was seen longer ago than this commands nothing; the follower's dead-man holds.
const STILL_MEANT: Nanos = 200 * MILLI;

/// A leader and the follower it drives.
pub struct Pair {
    /// Moved by hand.
    pub leader: Leader,
    /// Driven.
    pub follower: Arm,
}

impl Pair {
    /// Matches the two by their joints' names and units.
    pub fn new(leader: Arm, follower: Arm) -> Result<Self, LeaderError> {
        Ok(Self { leader: Leader::new(leader, &follower)?, follower })
    }

    fn tick(&mut self) -> Result<(), Error> {
        let lead = self.leader.read()?;
        self.follower.observe()?;
        if lead.age <= STILL_MEANT {
            self.follower.command(&lead.values)?;
        }
        Ok(())
    }

    /// What the follower was asked for last.
    pub fn asked(&self) -> &[f64] {
        &self.leader.lead().values
    }
}

/// How long and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Ticks per second.
    pub fps: f64,
    /// How long, or until somebody stops it.
    pub duration: Option<Nanos>,
}

/// How a loop ended.
pub struct Outcome {
    /// Its figures.
    pub stats: Stats,
    /// What ended it, if it was not the time.
    pub error: Option<Error>,
    /// How each follower was left.
    pub stopped: Vec<StopReport>,
    /// What happened on the followers' and leaders' buses.
    pub bus: BusCounts,
}

/// Runs until the time is up or somebody stops it, and leaves every arm in its stop state.
/// `each` is called after every tick.
pub fn run(
    pairs: &mut [Pair],
    clock: &Clock,
    pace: Pace,
    mut stats: Stats,
    mut each: impl FnMut(&[Pair], &Stats),
) -> Outcome {
    let period = (SECOND as f64 / pace.fps) as Nanos;
    let began = clock.now();
    (stats.began, stats.ended) = (began, began);
    let end = pace.duration.map(|span| began.saturating_add(span));
    let mut deadline = began;
    let error = loop {
        if end.is_some_and(|end| deadline >= end) {
            break None;
        }
        clock.sleep_until(deadline);
        let woke = clock.now();
        if let Err(error) = pairs.iter_mut().try_for_each(Pair::tick) {
            break Some(error);
        }
        let done = clock.now();
        stats.ticks += 1;
        stats.wake.count(woke - deadline);
        stats.bus.count(done - woke);
        stats.tick.count(done - deadline);
        deadline += period;
        // A tick lasts until the next one is due, or until it is done if that is later.
        stats.ended = done.max(deadline);
        if done > deadline {
            stats.late_ticks += 1;
            deadline += (done - deadline) / period * period;
        }
        each(pairs, &stats);
    };
    let stopped = pairs.iter_mut().map(|pair| pair.follower.end()).collect();
    let counts =
        pairs.iter().flat_map(|pair| [pair.leader.arm().bus_counts(), pair.follower.bus_counts()]);
    Outcome { stats, error, stopped, bus: together(counts) }
}
