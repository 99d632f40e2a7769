//! The search for a plan by the cross-entropy method: plans are drawn around a mean, the best of them
//! say where the next ones are drawn. In 32 bits, as torch computes it.

use std::ops::Range;

use crate::config::TdmpcConfig;

/// Where a plan comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Drawn around the mean.
    Drawn,
    /// What the policy itself would do.
    Own,
}

/// Where plans are drawn, and which of the last were the best. Plans are actions
/// `[horizon, samples, numbers]`, those that were drawn here before the policy's own.
#[derive(Clone, Debug)]
pub struct Search {
    horizon: usize,
    dim: usize,
    drawn: usize,
    samples: usize,
    elites: usize,
    temperature: f32,
    /// How much of the old mean is kept, and how much of the new one is taken.
    shares: [f32; 2],
    /// The least and the greatest deviation.
    spread: [f32; 2],
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// The samples, the best first.
    order: Vec<usize>,
    /// How much each of the best counts, all together 1.
    scores: Vec<f32>,
    /// Whether the mean is that of the plan before.
    warm: bool,
}

impl Search {
    /// One that knows nothing yet.
    pub fn new(config: &TdmpcConfig) -> Self {
        let (horizon, dim) = (config.horizon, config.common.action_dim());
        let momentum = config.gaussian_mean_momentum;
        Self {
            horizon,
            dim,
            drawn: config.n_gaussian_samples,
            samples: config.samples(),
            elites: config.n_elites,
            temperature: config.elite_weighting_temperature as f32,
            shares: [momentum, 1.0 - momentum].map(|share| share as f32),
            spread: [config.min_std, config.max_std].map(|side| side as f32),
            mean: vec![0.0; horizon * dim],
            deviation: vec![0.0; horizon * dim],
            order: (0..config.samples()).collect(),
            scores: vec![0.0; config.n_elites],
            warm: false,
        }
    }

    /// Begins a plan without the one before.
    pub fn forget(&mut self) {
        self.warm = false;
    }

    /// Begins where the plan before ended, one action later; at nothing where there is none.
    pub fn begin(&mut self) {
        match self.warm {
            true => {
                self.mean.copy_within(self.dim.., 0);
                let last = self.mean.len() - self.dim;
                self.mean[last..].fill(0.0);
            }
            false => self.mean.fill(0.0),
        }
        self.deviation.fill(self.spread[1]);
        self.warm = false;
    }

    /// Which of the samples are of this kind.
    pub fn rows(&self, kind: Kind) -> Range<usize> {
        match kind {
            Kind::Drawn => 0..self.drawn,
            Kind::Own => self.drawn..self.samples,
        }
    }

    /// Where their actions of one moment are.
    pub fn place(&self, moment: usize, kind: Kind) -> Range<usize> {
        let (first, rows) = (moment * self.samples, self.rows(kind));
        (first + rows.start) * self.dim..(first + rows.end) * self.dim
    }

    /// Draws plans around the mean, from normally distributed `[horizon, drawn, numbers]`.
    pub fn draw(&self, noise: &[f32], actions: &mut [f32]) {
        let each = self.drawn * self.dim;
        for (moment, noise) in noise.chunks_exact(each).enumerate() {
            let around = moment * self.dim..(moment + 1) * self.dim;
            let (mean, deviation) = (&self.mean[around.clone()], &self.deviation[around]);
            let actions = &mut actions[self.place(moment, Kind::Drawn)];
            let rows = actions.chunks_exact_mut(self.dim).zip(noise.chunks_exact(self.dim));
            for (action, noise) in rows {
                let sides = action.iter_mut().zip(noise).zip(mean.iter().zip(deviation));
                for ((action, noise), (mean, deviation)) in sides {
                    *action = (mean + deviation * noise).clamp(-1.0, 1.0);
                }
            }
        }
    }

    /// Learns what each plan is worth, and moves the mean towards the best.
    pub fn learn(&mut self, values: &mut [f32], actions: &[f32]) {
        values.iter_mut().for_each(|value| *value = finite(*value));
        self.order.sort_unstable_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
        let best = &self.order[..self.elites];
        let greatest = values[best[0]];
        for (score, plan) in self.scores.iter_mut().zip(best) {
            *score = (self.temperature * (values[*plan] - greatest)).exp();
        }
        let all: f32 = self.scores.iter().sum();
        self.scores.iter_mut().for_each(|score| *score /= all);
        let [least, most] = self.spread;
        for at in 0..self.horizon * self.dim {
            let (moment, number) = (at / self.dim, at % self.dim);
            let first = moment * self.samples * self.dim + number;
            let of = |plan: &usize| actions[first + plan * self.dim];
            let weighted = || self.scores.iter().zip(best.iter().map(of));
            let mean: f32 = weighted().map(|(score, action)| score * action).sum();
            let square = |(score, action): (&f32, f32)| score * (action - mean) * (action - mean);
            let deviation = weighted().map(square).sum::<f32>().sqrt();
            self.mean[at] = self.shares[0] * self.mean[at] + self.shares[1] * mean;
            self.deviation[at] = deviation.max(least).min(most);
        }
    }

    /// How likely each of the best plans is to be carried out, the best first.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// Ends the search with one of the best plans: its actions one behind the other.
    pub fn end(&mut self, chosen: usize, actions: &[f32], plan: &mut [f32]) {
        let sample = self.order[chosen];
        let moments = actions.chunks_exact(self.samples * self.dim);
        for (into, moment) in plan.chunks_exact_mut(self.dim).zip(moments) {
            into.copy_from_slice(&moment[sample * self.dim..][..self.dim]);
        }
        self.warm = true;
    }
}

/// What is no number counts nothing, and what is beyond all numbers as much as the greatest.
fn finite(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(f32::MIN, f32::MAX) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::config::Config;

    /// Of two moments with one number each, three samples drawn and one of the policy's own.
    fn search(more: &[(&str, f64)]) -> Search {
        let mut config = json!({
            "type": "tdmpc", "horizon": 2, "n_gaussian_samples": 3, "n_pi_samples": 1, "n_elites": 2,
            "input_features": {"observation.state": {"type": "STATE", "shape": [1]}},
            "output_features": {"action": {"type": "ACTION", "shape": [1]}},
        });
        for (field, value) in more {
            config[*field] = json!(value);
        }
        match Config::parse(&config.to_string(), Path::new("config.json")).unwrap() {
            Config::Tdmpc(config) => Search::new(&config),
            other => panic!("{}", other.name()),
        }
    }

    #[test]
    fn plans_are_drawn_around_the_mean_and_within_bounds() {
        let mut search = search(&[]);
        search.begin();
        let mut actions = [9.0; 8];
        search.draw(&[0.1, -0.2, 3.0, 0.0, 0.25, -7.0], &mut actions);
        assert_eq!(actions, [0.2, -0.4, 1.0, 9.0, 0.0, 0.5, -1.0, 9.0]);
        assert_eq!(search.place(1, Kind::Own), 7..8);
    }

    #[test]
    fn the_mean_moves_to_the_best_and_the_next_plan_begins_there() {
        let mut search = search(&[("gaussian_mean_momentum", 0.25), ("min_std", 0.0)]);
        search.begin();
        let actions = [0.0, 0.5, -0.5, 1.0, 0.1, 0.2, 0.3, 0.4];
        let mut values = [1.0, f32::NAN, -1.0, 1.0];
        search.learn(&mut values, &actions);
        assert_eq!(values[1], 0.0, "what is no number counts nothing");
        assert_eq!(search.scores(), [0.5, 0.5]);
        let near = |a: &[f32], b: [f32; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&search.mean, [0.375, 0.1875]), "{:?}", search.mean);
        assert!(near(&search.deviation, [0.5, 0.15]), "{:?}", search.deviation);
        let mut plan = [0.0; 2];
        search.end(1, &actions, &mut plan);
        assert_eq!(plan, [1.0, 0.4], "of two alike the first comes first");
        search.begin();
        assert!(near(&search.mean, [0.1875, 0.0]) && search.deviation == [2.0; 2]);
        search.end(0, &actions, &mut plan);
        search.forget();
        search.begin();
        assert_eq!(search.mean, [0.0; 2]);
    }

    #[test]
    fn values_beyond_all_numbers_still_give_a_plan() {
        let mut search = search(&[]);
        search.begin();
        let mut values = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::NAN];
        search.learn(&mut values, &[0.5; 8]);
        assert!(search.scores().iter().all(|score| score.is_finite()));
        assert!(search.mean.iter().chain(&search.deviation).all(|number| number.is_finite()));
    }

    #[test]
    fn a_least_deviation_above_the_greatest_gives_way() {
        let mut search = search(&[("min_std", 3.0), ("max_std", 0.5)]);
        search.begin();
        search.learn(&mut [0.0; 4], &[0.5; 8]);
        assert_eq!(search.deviation, [0.5; 2]);
    }
}
