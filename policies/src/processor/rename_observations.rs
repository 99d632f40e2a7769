//! `rename_observations_processor`: a robot's names to those of the training.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Fields, wrong};
use crate::error::Result;

/// Gives observations other names.
#[derive(Clone, Debug, Default)]
pub struct RenameObservations {
    names: BTreeMap<String, String>,
}

impl RenameObservations {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        let Some(map) = fields.get("rename_map").filter(|map| !map.is_null()) else {
            return Ok(Self::default());
        };
        let refuse = |value: &Value| {
            wrong("rename_map", value, "an object of names to names", fields.path())
        };
        let pairs = map.as_object().ok_or_else(|| refuse(map))?.iter();
        let names = pairs.map(|(from, to)| match to.as_str() {
            Some(to) => Ok((from.clone(), to.to_owned())),
            None => Err(refuse(to)),
        });
        Ok(Self { names: names.collect::<Result<_>>()? })
    }

    pub(super) fn with(names: BTreeMap<String, String>) -> Self {
        Self { names }
    }

    /// Which names become which.
    #[must_use]
    pub fn names(&self) -> &BTreeMap<String, String> {
        &self.names
    }

    /// What this observation is called from here on.
    pub(super) fn of<'a>(&'a self, name: &'a str) -> &'a str {
        self.names.get(name).map_or(name, String::as_str)
    }
}
