//! Several datasets put one behind the other.

use std::path::Path;

use serde_json::Value;

use super::assemble::assemble;
use super::plan::{Plan, newest};
use super::{Made, Watch};
use crate::schema::{Feature, Info};
use crate::{Dataset, Error, Result};

/// One dataset of all episodes of these, in their order; tasks of the same text are one. All must
/// have the same rate, robot and features.
pub fn merge(sources: &[&Path], to: Option<&Path>, watch: Watch<'_>) -> Result<Made> {
    let open = |path: &&Path| Dataset::open_with_stats(path);
    let sources: Vec<Dataset> = sources.iter().map(open).collect::<Result<_>>()?;
    let Some((first, rest)) = sources.split_first() else {
        return Err(Error::Refused { what: "there are no datasets to merge".into() });
    };
    for other in rest {
        if let Some(difference) = difference(first.info(), other.info()) {
            let (left, right) = (first.root().display(), other.root().display());
            let what = format!("they cannot be merged: {difference} ({left}, {right})");
            return Err(Error::Refused { what });
        }
    }
    assemble(&Plan::of(sources.iter().collect(), newest(first.info())), to, watch)
}

/// The first difference that keeps two datasets from being merged.
pub fn difference(left: &Info, right: &Info) -> Option<String> {
    if left.fps != right.fps {
        return Some(format!("{} frames per second, and {}", left.fps, right.fps));
    }
    if left.robot_type != right.robot_type {
        let name = |info: &Info| info.robot_type.clone().unwrap_or_else(|| "no robot".into());
        return Some(format!("recorded with {}, and {}", name(left), name(right)));
    }
    for (name, feature) in &left.features {
        match right.feature(name) {
            None => return Some(format!("only the first has feature {name}")),
            Some(other) => {
                if let Some(what) = unlike(feature, other) {
                    return Some(format!("feature {name} has {what}"));
                }
            }
        }
    }
    let extra = right.names().find(|name| left.feature(name).is_none())?;
    Some(format!("only the second has feature {extra}"))
}

/// How two features of one name differ. What encoders say of their videos may.
fn unlike(left: &Feature, right: &Feature) -> Option<String> {
    let unit = |feature: &Feature| if feature.depth_unit() == 1.0 { "mm" } else { "m" };
    let kind = |feature: &Feature| match (feature.is_depth(), feature.depth_scale()) {
        (false, _) => feature.dtype.name().to_owned(),
        // What steps stand for, and of what the statistics are, a dataset says once.
        (true, Some(Ok(scale))) => {
            let said = Value::Object(scale.to_json());
            format!("video depth in {}, {said}", unit(feature))
        }
        (true, _) => format!("{} depth in {}", feature.dtype.name(), unit(feature)),
    };
    let differing = |what: &str, left: String, right: String| {
        (left != right).then(|| format!("{what} {left}, and {right}"))
    };
    let names = |names: &Value| names.to_string();
    differing("dtype", kind(left), kind(right))
        .or_else(|| {
            let shape = |feature: &Feature| format!("{:?}", feature.shape);
            differing("shape", shape(left), shape(right))
        })
        .or_else(|| differing("names", names(&left.names), names(&right.names)))
}
