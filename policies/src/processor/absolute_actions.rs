//! `absolute_actions_processor`: from how far to go to where to go.
//!
//! What an action is relative to is where the joints were when its chunk was made, not where they
//! are when it is carried out: LeRobot adds the latter in its synchronous loop, knows that such
//! targets drift, and refuses to run them.

use super::relative_actions::RelativeActions;
use super::{ACTION, STATE};
use crate::config::Fields;
use crate::error::{Error, Result};

/// Adds where the joints were.
#[derive(Clone, Debug)]
pub struct AbsoluteActions {
    /// Whether anything is added at all.
    pub enabled: bool,
    /// Which numbers are relative, once the step that says so is known.
    relative: Option<Vec<bool>>,
    anchor: Vec<f32>,
}

impl AbsoluteActions {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        fields.ignore(&["relative_step"]);
        Ok(Self { enabled: fields.or("enabled", false)?, relative: None, anchor: Vec::new() })
    }

    pub(super) fn pair(&mut self, with: &RelativeActions, action_dim: usize) {
        self.relative = Some((0..action_dim).map(|at| with.is_relative(at)).collect());
    }

    pub(super) fn is_paired(&self) -> bool {
        self.relative.is_some()
    }

    pub(super) fn anchor(&mut self, state: &[f32]) {
        self.anchor.clear();
        self.anchor.extend_from_slice(state);
    }

    pub(super) fn action(&self, numbers: &mut [f32]) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        let relative = self.relative.as_deref().unwrap_or_default();
        if relative.len() != numbers.len() {
            let what = format!("has {} numbers instead of {}", numbers.len(), relative.len());
            return Err(Error::Input { feature: ACTION.to_owned(), what });
        }
        if self.anchor.len() < numbers.len() {
            let what = format!(
                "has {} numbers, and actions of {} are relative to it",
                self.anchor.len(),
                numbers.len()
            );
            return Err(Error::Input { feature: STATE.to_owned(), what });
        }
        for ((number, from), relative) in numbers.iter_mut().zip(&self.anchor).zip(relative) {
            if *relative {
                *number += from;
            }
        }
        Ok(())
    }
}
