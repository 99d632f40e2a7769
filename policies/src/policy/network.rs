//! The network of a policy, whichever it is: observations in, a chunk out.

use super::history::History;
use crate::act;
use crate::checkpoint::Tensors;
use crate::config::Config;
use crate::device::{Device, Options, Program};
use crate::diffusion::Sampler;
use crate::draws::Draws;
use crate::error::Result;
use crate::{tdmpc, vqbet};

/// A network made ready to run.
pub(super) enum Network {
    Act(Box<Program>),
    Diffusion(Box<Sampler>),
    VqBet(Box<vqbet::Sampler>),
    Tdmpc(Box<tdmpc::Planner>),
}

impl Network {
    pub(super) fn compile(
        config: &Config,
        tensors: &Tensors,
        options: &Options,
        device: Device,
    ) -> Result<Self> {
        match config {
            Config::Act(config) => {
                let graph = act::graph(config, tensors)?;
                Ok(Self::Act(Box::new(Program::compile(&graph, tensors, options, device)?)))
            }
            Config::Diffusion(config) => {
                let sampler = Sampler::compile(config, tensors, options, device)?;
                Ok(Self::Diffusion(Box::new(sampler)))
            }
            Config::VqBet(config) => {
                let sampler = vqbet::Sampler::compile(config, tensors, options, device)?;
                Ok(Self::VqBet(Box::new(sampler)))
            }
            Config::Tdmpc(config) => {
                let planner = tdmpc::Planner::compile(config, tensors, options, device)?;
                Ok(Self::Tdmpc(Box::new(planner)))
            }
        }
    }

    /// How many chunks it can make together.
    pub(super) fn together(&self) -> usize {
        match self {
            Self::Diffusion(sampler) => sampler.together(),
            Self::Act(_) | Self::VqBet(_) | Self::Tdmpc(_) => 1,
        }
    }

    /// Looks at what was observed, for this one of the chunks to be made.
    pub(super) fn look(&mut self, history: &mut History, chunk: usize) -> Result<()> {
        match self {
            Self::Act(program) => history.write(|name, write| write(program.input(name)?)),
            Self::Diffusion(sampler) => {
                history.write(|name, write| write(sampler.input(name)?))?;
                sampler.look(chunk)
            }
            Self::VqBet(sampler) => history.write(|name, write| write(sampler.input(name)?)),
            Self::Tdmpc(planner) => history.write(|name, write| write(planner.input(name)?)),
        }
    }

    /// Makes these chunks of what was looked at.
    pub(super) fn run(&mut self, chunks: &mut [Vec<f32>]) -> Result<()> {
        match self {
            Self::Act(program) => {
                program.run()?;
                let made = program.output("chunk")?;
                chunks.iter_mut().for_each(|chunk| chunk.copy_from_slice(made));
            }
            Self::Diffusion(sampler) => {
                sampler.run(chunks.len())?;
                for (at, chunk) in chunks.iter_mut().enumerate() {
                    chunk.copy_from_slice(sampler.chunk(at));
                }
            }
            Self::VqBet(sampler) => {
                let made = sampler.run()?;
                chunks.iter_mut().for_each(|chunk| chunk.copy_from_slice(made));
            }
            Self::Tdmpc(planner) => {
                let made = planner.run()?;
                chunks.iter_mut().for_each(|chunk| chunk.copy_from_slice(made));
            }
        }
        Ok(())
    }

    /// Forgets what it remembers of an episode beside its observations.
    pub(super) fn forget(&mut self) {
        if let Self::Tdmpc(planner) = self {
            planner.forget();
        }
    }

    pub(super) fn draw_from(&mut self, draws: Draws) {
        match self {
            Self::Act(_) => {}
            Self::Diffusion(sampler) => sampler.draws = draws,
            Self::VqBet(sampler) => sampler.draws = draws,
            Self::Tdmpc(planner) => planner.draws = draws,
        }
    }

    /// Its parts: name, program, and how often each runs for a chunk.
    pub(super) fn parts(&self) -> Vec<(&'static str, &Program, usize)> {
        match self {
            Self::Act(program) => vec![("act", program, 1)],
            Self::Diffusion(sampler) => sampler.parts().to_vec(),
            Self::VqBet(sampler) => sampler.parts().collect(),
            Self::Tdmpc(planner) => planner.parts().collect(),
        }
    }
}
