//! Many plans tried out in the model of the world, row by row: the policy's own once, those that are
//! drawn again and again, nearer and nearer to the best.

use super::search::{Kind, Search};
use crate::config::TdmpcConfig;
use crate::device::Program;
use crate::draws::Draws;
use crate::error::Result;

/// Plans, and what is known of each. Rows are those that are drawn, then the policy's own.
pub struct Trial {
    step: Program,
    judge: Program,
    search: Search,
    horizon: usize,
    iterations: usize,
    /// How wide a latent state and an action are, and how many judges there are.
    width: usize,
    dim: usize,
    judges: usize,
    /// How much less the next reward counts.
    discount: f64,
    /// How much it counts that the judges disagree.
    doubt: f64,
    /// By how much the policy's own actions are shaken.
    shake: f32,
    actions: Vec<f32>,
    /// Where each plan has led to.
    latents: Vec<f32>,
    /// What each has brought until then, and what it is worth in the end.
    returns: Vec<f32>,
    values: Vec<f32>,
    noise: Vec<f32>,
    /// How likely each judge is to be heard in the end, twice.
    evenly: Vec<f32>,
    plan: Vec<f32>,
}

impl Trial {
    /// With programs for a step and for what it is worth.
    pub fn new(config: &TdmpcConfig, [step, judge]: [Program; 2]) -> Self {
        let (samples, dim) = (config.samples(), config.common.action_dim());
        let judges = config.q_ensemble_size;
        Self {
            step,
            judge,
            search: Search::new(config),
            horizon: config.horizon,
            iterations: config.cem_iterations,
            width: config.latent_dim,
            dim,
            judges,
            discount: config.discount,
            doubt: config.uncertainty_regularizer_coeff.max(0.0),
            shake: config.min_std as f32,
            actions: vec![0.0; config.horizon * samples * dim],
            latents: vec![0.0; samples * config.latent_dim],
            returns: vec![0.0; samples],
            values: vec![0.0; samples],
            noise: vec![0.0; config.horizon * samples * dim],
            evenly: vec![1.0 / judges as f32; 2 * judges],
            plan: vec![0.0; config.horizon * dim],
        }
    }

    /// How often the search narrows down.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// The programs, and how often each runs over all of its rows.
    pub fn parts(&self) -> [(&'static str, &Program, usize); 2] {
        let judged = if self.doubt > 0.0 { self.horizon + 1 } else { 1 };
        [
            ("step", &self.step, self.iterations * self.horizon),
            ("judge", &self.judge, self.iterations * judged),
        ]
    }

    /// Begins the next plan without the one before.
    pub fn forget(&mut self) {
        self.search.forget();
    }

    /// Makes a plan from a latent state. Random numbers are drawn in the order in which LeRobot draws
    /// them.
    pub fn plan(&mut self, latent: &[f32], pi: &mut Program, draws: &mut Draws) -> Result<&[f32]> {
        self.search.begin();
        self.own(latent, pi, draws)?;
        for _ in 0..self.iterations {
            let rows = self.search.rows(Kind::Drawn);
            let noise = &mut self.noise[..self.horizon * rows.len() * self.dim];
            draws.fill(noise)?;
            self.search.draw(noise, &mut self.actions);
            self.start(Kind::Drawn, latent);
            for moment in 0..self.horizon {
                self.advance(Kind::Drawn, moment)?;
            }
            self.value(pi, draws)?;
            self.search.learn(&mut self.values, &self.actions);
        }
        let mut chosen = [0];
        draws.choose(self.search.scores(), (0, 1), &mut chosen)?;
        self.search.end(chosen[0], &self.actions, &mut self.plan);
        Ok(&self.plan)
    }

    /// The plans that the policy makes by itself. They stay as they are while others are drawn.
    fn own(&mut self, latent: &[f32], pi: &mut Program, draws: &mut Draws) -> Result<()> {
        let rows = self.search.rows(Kind::Own);
        if rows.is_empty() {
            return Ok(());
        }
        self.start(Kind::Own, latent);
        for moment in 0..self.horizon {
            let latents = &self.latents[rows.start * self.width..rows.end * self.width];
            pi.input("latent")?[..latents.len()].copy_from_slice(latents);
            pi.run_first(rows.len())?;
            let place = self.search.place(moment, Kind::Own);
            let (actions, noise) =
                (&mut self.actions[place.clone()], &mut self.noise[..place.len()]);
            actions.copy_from_slice(&pi.output("action")?[..noise.len()]);
            shaken(actions, self.shake, noise, draws)?;
            self.advance(Kind::Own, moment)?;
        }
        Ok(())
    }

    /// Plans of this kind begin at a latent state.
    fn start(&mut self, kind: Kind, latent: &[f32]) {
        let rows = self.search.rows(kind);
        self.returns[rows.clone()].fill(0.0);
        let latents = &mut self.latents[rows.start * self.width..rows.end * self.width];
        latents.chunks_exact_mut(self.width).for_each(|into| into.copy_from_slice(latent));
    }

    /// Carries out the actions of one moment.
    fn advance(&mut self, kind: Kind, moment: usize) -> Result<()> {
        let rows = self.search.rows(kind);
        let discount = self.discounted(moment) as f32;
        let latents = &mut self.latents[rows.start * self.width..rows.end * self.width];
        let actions = &self.actions[self.search.place(moment, kind)];
        let returns = &mut self.returns[rows.clone()];
        let give = |program: &mut Program| -> Result<()> {
            program.input("latent")?[..latents.len()].copy_from_slice(latents);
            program.input("action")?[..actions.len()].copy_from_slice(actions);
            program.run_first(rows.len())
        };
        if self.doubt > 0.0 {
            give(&mut self.judge)?;
        }
        give(&mut self.step)?;
        let rewards = self.step.output("reward")?;
        if self.doubt > 0.0 {
            let values = self.judge.output("values")?.chunks_exact(self.judges);
            for ((sum, reward), values) in returns.iter_mut().zip(rewards).zip(values) {
                *sum += discount * (reward - self.doubt as f32 * deviation(values));
            }
        } else {
            returns.iter_mut().zip(rewards).for_each(|(sum, reward)| *sum += discount * reward);
        }
        latents.copy_from_slice(&self.step.output("latent")?[..latents.len()]);
        Ok(())
    }

    /// What all plans are worth, with what can still be expected where they end.
    fn value(&mut self, pi: &mut Program, draws: &mut Draws) -> Result<()> {
        pi.input("latent")?.copy_from_slice(&self.latents);
        pi.run()?;
        self.judge.input("latent")?.copy_from_slice(&self.latents);
        let actions = self.judge.input("action")?;
        actions.copy_from_slice(pi.output("action")?);
        shaken(actions, self.shake, &mut self.noise[..actions.len()], draws)?;
        self.judge.run()?;
        let mut heard = [0; 2];
        if self.judges > 2 {
            draws.choose(&self.evenly, (0, 1), &mut heard)?;
        }
        let discount = self.discounted(self.horizon);
        let (share, doubt) = (discount as f32, (discount * self.doubt) as f32);
        let judged = self.judge.output("values")?.chunks_exact(self.judges);
        for ((value, sum), judged) in self.values.iter_mut().zip(&self.returns).zip(judged) {
            let expected = match self.judges > 2 {
                true => least(heard.map(|judge| judged[judge])),
                false => least(judged.iter().copied()),
            };
            *value = sum + share * expected;
            if self.doubt > 0.0 {
                *value -= doubt * deviation(judged);
            }
        }
        Ok(())
    }

    /// How much a reward counts so many moments ahead.
    fn discounted(&self, moments: usize) -> f64 {
        (0..moments).fold(1.0, |share, _| share * self.discount)
    }
}

/// Adds so much noise to the policy's own actions.
fn shaken(actions: &mut [f32], by: f32, noise: &mut [f32], draws: &mut Draws) -> Result<()> {
    if by > 0.0 {
        draws.fill(noise)?;
        actions.iter_mut().zip(noise).for_each(|(action, noise)| *action += *noise * by);
    }
    Ok(())
}

/// The least; what is no number makes it none.
fn least(values: impl IntoIterator<Item = f32>) -> f32 {
    let lesser = |a: f32, b: f32| if a.is_nan() || a < b { a } else { b };
    values.into_iter().fold(f32::INFINITY, lesser)
}

/// How far values lie from their mean, as of a sample of more.
fn deviation(values: &[f32]) -> f32 {
    let wide = || values.iter().map(|value| f64::from(*value));
    let mean = wide().sum::<f64>() / values.len() as f64;
    let squares: f64 = wide().map(|value| (value - mean) * (value - mean)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt() as f32
}
