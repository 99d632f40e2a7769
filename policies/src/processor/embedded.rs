//! Checkpoints from before LeRobot had processors: the statistics are among the weights, as
//! `normalize_inputs.buffer_observation_state.mean`. They become the same steps.

use super::normalizer::Normalizer;
use super::rename_observations::RenameObservations;
use super::scale::Direction;
use super::{Pipeline, Step};
use crate::checkpoint::Tensors;
use crate::config::{Common, Features, NormMode};
use crate::error::Result;

/// What such tensors' names begin with.
const PREFIXES: [&str; 3] = ["normalize_inputs.", "normalize_targets.", "unnormalize_outputs."];

/// Whether a tensor is one of those.
#[must_use]
pub fn is_embedded(tensor: &str) -> bool {
    PREFIXES.iter().any(|prefix| tensor.starts_with(prefix))
}

/// The steps before and after the network, if the weights hold statistics, or none are needed.
pub fn embedded(config: &Common, tensors: &Tensors) -> Result<Option<(Pipeline, Pipeline)>> {
    let plain = config.normalization.values().all(|mode| *mode == NormMode::Identity);
    if !plain && !tensors.names().any(|name| is_embedded(&name)) {
        return Ok(None);
    }
    let normalizer = |direction, features: &Features, module: &str| {
        let prefix = |name: &str| format!("{module}.buffer_{}", name.replace('.', "_"));
        let modes = &config.normalization;
        Normalizer::with(direction, features, modes, None, 1e-8, tensors, &prefix)
    };
    let before = normalizer(Direction::Forward, &config.inputs, "normalize_inputs")?;
    let after = normalizer(Direction::Inverse, &config.outputs, "unnormalize_outputs")?;
    let rename = Step::RenameObservations(RenameObservations::default());
    Ok(Some((
        Pipeline::of("policy_preprocessor", vec![rename, Step::Normalizer(before)]),
        Pipeline::of("policy_postprocessor", vec![Step::Unnormalizer(after)]),
    )))
}
