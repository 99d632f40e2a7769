//! What newer clients send large files in, kept for a while: they remember what they sent, and name
//! it instead of sending it again.
//!
//! They remember it by the address they sent it to. So that nothing is dropped which somebody still
//! counts on, there are generations, each with an address of its own: now and then a new one begins,
//! and an old one goes once nobody has sent anything to it for a while.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::hash::Hash;
use crate::{Error, Result, durable};

/// How long a generation is.
const GENERATION: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long nobody has sent anything to one that goes.
const QUIET: Duration = Duration::from_secs(24 * 3600);

/// All generations.
#[derive(Debug)]
pub struct Xorbs {
    folder: PathBuf,
    current: String,
}

impl Xorbs {
    /// Opens them, of which `current` was the newest; begins another if it is time.
    pub fn open(folder: &Path, current: &str) -> Result<Self> {
        durable::make_secret_folders(&folder.join(current))?;
        let mut xorbs = Self { folder: folder.to_owned(), current: current.to_owned() };
        let (oldest, _) = ages(&folder.join(current))?;
        if oldest > GENERATION {
            xorbs.current = super::random_name(folder)?;
            durable::make_secret_folders(&folder.join(&xorbs.current))?;
        }
        Ok(xorbs)
    }

    /// What the newest generation is called.
    pub fn current(&self) -> &str {
        &self.current
    }

    /// Removes the generations that nobody counts on any more.
    pub fn sweep(&self) -> Result<()> {
        for name in super::names(&self.folder)? {
            let folder = self.folder.join(&name);
            if name != self.current && ages(&folder)?.1 > QUIET {
                std::fs::remove_dir_all(&folder)
                    .map_err(Error::io("cannot remove a leftover", &folder))?;
            }
        }
        Ok(())
    }

    /// The file of a xorb in a generation, if that is there.
    pub fn place(&self, generation: &str, xorb: &Hash) -> Option<PathBuf> {
        let folder = self.folder.join(generation);
        let there = crate::hex::is_hex(generation, 32) && folder.is_dir();
        there.then(|| folder.join(xorb.as_str()))
    }
}

/// How long ago the first and the last file of a folder came.
pub fn ages(folder: &Path) -> Result<(Duration, Duration)> {
    let failed = || Error::io("cannot look for leftovers", folder);
    let now = SystemTime::now();
    let (mut oldest, mut newest) = (Duration::ZERO, Duration::MAX);
    for file in std::fs::read_dir(folder).map_err(failed())? {
        let about = file.and_then(|file| file.metadata()).map_err(failed())?;
        let age = now.duration_since(about.modified().map_err(failed())?).unwrap_or_default();
        (oldest, newest) = (oldest.max(age), newest.min(age));
    }
    Ok((oldest, newest))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_generation_stays_for_those_who_still_send_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let put = |xorbs: &Xorbs, byte, age| {
            let path = xorbs.place(xorbs.current(), &Hash::of(&[byte; 32])).unwrap();
            let file = File::create(&path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
            path
        };
        let first = Xorbs::open(folder.path(), &"0".repeat(32)).unwrap();
        put(&first, 1, GENERATION * 2);
        let kept = put(&first, 2, Duration::from_secs(60));
        let second = Xorbs::open(folder.path(), first.current()).unwrap();
        assert_ne!(first.current(), second.current());
        second.sweep().unwrap();
        assert!(kept.exists());
        assert!(second.place(first.current(), &Hash::of(&[2; 32])).is_some());
        File::open(&kept).unwrap().set_modified(SystemTime::now() - QUIET * 2).unwrap();
        second.sweep().unwrap();
        assert!(second.place(first.current(), &Hash::of(&[2; 32])).is_none());
        assert!(second.place(second.current(), &Hash::of(&[2; 32])).is_some());
        assert!(second.place("..", &Hash::of(&[2; 32])).is_none());
    }
}
