//! Finished episodes on their way into the files that LeRobot sees.
//!
//! A finished episode is a folder that holds every file it adds or replaces, under its final name.
//! Moving them in [`ORDER`] with `info.json` last keeps the dataset valid at every instant, and can
//! be taken up wherever it was cut off: what is still in the folder is what is still to be moved.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::durable::{self, files, sorted, sync_folder, sync_folders};

/// Which files go first; a file belongs to the last of these that its path begins with.
const ORDER: [&str; 7] = [
    "videos/",
    "data/",
    "meta/",
    "meta/tasks.parquet",
    "meta/stats.json",
    "meta/episodes/",
    "meta/info.json",
];

/// A file's place among those of a dataset: none comes before what it counts.
pub fn place_of(path: &str) -> usize {
    ORDER.iter().rposition(|start| path.starts_with(start)).unwrap_or(0)
}

/// Whether episodes are just being moved into the dataset.
pub fn is_publishing(root: &Path) -> Result<bool> {
    let folders = sorted(&finished(root))?;
    folders.iter().try_fold(false, |any, folder| Ok(any || !files(folder)?.is_empty()))
}

/// The folder with everything of ours that is not finished, below a dataset's.
pub const OURS: &str = ".sinew";

/// Where the running episode of this number is kept.
pub fn running(root: &Path, episode: u64) -> PathBuf {
    root.join(OURS).join("recording").join(format!("episode-{episode:06}"))
}

fn finished(root: &Path) -> PathBuf {
    root.join(OURS).join("finished")
}

/// Takes a folder of files as finished: from here on the episode cannot be lost.
pub fn commit(root: &Path, stage: &Path, episode: u64) -> Result<()> {
    let folder = finished(root);
    durable::keep_folders(&folder)?;
    durable::sync_tree(stage)?;
    let to = folder.join(format!("episode-{episode:06}"));
    durable::rename(stage, &to)?;
    sync_folder(&folder)
}

/// Moves every finished episode into the dataset, oldest first; how many there were.
pub fn publish(root: &Path) -> Result<u64> {
    let folder = finished(root);
    let mut episodes = 0;
    for episode in sorted(&folder)? {
        let mut files = files(&episode)?;
        let place = |file: &Path| {
            let path = file.strip_prefix(&episode).map(|path| path.to_string_lossy().into_owned());
            let path = path.unwrap_or_default();
            (place_of(&path), path)
        };
        files.sort_by_key(|file| place(file));
        for file in files {
            let (place, path) = place(&file);
            if place == ORDER.len() - 1 {
                // No power cut leaves it there without the files that it counts.
                sync_names(root)?;
            }
            let to = root.join(path);
            if let Some(folder) = to.parent() {
                durable::keep_folders(folder)?;
            }
            durable::rename(&file, &to)?;
        }
        episodes += 1;
    }
    Ok(episodes)
}

/// Waits until the published episodes are durable where they are now, and forgets their folders.
pub fn settle(root: &Path) -> Result<()> {
    let folders = sorted(&finished(root))?;
    if folders.is_empty() {
        return Ok(());
    }
    sync_names(root)?;
    for folder in folders {
        if files(&folder)?.is_empty() {
            durable::remove(&folder)?;
        }
    }
    Ok(())
}

/// Waits until the names of a dataset's files are on the disk.
fn sync_names(root: &Path) -> Result<()> {
    for part in ["videos", "data", "meta"] {
        let part = root.join(part);
        if part.exists() {
            sync_folders(&part)?;
        }
    }
    sync_folder(root)
}
