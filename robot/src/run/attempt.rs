//! One attempt at a simulated task: whoever acts is shown what is seen, from tick to tick, in the
//! world's own time.

#[cfg(all(feature = "policies", feature = "zenoh"))]
use std::collections::VecDeque;

use sinew_datasets::Image;
#[cfg(all(feature = "policies", feature = "zenoh"))]
use sinew_net::message::Frame;
#[cfg(feature = "policies")]
use sinew_policies::Policy;
#[cfg(feature = "policies")]
use sinew_policies::draws::Draws;
#[cfg(feature = "policies")]
use sinew_policies::policy::{Image as Shown, Seen};
use sinew_sim::Env;
use sinew_sim::env::{FPS, Observed};
use sinew_sim::expert::Expert;

#[cfg(all(feature = "policies", feature = "zenoh"))]
use super::elsewhere::Remote;
#[cfg(feature = "policies")]
use super::rollout::Shape;
#[cfg(all(feature = "policies", feature = "zenoh"))]
use super::rollout::silent;
use crate::cli::failure::Failure;

/// What a tick shows.
pub struct Moment<'a> {
    /// Joints, and where things are.
    pub observed: &'a Observed,
    /// What each camera sees: its feature's name, and its picture.
    pub images: &'a [(String, Image)],
    /// Seconds since the beginning.
    pub seconds: f64,
}

/// What the cameras see: their features' names, and the pictures.
pub type Pictures = Vec<(String, Image)>;
/// Takes the pictures of a tick.
pub type Look<'a> = dyn FnMut(&Env) -> Result<Pictures, Failure> + 'a;
/// Keeps what was seen and done in a tick.
pub type Keep<'a> = dyn FnMut(&Moment<'_>, &[f64]) -> Result<(), Failure> + 'a;

/// Who acts.
pub trait Actor {
    /// Something has just begun.
    fn begin(&mut self, env: &Env, seed: u64) -> Result<(), Failure>;
    /// What to do now.
    fn act(&mut self, now: &Moment<'_>) -> Result<Vec<f64>, Failure>;
}

/// Who knows what to do for some time to come.
#[cfg(feature = "policies")]
pub trait Ahead: Actor {
    /// What is to be known of it.
    fn shape(&self) -> Shape;
    /// Is shown a moment that it is not asked about.
    fn see(&mut self, now: &Moment<'_>) -> Result<(), Failure>;
    /// What to do from this moment on, in so many rows at most.
    fn rows(&mut self, now: &Moment<'_>, most: usize) -> Result<Vec<f64>, Failure>;
}

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The seed of its world.
    pub seed: u64,
    /// Whether the task was achieved.
    pub success: bool,
    /// How many ticks it took.
    pub ticks: u32,
    /// All rewards together, and the greatest.
    pub sum_reward: f64,
    /// See `sum_reward`.
    pub max_reward: f64,
}

/// Makes one attempt.
pub fn attempt(
    env: &mut Env,
    seed: u64,
    actor: &mut dyn Actor,
    look: &mut Look<'_>,
    keep: &mut Keep<'_>,
) -> Result<Outcome, Failure> {
    let mut observed = env.reset(seed)?.clone();
    actor.begin(env, seed)?;
    let mut outcome =
        Outcome { seed, success: false, ticks: 0, sum_reward: 0.0, max_reward: f64::NEG_INFINITY };
    loop {
        let seconds = f64::from(outcome.ticks) / f64::from(FPS);
        let images = look(env)?;
        let moment = Moment { observed: &observed, images: &images, seconds };
        let action = actor.act(&moment)?;
        keep(&moment, &action)?;
        let step = env.step(&action)?;
        if let Some(seen) = env.observed() {
            observed.clone_from(seen);
        }
        outcome.ticks += 1;
        outcome.sum_reward += step.verdict.reward;
        outcome.max_reward = outcome.max_reward.max(step.verdict.reward);
        if step.over {
            outcome.success = step.verdict.achieved;
            return Ok(outcome);
        }
    }
}

/// A scripted expert.
#[derive(Default)]
pub struct Scripted(Option<Expert>);

impl Actor for Scripted {
    fn begin(&mut self, env: &Env, _seed: u64) -> Result<(), Failure> {
        self.0 = Some(env.expert()?);
        Ok(())
    }

    fn act(&mut self, now: &Moment<'_>) -> Result<Vec<f64>, Failure> {
        let expert = self.0.as_ref().ok_or(sinew_sim::Error::NotBegun)?;
        Ok(expert.act(now.seconds).to_vec())
    }
}

/// A learned policy, which sees what its training's dataset had: LeRobot's names for it.
#[cfg(feature = "policies")]
pub struct Learned(pub Policy);

/// What datasets call the joints, and what no arm on a table knows.
pub const STATE: &str = "observation.state";
/// See [`STATE`].
pub const TRUTH: &str = "observation.environment_state";

#[cfg(feature = "policies")]
impl Actor for Learned {
    fn begin(&mut self, _env: &Env, seed: u64) -> Result<(), Failure> {
        self.0.reset();
        // The same seed gives the same attempt, whichever attempts came before.
        self.0.draw_from(Draws::seeded(seed));
        Ok(())
    }

    fn act(&mut self, now: &Moment<'_>) -> Result<Vec<f64>, Failure> {
        let goal = self.shown(now, |policy, seen| Ok(policy.select_action(seen)?.goal.to_vec()))?;
        if goal.iter().any(|value| !value.is_finite()) {
            return Err(Failure::new(
                crate::cli::failure::Exit::Data,
                "the policy's action is no number",
            ));
        }
        Ok(wide(&goal))
    }
}

#[cfg(feature = "policies")]
impl Learned {
    fn shown<T>(
        &mut self,
        now: &Moment<'_>,
        look: impl FnOnce(&mut Policy, &[(&str, Seen<'_>)]) -> Result<T, sinew_policies::Error>,
    ) -> Result<T, Failure> {
        let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
        let (state, truth) = (narrow(&now.observed.state), narrow(&now.observed.truth));
        let mut seen = vec![(STATE, Seen::Numbers(&state)), (TRUTH, Seen::Numbers(&truth))];
        seen.extend(now.images.iter().map(|(name, image)| {
            let (width, height) = (image.width() as usize, image.height() as usize);
            (name.as_str(), Seen::Image(Shown { width, height, rgb: image.pixels() }))
        }));
        seen.retain(|(name, _)| self.0.takes(name));
        Ok(look(&mut self.0, &seen)?)
    }
}

#[cfg(feature = "policies")]
fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

#[cfg(feature = "policies")]
impl Ahead for Learned {
    fn shape(&self) -> Shape {
        Shape::of(&self.0)
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), Failure> {
        self.shown(now, |policy, seen| policy.observe(seen))
    }

    fn rows(&mut self, now: &Moment<'_>, most: usize) -> Result<Vec<f64>, Failure> {
        if self.0.steps().is_none() {
            return self.act(now);
        }
        self.see(now)?;
        Ok(wide(&self.0.make_goals(most)?))
    }
}

/// A policy elsewhere, which the world waits for.
#[cfg(all(feature = "policies", feature = "zenoh"))]
pub struct Asking {
    remote: Remote,
    /// The newest moments, as many as it looks at.
    seen: VecDeque<Frame>,
    /// Rows that are still to come.
    coming: VecDeque<Vec<f64>>,
}

#[cfg(all(feature = "policies", feature = "zenoh"))]
impl Asking {
    /// Asks it.
    pub fn new(remote: Remote) -> Self {
        Self { remote, seen: VecDeque::new(), coming: VecDeque::new() }
    }
}

#[cfg(all(feature = "policies", feature = "zenoh"))]
impl Actor for Asking {
    fn begin(&mut self, _env: &Env, _seed: u64) -> Result<(), Failure> {
        self.remote.reset();
        self.seen.clear();
        self.coming.clear();
        Ok(())
    }

    fn act(&mut self, now: &Moment<'_>) -> Result<Vec<f64>, Failure> {
        let shape = self.shape();
        if self.coming.is_empty() {
            let rows = self.rows(now, shape.steps.unwrap_or(1))?;
            self.coming.extend(rows.chunks_exact(shape.width.max(1)).map(<[f64]>::to_vec));
        } else if shape.depth > 1 {
            // Who looks at one moment alone is not told what he is not asked about.
            self.see(now)?;
        }
        self.coming.pop_front().ok_or_else(|| silent(&self.remote.name()))
    }
}

#[cfg(all(feature = "policies", feature = "zenoh"))]
impl Ahead for Asking {
    fn shape(&self) -> Shape {
        self.remote.shape()
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), Failure> {
        let pictures = now.images.iter().map(|(name, image)| (name.as_str(), image));
        let Observed { state, truth, .. } = now.observed;
        self.seen.push_back(self.remote.frame(state, truth, pictures)?);
        let spare = self.seen.len().saturating_sub(self.shape().depth);
        self.seen.drain(..spare);
        Ok(())
    }

    fn rows(&mut self, now: &Moment<'_>, most: usize) -> Result<Vec<f64>, Failure> {
        self.see(now)?;
        let frames: Vec<Frame> = self.seen.iter().cloned().collect();
        self.remote.wait(&frames, most)
    }
}
