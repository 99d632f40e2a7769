//! `config.json`: which network, how large, and what it takes and gives.
//!
//! Every field that LeRobot 0.6.1 writes is read. A field that is absent takes the default of
//! LeRobot 0.6.1, because LeRobot would do the same; but defaults differ between its releases (a
//! diffusion policy's `horizon` was 16 and is 64), so [`Common::assumed`] lists them. A field that
//! LeRobot 0.6.1 does not know is listed in [`Common::unknown`]. A value that is not understood is
//! an error that names the field and what is accepted.

mod act;
mod diffusion;
mod features;
mod fields;
mod tdmpc;
#[cfg(test)]
mod tests;
mod vqbet;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub use act::{ActConfig, Feedforward};
pub use diffusion::{BetaSchedule, DiffusionConfig, Prediction, Scheduler};
pub use features::{Feature, FeatureKind, Features, NormMode, NormModes};
pub(crate) use features::{read_features, read_modes};
use fields::Readable;
pub(crate) use fields::{Fields, Word, wrong};
pub use tdmpc::TdmpcConfig;
pub use vqbet::VqBetConfig;

use crate::error::{Error, Result};

/// A configuration of any size is a mistake beyond this.
const LARGEST_FILE: u64 = 4 << 20;

/// A policy's configuration, by its `type`.
#[derive(Clone, Debug)]
pub enum Config {
    /// Action chunking with transformers.
    Act(ActConfig),
    /// Chunks out of noise, step by step.
    Diffusion(DiffusionConfig),
    /// Chunks out of a code book, by a transformer.
    VqBet(VqBetConfig),
    /// Plans that are searched for in a model of the world.
    Tdmpc(TdmpcConfig),
}

/// What every policy's configuration holds.
#[derive(Clone, Debug)]
pub struct Common {
    /// What goes in, in the file's order.
    pub inputs: Features,
    /// What comes out.
    pub outputs: Features,
    /// How each kind of feature is scaled.
    pub normalization: NormModes,
    /// How many observations the network sees at once.
    pub n_obs_steps: usize,
    /// Fields that LeRobot 0.6.1 does not know.
    pub unknown: Vec<String>,
    /// Absent fields for which the default of LeRobot 0.6.1 stands.
    pub assumed: Vec<String>,
    /// The file.
    pub path: PathBuf,
}

/// A ResNet of torchvision's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backbone {
    /// 18 layers.
    Resnet18,
    /// 34 layers.
    Resnet34,
    /// 50 layers in bottlenecks.
    Resnet50,
    /// 101 layers in bottlenecks.
    Resnet101,
    /// 152 layers in bottlenecks.
    Resnet152,
}

impl Word for Backbone {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("resnet18", Self::Resnet18),
        ("resnet34", Self::Resnet34),
        ("resnet50", Self::Resnet50),
        ("resnet101", Self::Resnet101),
        ("resnet152", Self::Resnet152),
    ];
}

impl Backbone {
    /// How many blocks each of the four stages has.
    #[must_use]
    pub fn blocks(self) -> [usize; 4] {
        match self {
            Self::Resnet18 => [2, 2, 2, 2],
            Self::Resnet34 | Self::Resnet50 => [3, 4, 6, 3],
            Self::Resnet101 => [3, 4, 23, 3],
            Self::Resnet152 => [3, 8, 36, 3],
        }
    }

    /// Whether a block is narrow in the middle (1×1, 3×3, 1×1) instead of two times 3×3.
    #[must_use]
    pub fn bottleneck(self) -> bool {
        !matches!(self, Self::Resnet18 | Self::Resnet34)
    }
}

impl Config {
    /// Reads a checkpoint folder's `config.json`.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        Self::parse(&read_text(&path)?, &path)
    }

    /// The same, with these fields otherwise than they stand there.
    pub fn open_with(folder: &Path, settings: &Map<String, Value>) -> Result<Self> {
        let path = folder.join("config.json");
        let mut value = parse_json(&read_text(&path)?, &path)?;
        let kind = value.get("type").cloned();
        if let Some(fields) = value.as_object_mut() {
            fields.extend(settings.clone());
        }
        let refused = |field: &str, what: String| {
            Err(Error::Field { field: field.to_owned(), what, path: path.clone() })
        };
        if value.get("type") != kind.as_ref() {
            return refused("type", "what is trained stays of its type".to_owned());
        }
        let config = Self::read(&value, &path)?;
        match settings.keys().find(|name| config.common().unknown.contains(*name)) {
            Some(name) => {
                let what = format!(
                    "a policy of type {} has no such setting; its settings stand in the file",
                    config.name()
                );
                refused(name, what)
            }
            None => Ok(config),
        }
    }

    /// Reads what stands in a `config.json`; the path is for errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        Self::read(&parse_json(text, path)?, path)
    }

    fn read(value: &Value, path: &Path) -> Result<Self> {
        let fields = Fields::of(value, "", path)?;
        let kind: String = fields.need("type")?;
        match kind.as_str() {
            "act" => Ok(Self::Act(ActConfig::read(&fields)?)),
            "diffusion" => Ok(Self::Diffusion(DiffusionConfig::read(&fields)?)),
            "vqbet" => Ok(Self::VqBet(VqBetConfig::read(&fields)?)),
            "tdmpc" => Ok(Self::Tdmpc(TdmpcConfig::read(&fields)?)),
            _ => Err(wrong("type", &Value::from(kind), "act, diffusion, vqbet, tdmpc", path)),
        }
    }

    /// What every configuration holds.
    #[must_use]
    pub fn common(&self) -> &Common {
        match self {
            Self::Act(config) => &config.common,
            Self::Diffusion(config) => &config.common,
            Self::VqBet(config) => &config.common,
            Self::Tdmpc(config) => &config.common,
        }
    }

    /// LeRobot's word for the type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Act(_) => "act",
            Self::Diffusion(_) => "diffusion",
            Self::VqBet(_) => "vqbet",
            Self::Tdmpc(_) => "tdmpc",
        }
    }
}

impl Common {
    /// What `PreTrainedConfig` holds; `unknown` and `assumed` are filled by [`Self::finish`].
    fn read(fields: &Fields<'_>, n_obs_steps: usize, modes: [NormMode; 3]) -> Result<Self> {
        let path = fields.path();
        let features = |name| read_features(fields.get(name), name, path);
        let [visual, state, action] = modes;
        let normalization = match fields.get("normalization_mapping") {
            Some(value) => read_modes(value, "normalization_mapping", path)?,
            None => NormModes::from([
                (FeatureKind::Visual, visual),
                (FeatureKind::State, state),
                (FeatureKind::Action, action),
            ]),
        };
        // Where and how it was trained, and where it was published: nothing to an answer.
        fields.ignore(&["type", "device", "use_amp", "push_to_hub", "repo_id", "private", "tags"]);
        fields.ignore(&["license", "pretrained_path", "pretrained_revision"]);
        if fields.get("use_peft").is_some_and(|value| bool::read(value) != Some(false)) {
            let what = "these weights are an adapter to others, which is not read; merge them first (merge_and_unload of PEFT)";
            return Err(fields.error("use_peft", what.to_owned()));
        }
        let common = Self {
            inputs: features("input_features")?,
            outputs: features("output_features")?,
            normalization,
            n_obs_steps: fields.size("n_obs_steps", n_obs_steps)?,
            unknown: Vec::new(),
            assumed: Vec::new(),
            path: path.to_owned(),
        };
        match common.action() {
            Some(_) => Ok(common),
            None => Err(fields.error(
                "output_features",
                "has no action of type ACTION, which every policy gives".to_owned(),
            )),
        }
    }

    /// To be called when every field has been asked for.
    fn finish(&mut self, fields: &Fields<'_>) {
        self.unknown = fields.unknown();
        self.assumed = fields.assumed();
    }

    /// The joints' positions among the inputs.
    #[must_use]
    pub fn state(&self) -> Option<&Feature> {
        let named = |(name, feature): &&(String, Feature)| {
            feature.kind == FeatureKind::State && name == "observation.state"
        };
        self.inputs.iter().find(named).map(|(_, feature)| feature)
    }

    /// What a simulation knows of its world, among the inputs.
    #[must_use]
    pub fn env_state(&self) -> Option<&Feature> {
        let env = |(_, feature): &&(String, Feature)| feature.kind == FeatureKind::Env;
        self.inputs.iter().find(env).map(|(_, feature)| feature)
    }

    /// The cameras among the inputs, in the order in which the network takes them.
    pub fn images(&self) -> impl Iterator<Item = (&str, &Feature)> {
        let images = self.inputs.iter().filter(|(_, feature)| feature.kind == FeatureKind::Visual);
        images.map(|(name, feature)| (name.as_str(), feature))
    }

    /// The action among the outputs.
    #[must_use]
    pub fn action(&self) -> Option<&Feature> {
        let named = |(name, feature): &&(String, Feature)| {
            feature.kind == FeatureKind::Action && name == "action"
        };
        self.outputs.iter().find(named).map(|(_, feature)| feature)
    }

    /// How many numbers an action is.
    #[must_use]
    pub fn action_dim(&self) -> usize {
        self.action().map_or(0, Feature::numbers)
    }

    /// Insists on something to see: a camera or a simulation's knowledge.
    fn need_sight(&self, fields: &Fields<'_>) -> Result<()> {
        match self.images().next().is_some() || self.env_state().is_some() {
            true => Ok(()),
            false => Err(fields.error(
                "input_features",
                "has neither an image nor the environment's state, and one is needed".to_owned(),
            )),
        }
    }

    /// Insists on the joints' positions.
    fn need_state(&self, fields: &Fields<'_>) -> Result<()> {
        match self.state() {
            Some(_) => Ok(()),
            None => Err(fields.error(
                "input_features",
                "has no observation.state of type STATE, which this policy needs".to_owned(),
            )),
        }
    }

    /// Insists on cameras of one size, and on a crop within it.
    fn need_equal_images(&self, fields: &Fields<'_>, crop: Option<[usize; 2]>) -> Result<()> {
        let Some((first, one)) = self.images().next() else { return Ok(()) };
        if let Some((name, other)) = self.images().find(|(_, image)| image.shape != one.shape) {
            let what = format!(
                "{name} is {:?} and {first} is {:?}, and all images must be of one size",
                other.shape, one.shape
            );
            return Err(fields.error("input_features", what));
        }
        let fits =
            |crop: [usize; 2]| crop.iter().zip(&one.shape[1..]).all(|(crop, side)| crop <= side);
        match crop.filter(|crop| !fits(*crop)) {
            Some(crop) => Err(fields
                .error("crop_shape", format!("{crop:?} does not fit within {first}, {one:?}"))),
            None => Ok(()),
        }
    }
}

/// A small text file, read whole.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let size = crate::folder::insist_on_a_file(path)?;
    if size > LARGEST_FILE {
        let what = format!("holds {size} bytes, and more than {LARGEST_FILE} are not read");
        return Err(Error::Malformed { what, path: path.to_owned() });
    }
    std::fs::read_to_string(path).map_err(Error::io("cannot read", path))
}

/// JSON, or the error that says where it is none.
pub(crate) fn parse_json(text: &str, path: &Path) -> Result<Value> {
    serde_json::from_str(text)
        .map_err(|error| Error::Malformed { what: error.to_string(), path: path.to_owned() })
}
