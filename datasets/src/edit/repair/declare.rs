//! info.json brought in line with the files, or made anew from them.

use std::path::Path;

use serde_json::{Map, Value};

use super::super::convert::lay_out_as_v21;
use super::evidence::Evidence;
use crate::depth;
use crate::reader;
use crate::schema::{BUILT_IN, Dtype, Feature, Info, Template, Version};
use crate::tables::episodes::FileAt;
use crate::{Error, Result};

/// What info.json should say, and what it did not.
pub fn declare(root: &Path) -> Result<(Info, Vec<String>)> {
    let said = Info::load(root);
    let evidence = match (Evidence::gather(root), &said) {
        (Ok(evidence), _) => evidence,
        // Without rows nothing can be held against it.
        (Err(_), Ok(_)) => return said.map(|info| (info, Vec::new())),
        (Err(error), Err(_)) => return Err(error),
    };
    let mut told = Vec::new();
    let mut info = match said {
        Ok(info) => info,
        Err(error) => {
            told.push(format!("meta/info.json is made anew: {error}"));
            anew(root, &evidence, &mut told)?
        }
    };
    let (rows, video) = evidence.fps;
    if let Some(fps) = rows.filter(|fps| *fps != info.fps && video.is_none_or(|v| v == *fps)) {
        told.push(format!(
            "{} frames per second were said, the times of the rows say {fps}",
            info.fps
        ));
        info.fps = fps;
    }
    columns(&mut info, &evidence, &mut told);
    cameras(&mut info, &evidence, &mut told);
    places(root, &mut info, &evidence, &mut told);
    // Whether there are any is for the tables and the rows to say.
    info.total_episodes = info.total_episodes.max(1);
    Ok((info, told))
}

/// What is known without it: the rate, the layout, and whatever is left of what it said.
fn anew(root: &Path, evidence: &Evidence, told: &mut Vec<String>) -> Result<Info> {
    let (rows, video) = evidence.fps;
    let fps = rows.or(video).ok_or_else(|| {
        let what = "cannot be known: neither the times of the rows nor a video say a rate; write an \
                    info.json with it and repair again";
        Error::malformed(&root.join("meta/info.json"), "key fps", what)
    })?;
    let from = if rows.is_some() { "the times of the rows" } else { "a video" };
    told.push(format!("{fps} frames per second, as {from} say"));
    let text = std::fs::read(root.join("meta/info.json")).unwrap_or_default();
    let left: Map<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    let robot = left.get("robot_type").and_then(Value::as_str).map(str::to_owned);
    if robot.is_none() {
        told.push("which robot it was is not known".into());
    }
    let mut info = Info::new(fps, robot, Vec::new())?;
    let declared = left.get("features").and_then(Value::as_object).into_iter().flatten();
    let sound = declared.filter_map(|(name, value)| {
        let known = BUILT_IN.iter().any(|(built_in, _)| built_in == name);
        Some((name.clone(), Feature::from_json(value).ok().filter(|_| !known)?))
    });
    info.features.splice(0..0, sound);
    if evidence.version != Version::V30 {
        info.video_path = Some(Template::video_v21());
        lay_out_as_v21(&mut info);
        info.version = evidence.version;
    }
    Ok(info)
}

/// Declares what the rows hold, and nothing else but videos.
fn columns(info: &mut Info, evidence: &Evidence, told: &mut Vec<String>) {
    let held = |name: &str| evidence.columns.iter().find(|(known, _)| known == name);
    info.features.retain(|(name, feature)| {
        let film = evidence.cameras.iter().any(|(camera, _)| camera == name);
        let kept = held(name).is_some()
            || film
            || (feature.dtype == Dtype::Video && evidence.order.contains(name))
            || BUILT_IN.iter().any(|(built_in, _)| built_in == name);
        if !kept {
            told.push(format!("feature {name} is gone: neither rows nor videos have it"));
        }
        kept
    });
    for (name, feature) in &mut info.features {
        let Some((_, held)) = held(name) else { continue };
        let image = held.dtype == Dtype::Image;
        let fits = kind(feature.dtype) == kind(held.dtype)
            && match image {
                true => feature.image_size() == held.image_size(),
                false => feature.width() == held.width(),
            };
        if !fits {
            let (dtype, shape) = (held.dtype.name(), &held.shape);
            let said = format!("{} {:?} was said", feature.dtype.name(), feature.shape);
            told.push(format!("feature {name}: the rows hold {dtype} {shape:?}, {said}"));
            *feature = held.clone();
        }
    }
    for (name, feature) in &evidence.columns {
        if info.feature(name).is_none() {
            let (dtype, shape) = (feature.dtype.name(), &feature.shape);
            let names =
                if feature.is_camera() || shape == &[1] { "" } else { ", its names are not known" };
            told.push(format!("feature {name}: {dtype} {shape:?}, as the rows hold it{names}"));
            insert(info, evidence, name, feature.clone());
        }
    }
}

/// Declares the cameras that have videos.
fn cameras(info: &mut Info, evidence: &Evidence, told: &mut Vec<String>) {
    for (name, video) in &evidence.cameras {
        let Some(video) = video else { continue };
        if evidence.columns.iter().any(|(column, _)| column == name) {
            continue;
        }
        let (width, height) = (video.width, video.height);
        let mut feature = match video.pix_fmt == depth::PIX_FMT {
            true => Feature::depth(Dtype::Video, width, height),
            false => Feature::camera(Dtype::Video, width, height),
        };
        let described = Value::Object(video.describe(&feature));
        feature.extra.insert("info".into(), described);
        match info.features.iter_mut().find(|(known, _)| known == name) {
            Some((_, said)) if said.dtype == Dtype::Video => {
                if said.image_size() != Some((width, height)) {
                    told.push(format!("feature {name}: its video has {width}×{height} pixels"));
                    said.shape = feature.shape;
                    said.names = feature.names;
                }
            }
            Some((_, said)) => {
                told.push(format!(
                    "feature {name} is kept as video, {} was said",
                    said.dtype.name()
                ));
                *said = feature;
            }
            None => {
                told.push(format!(
                    "feature {name}: video of {width}×{height} pixels, as it is there"
                ));
                insert(info, evidence, name, feature);
            }
        }
    }
}

/// Where files lie, as far as info.json leads to none.
fn places(root: &Path, info: &mut Info, evidence: &Evidence, told: &mut Vec<String>) {
    let mut usual = info.clone();
    usual.version = evidence.version;
    usual.data_path = Template::data();
    usual.video_path = Some(Template::video());
    if evidence.version != Version::V30 {
        lay_out_as_v21(&mut usual);
        usual.version = evidence.version;
    }
    let first = |info: &Info| reader::data_file(root, info, FileAt::default()).is_file();
    if !first(info) && first(&usual) {
        told.push(format!("the layout is {}, as the files lie", usual.version.name()));
        info.version = usual.version;
        info.data_path = usual.data_path.clone();
        info.video_path = usual.video_path.clone();
    }
    if info.videos().next().is_some() && info.video_path.is_none() {
        info.video_path = usual.video_path;
    }
    if let Some(size) = evidence.chunks_size.filter(|size| *size != info.chunks_size) {
        told.push(format!("{size} files in a chunk, as the files lie"));
        info.chunks_size = size;
    }
}

/// Puts a feature where the statistics have it, else behind the others that are declared.
fn insert(info: &mut Info, evidence: &Evidence, name: &str, feature: Feature) {
    let place = |name: &str| evidence.order.iter().position(|known| known == name);
    let built_in = |name: &str| BUILT_IN.iter().any(|(built_in, _)| *built_in == name);
    let before = |(known, _): &(String, Feature)| {
        built_in(known) || place(name).is_some_and(|own| place(known).is_some_and(|p| p > own))
    };
    let at = info.features.iter().position(before).unwrap_or(info.features.len());
    info.features.insert(at, (name.to_owned(), feature));
}

/// What can be read as one another.
fn kind(dtype: Dtype) -> u8 {
    match dtype {
        Dtype::F32 | Dtype::F64 => 0,
        Dtype::Bool => 1,
        Dtype::Text => 2,
        Dtype::Image => 3,
        Dtype::Video => 4,
        _ => 5,
    }
}
