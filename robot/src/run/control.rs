//! The loop that moves arms: each source drives its follower.
//!
//! ```text
//!  deadline ─▶ source.read ─▶ follower.observe ─▶ ramp ─▶ follower.command ─▶ next deadline
//!                                                         (limits inside)
//! ```
//! Deadlines are absolute: a late tick makes no later one late, and ticks that cannot be caught up
//! are left out, not run in a burst. Nothing in a tick allocates, locks or prints.

use std::ops::ControlFlow;

use sinew_drivers::arm::{Arm, ArmCounts, Follower};
use sinew_drivers::bus::BusCounts;
use sinew_drivers::clock::SECOND;
use sinew_drivers::stop::StopReport;
use sinew_drivers::{Clock, Error, Nanos};
use sinew_teleop::ramp::{PAUSE, Ramp};
use sinew_teleop::workspace::Workspace;
use sinew_teleop::{Leader, LeaderError, Source};

use super::realtime::{Granted, Realtime};
use super::stats::{Last, Stats, together};

/// A source and the follower it drives.
pub struct Pair {
    source: Box<dyn Source>,
    /// Driven.
    pub follower: Box<dyn Follower>,
    ramp: Ramp,
    /// Where the follower's tip stays, whoever drives it.
    workspace: Option<Workspace>,
    /// Who drove it before, and may still have to let go of something.
    before: Option<Box<dyn Source>>,
    /// How much the follower had to say when it was found.
    heard: usize,
}

impl Pair {
    /// Lets `source` drive `follower`.
    pub fn new(source: Box<dyn Source>, follower: Box<dyn Follower>) -> Self {
        let ramp = Ramp::new(follower.spec().value_count());
        let heard = follower.notices().len();
        Self { source, ramp, follower, workspace: None, before: None, heard }
    }

    /// Keeps the follower's tip inside from now on.
    pub fn stay_in(&mut self, workspace: Workspace) {
        self.workspace = Some(workspace);
    }

    /// In how many ticks the follower was held, so that its tip stays inside; none where it may go
    /// anywhere.
    pub fn held_inside(&self) -> Option<u64> {
        self.workspace.as_ref().map(Workspace::held)
    }

    /// Lets an arm that is moved by hand drive another; they are matched by their joints' names and
    /// units.
    pub fn led(leader: Arm, follower: Box<dyn Follower>) -> Result<Self, LeaderError> {
        Ok(Self::new(Box::new(Leader::new(leader, &*follower)?), follower))
    }

    /// Lets another source drive the follower from now on; it is brought there smoothly.
    #[cfg(feature = "policies")]
    pub fn drive(&mut self, source: Box<dyn Source>) {
        // The follower does not wait until it has: that is heard of tick by tick.
        self.source.let_go();
        self.before = Some(std::mem::replace(&mut self.source, source));
        self.ramp = Ramp::new(self.follower.spec().value_count());
    }

    /// Brings the follower smoothly to where its source wants it, once more: somebody else leads.
    #[cfg(feature = "zenoh")]
    pub fn anew(&mut self) {
        self.ramp.again();
    }

    /// Lets both answer as they will once they are ready; nothing moves.
    pub fn prepare(&mut self) -> Result<(), Error> {
        self.source.prepare()?;
        self.follower.prepare()
    }

    /// Makes both ready; the follower is under torque from now on.
    pub fn configure(&mut self) -> Result<(), Error> {
        self.source.configure()?;
        self.follower.configure()
    }

    /// Reads both, and says from when to when their values are.
    fn look(&mut self, clock: &Clock) -> Result<(Nanos, Nanos), Error> {
        if let Some(before) = &mut self.before {
            before.give_way()?;
        }
        let lead = self.source.read(clock.now())?.age;
        let led = clock.now().saturating_sub(lead);
        let seen = self.follower.observe()?;
        self.source.see(seen);
        let now = clock.now();
        let oldest = seen.ages.iter().fold(0, |oldest: Nanos, age| oldest.max(*age));
        let newest = seen.ages.iter().fold(oldest, |newest: Nanos, age| newest.min(*age));
        let (oldest, newest) = (now.saturating_sub(oldest), now.saturating_sub(newest));
        // The follower goes by nothing that was said longer ago.
        Ok((if lead <= PAUSE { led.min(oldest) } else { oldest }, newest))
    }

    /// Reads both, and sends the follower on its way to where the source wants it.
    fn tick(&mut self, clock: &Clock) -> Result<(Nanos, Nanos), Error> {
        let span = self.look(clock)?;
        let lead = self.source.lead();
        // What was said longer ago commands nothing; the follower's dead-man holds.
        if lead.age <= PAUSE {
            let now = clock.now();
            let there = &self.follower.observation().values;
            let goal = self.ramp.toward(now, there, &lead.values);
            let goal = match &mut self.workspace {
                Some(workspace) => workspace.keep(now, there, goal),
                None => goal,
            };
            let sent = self.follower.command(goal)?;
            if let Some(workspace) = &mut self.workspace {
                workspace.sent(&sent.values);
            }
        }
        Ok(span)
    }

    /// Whether the follower has been brought to where its source wanted it.
    pub fn is_there(&self, now: Nanos) -> bool {
        self.ramp.is_over(now)
    }

    fn sources(&self) -> impl Iterator<Item = &Box<dyn Source>> {
        std::iter::once(&self.source).chain(&self.before)
    }

    /// Lets go of whatever its sources hold, without waiting for an answer.
    fn let_go(&mut self) {
        self.source.let_go();
        self.before.iter_mut().for_each(|before| before.let_go());
    }

    /// Ends its sources, and says how that went where one moved something by itself.
    fn end_sources(&mut self) -> Option<StopReport> {
        let before = self.before.as_mut().and_then(|before| before.end());
        self.source.end().or(before)
    }

    fn on_wire(&self) -> Nanos {
        let sources = self.sources().map(|source| source.bus_counts().on_wire).sum::<Nanos>();
        sources + self.follower.bus_counts().on_wire
    }

    /// Whether a person leads just now who has taken over from a program.
    pub fn corrects(&self) -> bool {
        self.source.corrects()
    }

    /// How many answers were lost on their buses.
    pub fn lost(&self) -> u64 {
        let sources = self.sources().map(|source| source.bus_counts().lost).sum::<u64>();
        sources + self.follower.bus_counts().lost
    }

    /// What was odd with the follower since it was found.
    fn oddities(&self) -> impl Iterator<Item = String> {
        self.follower.notices().iter().skip(self.heard).map(ToString::to_string)
    }

    /// Whether what it was asked for last was said so long ago that nothing is commanded by it.
    pub fn is_unled(&self) -> bool {
        self.source.lead().age > PAUSE
    }

    /// What the follower was asked for last.
    pub fn asked(&self) -> &[f64] {
        &self.source.lead().values
    }
}

/// What datasets call the followers' values, in their order.
pub fn value_names(pairs: &[Pair]) -> Vec<String> {
    pairs.iter().flat_map(|pair| pair.follower.spec().value_names()).collect()
}

/// What a tick was, for whoever watches the loop.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// Which one it is, counted from 0; those that had to be left out are counted as well.
    pub number: u64,
    /// When it began.
    pub began: Nanos,
    /// Whether it ended after the next one was due.
    pub late: bool,
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
pub struct Lap {
    /// Its figures.
    pub stats: Stats,
    /// What ended it, if it was not the time.
    pub error: Option<Error>,
    /// What the system granted the loop.
    pub granted: Granted,
}

/// A loop that ended, and its arms in their stop state.
pub struct Outcome {
    /// How it ended.
    pub lap: Lap,
    /// How each follower was left, and each leader that moved by itself to the end.
    pub stopped: Vec<StopReport>,
    /// What followers say of how they ended.
    pub words: Vec<String>,
    /// What was odd with them meanwhile.
    pub oddities: Vec<String>,
    /// Which joints of leaders nobody has heard of at the end.
    pub silent: Vec<String>,
    /// In how many ticks a tip was held inside its space, where it has one.
    pub held: Option<u64>,
    /// What happened on the followers' and leaders' buses.
    pub bus: BusCounts,
    /// What happened to the followers and leaders.
    pub arms: ArmCounts,
}

/// Runs until the time is up or somebody stops it. `each` is called after every tick, and ends the
/// loop when it breaks. The arms are left as they are then: [`end`] stops them.
pub fn lap(
    pairs: &mut [Pair],
    clock: &Clock,
    pace: Pace,
    stats: Stats,
    each: impl FnMut(Tick, &[Pair], &Stats) -> ControlFlow<()>,
) -> Lap {
    // Time that does not pass by itself is nothing to be in time for.
    let realtime = matches!(clock, Clock::Real).then(Realtime::claim);
    let (stats, error) = ticks(pairs, clock, pace, stats, Pair::tick, each);
    Lap { stats, error, granted: realtime.map(|realtime| realtime.0).unwrap_or_default() }
}

/// Leaves every arm in its stop state.
pub fn end(pairs: &mut [Pair], lap: Lap) -> Outcome {
    // Nobody's hand has to wait until the followers are parked, and no follower until each motor of a
    // leader has said that it is limp.
    let silent = pairs.iter().flat_map(|pair| pair.source.silent()).collect();
    pairs.iter_mut().for_each(Pair::let_go);
    let mut stopped: Vec<_> = pairs.iter_mut().map(|pair| pair.follower.end()).collect();
    stopped.extend(pairs.iter_mut().filter_map(Pair::end_sources));
    let held = pairs.iter().filter_map(Pair::held_inside).reduce(|held, more| held + more);
    let sources = || pairs.iter().flat_map(Pair::sources);
    let counts = sources().map(|source| source.bus_counts());
    let bus = together(counts.chain(pairs.iter().map(|pair| pair.follower.bus_counts())));
    let arms = sources().map(|source| source.arm_counts());
    let arms = arms.chain(pairs.iter().map(|pair| pair.follower.counts()));
    let words = pairs.iter().filter_map(|pair| pair.follower.last_words()).map(str::to_owned);
    let (words, arms) = (words.collect(), arms.fold(ArmCounts::default(), ArmCounts::and));
    let oddities = pairs.iter().flat_map(Pair::oddities).collect();
    Outcome { lap, stopped, words, oddities, silent, held, bus, arms }
}

/// The same without a command: what a tick's reading takes, before there is torque.
pub fn rehearse(
    pairs: &mut [Pair],
    clock: &Clock,
    pace: Pace,
    stats: Stats,
    each: impl FnMut(Tick, &[Pair], &Stats) -> ControlFlow<()>,
) -> Lap {
    let (stats, error) = ticks(pairs, clock, pace, stats, Pair::look, each);
    Lap { stats, error, granted: Granted::default() }
}

fn ticks(
    pairs: &mut [Pair],
    clock: &Clock,
    pace: Pace,
    mut stats: Stats,
    mut one: impl FnMut(&mut Pair, &Clock) -> Result<(Nanos, Nanos), Error>,
    mut each: impl FnMut(Tick, &[Pair], &Stats) -> ControlFlow<()>,
) -> (Stats, Option<Error>) {
    let period = (SECOND as f64 / pace.fps) as Nanos;
    let began = clock.now();
    if stats.ticks == 0 {
        (stats.began, stats.ended) = (began, began);
    }
    let end = pace.duration.map(|span| began.saturating_add(span));
    let mut deadline = began;
    let mut number = 0;
    let mut begun = false;
    // What handing the tick before on took, which a tick's work is not over without.
    let mut handing = 0;
    let error = loop {
        if end.is_some_and(|end| deadline >= end) {
            break None;
        }
        // Of a tick that was due while the one before still ran, the timer is not to blame.
        let due = deadline.max(clock.now());
        clock.sleep_until(deadline);
        let woke = clock.now();
        let before = pairs.iter().map(Pair::on_wire).sum::<Nanos>();
        let ticked = pairs.iter_mut().try_fold((Nanos::MAX, Nanos::MIN), |span, pair| {
            let (oldest, newest) = one(pair, clock)?;
            Ok((oldest.min(span.0), newest.max(span.1)))
        });
        let (oldest, newest) = match ticked {
            Ok(span) => span,
            Err(error) => break Some(error),
        };
        let done = clock.now();
        if !begun && pairs.iter().all(|pair| pair.is_there(done)) {
            begun = true;
            pairs.iter_mut().for_each(|pair| pair.source.begin(done));
        }
        let bus = pairs.iter().map(Pair::on_wire).sum::<Nanos>() - before;
        stats.count(Last {
            done,
            wake: woke - due,
            bus,
            work: done - woke - bus + handing,
            tick: done - deadline,
        });
        stats.skew.count(newest.saturating_sub(oldest));
        deadline += period;
        // A tick lasts until the next one is due, or until it is done if that is later.
        stats.ended = stats.ended.max(deadline);
        let tick = Tick { number, began: woke, late: done > deadline };
        number += 1;
        if tick.late {
            stats.late_ticks += 1;
            let missed = (done - deadline) / period;
            deadline += missed * period;
            number += missed.unsigned_abs();
        }
        if each(tick, pairs, &stats).is_break() {
            break None;
        }
        handing = clock.now() - done;
    };
    (stats, error)
}

#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;
