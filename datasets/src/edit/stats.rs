//! The statistics of an episode of a new dataset: those of the source, but for what changed.

use std::collections::BTreeMap;

use crate::Result;
use crate::image::Image;
use crate::reader::Dataset;
use crate::schema::{Dtype, Feature, Info};
use crate::stats::{self, AllStats, Stats, image};
use crate::tables::data::Rows;
use crate::tables::episodes::Episode;

/// The columns that number frames, episodes and tasks.
pub const NUMBERS: [&str; 3] = ["episode_index", "index", "task_index"];

/// The statistics of images that pass by one after the other.
pub struct Sampled {
    frames: u64,
    wanted: BTreeMap<u64, Option<image::Digest>>,
}

impl Sampled {
    /// For so many frames.
    pub fn new(frames: u64) -> Self {
        Self { frames, wanted: image::sampled(frames).into_iter().map(|at| (at, None)).collect() }
    }

    /// Looks at a frame.
    pub fn look(&mut self, frame: u64, image: &Image) {
        if let Some(seen) = self.wanted.get_mut(&frame) {
            *seen = Some(image::Digest::of(image));
        }
    }

    /// The statistics, of this camera.
    pub fn stats(&self, camera: &Feature) -> Option<Stats> {
        let seen = |frame: u64| self.wanted.get(&frame)?.clone();
        image::of(camera, self.frames, |frame| seen(frame).ok_or(())).ok().flatten()
    }
}

/// Every feature's statistics: those already known of the new episode, those of the source's
/// episode, and of what was numbered anew or the source lacks, new ones.
pub fn complete(
    info: &Info,
    rows: &Rows,
    known: &AllStats,
    source: &Dataset,
    episode: &Episode,
) -> Result<AllStats> {
    let mut columns = info.columns().zip(rows).map(|((_, feature), cells)| (feature, cells));
    let mut all = AllStats::new();
    for (name, feature) in &info.features {
        let column = match feature.dtype {
            Dtype::Video => None,
            _ => columns.next(),
        };
        let found = |all: &AllStats| {
            all.iter().find(|(known, _)| known == name).map(|(_, stats)| stats.clone())
        };
        let carried = found(&episode.stats)
            .filter(|_| !NUMBERS.contains(&name.as_str()))
            .filter(|stats| feature.is_camera() || stats.quantiles.is_some());
        let stats = match (found(known).or(carried), column) {
            (Some(stats), _) => Some(stats),
            (None, _) if feature.is_camera() => stats::of_episode(source, episode, name)?,
            (None, column) => {
                column.and_then(|(feature, cells)| stats::of_column(name, feature, cells, info.fps))
            }
        };
        all.extend(stats.map(|stats| (name.clone(), stats)));
    }
    Ok(all)
}
