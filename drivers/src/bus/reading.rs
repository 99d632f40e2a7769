//! What the bus hands out: readings, misses, and when they were.

use sinew_core::register::Faults;

use crate::Nanos;
use crate::clock::MILLI;

/// How patient the bus is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long the first byte of an answer may take, beyond the time on the line.
    pub answer: Nanos,
    /// How long the line may be silent between two answers of one sync read.
    pub gap: Nanos,
    /// How long after a miss the answer may still come and must not pass for another's.
    pub late: Nanos,
    /// How often a lost or damaged answer to a single request is asked for again, with twice the
    /// patience each time.
    pub retries: u8,
}

impl Default for Patience {
    fn default() -> Self {
        // USB adapters pass bytes on every millisecond or so, some only every 16 ms until their
        // latency timer is set; a loaded machine adds its own.
        Self { answer: 20 * MILLI, gap: 4 * MILLI, late: 200 * MILLI, retries: 2 }
    }
}

/// A value with the instant its last byte came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The register's value, sign applied.
    pub value: i32,
    /// When the first byte of the request went out.
    pub asked: Nanos,
    /// When the last byte of the answer came in.
    pub at: Nanos,
}

/// Why there is no fresh value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It was never asked.
    NotAsked,
    /// Nothing came.
    NoAnswer,
    /// Something came, but damaged.
    Corrupt,
    /// The servo answered that it will not tell.
    Refused(Faults),
}

/// One motor's part in a sync read, kept by the caller from tick to tick.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The servo.
    pub id: u8,
    /// The fresh value, or why there is none.
    pub outcome: Result<Sample, Miss>,
    /// What the servo complained of in its latest answer.
    pub faults: Faults,
    /// The newest good value, however old.
    pub last: Option<Sample>,
    /// Sync reads in a row without an answer.
    pub misses: u32,
}

impl Reading {
    /// A reading of servo `id` that was never taken.
    pub const fn new(id: u8) -> Self {
        Self { id, outcome: Err(Miss::NotAsked), faults: Faults::NONE, last: None, misses: 0 }
    }

    /// The value, if it is of the latest sync read.
    pub fn fresh(&self) -> Option<i32> {
        self.outcome.ok().map(|sample| sample.value)
    }

    /// How old the newest good value is.
    pub fn age(&self, now: Nanos) -> Option<Nanos> {
        self.last.map(|sample| now - sample.at)
    }
}

/// When a transaction began and ended on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The first byte of the request went out.
    pub first_out: Nanos,
    /// The last byte of the last answer came in.
    pub last_in: Nanos,
}

/// One servo's answer to a single request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The value, zero where none was asked for.
    pub value: i32,
    /// What the servo complained of.
    pub faults: Faults,
    /// When.
    pub timing: Timing,
}

/// What comes back when an id is called once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing.
    Silence,
    /// An answer that cannot be read, as when two servos give it at once.
    Garble,
    /// An answer, with what the servo complains of.
    Answer(Faults),
}

/// What has happened on the bus since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusCounts {
    /// Sync reads and single requests.
    pub requests: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Answers that never came.
    pub lost: u64,
    /// Frames that came damaged.
    pub corrupt: u64,
    /// Frames nobody had asked for.
    pub stray: u64,
    /// How long the wire took, with requests and with answers that were waited for.
    pub on_wire: Nanos,
}
