//! A new dataset looked at before anybody else does: it opens, and counts what was meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Made, Progress, Watch};
use crate::reader::{self, Dataset};
use crate::video::Footage;
use crate::{Error, Result, tables};

/// Opens the dataset and counts rows and frames.
pub fn check(root: &Path, made: &Made, watch: Watch<'_>) -> Result<()> {
    let dataset = Dataset::open(root)?;
    let info = dataset.info();
    let found = (dataset.episodes().len() as u64, dataset.len(), dataset.tasks().len() as u64);
    if found != (made.episodes, made.frames, made.tasks) {
        let (episodes, frames, tasks) = found;
        let what = format!("counts {episodes} episodes, {frames} frames, {tasks} tasks");
        return Err(Error::malformed(&root.join("meta"), "what was written", what));
    }
    let mut rows: BTreeMap<PathBuf, u64> = BTreeMap::new();
    let mut footage: Option<Footage> = None;
    for episode in dataset.episodes() {
        *rows.entry(reader::data_file(root, info, episode.data)).or_default() += episode.length;
        watch(Progress { stage: "checks", done: episode.index + 1, total: made.episodes });
    }
    let mut parts: Vec<_> = dataset
        .episodes()
        .iter()
        .flat_map(|episode| episode.videos.iter().map(move |part| (part, episode)))
        .collect();
    parts.sort_by(|(a, _), (b, _)| (&a.key, a.at).cmp(&(&b.key, b.at)));
    for (part, episode) in parts {
        let path = dataset.video_file(&part.key, part.at);
        let file = match footage.take().filter(|footage| footage.path() == path) {
            Some(file) => file,
            None => Footage::open(&path)?,
        };
        let frames = file.frames(part.from_s, part.to_s);
        if frames != episode.length {
            let what = format!("has {frames} frames for {} rows", episode.length);
            return Err(Error::malformed(&path, format!("episode {}", episode.index), what));
        }
        footage = Some(file);
    }
    for (path, expected) in rows {
        let found = tables::open(&path)?.metadata().file_metadata().num_rows();
        if u64::try_from(found) != Ok(expected) {
            let what = format!("has {found} rows, {expected} were meant");
            return Err(Error::malformed(&path, "the table", what));
        }
    }
    Ok(())
}
