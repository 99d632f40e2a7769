//! From observations to a chunk: how likely each code is, two codes, and what they stand for.

use super::{Book, Graphs, LAYERS};
use crate::checkpoint::Tensors;
use crate::config::VqBetConfig;
use crate::device::{Device, Options, Program};
use crate::draws::Draws;
use crate::error::Result;

/// The network's parts, made ready to run.
pub struct Sampler {
    look: Program,
    second: Option<Program>,
    decode: Program,
    book: Book,
    /// Where it gets its codes.
    pub draws: Draws,
    /// How likely each code is.
    likelihoods: Vec<f32>,
    chunk: Vec<f32>,
    /// Of how many queries LeRobot draws codes at once, and which of them is used.
    queries: usize,
    used: usize,
}

impl Sampler {
    /// Makes the network ready to run.
    pub fn compile(
        config: &VqBetConfig,
        tensors: &Tensors,
        options: &Options,
        device: Device,
    ) -> Result<Self> {
        let graphs = Graphs::new(config, tensors)?;
        let program = |graph| Program::compile(graph, tensors, options, device);
        let times = config.common.n_obs_steps;
        Ok(Self {
            look: program(&graphs.look)?,
            second: graphs.second.as_ref().map(program).transpose()?,
            decode: program(&graphs.decode)?,
            book: Book::read(config, tensors)?,
            draws: Draws::seeded(0),
            likelihoods: vec![0.0; LAYERS * config.vqvae_n_embed],
            chunk: vec![0.0; config.action_chunk_size * config.common.action_dim()],
            queries: (times + config.n_action_pred_token).saturating_sub(1),
            used: times - 1,
        })
    }

    /// Where observations go: by name, the oldest first.
    pub fn input(&mut self, name: &str) -> Result<&mut [f32]> {
        self.look.input(name)
    }

    /// The parts, for whoever wants to know how long they take and how often they run.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Program, usize)> {
        let second = self.second.as_ref().map(|second| ("second", second, 1));
        [("look", &self.look, 1)].into_iter().chain(second).chain([("decode", &self.decode, 1)])
    }

    /// Makes a chunk of the observations that were written.
    pub fn run(&mut self) -> Result<&[f32]> {
        self.look.run()?;
        let codes = self.draw()?;
        self.book.look_up(codes, self.decode.input("code")?);
        self.decode.run()?;
        self.chunk.copy_from_slice(self.decode.output("actions")?);
        self.book.add_offsets(codes, self.look.output("offsets")?, &mut self.chunk);
        Ok(&self.chunk)
    }

    fn draw(&mut self) -> Result<[usize; LAYERS]> {
        let mut codes = [0; LAYERS];
        let many = self.likelihoods.len() / LAYERS;
        let query = (self.used, self.queries);
        let Some(second) = &mut self.second else {
            self.likelihoods.copy_from_slice(self.look.output("logits")?);
            self.likelihoods.chunks_exact_mut(many).for_each(|row| self.book.likelihoods(row));
            self.draws.choose(&self.likelihoods, query, &mut codes)?;
            return Ok(codes);
        };
        let likelihoods = &mut self.likelihoods[..many];
        likelihoods.copy_from_slice(self.look.output("logits")?);
        self.book.likelihoods(likelihoods);
        self.draws.choose(likelihoods, query, &mut codes[..1])?;
        second.input("features")?.copy_from_slice(self.look.output("features")?);
        let chosen = second.input("chosen")?;
        chosen.fill(0.0);
        chosen[codes[0]] = 1.0;
        second.run()?;
        likelihoods.copy_from_slice(second.output("logits")?);
        self.book.likelihoods(likelihoods);
        self.draws.choose(likelihoods, query, &mut codes[1..])?;
        Ok(codes)
    }
}
