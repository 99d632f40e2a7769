//! A damaged dataset made sound again: every episode that can still be read, in a new dataset.
//!
//! ```text
//! info.json, as far as the files agree ┐
//! tables, as far as they can be read ──┤
//! rows, by the numbers they carry ─────┴▶ locate: where each episode's rows are
//!                                            └─▶ films: where its frames are, of cut-off videos too
//!                                                  └─▶ look: how many of both can be read
//!                                                        └─▶ plan ─▶ assemble, as any other edit
//! ```
//!
//! Of an episode that is damaged from some frame on, the frames before it are kept; of any other, its
//! values are what they were, bit for bit. What is lost is told, and why.

mod declare;
mod evidence;
mod films;
mod locate;
mod look;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::assemble::assemble;
use super::plan::{Part, Plan};
use super::{Made, Progress, Watch, convert};
use crate::reader::{DataFile, Dataset, Tables, video_file};
use crate::schema::{Info, Version};
use crate::stats::AllStats;
use crate::tables::episodes::{Episode, VideoPart};
use crate::verify::Listed;
use crate::video::Footage;
use crate::{Error, Result, verify};
use films::Films;

/// What became of an episode that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Its number before.
    pub episode: u64,
    /// Its number in the new dataset; none when nothing of it is there.
    pub now: Option<u64>,
    /// How many frames it should have.
    pub frames: u64,
    /// How many are kept, counted from its beginning.
    pub kept: u64,
    /// What is lost, and why.
    pub why: String,
}

/// A dataset that was made sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What it has.
    pub made: Made,
    /// The episodes that are not what they were.
    pub losses: Vec<Loss>,
    /// What info.json did not say, or not as the files are, and what was taken for it.
    pub declared: Vec<String>,
}

/// An episode as far as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The episode; its frames are counted as the data files lie, see [`locate`].
    episode: Episode,
    /// How many frames it should have.
    said: u64,
    /// Whether its frames have to be counted and timed anew.
    recount: bool,
    /// What is done in it, where its rows do not say.
    task: Option<String>,
    /// What is lost of it, and why.
    lost: Option<String>,
}

/// A damaged dataset, as far as it can be read.
struct Damaged<'a> {
    root: &'a Path,
    info: Info,
    listed: Listed,
    files: Vec<DataFile>,
    found: Vec<Found>,
    films: Films,
    declared: Vec<String>,
}

/// Makes a sound dataset of everything that can be read of a damaged one.
pub fn repair(source: &Path, to: Option<&Path>, watch: Watch<'_>) -> Result<Repaired> {
    let mut damaged = Damaged::open(source)?;
    let total = damaged.found.len() as u64;
    let draft = damaged.dataset();
    let mut found = std::mem::take(&mut damaged.found);
    let mut readers = look::Readers::default();
    for (done, one) in (1..).zip(&mut found) {
        look::look(&draft, &mut readers, one);
        watch(Progress { stage: "looks", done, total });
    }
    drop(draft);
    found.sort_by_key(|one| one.episode.index);
    damaged.found = found;
    let losses = damaged.losses();
    let gone = damaged.gone();
    damaged.found.retain(|one| one.episode.length > 0);
    if damaged.found.is_empty() {
        let why = losses.first().map_or("the tables name none", |loss| &loss.why);
        let why = match gone {
            None => why.to_owned(),
            Some(camera) => format!(
                "{why}; the rest is there without it: sinew dataset remove-feature --feature {camera}"
            ),
        };
        return Err(Error::malformed(source, &why, "no episode can be read"));
    }
    damaged.describe_videos();
    let dataset = damaged.dataset();
    let mut plan = Plan::of(vec![&dataset], super::plan::newest(dataset.info()));
    plan.lenient = true;
    if dataset.info().version != Version::V30 {
        convert::lay_out_as_v21(&mut plan.info);
    }
    let at = |index| dataset.episodes().iter().find(|episode| episode.index == index);
    let part = |one: &Found| {
        let whole = Part::whole(0, at(one.episode.index)?);
        Some(Part { task: one.task.clone(), recount: one.recount, ..whole })
    };
    plan.parts = damaged.found.iter().filter_map(part).collect();
    let declared = damaged.declared.clone();
    Ok(Repaired { made: assemble(&plan, to, watch)?, losses, declared })
}

impl Found {
    /// Keeps at most so many frames, counted from the beginning.
    fn shorten(&mut self, frames: u64, why: impl FnOnce() -> String) {
        if frames < self.episode.length {
            self.episode.length = frames;
            self.lost = Some(why());
        }
    }

    /// Makes its parts of videos as long as it is.
    fn trim(&mut self, fps: u32) {
        let seconds = self.episode.length as f64 / f64::from(fps);
        for part in &mut self.episode.videos {
            let same = (part.to_s - part.from_s - seconds).abs() < 0.5 / f64::from(fps);
            if !same {
                part.to_s = part.from_s + seconds;
            }
        }
    }
}

impl<'a> Damaged<'a> {
    fn open(root: &'a Path) -> Result<Self> {
        let (info, declared) = declare::declare(root)?;
        let listed = Listed::silent(root, &info);
        let located = locate::locate(root, &info, &listed);
        let mut found = located.found;
        let films = films::find(root, &info, &listed, &mut found)?;
        Ok(Self { root, info, listed, files: located.files, found, films, declared })
    }

    /// The dataset of the episodes of which something is left.
    fn dataset(&self) -> Dataset {
        let left = self.found.iter().filter(|one| one.episode.length > 0);
        let mut episodes: Vec<Episode> = left.map(|one| one.episode.clone()).collect();
        episodes.sort_by_key(|episode| episode.from_index);
        let tasks = self.listed.tasks.clone().unwrap_or_default();
        let tables = Tables { tasks, episodes, stats: AllStats::new() };
        let (files, instead) = (self.files.clone(), self.films.instead.clone());
        Dataset::found(self.root, self.info.clone(), tables, files, instead)
    }

    /// What is lost, once every episode was looked at and they are in order.
    fn losses(&self) -> Vec<Loss> {
        let mut next = 0;
        let loss = |one: &Found| {
            let (episode, kept) = (one.episode.index, one.episode.length);
            let now = (kept > 0).then_some(next);
            next += u64::from(kept > 0);
            let why = one.lost.clone()?;
            Some(Loss { episode, now, frames: one.said, kept, why })
        };
        self.found.iter().filter_map(loss).collect()
    }

    /// A camera of which there is no video at all.
    fn gone(&self) -> Option<String> {
        let videos = || self.found.iter().flat_map(|one| &one.episode.videos);
        let is_gone = |camera: &&String| {
            let mut files = videos().filter(|part| part.key == **camera).peekable();
            let named = files.peek().is_some();
            let file = |part: &VideoPart| video_file(self.root, &self.info, camera, part.at);
            named && files.all(|part| !file(part).is_file())
        };
        self.info.features.iter().map(|(name, _)| name).find(is_gone).cloned()
    }

    /// Corrects what info.json says of the videos where it is not so.
    fn describe_videos(&mut self) {
        let dataset = self.dataset();
        let parts = || self.found.iter().flat_map(|one| &one.episode.videos);
        let fps = self.info.fps;
        for (name, feature) in &mut self.info.features {
            let Some(part) = parts().find(|part| part.key == *name) else { continue };
            let footage = Footage::open(&dataset.video_file(name, part.at));
            let Ok(video) = footage.map(|footage| footage.info()) else { continue };
            if !verify::untrue(fps, feature, &video).is_empty() {
                let info = Value::Object(video.describe(feature));
                feature.extra.insert("info".into(), info);
            }
        }
    }
}
