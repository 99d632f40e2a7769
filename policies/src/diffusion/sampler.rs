//! From observations to a chunk: the condition once, then noise to actions, step by step.

use super::{Graphs, Scheduler};
use crate::checkpoint::Tensors;
use crate::config::DiffusionConfig;
use crate::device::{Device, Options, Program};
use crate::draws::Draws;
use crate::error::Result;

/// The network's three parts, made ready to run.
pub struct Sampler {
    encode: Program,
    modulate: Program,
    denoise: Program,
    scheduler: Scheduler,
    /// The names of what the blocks are told.
    films: Vec<String>,
    /// Where it gets its noise.
    pub draws: Draws,
    sample: Vec<f32>,
    noise: Vec<f32>,
    steps: usize,
    /// Which of the sample's numbers are actions from the newest observation on.
    taken: std::ops::Range<usize>,
}

impl Sampler {
    /// Makes the network ready to run.
    pub fn compile(
        config: &DiffusionConfig,
        tensors: &Tensors,
        options: &Options,
        device: Device,
    ) -> Result<Self> {
        let scheduler = Scheduler::new(config);
        let times = scheduler.times();
        let graphs = Graphs::new(config, tensors, &times)?;
        let dim = config.common.action_dim();
        let numbers = config.horizon * dim;
        let first = config.common.n_obs_steps - 1;
        let program = |graph| Program::compile(graph, tensors, options, device);
        Ok(Self {
            encode: program(&graphs.encode)?,
            modulate: program(&graphs.modulate)?,
            denoise: program(&graphs.denoise)?,
            films: (0..graphs.films).map(|at| format!("film{at}")).collect(),
            draws: Draws::seeded(0),
            sample: vec![0.0; numbers],
            noise: vec![0.0; numbers],
            steps: times.len(),
            taken: first * dim..(first + config.n_action_steps) * dim,
            scheduler,
        })
    }

    /// How many numbers a chunk has.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.taken.len()
    }

    /// Where observations go: by name, the oldest first.
    pub fn input(&mut self, name: &str) -> Result<&mut [f32]> {
        self.encode.input(name)
    }

    /// The parts, for whoever wants to know how long they take and how often they run.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, &Program, usize); 3] {
        let steps = self.steps;
        [
            ("encode", &self.encode, 1),
            ("modulate", &self.modulate, 1),
            ("denoise", &self.denoise, steps),
        ]
    }

    /// Makes a chunk of the observations that were written.
    pub fn run(&mut self) -> Result<&[f32]> {
        self.encode.run()?;
        self.modulate.input("condition")?.copy_from_slice(self.encode.output("condition")?);
        self.modulate.run()?;
        self.draws.fill(&mut self.sample)?;
        for step in 0..self.steps {
            for film in &self.films {
                let into = self.denoise.input(film)?;
                let rows = self.modulate.output(film)?;
                let row = rows.chunks_exact(into.len()).nth(step).unwrap_or_default();
                into.copy_from_slice(row);
            }
            self.denoise.input("sample")?.copy_from_slice(&self.sample);
            self.denoise.run()?;
            if self.scheduler.draws(step) {
                self.draws.fill(&mut self.noise)?;
            }
            let answer = self.denoise.output("answer")?;
            self.scheduler.step(step, answer, &self.noise, &mut self.sample);
        }
        Ok(&self.sample[self.taken.clone()])
    }
}
