//! How a loop kept its rate: counted in place, nothing allocated per tick.

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use sinew_core::limits::ALL_LIMITS;
use sinew_core::register::ALL_FAULTS;
use sinew_drivers::Nanos;
use sinew_drivers::arm::ArmCounts;
use sinew_drivers::bus::BusCounts;
use sinew_drivers::clock::{MICRO, SECOND};

/// The longest span that is told apart, in microseconds.
const LONGEST: u64 = 600_000_000;

/// How many powers of two from a microsecond up to a second are told apart where spans are drawn.
pub const POWERS: usize = 21;

/// Times of one kind, in microseconds.
#[derive(Debug, Clone)]
pub struct Spans {
    all: Histogram<u64>,
    powers: [u32; POWERS],
}

impl Spans {
    /// None counted yet; `None` only if memory is short.
    pub fn new() -> Option<Self> {
        // Three digits: a part in a thousand is finer than any clock tick that matters.
        let all = Histogram::new_with_bounds(1, LONGEST, 3).ok()?;
        Some(Self { all, powers: [0; POWERS] })
    }

    /// Counts one.
    pub fn count(&mut self, span: Nanos) {
        let micros = u64::try_from(span / MICRO).unwrap_or(0).clamp(1, LONGEST);
        self.all.saturating_record(micros);
        let power = (micros.ilog2() as usize).min(POWERS - 1);
        self.powers[power] = self.powers[power].saturating_add(1);
    }

    /// How many took from 1, 2, 4, 8 … microseconds up to the next; the last is of all that took longer.
    pub fn powers(&self) -> &[u32; POWERS] {
        &self.powers
    }

    /// The span that this share of all stays below, in microseconds.
    pub fn quantile(&self, share: f64) -> u64 {
        self.all.value_at_quantile(share)
    }

    /// Its middle and its longest, in milliseconds.
    pub fn json_ms(&self) -> Value {
        json!({ "p50": self.quantile(0.5) as f64 / 1e3, "max": self.all.max() as f64 / 1e3 })
    }

    /// The figures that scripts read.
    pub fn json(&self) -> Value {
        json!({
            "p50": self.quantile(0.5),
            "p99": self.quantile(0.99),
            "p999": self.quantile(0.999),
            "max": self.all.max(),
        })
    }
}

/// What a loop wrote to a dataset; one without a dataset writes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recorded {
    /// Episodes saved.
    pub episodes: u64,
    /// Frames in them.
    pub frames: u64,
    /// Frames in which a camera or a joint had nothing new.
    pub repeated_frames: u64,
    /// Rows that stand for ticks the loop had to leave out.
    pub missed_rows: u64,
}

/// What the newest tick took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Last {
    /// When it was over.
    pub done: Nanos,
    /// From its deadline, or from the end of the tick before where that was late, to the begin of work.
    pub wake: Nanos,
    /// The buses: requests going out, and their answers.
    pub bus: Nanos,
    /// Its own work, and what handing the tick before on took.
    pub work: Nanos,
    /// From its deadline to its end.
    pub tick: Nanos,
}

/// A loop's figures.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Ticks done.
    pub ticks: u64,
    /// Ticks that ended after the next one was due.
    pub late_ticks: u64,
    /// From deadline to the end of the tick's work.
    pub tick: Spans,
    /// From deadline to the begin of work: what the system's timer costs. After a late tick nobody waits
    /// for it; those are counted by themselves.
    pub wake: Spans,
    /// The buses: requests going out, and their answers.
    pub bus: Spans,
    /// The tick's own work: what is left of it without waking up and without the buses.
    pub work: Spans,
    /// From the oldest to the newest value that a tick went by.
    pub skew: Spans,
    /// The newest tick.
    pub last: Last,
    /// What was kept of it.
    pub recorded: Recorded,
    /// When the loop began.
    pub began: Nanos,
    /// When its last tick was over.
    pub ended: Nanos,
}

impl Stats {
    /// Nothing counted yet; `None` only if memory is short.
    pub fn new(began: Nanos) -> Option<Self> {
        Some(Self {
            ticks: 0,
            late_ticks: 0,
            tick: Spans::new()?,
            wake: Spans::new()?,
            bus: Spans::new()?,
            work: Spans::new()?,
            skew: Spans::new()?,
            last: Last::default(),
            recorded: Recorded::default(),
            began,
            ended: began,
        })
    }

    /// Counts a tick.
    pub fn count(&mut self, last: Last) {
        self.ticks += 1;
        self.wake.count(last.wake);
        self.bus.count(last.bus);
        self.work.count(last.work);
        self.tick.count(last.tick);
        self.ended = last.done;
        self.last = last;
    }

    /// Ticks per second so far.
    pub fn rate(&self) -> f64 {
        let seconds = (self.ended - self.began) as f64 / SECOND as f64;
        if seconds > 0.0 { self.ticks as f64 / seconds } else { 0.0 }
    }

    /// The figures that scripts read, with those of the buses and arms.
    pub fn json(&self, bus: &BusCounts, arms: &ArmCounts) -> Value {
        json!({
            "ticks": self.ticks,
            "rate_hz": (self.rate() * 100.0).round() / 100.0,
            "late_ticks": self.late_ticks,
            "tick_us": self.tick.json(),
            "wake_us": self.wake.json(),
            "bus_us": self.bus.json(),
            "work_us": self.work.json(),
            "skew_ms": self.skew.json_ms(),
            "episodes": self.recorded.episodes,
            "frames": self.recorded.frames,
            "repeated_frames": self.recorded.repeated_frames,
            "missed_rows": self.recorded.missed_rows,
            "bus": {
                "reads": bus.requests,
                "retries": bus.retries,
                "lost": bus.lost,
                "corrupt": bus.corrupt,
                "stray": bus.stray,
            },
            "arms": troubles(arms),
        })
    }
}

/// What happened to arms, as scripts read it. Of limits and of motors' complaints those that occurred.
fn troubles(arms: &ArmCounts) -> Value {
    let limits = ALL_LIMITS.iter().map(|limit| (limit.name().to_owned(), arms.limited(*limit)));
    let faults = ALL_FAULTS.iter().map(|fault| (fault.to_string(), arms.faults(*fault)));
    let occurred = |counts: &mut dyn Iterator<Item = (String, u64)>| {
        let some = counts.filter(|(_, count)| *count > 0);
        some.map(|(name, count)| (name, json!(count))).collect::<serde_json::Map<_, _>>()
    };
    json!({
        "stale": arms.stale,
        "health_missed": arms.health_missed,
        "torque_lost": arms.torque_lost,
        "port_lost": arms.port_lost,
        "dead_man": arms.dead_man,
        "gave_way": arms.gave_way,
        "supply": arms.supply,
        "board": {
            "missed": arms.board_missed,
            "late": arms.board_late,
            "lost": arms.board_lost,
        },
        "limited": occurred(&mut limits.into_iter()),
        "faults": occurred(&mut faults.into_iter()),
    })
}

/// The counts of several buses together.
pub fn together(counts: impl Iterator<Item = BusCounts>) -> BusCounts {
    counts.fold(BusCounts::default(), |sum, one| BusCounts {
        requests: sum.requests + one.requests,
        retries: sum.retries + one.retries,
        lost: sum.lost + one.lost,
        corrupt: sum.corrupt + one.corrupt,
        stray: sum.stray + one.stray,
        on_wire: sum.on_wire + one.on_wire,
    })
}
