//! A dataset without some of its features.

use std::path::Path;

use super::assemble::assemble;
use super::plan::{Plan, newest};
use super::{Made, Watch};
use crate::schema::BUILT_IN;
use crate::{Dataset, Error, Result};

/// The dataset without these features, cameras or columns.
pub fn remove_features(
    source: &Path,
    names: &[String],
    to: Option<&Path>,
    watch: Watch<'_>,
) -> Result<Made> {
    let source = Dataset::open_with_stats(source)?;
    for name in names {
        let refuse =
            |what: &str| Err(Error::Feature { feature: name.clone(), what: what.to_owned() });
        if BUILT_IN.iter().any(|(built_in, _)| built_in == name) {
            return refuse("every dataset has it, it cannot be removed");
        }
        if source.info().feature(name).is_none() {
            let known: Vec<&str> = source.info().names().collect();
            return refuse(&format!("there is no such feature, only {}", known.join(", ")));
        }
    }
    let mut plan = Plan::all(&source);
    plan.info.features.retain(|(name, _)| !names.contains(name));
    plan.info = newest(&plan.info);
    assemble(&plan, to, watch)
}
