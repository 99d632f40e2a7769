//! What happens to an observation before the network and to an action behind it: LeRobot's
//! `policy_preprocessor.json` and `policy_postprocessor.json`, carried out as data.

mod absolute_actions;
mod device;
mod embedded;
mod normalizer;
mod pixels;
mod relative_actions;
mod rename_observations;
mod scale;
mod step;
#[cfg(test)]
mod tests;
mod to_batch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

pub use absolute_actions::AbsoluteActions;
pub use embedded::{embedded, is_embedded};
pub use normalizer::Normalizer;
pub use pixels::Pixels;
pub use relative_actions::RelativeActions;
pub use rename_observations::RenameObservations;
pub use scale::Direction;
pub use step::Step;

use crate::checkpoint::Tensors;
use crate::config::{Fields, parse_json, read_text, wrong};
use crate::error::{Error, Result};

/// The file of the steps before the network.
pub const BEFORE: &str = "policy_preprocessor.json";
/// The file of the steps behind it.
pub const AFTER: &str = "policy_postprocessor.json";
/// The joints' positions.
pub(crate) const STATE: &str = "observation.state";
/// Where the joints should go.
pub(crate) const ACTION: &str = "action";

/// Steps in the order in which they are carried out; by default none.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// LeRobot's name for it.
    pub name: String,
    steps: Vec<Step>,
    /// What was found odd when it was read.
    warnings: Vec<String>,
}

impl Pipeline {
    /// Reads a checkpoint folder's [`BEFORE`] or [`AFTER`] and the state files beside it.
    pub fn open(folder: &Path, file: &str) -> Result<Self> {
        let path = folder.join(file);
        Self::parse(&read_text(&path)?, &path, &|name| Tensors::open(&folder.join(name)))
    }

    /// Reads what stands in such a file; state files come from `state`, the path is for errors.
    pub fn parse(text: &str, path: &Path, state: &dyn Fn(&str) -> Result<Tensors>) -> Result<Self> {
        let value = parse_json(text, path)?;
        let fields = Fields::of(&value, "", path)?;
        let name = fields.or("name", String::new())?;
        let steps = fields.get("steps").unwrap_or(&Value::Null);
        let steps = steps.as_array().ok_or_else(|| wrong("steps", steps, "a list", path))?;
        let mut pipeline = Self::of(&name, Vec::with_capacity(steps.len()));
        pipeline.warnings.extend(fields.odd());
        for (at, step) in steps.iter().enumerate() {
            let entry = Fields::of(step, &format!("steps[{at}]"), path)?;
            pipeline.steps.push(Step::read(&entry, state, &mut pipeline.warnings)?);
        }
        Ok(pipeline)
    }

    fn of(name: &str, steps: Vec<Step>) -> Self {
        Self { name: name.to_owned(), steps, warnings: Vec::new() }
    }

    /// Its steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What was found odd when it was read.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Puts these names in the place of those that were saved, as LeRobot's `--rename_map` does.
    pub fn rename(&mut self, names: BTreeMap<String, String>) {
        let step = RenameObservations::with(names);
        let found = self.steps.iter_mut().find_map(|step| match step {
            Step::RenameObservations(step) => Some(step),
            _ => None,
        });
        match found {
            Some(found) => *found = step,
            None => self.steps.insert(0, Step::RenameObservations(step)),
        }
    }

    /// What an observation is called behind all steps.
    #[must_use]
    pub fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        self.steps.iter().fold(name, |name, step| match step {
            Step::RenameObservations(step) => step.of(name),
            _ => name,
        })
    }

    /// The names that become this one.
    #[must_use]
    pub fn sources(&self, renamed: &str) -> Vec<String> {
        let maps = self.steps.iter().filter_map(|step| match step {
            Step::RenameObservations(step) => Some(step.names().keys().map(String::as_str)),
            _ => None,
        });
        let mut names: BTreeSet<&str> = maps.flatten().chain([renamed]).collect();
        names.retain(|name| self.renamed(name) == renamed);
        names.into_iter().map(ToOwned::to_owned).collect()
    }

    /// What this was called by whatever it was trained on: another name, where a step renames that.
    #[must_use]
    pub fn source(&self, renamed: &str) -> String {
        let mut sources = self.sources(renamed).into_iter();
        sources.find(|name| name != renamed).unwrap_or_else(|| renamed.to_owned())
    }

    /// Between which values a number of an observation lay in training, as far as is known.
    #[must_use]
    pub fn trained_range(&self, renamed: &str, at: usize) -> Option<[f32; 2]> {
        self.steps.iter().find_map(|step| match step {
            Step::Normalizer(step) => step.trained_range(renamed, at),
            _ => None,
        })
    }

    /// Carries the steps out on the numbers of an observation, in place.
    pub fn observation(&mut self, name: &str, numbers: &mut [f32]) -> Result<()> {
        let mut name = name;
        for step in &mut self.steps {
            match step {
                Step::RenameObservations(step) => name = step.of(name),
                Step::Normalizer(step) | Step::Unnormalizer(step) => {
                    step.observation(name, numbers)?;
                }
                Step::RelativeActions(step) if name == STATE => step.remember(numbers),
                Step::RelativeActions(_)
                | Step::AbsoluteActions(_)
                | Step::ToBatch
                | Step::Device => {}
            }
        }
        Ok(())
    }

    /// What the steps make of an image's bytes.
    #[must_use]
    pub fn pixels(&self, name: &str, channels: usize) -> Pixels {
        Pixels::new(channels, |channel, value| {
            let begin = (name, value);
            let (_, value) = self.steps.iter().fold(begin, |(name, value), step| match step {
                Step::RenameObservations(step) => (step.of(name), value),
                Step::Normalizer(step) | Step::Unnormalizer(step) => {
                    (name, step.pixel(name, channel, value))
                }
                _ => (name, value),
            });
            value
        })
    }

    /// Carries the steps out on an action, in place.
    pub fn action(&self, numbers: &mut [f32]) -> Result<()> {
        self.steps.iter().try_for_each(|step| match step {
            Step::Normalizer(step) | Step::Unnormalizer(step) => step.action(numbers),
            Step::AbsoluteActions(step) => step.action(numbers),
            Step::RenameObservations(_)
            | Step::RelativeActions(_)
            | Step::ToBatch
            | Step::Device => Ok(()),
        })
    }

    /// Tells the steps behind the network which actions the steps before it take for relative.
    /// Answers whether any are.
    pub fn pair(&mut self, before: &Self, action_dim: usize) -> Result<bool> {
        let relative = before.relative();
        let mut any = false;
        for step in &mut self.steps {
            let Step::AbsoluteActions(step) = step else { continue };
            if let Some(relative) = relative {
                step.pair(relative, action_dim);
            }
            if step.enabled && !step.is_paired() {
                let what = format!(
                    "absolute_actions_processor asks for a relative_actions_processor in {BEFORE}, \
                     and there is none"
                );
                return Err(Error::Malformed { what, path: AFTER.into() });
            }
            any |= step.enabled;
        }
        Ok(any)
    }

    /// To be called when a chunk is made: its relative actions start from where the joints are now.
    pub fn anchor(&mut self, before: &Self) {
        let Some(relative) = before.relative() else { return };
        for step in &mut self.steps {
            if let Step::AbsoluteActions(step) = step {
                step.anchor(relative.last());
            }
        }
    }

    fn relative(&self) -> Option<&RelativeActions> {
        self.steps.iter().find_map(|step| match step {
            Step::RelativeActions(step) => Some(step),
            _ => None,
        })
    }
}
