//! Episodes rolled up into files of LeRobot's size: a recording has a file per episode, which is safe
//! and quick to save, and slow to copy and to open once there are thousands.

use std::path::Path;

use super::assemble::assemble;
use super::plan::Plan;
use super::{Made, Watch};
use crate::{Dataset, Result};

/// The same dataset in as few files as LeRobot would use, every value and every coded picture as it
/// was; of an older layout, the newest.
pub fn compact(source: &Path, to: Option<&Path>, watch: Watch<'_>) -> Result<Made> {
    let source = Dataset::open_with_stats(source)?;
    let mut plan = Plan::all(&source);
    plan.may_encode = false;
    assemble(&plan, to, watch)
}
