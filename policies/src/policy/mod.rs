//! A checkpoint made ready to act: observations in, actions out.
//!
//! ```text
//! observation ─▶ history ─▶ steps before ─▶ network ─▶ queue or ensemble ─▶ steps behind ─▶ action
//! ```
//! A chunk is made when it is needed, of the last observations; until it is used up an action costs
//! a look at the observation and a few additions.

mod audit;
mod history;
mod network;
mod observation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use audit::Audit;
use history::History;
use network::Network;
pub use observation::{Image, Observation, Seen};
use serde_json::{Map, Value};

use crate::checkpoint::Tensors;
use crate::chunk::{Ensemble, Queue};
use crate::config::{Common, Config};
use crate::device::{Device, Options, Program, cpu};
use crate::draws::Draws;
use crate::error::{Error, Result};
use crate::folder;
use crate::processor::{self, AFTER, BEFORE, Pipeline};

/// A checkpoint, loaded and ready to act.
pub struct Policy {
    config: Config,
    folder: PathBuf,
    before: Pipeline,
    after: Pipeline,
    history: History,
    network: Network,
    stock: Stock,
    audit: Audit,
    /// The last chunk, from the newest observation on, as the network gave it; and others that were made
    /// together with it.
    chunks: Vec<Vec<f32>>,
    /// The steps behind the network for each of those.
    after_each: Vec<Pipeline>,
    /// The last action as the network gave it, and as the robot takes it.
    raw: Vec<f32>,
    goal: Vec<f32>,
}

/// What has been made and not yet been used.
enum Stock {
    Queue(Queue),
    Ensemble(Ensemble),
}

/// One action.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// Where the joints should go, in the units of the training.
    pub goal: &'a [f32],
    /// The same as the network gave it.
    pub raw: &'a [f32],
    /// Whether a chunk was made for it.
    pub fresh: bool,
}

impl Policy {
    /// Loads a checkpoint: a folder, or one above it.
    pub fn load(path: &Path, device: Device, options: &Options) -> Result<Self> {
        Self::load_with(path, &Map::new(), device, options)
    }

    /// The same, with fields of its `config.json` otherwise than they stand there.
    pub fn load_with(
        path: &Path,
        settings: &Map<String, Value>,
        device: Device,
        options: &Options,
    ) -> Result<Self> {
        let folder = folder::find(path)?;
        let config = Config::open_with(&folder, settings)?;
        let mut tensors = Tensors::open(&folder.join("model.safetensors"))?;
        let common = config.common();
        let (before, mut after) = pipelines(&folder, common, &tensors)?;
        let relative = after.pair(&before, common.action_dim())?;
        let stock = Stock::new(&config, relative)?;
        if let Some(keep) = options.keep.as_ref().filter(|_| device == Device::Cpu) {
            tensors.keep(keep, &cpu::Program::packs(options));
        }
        let network = Network::compile(&config, &tensors, options, device)?;
        let unkept = tensors.finish();
        let dim = common.action_dim();
        Ok(Self {
            history: History::new(&config, &before)?,
            audit: Audit::new(&config, &tensors, [&before, &after], unkept),
            chunks: vec![vec![0.0; actions(&config) * dim]; network.together()],
            after_each: vec![after.clone(); network.together()],
            raw: vec![0.0; dim],
            goal: vec![0.0; dim],
            config,
            folder,
            before,
            after,
            network,
            stock,
        })
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where it was loaded from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was found odd while it was loaded.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Takes observations under other names: theirs to those of the training.
    pub fn rename(&mut self, names: BTreeMap<String, String>) -> Result<()> {
        self.before.rename(names);
        self.history = History::new(&self.config, &self.before)?;
        self.reset();
        Ok(())
    }

    /// Where its random numbers come from: a seed, or numbers that were drawn before.
    pub fn draw_from(&mut self, draws: Draws) {
        self.network.draw_from(draws);
    }

    /// To be called when an episode begins: forgets observations, plans and actions to come.
    pub fn reset(&mut self) {
        self.history.clear();
        self.network.forget();
        match &mut self.stock {
            Stock::Queue(queue) => queue.clear(),
            Stock::Ensemble(ensemble) => ensemble.clear(),
        }
    }

    /// Shows it an observation, and takes the action for it. What is not as in training is an
    /// error, and so is an answer that is no number: no such thing reaches an arm.
    ///
    /// An image that no chunk will be made of is looked at, but not kept: most actions come from a chunk
    /// that is there, and copying what cameras see would be most of what they cost.
    pub fn select_action(&mut self, observation: &Observation<'_>) -> Result<Action<'_>> {
        let images = self.stock.to_come() < self.config.common().n_obs_steps;
        self.history.observe(observation, &mut self.before, images)?;
        let fresh = self.stock.needs_a_chunk();
        if fresh {
            self.after.anchor(&self.before);
            self.make_chunk()?;
        }
        let action = match &mut self.stock {
            Stock::Ensemble(ensemble) => ensemble.update(&self.chunks[0])?,
            Stock::Queue(queue) => {
                if fresh {
                    queue.fill(&self.chunks[0])?;
                }
                queue.pop().unwrap_or_default()
            }
        };
        self.raw.copy_from_slice(action);
        self.goal.copy_from_slice(action);
        self.after.action(&mut self.goal)?;
        finite(&self.goal, "the action")?;
        Ok(Action { goal: &self.goal, raw: &self.raw, fresh })
    }

    /// Whether the next action needs a chunk to be made.
    #[must_use]
    pub fn needs_a_chunk(&self) -> bool {
        self.stock.needs_a_chunk()
    }

    /// How many of a chunk's actions are carried out before the next one is made; `None` where every
    /// action is an average of the chunks that speak of its moment, and needs one of its own.
    #[must_use]
    pub fn steps(&self) -> Option<usize> {
        match &self.stock {
            Stock::Queue(queue) => Some(queue.room()),
            Stock::Ensemble(_) => None,
        }
    }

    /// Shows it an observation without asking for an action.
    pub fn observe(&mut self, observation: &Observation<'_>) -> Result<()> {
        self.history.observe(observation, &mut self.before, true)
    }

    /// Whether it looks at something of this name.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.history.takes(name)
    }

    /// The steps before the network.
    #[must_use]
    pub fn before(&self) -> &Pipeline {
        &self.before
    }

    /// Makes a chunk of what was observed, whatever is still to come of the last one: actions one
    /// behind the other from the newest observation on, as the network gives them. Those to come
    /// are left as they are, and so is what relative ones among them are relative to. An observation whose
    /// action [`Self::select_action`] had already has to be shown again with [`Self::observe`].
    pub fn make_chunk(&mut self) -> Result<&[f32]> {
        self.network.look(&mut self.history, 0)?;
        self.network.run(&mut self.chunks[..1])?;
        finite(&self.chunks[0], "the chunk")?;
        Ok(&self.chunks[0])
    }

    /// The last chunk, as the network gave it.
    #[must_use]
    pub fn chunk(&self) -> &[f32] {
        &self.chunks[0]
    }

    /// Brings actions that the network gave to the robot's units, in place. Relative ones begin at
    /// the newest observation.
    pub fn to_goals(&mut self, actions: &mut [f32]) -> Result<()> {
        self.after.anchor(&self.before);
        in_units(&self.after, self.goal.len(), actions)
    }

    /// Makes a chunk as [`Self::make_chunk`] does, and gives so many of its actions at most, in the robot's
    /// units.
    pub fn make_goals(&mut self, most: usize) -> Result<Vec<f32>> {
        let mut goals = self.make_chunk()?.to_vec();
        goals.truncate(most.saturating_mul(self.goal.len()));
        self.to_goals(&mut goals)?;
        Ok(goals)
    }

    /// How many chunks it makes together, each of observations of its own: what [`Options::together`]
    /// asks for, or 1 where that would be no less work.
    #[must_use]
    pub fn together(&self) -> usize {
        self.chunks.len()
    }

    /// Looks at what was observed, for this one of the chunks that are made together, which are counted
    /// from 0.
    pub fn look(&mut self, chunk: usize) -> Result<()> {
        let count = self.after_each.len();
        let after = self.after_each.get_mut(chunk).ok_or_else(|| too_many(chunk + 1, count))?;
        self.network.look(&mut self.history, chunk)?;
        after.anchor(&self.before);
        Ok(())
    }

    /// Makes so many chunks together of what was looked at, and gives each in the robot's units.
    pub fn make_together(&mut self, chunks: usize) -> Result<Vec<Result<Vec<f32>>>> {
        let count = self.chunks.len();
        let chunks = self.chunks.get_mut(..chunks).ok_or_else(|| too_many(chunks, count))?;
        self.network.run(chunks)?;
        let dim = self.goal.len();
        let goals = chunks.iter().zip(&self.after_each).map(|(chunk, after)| {
            let mut goals = chunk.clone();
            in_units(after, dim, &mut goals)?;
            Ok(goals)
        });
        Ok(goals.collect())
    }

    /// The newest observation as the network gets it, without its images.
    pub fn observed(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.history.newest()
    }

    /// The network's parts: name, program, and how often each runs for a chunk.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, &Program, usize)> {
        self.network.parts()
    }
}

/// How many actions a chunk has, from the newest observation on.
fn actions(config: &Config) -> usize {
    match config {
        Config::Act(act) => act.chunk_size,
        Config::Diffusion(diffusion) => diffusion.n_action_steps,
        Config::VqBet(vqbet) => vqbet.action_chunk_size,
        Config::Tdmpc(tdmpc) => tdmpc.chunk(),
    }
}

impl Stock {
    fn new(config: &Config, relative: bool) -> Result<Self> {
        let dim = config.common().action_dim();
        let queue = |actions| Ok(Self::Queue(Queue::new(actions, dim)));
        match config {
            Config::Act(act) => match act.temporal_ensemble_coeff {
                Some(_) if relative => Err(Error::Field {
                    field: "temporal_ensemble_coeff".to_owned(),
                    what: "relative actions that begin at different places cannot be averaged; null goes with them".to_owned(),
                    path: act.common.path.clone(),
                }),
                Some(coefficient) => {
                    Ok(Self::Ensemble(Ensemble::new(coefficient, act.chunk_size, dim)))
                }
                None => queue(act.n_action_steps),
            },
            Config::Diffusion(diffusion) => queue(diffusion.n_action_steps),
            Config::VqBet(vqbet) => queue(vqbet.action_chunk_size),
            Config::Tdmpc(tdmpc) => queue(tdmpc.steps()),
        }
    }

    fn needs_a_chunk(&self) -> bool {
        self.to_come() == 0
    }

    /// How many actions there are before a chunk has to be made.
    fn to_come(&self) -> usize {
        match self {
            Self::Queue(queue) => queue.len(),
            Self::Ensemble(_) => 0,
        }
    }
}

/// The steps before and behind the network, from their files or from among the weights.
fn pipelines(folder: &Path, config: &Common, tensors: &Tensors) -> Result<(Pipeline, Pipeline)> {
    if folder.join(BEFORE).is_file() {
        return Ok((Pipeline::open(folder, BEFORE)?, Pipeline::open(folder, AFTER)?));
    }
    processor::embedded(config, tensors)?.ok_or_else(|| Error::Malformed {
        what: format!("there is neither {BEFORE} nor are there statistics among the weights, so that nobody knows how numbers were scaled"),
        path: folder.to_owned(),
    })
}

/// Brings actions of so many numbers each to the robot's units.
fn in_units(after: &Pipeline, dim: usize, actions: &mut [f32]) -> Result<()> {
    actions.chunks_exact_mut(dim).try_for_each(|action| after.action(action))?;
    finite(actions, "the actions")
}

fn too_many(chunks: usize, most: usize) -> Error {
    Error::Unsupported { what: format!("{chunks} chunks together; it makes {most}") }
}

/// What is no number stays here.
fn finite(numbers: &[f32], place: &str) -> Result<()> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(at) => {
            Err(Error::NotFinite { value: numbers[at], place: format!("{place}, at {at}") })
        }
    }
}
