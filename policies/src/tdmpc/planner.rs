//! From an observation to a chunk: the policy's own action, or a plan that was searched for.

use super::Graphs;
use super::trial::Trial;
use crate::checkpoint::Tensors;
use crate::config::TdmpcConfig;
use crate::device::{Device, Options, Program};
use crate::draws::Draws;
use crate::error::{Error, Result};

/// The networks, made ready to run, and the search for a plan.
pub struct Planner {
    encode: Program,
    pi: Program,
    /// None where the policy's own action is taken.
    trial: Option<Trial>,
    /// Where it gets its random numbers.
    pub draws: Draws,
    chunk: Vec<f32>,
    /// How many numbers of a plan make a chunk: of one action that is repeated, or of all.
    taken: usize,
}

impl Planner {
    /// Makes the networks ready to run.
    pub fn compile(
        config: &TdmpcConfig,
        tensors: &Tensors,
        options: &Options,
        device: Device,
    ) -> Result<Self> {
        let graphs = Graphs::new(config, tensors)?;
        let program = |graph| Program::compile(graph, tensors, options, device);
        let trial = graphs.world.as_ref().map(|world| {
            let programs = [program(&world.step)?, program(&world.judge)?];
            Ok::<_, Error>(Trial::new(config, programs))
        });
        let dim = config.common.action_dim();
        Ok(Self {
            encode: program(&graphs.encode)?,
            pi: program(&graphs.pi)?,
            trial: trial.transpose()?,
            draws: Draws::seeded(0),
            chunk: vec![0.0; config.chunk() * dim],
            taken: if config.n_action_repeats > 1 { dim } else { config.chunk() * dim },
        })
    }

    /// Where the observation goes: by name.
    pub fn input(&mut self, name: &str) -> Result<&mut [f32]> {
        self.encode.input(name)
    }

    /// The parts, for whoever wants to know how long they take and how often they run.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Program, usize)> {
        let own = self.trial.as_ref().map_or(1, Trial::iterations);
        let world = self.trial.iter().flat_map(Trial::parts);
        [("encode", &self.encode, 1), ("pi", &self.pi, own)].into_iter().chain(world)
    }

    /// Begins the next plan without the one before.
    pub fn forget(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.forget();
        }
    }

    /// Makes a chunk of the observation that was written.
    pub fn run(&mut self) -> Result<&[f32]> {
        self.encode.run()?;
        let latent = self.encode.output("latent")?;
        let plan = match &mut self.trial {
            Some(trial) => trial.plan(latent, &mut self.pi, &mut self.draws)?,
            None => {
                self.pi.input("latent")?.copy_from_slice(latent);
                self.pi.run()?;
                self.pi.output("action")?
            }
        };
        let plan = plan.iter().take(self.taken).cycle();
        for (into, action) in self.chunk.iter_mut().zip(plan) {
            *into = action.clamp(-1.0, 1.0);
        }
        Ok(&self.chunk)
    }
}
