//! What the next episode builds on: the tables' totals, the tasks, the statistics, and the files that
//! are taken.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;
use crate::reader::Dataset;
use crate::schema::{Info, Place, Template};
use crate::stats::AllStats;
use crate::tables::episodes::FileAt;

/// What the next episode builds on.
#[derive(Clone, Debug)]
pub struct State {
    /// What info.json says.
    pub info: Info,
    /// The tasks in order.
    pub tasks: Vec<String>,
    /// The statistics so far.
    pub stats: AllStats,
    /// The last file taken: of data, of the episodes' table, of each camera's videos.
    last: BTreeMap<String, FileAt>,
}

/// The names under which the last files of data and of the episodes' table are kept; no camera can
/// be called so.
const DATA: &str = "/data";
const META: &str = "/meta";

impl State {
    /// Before the first episode.
    pub fn empty(info: Info) -> Self {
        Self { info, tasks: Vec::new(), stats: AllStats::new(), last: BTreeMap::new() }
    }

    /// Behind the last episode of a dataset.
    pub fn of(dataset: &Dataset) -> Self {
        let mut last = BTreeMap::new();
        let mut take = |name: &str, at: FileAt| {
            let known = last.entry(name.to_owned()).or_insert(at);
            *known = at.max(*known);
        };
        for episode in dataset.episodes() {
            take(DATA, episode.data);
            take(META, episode.meta);
            episode.videos.iter().for_each(|video| take(&video.key, video.at));
        }
        Self {
            info: dataset.info().clone(),
            tasks: dataset.tasks().to_vec(),
            stats: dataset.stats().clone(),
            last,
        }
    }

    /// The number of a task; a new one gets the next.
    pub fn task(&mut self, task: &str) -> i64 {
        let known = self.tasks.iter().position(|known| known == task);
        let at = known.unwrap_or_else(|| {
            self.tasks.push(task.to_owned());
            self.tasks.len() - 1
        });
        at as i64
    }

    /// The next file of data that is free.
    pub fn next_data(&mut self, root: &Path) -> FileAt {
        let template = self.info.data_path.clone();
        self.next(root, DATA, &template, "")
    }

    /// The next file of the episodes' table that is free.
    pub fn next_meta(&mut self, root: &Path) -> FileAt {
        self.next(root, META, &Template::episodes(), "")
    }

    /// The next file of a camera's videos that is free.
    pub fn next_video(&mut self, root: &Path, key: &str) -> FileAt {
        let template = self.info.video_path.clone().unwrap_or_else(Template::video);
        self.next(root, key, &template, key)
    }

    /// The file after the last one; what lies there already (a program was killed) is left alone.
    fn next(&mut self, root: &Path, name: &str, template: &Template, key: &str) -> FileAt {
        let chunks_size = self.info.chunks_size;
        let mut at = self.last.get(name).map_or(FileAt::default(), |last| last.next(chunks_size));
        while root.join(path(template, at, key)).exists() {
            at = at.next(chunks_size);
        }
        self.last.insert(name.to_owned(), at);
        at
    }
}

/// Where a file lies, below the dataset's folder.
pub fn path(template: &Template, at: FileAt, key: &str) -> std::path::PathBuf {
    template.path(&Place { chunk: at.chunk, file: at.file, episode: 0, key })
}

/// Reads where a dataset stands.
pub fn load(root: &Path) -> Result<State> {
    Ok(State::of(&Dataset::open(root)?))
}
