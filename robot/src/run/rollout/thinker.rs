//! Who makes the chunks: a policy of this process.

use sinew_datasets::Image;
use sinew_policies::policy::{Image as Shown, Seen};
use sinew_policies::{Error, Policy};

use super::super::tap::Slip;
use crate::cameras::image;

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

/// Who makes chunks of what was seen.
pub struct Thinker(Policy);

impl Thinker {
    /// A policy of this process.
    pub fn new(policy: Policy) -> Self {
        Self(policy)
    }

    /// What is to be known of it.
    pub fn shape(&self) -> Shape {
        let width = self.0.config().common().action_dim();
        Shape {
            depth: self.0.config().common().n_obs_steps.max(1),
            rows: self.0.chunk().len() / width.max(1),
            steps: self.0.steps(),
            width,
        }
    }

    /// Forgets what it was shown.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// Makes at most so many rows of the newest moments, the newest of them last; `cameras` names their
    /// pictures.
    pub fn think(
        &mut self,
        seen: &[Slip],
        cameras: &[String],
        rows: usize,
    ) -> Result<Vec<f64>, Error> {
        // Until there are as many moments as it looks at, the policy itself repeats the first one.
        let Some((newest, before)) = seen.split_last() else { return Ok(Vec::new()) };
        let policy = &mut self.0;
        for slip in before {
            show(slip, cameras, |seen| policy.observe(seen))?;
        }
        let goals = if policy.steps().is_none() {
            show(newest, cameras, |seen| Ok(policy.select_action(seen)?.goal.to_vec()))?
        } else {
            show(newest, cameras, |seen| policy.observe(seen))?;
            let width = policy.config().common().action_dim();
            let mut goals = policy.make_chunk()?.to_vec();
            goals.truncate(rows * width);
            policy.to_goals(&mut goals)?;
            goals
        };
        Ok(goals.into_iter().map(f64::from).collect())
    }
}

/// Shows the policy what the loop saw.
fn show<T>(
    slip: &Slip,
    cameras: &[String],
    look: impl FnOnce(&[(&str, Seen<'_>)]) -> Result<T, Error>,
) -> Result<T, Error> {
    let state: Vec<f32> = slip.state.iter().map(|value| *value as f32).collect();
    let shots = cameras.iter().zip(&slip.shots);
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
