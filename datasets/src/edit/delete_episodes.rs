//! A dataset without some of its episodes.

use std::collections::BTreeSet;
use std::path::Path;

use super::assemble::assemble;
use super::plan::Plan;
use super::{Made, Watch};
use crate::{Dataset, Result};

/// The dataset without these episodes; the others are numbered anew, and tasks that no frame has any
/// more go.
pub fn delete_episodes(
    source: &Path,
    episodes: &[u64],
    to: Option<&Path>,
    watch: Watch<'_>,
) -> Result<Made> {
    let source = Dataset::open_with_stats(source)?;
    let gone: BTreeSet<u64> = episodes.iter().copied().collect();
    gone.iter().try_for_each(|index| source.episode(*index).map(drop))?;
    let mut plan = Plan::all(&source);
    plan.wording.keep_unused = false;
    plan.parts.retain(|part| !gone.contains(&part.episode.index));
    assemble(&plan, to, watch)
}
