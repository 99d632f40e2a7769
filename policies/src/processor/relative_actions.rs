//! `relative_actions_processor`: the network was trained on how far to go instead of where to go.
//! On the way in, it only remembers where the joints are.

use crate::config::Fields;
use crate::error::Result;

/// Which joints are meant relative, and where they were last.
#[derive(Clone, Debug)]
pub struct RelativeActions {
    /// Whether anything is relative at all.
    pub enabled: bool,
    exclude_joints: Vec<String>,
    action_names: Option<Vec<String>>,
    last: Vec<f32>,
}

impl RelativeActions {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(Self {
            enabled: fields.or("enabled", false)?,
            exclude_joints: fields.or("exclude_joints", Vec::new())?,
            action_names: fields.or("action_names", None)?,
            last: Vec::new(),
        })
    }

    /// Whether joints should stay absolute and cannot be told apart.
    pub(super) fn cannot_exclude(&self) -> bool {
        self.enabled && !self.exclude_joints.is_empty() && self.action_names.is_none()
    }

    pub(super) fn remember(&mut self, state: &[f32]) {
        self.last.clear();
        self.last.extend_from_slice(state);
    }

    /// Where the joints were last.
    pub(super) fn last(&self) -> &[f32] {
        &self.last
    }

    /// Whether this number of an action is relative: any whose name holds none of the excluded.
    pub(super) fn is_relative(&self, at: usize) -> bool {
        let name = self.action_names.as_ref().and_then(|names| names.get(at));
        let Some(name) = name.map(|name| name.to_lowercase()) else { return true };
        let mut excluded = self.exclude_joints.iter().filter(|joint| !joint.is_empty());
        !excluded.any(|joint| name.contains(&joint.to_lowercase()))
    }
}
