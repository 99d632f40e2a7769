//! What goes into a policy and what comes out: names, kinds, shapes, and how numbers are scaled.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::fields::{Fields, Word, word, wrong};
use crate::error::Result;

/// No image and no vector is longer in any direction.
const LARGEST_SIDE: usize = 1 << 14;

/// What a feature is to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeatureKind {
    /// Where the robot's joints are.
    State,
    /// What a camera sees.
    Visual,
    /// What a simulation knows of its world.
    Env,
    /// Where the joints should go.
    Action,
    /// How well it went.
    Reward,
    /// What should be done, in words.
    Language,
}

impl Word for FeatureKind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("STATE", Self::State),
        ("VISUAL", Self::Visual),
        ("ENV", Self::Env),
        ("ACTION", Self::Action),
        ("REWARD", Self::Reward),
        ("LANGUAGE", Self::Language),
    ];
}

/// How a feature's numbers are brought to where a network likes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormMode {
    /// To mean 0 and deviation 1.
    MeanStd,
    /// From least and greatest to -1 and 1.
    MinMax,
    /// From the 1st and 99th of a hundred to -1 and 1.
    Quantiles,
    /// From the 10th and 90th of a hundred to -1 and 1.
    Quantile10,
    /// Not at all.
    Identity,
}

impl Word for NormMode {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("MEAN_STD", Self::MeanStd),
        ("MIN_MAX", Self::MinMax),
        ("QUANTILES", Self::Quantiles),
        ("QUANTILE10", Self::Quantile10),
        ("IDENTITY", Self::Identity),
    ];
}

impl NormMode {
    /// LeRobot's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }
}

/// Which kinds of features are scaled how.
pub type NormModes = BTreeMap<FeatureKind, NormMode>;

/// One feature's kind and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// What it is to the policy.
    pub kind: FeatureKind,
    /// Its lengths; images are channels, height, width, as LeRobot writes them.
    pub shape: Vec<usize>,
}

impl Feature {
    /// Channels, height and width of an image.
    #[must_use]
    pub fn image(&self) -> Option<[usize; 3]> {
        if self.kind != FeatureKind::Visual {
            return None;
        }
        self.shape.as_slice().try_into().ok()
    }

    /// How many numbers it is.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Features in the order of the file, which is the order in which a network takes its cameras.
pub type Features = Vec<(String, Feature)>;

/// Reads `{"NAME": {"type": …, "shape": […]}, …}`; `null` and nothing are no features.
pub(crate) fn read_features(value: Option<&Value>, field: &str, path: &Path) -> Result<Features> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let map = value.as_object().ok_or_else(|| wrong(field, value, "an object", path))?;
    map.iter().map(|(name, value)| Ok((name.clone(), feature(name, value, field, path)?))).collect()
}

fn feature(name: &str, value: &Value, field: &str, path: &Path) -> Result<Feature> {
    let fields = Fields::of(value, &format!("{field}.{name}"), path)?;
    let kind = fields.get("type").unwrap_or(&Value::Null);
    let kind = word(kind, &format!("{field}.{name}.type"), path)?;
    let shape: Vec<usize> = fields.need("shape")?;
    let numbers = shape.iter().try_fold(1_usize, |numbers, side| numbers.checked_mul(*side));
    let dimensions_fit = kind != FeatureKind::Visual || shape.len() == 3;
    let sides_fit = shape.iter().all(|side| *side <= LARGEST_SIDE);
    if !dimensions_fit || !sides_fit || numbers.is_none_or(|numbers| numbers == 0) {
        let what = format!(
            "{shape:?} is not accepted; accepted: lengths of 1 to {LARGEST_SIDE}, three for an image (channels, height, width)"
        );
        return Err(fields.error("shape", what));
    }
    Ok(Feature { kind, shape })
}

/// Reads `{"STATE": "MEAN_STD", …}`.
pub(crate) fn read_modes(value: &Value, field: &str, path: &Path) -> Result<NormModes> {
    let map = value.as_object().ok_or_else(|| wrong(field, value, "an object", path))?;
    let pairs = map.iter().map(|(name, value)| {
        let kind = word(&Value::from(name.as_str()), field, path)?;
        Ok((kind, word(value, &format!("{field}.{name}"), path)?))
    });
    pairs.collect()
}
