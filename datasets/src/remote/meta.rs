//! The tables below `meta/`, fetched whole: everything else is found through them.

use std::fs;
use std::path::Path;

use sinew_hub::Error::TooLarge;

use super::Remote;
use crate::reader::place;
use crate::schema::{Info, Template, Version};
use crate::tables::episodes::FileAt;
use crate::tables::{self, tasks};
use crate::{Error, Result};

/// The largest info.json.
const LARGEST_INFO: u64 = 64 << 20;

/// The largest table, which is in memory as it comes: LeRobot's end at 100 MB, and those of older
/// versions have some kilobytes an episode.
const LARGEST_TABLE: u64 = 256 << 20;

/// The most that all tables may have together: a hundred thousand episodes need a tenth of it.
const LARGEST: u64 = 4 << 30;

/// Fetches the tables of a dataset into a folder.
pub fn fetch(remote: &Remote, folder: &Path) -> Result<()> {
    let mut fetch = Fetch { remote, folder, left: LARGEST_INFO };
    if !fetch.file("meta/info.json")? {
        return Err(Error::NoDataset { path: remote.root().to_owned() });
    }
    let info = Info::load(folder)?;
    fetch.left = LARGEST;
    fetch.file("meta/stats.json")?;
    match info.version {
        Version::V30 => {
            if info.total_tasks > 0 {
                fetch.needed(tasks::PATH)?;
            }
            fetch.episodes(&info)
        }
        Version::V20 | Version::V21 => {
            fetch.needed("meta/tasks.jsonl")?;
            fetch.needed("meta/episodes.jsonl")?;
            fetch.file("meta/episodes_stats.jsonl").map(|_there| ())
        }
    }
}

struct Fetch<'a> {
    remote: &'a Remote,
    folder: &'a Path,
    /// How many bytes may still come.
    left: u64,
}

impl Fetch<'_> {
    /// Fetches a file; whether it is there.
    fn file(&mut self, name: &str) -> Result<bool> {
        match self.needed(name) {
            Err(Error::Server(error)) if error.is_missing() => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Fetches a file that must be there.
    fn needed(&mut self, name: &str) -> Result<()> {
        let link = self.remote.link(&self.remote.root().join(name));
        let bytes = link.whole(self.left.min(LARGEST_TABLE)).map_err(|error| match error {
            TooLarge { limit, url } => {
                let what =
                    format!("has more than {limit} bytes: pull the dataset, do not stream it");
                Error::malformed(Path::new(&url), "a table", what)
            }
            other => other.into(),
        })?;
        self.left -= (bytes.len() as u64).min(self.left);
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("cannot make", folder))?;
        }
        fs::write(&path, bytes).map_err(Error::io("cannot write", &path))
    }

    /// Fetches the tables of episodes. A server lists no folders: the next one is where LeRobot would
    /// have put it, until all episodes are there.
    fn episodes(&mut self, info: &Info) -> Result<()> {
        let (mut at, mut found) = (FileAt::default(), 0_u64);
        while found < info.total_episodes {
            let name = Template::episodes().path(&place(info, at, ""));
            self.needed(&name.to_string_lossy())?;
            let path = self.folder.join(&name);
            let rows = tables::metadata(&path)?.metadata().file_metadata().num_rows();
            found += u64::try_from(rows).unwrap_or(0);
            if rows < 1 {
                return Err(Error::malformed(&path, "the table", "has no episode"));
            }
            at = at.next(info.chunks_size);
        }
        Ok(())
    }
}
