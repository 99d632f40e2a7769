//! A dataset whose statistics are those of its data: after an edit elsewhere, or from a program that
//! computed them otherwise.

use std::path::Path;

use super::assemble::assemble;
use super::plan::Plan;
use super::{Made, Watch, convert};
use crate::schema::Version;
use crate::{Dataset, Result};

/// The same dataset with the statistics of every episode and of the whole computed anew, those of
/// videos from their decoded pictures; values and coded pictures stay what they are.
pub fn recompute_stats(source: &Path, to: Option<&Path>, watch: Watch<'_>) -> Result<Made> {
    let mut source = Dataset::open(source)?;
    source.forget_stats();
    let mut plan = Plan::all(&source);
    plan.may_encode = false;
    if source.info().version != Version::V30 {
        convert::lay_out_as_v21(&mut plan.info);
    }
    assemble(&plan, to, watch)
}
