//! A dataset in another layout, or with its images kept another way.

use std::path::Path;

use serde_json::json;

use super::assemble::assemble;
use super::plan::{Plan, newest};
use super::{Made, Watch};
use crate::schema::{Dtype, Info, Template, Version};
use crate::{Dataset, Error, Result};

/// What to convert to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The newest layout, v3.0.
    Newest,
    /// The layout before it, v2.1, where nothing is lost.
    V21,
    /// Images kept as video.
    Videos,
    /// Videos kept as images.
    Images,
}

/// The dataset converted.
pub fn convert(source: &Path, target: Target, to: Option<&Path>, watch: Watch<'_>) -> Result<Made> {
    let source = Dataset::open_with_stats(source)?;
    let mut plan = Plan::all(&source);
    match target {
        Target::Newest if source.info().version == Version::V30 => {
            return Err(Error::Refused { what: "the dataset is v3.0 already".into() });
        }
        Target::Newest => {}
        Target::V21 => older(&mut plan)?,
        Target::Videos => keep_as(&mut plan, Dtype::Image, Dtype::Video)?,
        Target::Images => keep_as(&mut plan, Dtype::Video, Dtype::Image)?,
    }
    assemble(&plan, to, watch)
}

fn older(plan: &mut Plan<'_>) -> Result<()> {
    let refuse = |what: String| Err(Error::Refused { what });
    if plan.sources.iter().any(|source| source.info().version == Version::V21) {
        return refuse("the dataset is v2.1 already".into());
    }
    let depth = plan.info.features.iter().find(|(_, feature)| feature.is_depth());
    if let Some((camera, _)) = depth {
        return refuse(format!("{camera} holds depth, which v2.1 cannot say"));
    }
    plan.may_encode = false;
    lay_out_as_v21(&mut plan.info);
    Ok(())
}

/// Declares the layout v2.1, its files in LeRobot's places.
pub fn lay_out_as_v21(info: &mut Info) {
    info.version = Version::V21;
    info.data_path = Template::data_v21();
    info.video_path = info.video_path.is_some().then(Template::video_v21);
}

fn keep_as(plan: &mut Plan<'_>, from: Dtype, to: Dtype) -> Result<()> {
    let mut changed = 0;
    for (_, feature) in plan.info.features.iter_mut().filter(|(_, f)| f.dtype == from) {
        let depth = feature.is_depth();
        feature.dtype = to;
        let said = feature.extra.shift_remove("info");
        if depth {
            // Images made here hold millimetres; a video keeps the statistics of its images.
            let unit = said.as_ref().and_then(|said| said.get("depth_unit"));
            let unit = unit.filter(|_| to == Dtype::Video).cloned().unwrap_or_else(|| "mm".into());
            let said = json!({ "is_depth_map": true, "depth_unit": unit });
            feature.extra.insert("info".into(), said);
        }
        changed += 1;
    }
    if changed == 0 {
        let what = format!("no feature is kept as {}", from.name());
        return Err(Error::Refused { what });
    }
    plan.info = newest(&plan.info);
    Ok(())
}
