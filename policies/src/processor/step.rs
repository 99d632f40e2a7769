//! Which steps there are, and how one is read.

use std::path::Path;

use serde_json::Value;

use super::absolute_actions::AbsoluteActions;
use super::normalizer::Normalizer;
use super::relative_actions::RelativeActions;
use super::rename_observations::RenameObservations;
use super::scale::Direction;
use super::{device, to_batch};
use crate::checkpoint::Tensors;
use crate::config::{Fields, wrong};
use crate::error::Result;

/// One step, by LeRobot's name.
#[derive(Clone, Debug)]
pub enum Step {
    /// `rename_observations_processor`.
    RenameObservations(RenameObservations),
    /// `to_batch_processor`.
    ToBatch,
    /// `device_processor`.
    Device,
    /// `normalizer_processor`.
    Normalizer(Normalizer),
    /// `unnormalizer_processor`.
    Unnormalizer(Normalizer),
    /// `relative_actions_processor`.
    RelativeActions(RelativeActions),
    /// `absolute_actions_processor`.
    AbsoluteActions(AbsoluteActions),
}

/// The names that [`Step::read`] knows.
const ACCEPTED: &str = "rename_observations_processor, to_batch_processor, device_processor, normalizer_processor, unnormalizer_processor, relative_actions_processor, absolute_actions_processor";

impl Step {
    /// Reads `{"registry_name": …, "config": {…}, "state_file": …}`.
    pub(super) fn read(
        entry: &Fields<'_>,
        state: &dyn Fn(&str) -> Result<Tensors>,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let Some(name) = entry.get("registry_name").and_then(Value::as_str) else {
            let class = entry.get("class").and_then(Value::as_str).unwrap_or("nothing");
            let what = format!(
                "the step is given as a Python class, {class}, and Python is not run; accepted: {ACCEPTED}"
            );
            return Err(entry.error("registry_name", what));
        };
        let nothing = Value::Object(serde_json::Map::new());
        let config = entry.get("config").filter(|config| !config.is_null()).unwrap_or(&nothing);
        let config = Fields::of(config, &entry.full("config"), entry.path())?;
        let state = match entry.or("state_file", None::<String>)? {
            Some(file) if !is_beside(&file) => {
                let what = format!("{file:?} is not accepted; accepted: a file in the same folder");
                return Err(entry.error("state_file", what));
            }
            Some(file) => Some(state(&file)?),
            None => None,
        };
        let step = Self::named(name, entry, &config, state.as_ref())?;
        warnings.extend(entry.odd().chain(config.odd()));
        warnings.extend(step.odd().into_iter().map(|odd| format!("{}: {odd}", entry.full(name))));
        Ok(step)
    }

    fn named(
        name: &str,
        entry: &Fields<'_>,
        config: &Fields<'_>,
        state: Option<&Tensors>,
    ) -> Result<Self> {
        let normalizer = |direction| Normalizer::read(config, direction, state);
        Ok(match name {
            "rename_observations_processor" => {
                Self::RenameObservations(RenameObservations::read(config)?)
            }
            "to_batch_processor"
            | "to_batch_processor_action"
            | "to_batch_processor_observation"
            | "to_batch_processor_complementary_data" => {
                to_batch::read(config);
                Self::ToBatch
            }
            "device_processor" => {
                device::read(config)?;
                Self::Device
            }
            "normalizer_processor" => Self::Normalizer(normalizer(Direction::Forward)?),
            "unnormalizer_processor" => Self::Unnormalizer(normalizer(Direction::Inverse)?),
            "relative_actions_processor" => Self::RelativeActions(RelativeActions::read(config)?),
            "absolute_actions_processor" => Self::AbsoluteActions(AbsoluteActions::read(config)?),
            _ => {
                let field = entry.full("registry_name");
                return Err(wrong(&field, &Value::from(name), ACCEPTED, entry.path()));
            }
        })
    }

    /// What a user should know about it.
    fn odd(&self) -> Vec<String> {
        match self {
            Self::Normalizer(step) | Self::Unnormalizer(step) => {
                let missing = step.missing().iter();
                let odd = |name| format!("has no statistics of {name} and leaves it as it is");
                missing.map(odd).collect()
            }
            Self::RelativeActions(step) if step.cannot_exclude() => {
                vec!["exclude_joints has no effect without action_names".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

/// Whether a file lies in the same folder.
fn is_beside(file: &str) -> bool {
    let name = Path::new(file).file_name();
    name.is_some_and(|name| name == file)
}
