//! What a new dataset is made of.

use std::collections::{BTreeMap, BTreeSet};

use crate::reader::Dataset;
use crate::schema::{Info, Template, Version};
use crate::tables::episodes::Episode;
use crate::video::Coding;

/// A dataset to be made.
pub struct Plan<'a> {
    /// Where episodes come from.
    pub sources: Vec<&'a Dataset>,
    /// What the new dataset declares; its counts are filled in when it is made.
    pub info: Info,
    /// Its episodes in order.
    pub parts: Vec<Part<'a>>,
    /// What its tasks are called.
    pub wording: Wording,
    /// Cameras whose videos are encoded anew even where they could be copied.
    pub encode: BTreeSet<String>,
    /// How videos are encoded.
    pub coding: Coding,
    /// Whether videos that cannot be cut may be encoded anew.
    pub may_encode: bool,
    /// Whether measured instants are left behind where their table is damaged.
    pub lenient: bool,
}

/// One episode of it.
#[derive(Clone)]
pub struct Part<'a> {
    /// Which source.
    pub source: usize,
    /// The episode there.
    pub episode: &'a Episode,
    /// What is done in all of it, instead of what the source says.
    pub task: Option<String>,
    /// Whether its frames are counted and timed anew.
    pub recount: bool,
}

impl<'a> Part<'a> {
    /// The episode as it is.
    pub fn whole(source: usize, episode: &'a Episode) -> Self {
        Self { source, episode, task: None, recount: false }
    }
}

/// What becomes of the sources' tasks.
#[derive(Clone, Debug, Default)]
pub struct Wording {
    /// Tasks with another text.
    pub renamed: BTreeMap<String, String>,
    /// The text of all others.
    pub others: Option<String>,
    /// Whether tasks stay that no frame has.
    pub keep_unused: bool,
}

impl<'a> Plan<'a> {
    /// Every episode of one dataset as it is, in the newest layout.
    pub fn all(source: &'a Dataset) -> Self {
        Self::of(vec![source], newest(source.info()))
    }

    /// Every episode of several datasets.
    pub fn of(sources: Vec<&'a Dataset>, info: Info) -> Self {
        let part = |(source, dataset): (usize, &&'a Dataset)| {
            let episodes = dataset.episodes().iter();
            episodes.map(move |episode| Part::whole(source, episode)).collect::<Vec<_>>()
        };
        let parts = sources.iter().enumerate().flat_map(part).collect();
        let wording = Wording { keep_unused: true, ..Wording::default() };
        Self {
            sources,
            info,
            parts,
            wording,
            encode: BTreeSet::new(),
            coding: Coding::default(),
            may_encode: true,
            lenient: false,
        }
    }

    /// The source of an episode.
    pub fn source(&self, part: &Part<'_>) -> &'a Dataset {
        self.sources[part.source]
    }

    /// How many frames the new dataset will have.
    pub fn frames(&self) -> u64 {
        self.parts.iter().map(|part| part.episode.length).sum()
    }

    /// What a frame of this task is called in the new dataset.
    pub fn text<'t>(&'t self, part: &'t Part<'_>, task: &'t str) -> &'t str {
        let renamed = || self.wording.renamed.get(task).or(self.wording.others.as_ref());
        part.task.as_ref().or_else(renamed).map_or(task, String::as_str)
    }
}

/// The declaration in the newest layout, its files in LeRobot's places.
pub fn newest(info: &Info) -> Info {
    let mut newest = info.clone();
    newest.version = Version::V30;
    newest.data_path = Template::data();
    let has_video = newest.videos().next().is_some();
    newest.video_path = has_video.then(Template::video);
    // What the older layouts counted besides.
    for key in ["total_chunks", "total_videos"] {
        newest.extra.shift_remove(key);
    }
    newest
}
