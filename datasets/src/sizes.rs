//! How much room a dataset takes.

use std::path::Path;

use serde::Serialize;

use crate::{Error, Result};

/// Bytes on disk by what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// The rows.
    pub data: u64,
    /// The videos.
    pub videos: u64,
    /// The tables below `meta/`.
    pub meta: u64,
    /// All of it, whatever else lies there included.
    pub total: u64,
    /// How many files there are.
    pub files: u64,
}

impl Sizes {
    /// Adds up files by their paths and lengths.
    pub fn listed<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut sizes = Self::default();
        files.for_each(|(path, bytes)| sizes.add(Path::new(path), bytes));
        sizes
    }

    /// Adds up the files below a dataset's folder. Links to folders are not followed; links to files
    /// are what a cache is made of.
    pub fn of(root: &Path) -> Result<Self> {
        let mut sizes = Self::default();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).map_err(Error::io("cannot list", &folder))?;
            for entry in entries {
                let entry = entry.map_err(Error::io("cannot list", &folder))?;
                let path = entry.path();
                let kind = entry.file_type().map_err(Error::io("cannot look at", &path))?;
                if kind.is_dir() {
                    folders.push(path);
                } else if let Ok(metadata) = std::fs::metadata(&path)
                    && metadata.is_file()
                {
                    sizes.add(path.strip_prefix(root).unwrap_or(&path), metadata.len());
                }
            }
        }
        Ok(sizes)
    }

    fn add(&mut self, path: &Path, bytes: u64) {
        self.total += bytes;
        self.files += 1;
        match path.components().next().and_then(|first| first.as_os_str().to_str()) {
            Some("data") => self.data += bytes,
            Some("videos") => self.videos += bytes,
            Some("meta") => self.meta += bytes,
            _ => {}
        }
    }
}
