//! A dataset whose videos are encoded anew, so that they can be decoded everywhere.

use std::path::Path;

use super::assemble::assemble;
use super::plan::Plan;
use super::{Made, Watch};
use crate::video::Coding;
use crate::{Dataset, Error, Result};

/// The dataset with the videos of these cameras, of all where none are named, encoded as asked for.
pub fn reencode(
    source: &Path,
    cameras: &[String],
    coding: &Coding,
    to: Option<&Path>,
    watch: Watch<'_>,
) -> Result<Made> {
    let source = Dataset::open_with_stats(source)?;
    let mut plan = Plan::all(&source);
    let known: Vec<String> = plan.info.videos().map(|(name, _)| name.to_owned()).collect();
    if known.is_empty() {
        return Err(Error::Refused { what: "the dataset has no videos".into() });
    }
    if let Some(unknown) = cameras.iter().find(|camera| !known.contains(camera)) {
        let what = format!("is no video, only {}", known.join(", "));
        return Err(Error::Feature { feature: unknown.clone(), what });
    }
    plan.coding = coding.clone();
    plan.encode = if cameras.is_empty() { known } else { cameras.to_vec() }.into_iter().collect();
    assemble(&plan, to, watch)
}
