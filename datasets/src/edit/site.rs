//! Where a new dataset is built: beside the place where it is to be, so that nobody ever sees half of
//! it there.

use std::path::{Path, PathBuf};

use crate::schema::Info;
use crate::{Error, Result, durable, writer};

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
        durable::sync_tree(&self.beside)?;
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

/// Edits a dataset where it is: `edit` writes the new one to the path it is given, which then takes
/// the old one's place. Gives what `edit` gave and where the old one is kept.
///
/// Nobody can record into it meanwhile; what an earlier recording left is taken up first.
pub fn in_place<T>(root: &Path, edit: impl FnOnce(&Path) -> Result<T>) -> Result<(T, PathBuf)> {
    let root = root.canonicalize().map_err(Error::io("cannot find", root))?;
    if Info::load(&root).is_ok() {
        writer::recover(&root)?;
    } else if writer::is_unfinished(&root)? {
        let what = format!(
            "a recording was cut off here, which goes on only where meta/info.json can be read: \
             make the new dataset in another folder first, from {}",
            root.display()
        );
        return Err(Error::Refused { what });
    }
    let lock = writer::lock(&root)?;
    let new = sibling(&root, "edit")?;
    let made = match edit(&new) {
        Ok(made) => made,
        Err(error) => {
            writer::release(&root, lock)?;
            return Err(error);
        }
    };
    let kept = kept(&root);
    rename(&root, &kept)?;
    if let Err(error) = rename(&new, &root) {
        // Better the old one than none.
        rename(&kept, &root)?;
        return Err(error);
    }
    writer::release(&kept, lock)?;
    Ok((made, kept))
}

/// Where the dataset is kept when another takes its place: the first such name that is free.
pub fn kept(root: &Path) -> PathBuf {
    let names = (1_u64..).map(|n| named(root, &format!(".before-{n}"), ""));
    let free = |name: &PathBuf| name.symlink_metadata().is_err();
    names.into_iter().find(free).unwrap_or_else(|| named(root, ".before", ""))
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
    durable::sync_folder(parent.unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::write_text;
    use crate::schema::Info;

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
        let info = Info::new(30, None, Vec::new()).unwrap();
        write_text(&root.join("meta/info.json"), &info.to_text()).unwrap();
        write_text(&root.join("it"), "0").unwrap();
        for n in 1..3 {
            let edit = |to: &Path| {
                write_text(&to.join("meta/info.json"), &info.to_text())?;
                write_text(&to.join("it"), &n.to_string())
            };
            let ((), kept) = in_place(&root, edit).unwrap();
            assert_eq!(kept.file_name().unwrap(), format!("data.before-{n}").as_str());
            assert_eq!(std::fs::read_to_string(root.join("it")).unwrap(), n.to_string());
            assert_eq!(std::fs::read_to_string(kept.join("it")).unwrap(), (n - 1).to_string());
        }
        let failing = |_: &Path| -> Result<()> { Err(Error::Refused { what: "no".into() }) };
        assert!(in_place(&root, failing).is_err());
        assert_eq!(std::fs::read_to_string(root.join("it")).unwrap(), "2");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(!root.join(".sinew").exists());
        let _recording = writer::lock(&root).unwrap();
        let busy = in_place(&root, |_| Ok(()));
        assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    }
}
