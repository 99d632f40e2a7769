//! What the tables say, as far as they can be read, and whether they agree.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::Scene;
use super::finding::{Code, Findings};
use crate::reader::{v21, v30};
use crate::schema::{Info, Version};
use crate::stats::{self, AllStats};
use crate::tables::episodes::{self, Episode, FileAt};
use crate::tables::tasks;
use crate::{Error, tables};

/// The tables, as far as they can be read.
#[derive(Debug, Default)]
pub struct Listed {
    /// The tasks; none where the table cannot be read.
    pub tasks: Option<Vec<String>>,
    /// The episodes by their numbers.
    pub episodes: Vec<Episode>,
    /// Whether every table of episodes could be read.
    pub whole: bool,
    /// The statistics of the whole dataset, where there are any.
    pub stats: Option<AllStats>,
    /// The episodes in each data file, by their place in `episodes`.
    pub data: BTreeMap<FileAt, Vec<usize>>,
    /// How many frames the episodes in each video have together.
    pub video_frames: HashMap<(String, FileAt), u64>,
}

impl Listed {
    /// Reads what can be read.
    pub(super) fn load(root: &Path, info: &Info, findings: &mut Findings) -> Self {
        let mut listed = Self { whole: true, ..Self::default() };
        match info.version {
            Version::V30 => listed.load_v30(root, info, findings),
            Version::V20 | Version::V21 => listed.load_v21(root, info, findings),
        }
        listed.stats = match std::fs::read(root.join("meta/stats.json")) {
            Ok(text) => stats::parse(&text),
            Err(_absent) => None,
        };
        listed.episodes.sort_by_key(|episode| (episode.index, episode.from_index));
        for (at, episode) in listed.episodes.iter().enumerate() {
            listed.data.entry(episode.data).or_default().push(at);
            for part in &episode.videos {
                let frames = listed.video_frames.entry((part.key.clone(), part.at)).or_default();
                *frames = frames.saturating_add(episode.length);
            }
        }
        listed
    }

    /// Reads what can be read, and keeps what is wrong to itself.
    pub fn silent(root: &Path, info: &Info) -> Self {
        Self::load(root, info, &mut Findings::default())
    }

    fn load_v30(&mut self, root: &Path, info: &Info, findings: &mut Findings) {
        match tasks::read(&root.join(tasks::PATH)) {
            Ok(tasks) => self.tasks = Some(tasks),
            Err(_absent) if info.total_tasks == 0 => self.tasks = Some(Vec::new()),
            Err(error) => findings.add_table(root, &error),
        }
        let cameras: Vec<&str> = info.videos().map(|(key, _)| key).collect();
        let tables = match v30::files(&root.join("meta/episodes")) {
            Ok(tables) => tables,
            Err(_absent) if info.total_episodes == 0 => Vec::new(),
            Err(error) => {
                self.whole = false;
                return findings.add_table(root, &error);
            }
        };
        for path in tables {
            match episodes::read(&path, &cameras, true) {
                Ok(episodes) => {
                    self.episodes.extend(episodes);
                    undeclared(root, &path, &cameras, findings);
                }
                Err(error) => {
                    self.whole = false;
                    findings.add_table(root, &error);
                }
            }
        }
    }

    fn load_v21(&mut self, root: &Path, info: &Info, findings: &mut Findings) {
        match v21::tasks(&root.join("meta/tasks.jsonl")) {
            Ok(tasks) => self.tasks = Some(tasks),
            Err(error) => findings.add_table(root, &error),
        }
        match v21::episodes(&root.join("meta/episodes.jsonl"), info) {
            Ok(episodes) => self.episodes = episodes,
            Err(error) => {
                self.whole = false;
                findings.add_table(root, &error);
            }
        }
        let path = root.join("meta/episodes_stats.jsonl");
        if let Err(error) = v21::episode_stats(&path, &mut self.episodes) {
            findings.add_table(root, &error);
        }
    }

    /// How many frames the episodes have.
    pub fn frames(&self) -> u64 {
        self.episodes.iter().fold(0, |all, episode| all.saturating_add(episode.length))
    }
}

/// Looks for cameras that a table of episodes has videos of, and info.json does not know. LeRobot leaves
/// the columns of a camera that it removes; only with its videos there has somebody lost something.
fn undeclared(root: &Path, path: &Path, cameras: &[&str], findings: &mut Findings) {
    let Ok(table) = tables::metadata(path) else { return };
    let camera = |name: &str| {
        let key = name.strip_prefix("videos/")?.strip_suffix("/chunk_index")?;
        let lost = !cameras.contains(&key) && root.join("videos").join(key).is_dir();
        lost.then(|| key.to_owned())
    };
    for key in table.schema().fields().iter().filter_map(|field| camera(field.name())) {
        let what = "has videos, but is not declared as such in info.json";
        let error = Error::malformed(path, format!("camera {key}"), what);
        findings.add_error(Code::Column, root, &error);
    }
}

/// Whether the tables and info.json agree.
pub fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let (info, listed) = (scene.info, scene.listed);
    let mut same = |code, key: &str, said: u64, found: u64| {
        if said != found {
            let message = format!("says {said}, the tables hold {found}");
            findings.add(code, format!("meta/info.json, key {key}"), message);
        }
    };
    same(Code::EpisodeCount, "total_episodes", info.total_episodes, listed.episodes.len() as u64);
    same(Code::FrameCount, "total_frames", info.total_frames, listed.frames());
    if let Some(tasks) = &listed.tasks {
        same(Code::TaskCount, "total_tasks", info.total_tasks, tasks.len() as u64);
    }
    let mut next = 0_u64;
    for (at, episode) in listed.episodes.iter().enumerate() {
        let place = format!("episode {}", episode.index);
        if episode.index != at as u64 {
            let message = format!("stands where episode {at} is expected");
            findings.add(Code::EpisodeOrder, place.as_str(), message);
        }
        if episode.from_index != next {
            let from = episode.from_index;
            let message = format!("begins at frame {from}, the one before ends at {next}");
            findings.add(Code::EpisodeOrder, place.as_str(), message);
        }
        if episode.length == 0 {
            findings.add(Code::EpisodeOrder, place.as_str(), "has no frame");
        }
        for task in &episode.tasks {
            if listed.tasks.as_ref().is_some_and(|tasks| !tasks.contains(task)) {
                let message = format!("the task {task:?} is not in the table of tasks");
                findings.add(Code::TaskIndex, place.as_str(), message);
            }
        }
        // After a gap the next one is held against this one, so that one gap is one finding.
        next = episode.from_index.saturating_add(episode.length);
    }
}
