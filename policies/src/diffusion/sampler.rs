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
    /// What the blocks are told: name, and the rows of all steps for each chunk where several are made
    /// together.
    films: Vec<(String, Vec<Vec<f32>>)>,
    /// Where it gets its noise.
    pub draws: Draws,
    /// Each chunk's.
    samples: Vec<Vec<f32>>,
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
        let together = options.together.max(1);
        let graphs = Graphs::new(config, tensors, &times, together)?;
        let dim = config.common.action_dim();
        let numbers = config.horizon * dim;
        let first = config.common.n_obs_steps - 1;
        let program = |graph| Program::compile(graph, tensors, options, device);
        let modulate = program(&graphs.modulate)?;
        let films = (0..graphs.films).map(|at| {
            let name = format!("film{at}");
            let rows = modulate.output(&name)?.to_vec();
            let kept = if together > 1 { together } else { 0 };
            Ok((name, vec![rows; kept]))
        });
        Ok(Self {
            encode: program(&graphs.encode)?,
            films: films.collect::<Result<_>>()?,
            modulate,
            denoise: program(&graphs.denoise)?,
            draws: Draws::seeded(0),
            samples: vec![vec![0.0; numbers]; together],
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

    /// How many chunks can be made together.
    #[must_use]
    pub fn together(&self) -> usize {
        self.samples.len()
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

    /// Looks at the observations that were written, for this one of the chunks to be made.
    pub fn look(&mut self, chunk: usize) -> Result<()> {
        self.encode.run()?;
        self.modulate.input("condition")?.copy_from_slice(self.encode.output("condition")?);
        self.modulate.run()?;
        for (name, told) in &mut self.films {
            if let Some(told) = told.get_mut(chunk) {
                told.copy_from_slice(self.modulate.output(name)?);
            }
        }
        Ok(())
    }

    /// Makes so many chunks of what was looked at.
    pub fn run(&mut self, chunks: usize) -> Result<()> {
        let samples = &mut self.samples[..chunks];
        samples.iter_mut().try_for_each(|sample| self.draws.fill(sample))?;
        let numbers = self.noise.len();
        for step in 0..self.steps {
            for (film, told) in &self.films {
                let into = self.denoise.input(film)?;
                if told.is_empty() {
                    let rows = self.modulate.output(film)?;
                    into.copy_from_slice(&rows[step * into.len()..][..into.len()]);
                    continue;
                }
                let length = into.len() / told.len();
                for (into, rows) in into.chunks_exact_mut(length).zip(told).take(chunks) {
                    into.copy_from_slice(&rows[step * length..][..length]);
                }
            }
            let into = self.denoise.input("sample")?.chunks_exact_mut(numbers);
            into.zip(&*samples).for_each(|(into, sample)| into.copy_from_slice(sample));
            self.denoise.run_first(chunks)?;
            let answers = self.denoise.output("answer")?.chunks_exact(numbers);
            for (sample, answer) in samples.iter_mut().zip(answers) {
                if self.scheduler.draws(step) {
                    self.draws.fill(&mut self.noise)?;
                }
                self.scheduler.step(step, answer, &self.noise, sample);
            }
        }
        Ok(())
    }

    /// A chunk as the last run made it.
    #[must_use]
    pub fn chunk(&self, chunk: usize) -> &[f32] {
        &self.samples[chunk][self.taken.clone()]
    }
}
