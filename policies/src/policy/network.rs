//! The network of a policy, whichever it is: observations in, a chunk out.

use super::history::History;
use crate::act;
use crate::checkpoint::Tensors;
use crate::config::Config;
use crate::device::{Device, Options, Program};
use crate::diffusion::Sampler;
use crate::draws::Draws;
use crate::error::Result;
use crate::vqbet;

/// A network made ready to run.
pub(super) enum Network {
    Act(Box<Program>),
    Diffusion(Box<Sampler>),
    VqBet(Box<vqbet::Sampler>),
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
        }
    }

    /// Makes a chunk of what was observed.
    pub(super) fn run(&mut self, history: &mut History, chunk: &mut [f32]) -> Result<()> {
        let made = match self {
            Self::Act(program) => {
                history.write(|name, write| write(program.input(name)?))?;
                program.run()?;
                program.output("chunk")?
            }
            Self::Diffusion(sampler) => {
                history.write(|name, write| write(sampler.input(name)?))?;
                sampler.run()?
            }
            Self::VqBet(sampler) => {
                history.write(|name, write| write(sampler.input(name)?))?;
                sampler.run()?
            }
        };
        chunk.copy_from_slice(made);
        Ok(())
    }

    pub(super) fn draw_from(&mut self, draws: Draws) {
        match self {
            Self::Act(_) => {}
            Self::Diffusion(sampler) => sampler.draws = draws,
            Self::VqBet(sampler) => sampler.draws = draws,
        }
    }

    /// Its parts: name, program, and how often each runs for a chunk.
    pub(super) fn parts(&self) -> Vec<(&'static str, &Program, usize)> {
        match self {
            Self::Act(program) => vec![("act", program, 1)],
            Self::Diffusion(sampler) => sampler.parts().to_vec(),
            Self::VqBet(sampler) => sampler.parts().collect(),
        }
    }
}
