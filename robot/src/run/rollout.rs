//! A policy beside the loop: it looks at what the loop hands on, and feeds it with chunks.
//!
//! ```text
//!  loop ── slips (joints, pictures) ─▶ policy's thread ── chunks ─▶ loop
//! ```
//! The loop never waits for it. While a chunk is made, the arm goes on with the one before, and holds
//! still once that is used up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sinew_datasets::Image;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{Clock, Nanos};
use sinew_policies::policy::{Image as Shown, Seen};
use sinew_policies::{Error, Policy};
use sinew_teleop::fed::{BLEND, Chunk, Feeder};
use sinew_teleop::ramp::way;

use super::stats::Spans;
use super::tap::{Slip, Slips};
use crate::cameras::image;

/// When the next chunk is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Inference {
    /// When the one before is used up; the arm holds still meanwhile
    #[default]
    Sync,
    /// While the one before is carried out
    Async,
}

/// How a policy drives.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When the next chunk is made.
    pub inference: Inference,
    /// Asynchronously: once less than this share of a chunk is left.
    pub threshold: f64,
    /// Rows per second, as in the training's dataset.
    pub rate: f64,
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

/// What a policy has done.
#[derive(Clone, Debug)]
pub struct Thought {
    /// Chunks made.
    pub chunks: u64,
    /// What each took.
    pub took: Spans,
}

/// A policy at work.
pub struct Driver {
    policy: Policy,
    plan: Plan,
    clock: Clock,
    feeders: Vec<Feeder>,
    /// Ticks before this one are nothing to think about: somebody else drove.
    since: Nanos,
    /// The newest slips, as many as the policy looks at.
    seen: VecDeque<Slip>,
    /// How many that is.
    depth: usize,
    /// How many rows of a chunk are carried out.
    rows: usize,
    /// Whether every row needs a chunk of its own.
    every: bool,
    /// The newest chunk's begin and end.
    last: Option<(Nanos, Nanos)>,
    thought: Thought,
    /// How the arms rest.
    rest: Rest,
    /// Whether they do, and in how many ticks there was nothing to do until they did.
    rests: Option<u64>,
    /// In how many ticks there was nothing to do while they rested.
    rested: u64,
}

impl Driver {
    /// Lets `policy` feed these followers, all with the same rows.
    pub fn new(policy: Policy, plan: Plan, feeders: Vec<Feeder>) -> Option<Self> {
        let common = policy.config().common();
        let chunk = policy.chunk().len() / common.action_dim().max(1);
        let steps = policy.steps();
        Some(Self {
            depth: common.n_obs_steps.max(1),
            rows: steps.filter(|_| plan.inference == Inference::Sync).unwrap_or(chunk),
            every: steps.is_none(),
            policy,
            plan,
            clock: Clock::Real,
            feeders,
            since: Nanos::MIN,
            seen: VecDeque::new(),
            last: None,
            thought: Thought { chunks: 0, took: Spans::new()? },
            rest: Rest::No,
            rests: None,
            rested: 0,
        })
    }

    /// Looks and thinks until the loop is over, but while it is to rest. An error is the end of it: the
    /// arm is to be stopped.
    pub fn drive(
        &mut self,
        slips: &mut Slips,
        over: &AtomicBool,
        resting: impl Fn() -> Rest,
    ) -> Result<(), Error> {
        self.policy.reset();
        while !over.load(Ordering::Acquire) && !slips.is_over() {
            let mut fresh = false;
            while let Some(slip) = slips.next() {
                if slip.began < self.since {
                    slips.lay_back(slip);
                    continue;
                }
                fresh = true;
                self.seen.push_back(slip);
                if self.seen.len() > self.depth
                    && let Some(old) = self.seen.pop_front()
                {
                    slips.lay_back(old);
                }
            }
            self.rest(resting(), slips);
            // A camera that gave nothing yet shows nothing to think about.
            let whole = self.seen.back().is_some_and(|slip| slip.shots.iter().all(Option::is_some));
            if fresh && whole && self.rests.is_none() && self.is_due() {
                self.think()?;
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
                (self.rests, self.last) = (None, None);
                self.policy.reset();
                self.since = self.clock.now();
                self.seen.drain(..).for_each(|slip| slips.lay_back(slip));
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
        let Some((first, end)) = self.last else { return true };
        let left = (end - self.clock.now()) as f64;
        match self.plan.inference {
            _ if self.every => true,
            Inference::Sync => left <= 0.0,
            Inference::Async => left < self.plan.threshold * (end - first) as f64,
        }
    }

    fn think(&mut self) -> Result<(), Error> {
        let began = self.clock.now();
        let seen = self.seen.back().map_or(began, |slip| slip.began);
        // Until there are as many moments as it looks at, the policy itself repeats the first one.
        let (newest, before) = match self.seen.make_contiguous().split_last() {
            Some(split) => split,
            None => return Ok(()),
        };
        for slip in before {
            show(slip, &self.plan, |seen| self.policy.observe(seen))?;
        }
        let rows = if self.every {
            let policy = &mut self.policy;
            show(newest, &self.plan, |seen| Ok(policy.select_action(seen)?.goal.to_vec()))?
        } else {
            show(newest, &self.plan, |seen| self.policy.observe(seen))?;
            let dim = self.policy.config().common().action_dim();
            let mut rows = self.policy.make_chunk()?.to_vec();
            rows.truncate(self.rows * dim);
            self.policy.to_goals(&mut rows)?;
            rows
        };
        let now = self.clock.now();
        let rows: Vec<f64> = rows.into_iter().map(f64::from).collect();
        // After a rest the arm is brought there as smoothly as at the start.
        let blend = match (self.last, self.thought.chunks) {
            (None, 1..) => way(&newest.state, &rows).max(SHORTEST),
            _ => BLEND,
        };
        let late = self.plan.inference == Inference::Sync || self.every;
        let chunk = Arc::new(Chunk {
            first: if late { now } else { seen },
            rate: self.plan.rate,
            blend,
            width: self.policy.config().common().action_dim(),
            rows,
        });
        self.last = Some((chunk.first, chunk.end()));
        self.feed(chunk);
        self.thought.chunks += 1;
        self.thought.took.count(now - began);
        Ok(())
    }
}

/// Shows the policy what the loop saw.
fn show<T>(
    slip: &Slip,
    plan: &Plan,
    look: impl FnOnce(&[(&str, Seen<'_>)]) -> Result<T, Error>,
) -> Result<T, Error> {
    let state: Vec<f32> = slip.state.iter().map(|value| *value as f32).collect();
    let shots = plan.cameras.iter().zip(&slip.shots);
    let pictures: Vec<(&str, Image)> = shots
        .filter_map(|(name, shot)| Some((name.as_str(), image(shot.as_deref()?)?.to_rgb())))
        .collect();
    let shown = pictures.iter().map(|(name, image)| {
        let (width, height) = (image.width() as usize, image.height() as usize);
        (*name, Seen::Image(Shown { width, height, rgb: image.pixels() }))
    });
    let numbers = ("observation.state", Seen::Numbers(&state));
    let seen: Vec<_> = std::iter::once(numbers).chain(shown).collect();
    look(&seen)
}
