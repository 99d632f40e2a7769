//! How noise is taken away, step by step, as diffusers computes it: in 32 bits, with the running
//! product in 64.

use crate::config::{BetaSchedule, DiffusionConfig, Prediction, Scheduler as Kind};

/// The steps of a chunk and what each does to the sample.
#[derive(Clone, Debug)]
pub struct Scheduler {
    kind: Kind,
    prediction: Prediction,
    clip: Option<f32>,
    steps: Vec<Step>,
}

/// One step: the share of the signal that the sample holds before and after it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    time: usize,
    before: f32,
    after: f32,
}

impl Scheduler {
    /// As the configuration says.
    #[must_use]
    pub fn new(config: &DiffusionConfig) -> Self {
        let shares = shares(config);
        let count = config.steps();
        let apart = config.num_train_timesteps / count.max(1);
        let share = |nth: usize| shares.get(nth * apart).copied().unwrap_or(1.0);
        let steps = (0..count).rev().map(|nth| Step {
            time: nth * apart,
            before: share(nth),
            after: if nth == 0 { 1.0 } else { share(nth - 1) },
        });
        Self {
            kind: config.noise_scheduler_type,
            prediction: config.prediction_type,
            clip: config.clip_sample.then_some(config.clip_sample_range as f32),
            steps: steps.collect(),
        }
    }

    /// The times at which the network is asked, from noise to none.
    #[must_use]
    pub fn times(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.time).collect()
    }

    /// Whether a step adds noise of its own, as much as the sample is long.
    #[must_use]
    pub fn draws(&self, nth: usize) -> bool {
        self.kind == Kind::Ddpm && self.steps.get(nth).is_some_and(|step| step.time > 0)
    }

    /// One step: the sample becomes the one before it, with the network's answer to it. The noise
    /// is read where [`Self::draws`] says so.
    pub fn step(&self, nth: usize, answer: &[f32], noise: &[f32], sample: &mut [f32]) {
        let Some(Step { before, after, .. }) = self.steps.get(nth).copied() else { return };
        let clip = |value: f32| self.clip.map_or(value, |most| value.clamp(-most, most));
        let (signal, spread) = (before.sqrt(), (1.0 - before).sqrt());
        // The sample without noise, and the noise in it.
        let parts = |sample: f32, answer: f32| match self.prediction {
            Prediction::Epsilon => ((sample - spread * answer) / signal, answer),
            Prediction::Sample => (answer, (sample - signal * answer) / spread),
        };
        match self.kind {
            Kind::Ddim => {
                let (signal, spread) = (after.sqrt(), (1.0 - after).sqrt());
                for (sample, answer) in sample.iter_mut().zip(answer) {
                    let (clean, noise) = parts(*sample, *answer);
                    *sample = signal * clip(clean) + spread * noise;
                }
            }
            Kind::Ddpm => {
                let kept = before / after;
                let added = 1.0 - kept;
                let of_clean = after.sqrt() * added / (1.0 - before);
                let of_sample = kept.sqrt() * (1.0 - after) / (1.0 - before);
                let variance = ((1.0 - after) / (1.0 - before) * added).max(1e-20);
                let deviation = if self.draws(nth) { variance.sqrt() } else { 0.0 };
                for (at, (sample, answer)) in sample.iter_mut().zip(answer).enumerate() {
                    let (clean, _) = parts(*sample, *answer);
                    *sample = of_clean * clip(clean) + of_sample * *sample;
                    if deviation > 0.0 {
                        *sample += deviation * noise.get(at).copied().unwrap_or_default();
                    }
                }
            }
        }
    }
}

/// What share of the signal is left after each step of training.
fn shares(config: &DiffusionConfig) -> Vec<f32> {
    let count = config.num_train_timesteps;
    let even = |first: f64, last: f64| {
        let (first, last) = (first as f32, last as f32);
        let apart = (last - first) / count.saturating_sub(1).max(1) as f32;
        // From both ends to the middle, as torch does.
        (0..count).map(move |at| match at < count / 2 {
            true => first + apart * at as f32,
            false => last - apart * (count - 1 - at) as f32,
        })
    };
    let (start, end) = (config.beta_start, config.beta_end);
    let betas: Vec<f32> = match config.beta_schedule {
        BetaSchedule::Linear => even(start, end).collect(),
        BetaSchedule::ScaledLinear => {
            even(start.sqrt(), end.sqrt()).map(|root| root * root).collect()
        }
        BetaSchedule::SquaredCosine => {
            let left = |at: usize| {
                let turn = (at as f64 / count as f64 + 0.008) / 1.008;
                (turn * std::f64::consts::FRAC_PI_2).cos().powi(2)
            };
            (0..count).map(|at| (1.0 - left(at + 1) / left(at)).min(0.999) as f32).collect()
        }
    };
    let mut product = 1.0_f64;
    let mut share = |beta: f32| {
        product *= f64::from(1.0 - beta);
        product as f32
    };
    betas.into_iter().map(&mut share).collect()
}
