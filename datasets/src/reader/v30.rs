//! The tables of the newest layout: episodes share files.

use std::path::{Path, PathBuf};

use super::Tables;
use super::store::DataFile;
use crate::schema::Info;
use crate::tables::episodes::{self, Episode, FileAt};
use crate::tables::tasks;
use crate::{Error, Result, stats};

/// Reads everything but the frames.
pub fn load(root: &Path, info: &Info, with_stats: bool) -> Result<Tables> {
    let mut tables = Tables {
        tasks: match info.total_tasks {
            0 => Vec::new(),
            _ => tasks::read(&root.join(tasks::PATH))?,
        },
        ..Tables::default()
    };
    let cameras: Vec<&str> = info.videos().map(|(key, _)| key).collect();
    if info.total_episodes > 0 {
        for path in files(&root.join("meta/episodes"))? {
            tables.episodes.extend(episodes::read(&path, &cameras, with_stats)?);
        }
    }
    tables.episodes.sort_by_key(|episode| episode.index);
    // What was written after info.json last counted is not part of the dataset yet.
    let count = usize::try_from(info.total_episodes).unwrap_or(usize::MAX);
    tables.episodes.truncate(count);
    check(root, info, &tables.episodes)?;
    tables.stats = match std::fs::read(root.join("meta/stats.json")) {
        Ok(text) => stats::parse(&text).unwrap_or_default(),
        Err(_absent) => Vec::new(),
    };
    Ok(tables)
}

/// The episodes must follow each other, and be as many as info.json says.
fn check(root: &Path, info: &Info, episodes: &[Episode]) -> Result<()> {
    let table = root.join("meta/episodes");
    let mut next = 0;
    for (at, episode) in episodes.iter().enumerate() {
        let wrong = |column: &str, what: String| {
            Err(Error::malformed(&table, format!("column {column}, episode {at}"), what))
        };
        if episode.index != at as u64 {
            return wrong("episode_index", format!("is {}, expected {at}", episode.index));
        }
        if episode.from_index != next {
            return wrong(
                "dataset_from_index",
                format!("is {}, expected {next}", episode.from_index),
            );
        }
        next = episode.to_index();
    }
    let info_path = root.join("meta/info.json");
    if episodes.len() as u64 != info.total_episodes {
        let what = format!("says {}, the tables hold {}", info.total_episodes, episodes.len());
        return Err(Error::malformed(&info_path, "key total_episodes", what));
    }
    if next != info.total_frames {
        let what = format!("says {}, the tables hold {next}", info.total_frames);
        return Err(Error::malformed(&info_path, "key total_frames", what));
    }
    Ok(())
}

/// Every table below a folder of chunks, in their order.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(folder).map_err(Error::io("cannot list", folder))?;
        let paths: std::io::Result<Vec<PathBuf>> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut paths = paths.map_err(Error::io("cannot list", folder))?;
        paths.sort();
        Ok(paths)
    };
    let mut found = Vec::new();
    for chunk in list(folder)?.into_iter().filter(|path| path.is_dir()) {
        let tables = list(&chunk)?.into_iter();
        found.extend(tables.filter(|path| path.extension().is_some_and(|end| end == "parquet")));
    }
    Ok(found)
}

/// The data files and the number of the first frame in each.
pub fn data_files(root: &Path, info: &Info, episodes: &[Episode]) -> Vec<DataFile> {
    let mut files: Vec<(FileAt, u64)> = Vec::new();
    for episode in episodes {
        if files.iter().rev().all(|(at, _)| *at != episode.data) {
            files.push((episode.data, episode.from_index));
        }
    }
    let file = |(at, first)| DataFile { path: super::data_file(root, info, at), first };
    files.into_iter().map(file).collect()
}
