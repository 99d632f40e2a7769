//! Whether a checkpoint holds what its configuration speaks of, and nothing else.

use crate::act;
use crate::checkpoint::Tensors;
use crate::config::Config;
use crate::processor::{Pipeline, is_embedded};
use crate::{tdmpc, vqbet};

/// What was found odd about a checkpoint that can be run. What is missing is an error before.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Fields of the configuration that LeRobot 0.6.1 does not know.
    pub unknown: Vec<String>,
    /// Fields that were absent and for which LeRobot 0.6.1's default stands.
    pub assumed: Vec<String>,
    /// Oddities of the steps before and behind the network.
    pub steps: Vec<String>,
    /// Tensors that served training only.
    pub for_training: Vec<String>,
    /// Tensors that nobody knows what to do with.
    pub left_over: Vec<String>,
    /// Why packed weights could not be kept, where they should have been.
    pub unkept: Option<String>,
}

impl Audit {
    /// To be made when everything has been read.
    pub(super) fn new(
        config: &Config,
        tensors: &Tensors,
        steps: [&Pipeline; 2],
        unkept: Option<String>,
    ) -> Self {
        let known = |tensor: &String| {
            let counter = tensor.ends_with(".num_batches_tracked");
            let trained = match config {
                Config::Act(_) => act::for_training(tensor),
                Config::Diffusion(_) => false,
                Config::VqBet(_) => vqbet::for_training(tensor),
                Config::Tdmpc(config) => tdmpc::for_training(config, tensor),
            };
            is_embedded(tensor) || counter || trained
        };
        let (for_training, left_over) = tensors.left_over().into_iter().partition(known);
        let common = config.common();
        Self {
            unknown: common.unknown.clone(),
            assumed: common.assumed.clone(),
            steps: steps.iter().flat_map(|steps| steps.warnings()).cloned().collect(),
            for_training,
            left_over,
            unkept,
        }
    }

    /// All of it that a user should hear of, in sentences.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.unknown.is_empty() {
            let names = self.unknown.join(", ");
            warnings.push(format!(
                "config.json: {names} is not known to LeRobot 0.6.1 and has no effect"
            ));
        }
        if !self.assumed.is_empty() {
            let names = self.assumed.join(", ");
            warnings.push(format!("config.json does not say {names}: LeRobot 0.6.1's defaults stand, which other releases had otherwise"));
        }
        warnings.extend(self.steps.iter().cloned());
        if !self.left_over.is_empty() {
            let (count, names) = (self.left_over.len(), some(&self.left_over));
            warnings.push(format!("{count} tensors are not needed by this configuration: {names}"));
        }
        warnings.extend(self.unkept.clone());
        warnings
    }
}

/// The first few of many.
fn some(names: &[String]) -> String {
    let first = names.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 4 { format!("{first} …") } else { first }
}
