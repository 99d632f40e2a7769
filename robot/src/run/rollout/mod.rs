//! A policy beside the loop: it looks at what the loop hands on, and feeds it with chunks.
//!
//! ```text
//!  loop ── slips (joints, pictures) ─▶ policy's thread ── chunks ─▶ loop
//! ```
//! The loop never waits for it. While a chunk is made, the arm goes on with the one before, and holds
//! still once that is used up.

mod aggregate;
mod sequel;
mod thinker;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use aggregate::Aggregate;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{Clock, Nanos};
use sinew_teleop::fed::{BLEND, Chunk, Feeder};
use sinew_teleop::ramp::way;

use super::stats::Spans;
use super::tap::{Slip, Slips};
use crate::cli::failure::{Exit, Failure};
pub use sequel::{Inference, Sequel};
pub use thinker::{PATIENCE, Shape, Thinker, silent};

/// How a policy drives.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How one chunk follows another.
    pub sequel: Sequel,
    /// The cameras' features, in the order of a slip's shots.
    pub cameras: Vec<String>,
    /// Where the arms rest between two episodes; none where they stay as they are.
    pub home: Option<Vec<f64>>,
}

/// Whether a policy has nothing to do, and where its arms are then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It drives.
    No,
    /// They hold still where they were sent last.
    Still,
    /// They go home.
    Home,
}

/// The way to where an arm rests, and back to a policy, takes at least so long.
const SHORTEST: Nanos = 500 * MILLI;

/// How long a camera may show nothing new before the arm is stopped.
const BLIND: Nanos = 5 * SECOND;

/// What a policy has done.
#[derive(Clone, Debug)]
pub struct Thought {
    /// Chunks made.
    pub chunks: u64,
    /// How often nobody answered.
    pub unanswered: u64,
    /// What each took.
    pub took: Spans,
}

/// A policy at work.
pub struct Driver {
    thinker: Thinker,
    shape: Shape,
    plan: Plan,
    clock: Clock,
    feeders: Vec<Feeder>,
    /// Ticks before this one are nothing to think about: somebody else drove.
    since: Nanos,
    /// The newest slips, as many as the policy looks at.
    seen: VecDeque<Slip>,
    /// The newest chunk.
    last: Option<Arc<Chunk>>,
    /// What it took to make it.
    takes: Nanos,
    /// In which episode it drives: with each, what was before is forgotten.
    episode: u64,
    thought: Thought,
    /// Since when nobody answers.
    silent: Option<Nanos>,
    /// Since when a camera shows nothing new.
    blind: Option<Nanos>,
    /// How the arms rest.
    rest: Rest,
    /// Whether they do, and in how many ticks there was nothing to do until they did.
    rests: Option<u64>,
    /// In how many ticks there was nothing to do while they rested.
    rested: u64,
}

impl Driver {
    /// Lets `thinker` feed these followers, all with the same rows.
    pub fn new(thinker: Thinker, plan: Plan, feeders: Vec<Feeder>) -> Option<Self> {
        Some(Self {
            shape: thinker.shape(),
            thinker,
            plan,
            clock: Clock::Real,
            feeders,
            since: Nanos::MIN,
            seen: VecDeque::new(),
            last: None,
            takes: 0,
            episode: 0,
            thought: Thought { chunks: 0, unanswered: 0, took: Spans::new()? },
            silent: None,
            blind: None,
            rest: Rest::No,
            rests: None,
            rested: 0,
        })
    }

    /// Looks and thinks until the loop is over, but while it is to rest. `wanted` says whether it is, and
    /// counts episodes. An error is the end of it: the arm is to be stopped.
    pub fn drive(
        &mut self,
        slips: &mut Slips,
        over: &AtomicBool,
        wanted: impl Fn() -> (Rest, u64),
    ) -> Result<(), Failure> {
        self.thinker.reset();
        while !over.load(Ordering::Acquire) && !slips.is_over() {
            let mut fresh = false;
            while let Some(slip) = slips.next() {
                if slip.began < self.since {
                    slips.lay_back(slip);
                    continue;
                }
                fresh = true;
                self.seen.push_back(slip);
                if self.seen.len() > self.shape.depth
                    && let Some(old) = self.seen.pop_front()
                {
                    slips.lay_back(old);
                }
            }
            let (rest, episode) = wanted();
            self.rest(rest, slips);
            if std::mem::replace(&mut self.episode, episode) != episode && self.rests.is_none() {
                self.begin_anew(slips);
            }
            let sees = self.rests.is_none() && self.sees()?;
            if fresh && sees && self.is_due() {
                self.think(over)?;
            } else {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// What it has done.
    pub fn thought(&self) -> &Thought {
        &self.thought
    }

    /// In how many ticks the arm held still because no chunk was there.
    pub fn starved(&self) -> u64 {
        let all = self.idle();
        let now = self.rests.map_or(0, |since| all - since);
        all.saturating_sub(self.rested + now)
    }

    /// In how many ticks there was nothing to do, at rest as well.
    fn idle(&self) -> u64 {
        self.feeders.iter().map(Feeder::starved).max().unwrap_or(0)
    }

    /// Sends the arms where they rest, and forgets what was before it when that ends.
    fn rest(&mut self, rest: Rest, slips: &mut Slips) {
        let before = std::mem::replace(&mut self.rest, rest);
        let all = self.idle();
        match (rest, self.rests) {
            (Rest::No, Some(since)) => {
                self.rested += all - since;
                self.rests = None;
                self.begin_anew(slips);
            }
            (Rest::Home | Rest::Still, _) if rest != before => {
                self.rests.get_or_insert(all);
                let seen = self.seen.back();
                let way = match rest {
                    Rest::Home => seen.map(|slip| slip.state.clone()).zip(self.plan.home.clone()),
                    _ => seen.map(|slip| (slip.action.clone(), slip.action.clone())),
                };
                way.into_iter().for_each(|(from, to)| self.go(from, to));
            }
            _ => {}
        }
    }

    /// Forgets what was before.
    fn begin_anew(&mut self, slips: &mut Slips) {
        (self.last, self.blind) = (None, None);
        self.thinker.reset();
        self.since = self.clock.now();
        self.seen.drain(..).for_each(|slip| slips.lay_back(slip));
    }

    /// Whether every camera shows what is there now. The arm holds still at the end of its chunk where one
    /// does not, and is not driven again by one that has shown nothing for long.
    fn sees(&mut self) -> Result<bool, Failure> {
        let Some(slip) = self.seen.back() else { return Ok(false) };
        let Some(camera) = slip.blind() else {
            self.blind = None;
            return Ok(true);
        };
        let now = self.clock.now();
        if now - *self.blind.get_or_insert(now) < BLIND {
            return Ok(false);
        }
        let name = self.plan.cameras.get(camera).map_or("a camera", String::as_str);
        Err(Failure::advise(
            Exit::Hardware,
            format!(
                "the policy was stopped: {name} has shown nothing new for {} s",
                BLIND / SECOND
            ),
            "see to its cable or its network, and look at it: sinew find-cameras",
        ))
    }

    fn go(&mut self, from: Vec<f64>, to: Vec<f64>) {
        let span = way(&from, &to).max(SHORTEST);
        let width = from.len();
        let rows = [from, to].concat();
        let (first, rate) = (self.clock.now(), SECOND as f64 / span as f64);
        self.feed(Arc::new(Chunk { first, rate, blend: BLEND, width, rows }));
    }

    fn feed(&mut self, chunk: Arc<Chunk>) {
        for feeder in &mut self.feeders {
            // Without room the loop is not running, and nothing is asked of it.
            feeder.feed(Arc::clone(&chunk));
        }
    }

    fn is_due(&self) -> bool {
        let (last, now) = (self.last.as_deref(), self.clock.now());
        self.plan.sequel.is_due(self.shape, last, now, self.takes)
    }

    fn think(&mut self, over: &AtomicBool) -> Result<(), Failure> {
        let began = self.clock.now();
        let Some(seen) = self.seen.back().map(|slip| slip.began) else { return Ok(()) };
        let carried = self.plan.sequel.carried(self.shape);
        let moments = self.seen.make_contiguous();
        let rows = self.thinker.think(moments, &self.plan.cameras, carried, over)?;
        let now = self.clock.now();
        let Some(rows) = rows else { return self.was_silent(began, now) };
        self.silent = None;
        // After a rest the arm is brought there as smoothly as at the start.
        let blend = match (&self.last, self.thought.chunks, moments.last()) {
            (None, 1.., Some(newest)) => Some(way(&newest.state, &rows).max(SHORTEST)),
            _ => None,
        };
        let (shape, last) = (self.shape, self.last.as_deref());
        let mut chunk = self.plan.sequel.chunk(shape, last, seen, now, rows);
        chunk.blend = blend.unwrap_or(chunk.blend);
        let chunk = Arc::new(chunk);
        self.last = Some(Arc::clone(&chunk));
        self.feed(chunk);
        self.thought.chunks += 1;
        self.takes = now - began;
        self.thought.took.count(self.takes);
        Ok(())
    }

    /// Nobody answered. What is seen next is asked about again, while there is patience; the arm stays at
    /// the end of its last chunk meanwhile.
    fn was_silent(&mut self, began: Nanos, now: Nanos) -> Result<(), Failure> {
        self.thought.unanswered += 1;
        if now - *self.silent.get_or_insert(began) < PATIENCE {
            return Ok(());
        }
        Err(silent(&self.thinker.name()))
    }
}
