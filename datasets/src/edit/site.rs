//! Where a new dataset is built: beside the place where it is to be, so that nobody ever sees half of
//! it there.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A folder that is being filled. It vanishes unless it is finished.
pub struct Site {
    to: PathBuf,
    beside: PathBuf,
    finished: bool,
}

impl Site {
    /// Begins a dataset that is to be at `to`, where there may be nothing yet.
    pub fn begin(to: &Path) -> Result<Self> {
        let taken = match std::fs::read_dir(to) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_no_folder) => to.symlink_metadata().is_ok(),
        };
        if taken {
            return Err(Error::Exists { path: to.to_owned() });
        }
        let beside = sibling(to, "new")?;
        let parent = beside.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(Error::io("cannot make the folder", parent))?;
        if beside.exists() {
            // Left by a process that was killed and had the same number.
            std::fs::remove_dir_all(&beside).map_err(Error::io("cannot remove", &beside))?;
        }
        std::fs::create_dir(&beside).map_err(Error::io("cannot make the folder", &beside))?;
        Ok(Self { to: to.to_owned(), beside, finished: false })
    }

    /// The folder as long as it is being filled.
    pub fn root(&self) -> &Path {
        &self.beside
    }

    /// Makes everything in it durable and moves it to its place.
    pub fn finish(mut self) -> Result<()> {
        sync(&self.beside)?;
        rename(&self.beside, &self.to)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing more can be done about a folder that cannot be removed.
            std::fs::remove_dir_all(&self.beside).unwrap_or_default();
        }
    }
}

/// Writes a text file and waits until it is on the disk.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("cannot make the folder", folder))?;
    }
    let written = std::fs::write(path, text).and_then(|()| File::open(path)?.sync_all());
    written.map_err(Error::io("cannot write", path))
}

/// Edits a dataset where it is: `edit` writes the new one to the path it is given, which then takes
/// the old one's place. Gives what `edit` gave and where the old one is kept.
pub fn in_place<T>(root: &Path, edit: impl FnOnce(&Path) -> Result<T>) -> Result<(T, PathBuf)> {
    let root = root.canonicalize().map_err(Error::io("cannot find", root))?;
    let new = sibling(&root, "edit")?;
    let made = edit(&new)?;
    let kept = (1..).map(|n| named(&root, &format!(".before-{n}"), ""));
    let kept = kept.into_iter().find(|kept| kept.symlink_metadata().is_err());
    let kept = kept.unwrap_or_else(|| named(&root, ".before", ""));
    rename(&root, &kept)?;
    if let Err(error) = rename(&new, &root) {
        // Better the old one than none.
        rename(&kept, &root)?;
        return Err(error);
    }
    Ok((made, kept))
}

/// The folder beside `path` that belongs to this process.
fn sibling(path: &Path, what: &str) -> Result<PathBuf> {
    match path.file_name() {
        Some(_) => Ok(named(path, &format!(".{what}-{}", std::process::id()), ".")),
        None => Err(Error::Refused { what: format!("{} is no name", path.display()) }),
    }
}

fn named(path: &Path, behind: &str, before: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(behind);
    path.with_file_name(name)
}

/// Renames a folder, durably.
fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(Error::io("cannot move it into place", to))?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("cannot sync", parent))
}

/// Makes the folders durable; the files in them were when they were written.
fn sync(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("cannot list", folder))? {
        let path = entry.map_err(Error::io("cannot list", folder))?.path();
        if path.is_dir() {
            sync(&path)?;
        }
    }
    File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io("cannot sync", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("data");
        let site = Site::begin(&to).unwrap();
        write_text(&site.root().join("a/b"), "text").unwrap();
        drop(site);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let site = Site::begin(&to).unwrap();
        write_text(&site.root().join("a/b"), "text").unwrap();
        site.finish().unwrap();
        assert_eq!(std::fs::read_to_string(to.join("a/b")).unwrap(), "text");
        assert!(matches!(Site::begin(&to), Err(Error::Exists { .. })));
    }

    #[test]
    fn the_old_one_is_kept_when_a_new_one_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        write_text(&root.join("it"), "0").unwrap();
        for n in 1..3 {
            let edit = |to: &Path| write_text(&to.join("it"), &n.to_string());
            let ((), kept) = in_place(&root, edit).unwrap();
            assert_eq!(kept.file_name().unwrap(), format!("data.before-{n}").as_str());
            assert_eq!(std::fs::read_to_string(root.join("it")).unwrap(), n.to_string());
            assert_eq!(std::fs::read_to_string(kept.join("it")).unwrap(), (n - 1).to_string());
        }
        let failing = |_: &Path| -> Result<()> { Err(Error::Refused { what: "no".into() }) };
        assert!(in_place(&root, failing).is_err());
        assert_eq!(std::fs::read_to_string(root.join("it")).unwrap(), "2");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
