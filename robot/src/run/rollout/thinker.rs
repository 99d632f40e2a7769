//! Who makes the chunks: a policy of this process, or one elsewhere.

use std::sync::atomic::AtomicBool;
#[cfg(feature = "zenoh")]
use std::sync::atomic::Ordering;

use sinew_datasets::Image;
use sinew_drivers::Nanos;
use sinew_drivers::clock::SECOND;
use sinew_policies::policy::{Image as Shown, Seen};
use sinew_policies::{Error, Policy};

#[cfg(feature = "zenoh")]
use super::super::elsewhere::Remote;
use super::super::tap::Slip;
use crate::cameras::image;
use crate::cli::failure::{Exit, Failure};

/// How long nobody may answer.
pub const PATIENCE: Nanos = 10 * SECOND;

/// Nobody answered for as long.
pub fn silent(name: &str) -> Failure {
    Failure::advise(
        Exit::Hardware,
        format!("for {} s nobody answered: {name}", PATIENCE / SECOND),
        "does it run there, and can it be reached?",
    )
}

/// What is to be known of who makes chunks before the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many moments it looks at.
    pub depth: usize,
    /// How many rows a chunk has.
    pub rows: usize,
    /// How many of them are carried out before the next chunk, where each is waited for; none where
    /// every row needs a chunk of its own.
    pub steps: Option<usize>,
    /// Values in a row.
    pub width: usize,
}

impl Shape {
    /// What is to be known of a policy of this process.
    pub fn of(policy: &Policy) -> Self {
        let common = policy.config().common();
        let width = common.action_dim();
        Self {
            depth: common.n_obs_steps.max(1),
            rows: policy.chunk().len() / width.max(1),
            steps: policy.steps(),
            width,
        }
    }
}

/// Who makes chunks of what was seen.
pub enum Thinker {
    /// A policy of this process.
    Here(Box<Policy>),
    /// One elsewhere.
    #[cfg(feature = "zenoh")]
    Elsewhere(Box<Remote>),
}

impl Thinker {
    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Self::Here(policy) => policy.folder().display().to_string(),
            #[cfg(feature = "zenoh")]
            Self::Elsewhere(remote) => remote.name(),
        }
    }

    /// What is to be known of it.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Here(policy) => Shape::of(policy),
            #[cfg(feature = "zenoh")]
            Self::Elsewhere(remote) => remote.shape(),
        }
    }

    /// Forgets what it was shown.
    pub fn reset(&mut self) {
        match self {
            Self::Here(policy) => policy.reset(),
            #[cfg(feature = "zenoh")]
            Self::Elsewhere(remote) => remote.reset(),
        }
    }

    /// Makes at most so many rows of the newest moments, the newest of them last; `cameras` names their
    /// pictures. None where whoever was asked has not answered; nobody is waited for once it is over.
    pub fn think(
        &mut self,
        seen: &[Slip],
        cameras: &[String],
        rows: usize,
        #[cfg_attr(not(feature = "zenoh"), expect(unused_variables))] over: &AtomicBool,
    ) -> Result<Option<Vec<f64>>, Failure> {
        match self {
            Self::Here(policy) => Ok(Some(think(policy, seen, cameras, rows)?)),
            #[cfg(feature = "zenoh")]
            Self::Elsewhere(remote) => {
                let frames = seen.iter().map(|slip| {
                    let pictures = pictures(slip, cameras);
                    let pictures = pictures.iter().map(|(name, image)| (*name, image));
                    remote.frame(&slip.state, &[], pictures)
                });
                let frames = frames.collect::<Result<_, _>>()?;
                remote.ask(frames, rows, || !over.load(Ordering::Acquire))
            }
        }
    }
}

fn think(
    policy: &mut Policy,
    seen: &[Slip],
    cameras: &[String],
    rows: usize,
) -> Result<Vec<f64>, Error> {
    // Until there are as many moments as it looks at, the policy itself repeats the first one.
    let Some((newest, before)) = seen.split_last() else { return Ok(Vec::new()) };
    for slip in before {
        show(slip, cameras, |seen| policy.observe(seen))?;
    }
    let goals = if policy.steps().is_none() {
        show(newest, cameras, |seen| Ok(policy.select_action(seen)?.goal.to_vec()))?
    } else {
        show(newest, cameras, |seen| policy.observe(seen))?;
        policy.make_goals(rows)?
    };
    Ok(goals.into_iter().map(f64::from).collect())
}

/// Shows the policy what the loop saw.
fn show<T>(
    slip: &Slip,
    cameras: &[String],
    look: impl FnOnce(&[(&str, Seen<'_>)]) -> Result<T, Error>,
) -> Result<T, Error> {
    let state: Vec<f32> = slip.state.iter().map(|value| *value as f32).collect();
    let pictures = pictures(slip, cameras);
    let shown = pictures.iter().map(|(name, image)| {
        let (width, height) = (image.width() as usize, image.height() as usize);
        (*name, Seen::Image(Shown { width, height, rgb: image.pixels() }))
    });
    let numbers = ("observation.state", Seen::Numbers(&state));
    let seen: Vec<_> = std::iter::once(numbers).chain(shown).collect();
    look(&seen)
}

/// The pictures of a moment, by their features' names.
fn pictures<'a>(slip: &Slip, cameras: &'a [String]) -> Vec<(&'a str, Image)> {
    let shots = cameras.iter().zip(&slip.shots);
    let pictures =
        shots.filter_map(|(name, shot)| Some((name.as_str(), image(shot.as_deref()?)?.to_rgb())));
    pictures.collect()
}
