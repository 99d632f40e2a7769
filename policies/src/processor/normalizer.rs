//! `normalizer_processor` and `unnormalizer_processor`: one the inverse of the other.

use std::collections::{BTreeMap, BTreeSet};

use super::ACTION;
use super::scale::{Direction, Scale};
use crate::checkpoint::Tensors;
use crate::config::{
    Feature, FeatureKind, Features, Fields, NormMode, NormModes, read_features, read_modes,
};
use crate::error::Result;

/// Scales what it has statistics for and leaves the rest alone.
#[derive(Clone, Debug)]
pub struct Normalizer {
    direction: Direction,
    observations: BTreeMap<String, Scale>,
    action: Option<Scale>,
    /// Features that should be scaled and for which there are no statistics.
    missing: Vec<String>,
}

impl Normalizer {
    pub(super) fn read(
        fields: &Fields<'_>,
        direction: Direction,
        state: Option<&Tensors>,
    ) -> Result<Self> {
        // Where and as what the statistics are held; here always as f32 in memory.
        fields.ignore(&["device", "dtype"]);
        if fields.get("stats").is_some_and(|stats| !stats.is_null()) {
            let what = "statistics in the JSON are not read; they belong into the state file";
            return Err(fields.error("stats", what.to_owned()));
        }
        let features = read_features(fields.get("features"), "features", fields.path())?;
        let modes = match fields.get("norm_map") {
            Some(modes) => read_modes(modes, "norm_map", fields.path())?,
            None => NormModes::new(),
        };
        let only: Option<Vec<String>> = fields.or("normalize_observation_keys", None)?;
        let eps = fields.or("eps", 1e-8)?;
        let Some(state) = state else {
            let wanted = modes.values().any(|mode| *mode != NormMode::Identity);
            return match wanted && !features.is_empty() {
                true => Err(fields.error("state_file", "is missing".to_owned())),
                false => Ok(Self::nothing(direction)),
            };
        };
        let prefix = |name: &str| name.to_owned();
        let only = only.map(|only| only.into_iter().collect());
        Self::with(direction, &features, &modes, only, eps, state, &prefix)
    }

    /// From statistics that stand in `prefix(FEATURE).mean` and so on.
    pub(super) fn with(
        direction: Direction,
        features: &Features,
        modes: &NormModes,
        only: Option<BTreeSet<String>>,
        eps: f64,
        state: &Tensors,
        prefix: &dyn Fn(&str) -> String,
    ) -> Result<Self> {
        let mut normalizer = Self::nothing(direction);
        for (name, feature) in features {
            let mode = modes.get(&feature.kind).copied().unwrap_or(NormMode::Identity);
            let skipped = only.as_ref().is_some_and(|only| !only.contains(name));
            let is_action = feature.kind == FeatureKind::Action;
            if mode == NormMode::Identity || (skipped && !is_action) {
                continue;
            }
            let prefix = prefix(name);
            if !has_statistics(state, &prefix) {
                normalizer.missing.push(name.clone());
                continue;
            }
            let scale = Scale::read(mode, state, &prefix, scaled_numbers(feature), eps)?;
            match is_action {
                true if name == ACTION => normalizer.action = scale,
                true => {}
                false => {
                    let scale = scale.map(|scale| (name.clone(), scale));
                    normalizer.observations.extend(scale);
                }
            }
        }
        Ok(normalizer)
    }

    fn nothing(direction: Direction) -> Self {
        Self { direction, observations: BTreeMap::new(), action: None, missing: Vec::new() }
    }

    /// Features that should be scaled and for which there are no statistics.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Between which values a number of an observation lay in training.
    pub(super) fn trained_range(&self, name: &str, at: usize) -> Option<[f32; 2]> {
        self.observations.get(name)?.trained_range(at)
    }

    /// Scales an observation's numbers.
    pub(super) fn observation(&self, name: &str, numbers: &mut [f32]) -> Result<()> {
        match self.observations.get(name) {
            Some(scale) => scale.all(self.direction, name, numbers),
            None => Ok(()),
        }
    }

    /// Scales one number of an image's channel.
    pub(super) fn pixel(&self, name: &str, channel: usize, value: f32) -> f32 {
        match self.observations.get(name).filter(|scale| channel < scale.len()) {
            Some(scale) => scale.one(self.direction, channel, value),
            None => value,
        }
    }

    /// Scales an action.
    pub(super) fn action(&self, numbers: &mut [f32]) -> Result<()> {
        match &self.action {
            Some(scale) => scale.all(self.direction, ACTION, numbers),
            None => Ok(()),
        }
    }
}

/// Images are scaled by channel, everything else number by number.
fn scaled_numbers(feature: &Feature) -> usize {
    feature.image().map_or_else(|| feature.numbers(), |[channels, ..]| channels)
}

fn has_statistics(state: &Tensors, prefix: &str) -> bool {
    let all = ["mean", "std", "min", "max", "q01", "q99", "q10", "q90"];
    all.iter().any(|name| state.contains(&format!("{prefix}.{name}")))
}
