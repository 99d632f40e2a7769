//! A dataset whose tasks are called otherwise.

use std::collections::BTreeMap;
use std::path::Path;

use super::assemble::assemble;
use super::plan::{Plan, Wording};
use super::{Made, Watch};
use crate::{Dataset, Error, Result};

/// What tasks are to be called. Of an episode's frames, first its own entry counts, then the
/// replacement of the frame's task, then the text for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskChanges {
    /// The task of everything that nothing else is said of.
    pub all: Option<String>,
    /// The task of single episodes.
    pub episodes: BTreeMap<u64, String>,
    /// New texts of tasks that are there.
    pub renamed: BTreeMap<String, String>,
}

/// The dataset with other tasks; those that no frame has any more go.
pub fn modify_tasks(
    source: &Path,
    changes: &TaskChanges,
    to: Option<&Path>,
    watch: Watch<'_>,
) -> Result<Made> {
    let source = Dataset::open_with_stats(source)?;
    if changes == &TaskChanges::default() {
        return Err(Error::Refused { what: "no task would change".into() });
    }
    changes.episodes.keys().try_for_each(|index| source.episode(*index).map(drop))?;
    if let Some(unknown) = changes.renamed.keys().find(|task| !source.tasks().contains(task)) {
        let known: Vec<String> = source.tasks().iter().map(|task| format!("{task:?}")).collect();
        let what = format!("there is no task {unknown:?}, only {}", known.join(", "));
        return Err(Error::Refused { what });
    }
    let mut plan = Plan::all(&source);
    plan.wording = Wording {
        renamed: changes.renamed.clone(),
        others: changes.all.clone(),
        keep_unused: false,
    };
    for part in &mut plan.parts {
        part.task = changes.episodes.get(&part.episode.index).cloned();
    }
    assemble(&plan, to, watch)
}
