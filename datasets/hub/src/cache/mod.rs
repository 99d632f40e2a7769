//! Files of repositories on this machine: where the official client keeps them and looks for them,
//! so that what one program fetched no other has to fetch.
//!
//! ```text
//! tree of a commit ─▶ what is missing here ─▶ part of a file ─▶ its hash ─▶ its place
//! tree                shelf, folder           fetch              fetch       shelf, folder
//! ```

mod fetch;
mod folder;
mod shelf;
#[cfg(test)]
mod tests;
mod tree;

use std::fs::File;
use std::path::{Path, PathBuf};

pub(crate) use fetch::{Tally, Watch, fetch};
pub(crate) use folder::Folder;
pub(crate) use shelf::{Shelf, files_below};
pub use tree::{parse as read_tree, render as write_tree};

use crate::durable;
use crate::hub::Entry;
use crate::{Error, Result};

/// What tells programs that make backups that nothing is lost with a folder.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This folder holds what was fetched and can be fetched again.\n\
    # See https://bford.info/cachedir/\n";

/// Where files of a repository are put: the shared cache, or a folder of the user's own.
pub(crate) trait Place: Sync {
    /// The folder that they are found below by their paths.
    fn root(&self) -> PathBuf;

    /// Whether files of this path are put there.
    fn takes(&self, path: &str) -> bool;

    /// The files of the commit, where its list was kept.
    fn tree(&self) -> Result<Option<Vec<Entry>>>;

    /// Keeps the list of the commit's files.
    fn keep_tree(&self, entries: &[Entry]) -> Result<()>;

    /// Lets go of the list of files, which may be false.
    fn forget_tree(&self) -> Result<()>;

    /// Whether the file is there.
    fn has(&self, entry: &Entry) -> Result<bool>;

    /// Where the file grows until it is whole.
    fn part(&self, entry: &Entry) -> PathBuf;

    /// Waits until nobody else fetches the same file.
    fn lock(&self, entry: &Entry) -> Result<File>;

    /// Takes the whole file; it is found from now on.
    fn put(&self, entry: &Entry, part: &Path) -> Result<()>;

    /// Remembers that the commit has no file of this path, where other programs look for that.
    fn note_lack(&self, path: &str);

    /// Makes the names of what was put durable; its bytes are.
    fn settle(&self) -> Result<()>;
}

/// Tags a folder, once.
fn tag(folder: &Path) -> Result<()> {
    let path = folder.join("CACHEDIR.TAG");
    if path.exists() { Ok(()) } else { durable::keep(&path, TAG.as_bytes()) }
}

/// How long the file behind a name is; none where there is none.
fn length(path: &Path) -> Result<Option<u64>> {
    match std::fs::metadata(path) {
        Ok(about) => Ok(Some(about.len()).filter(|_| about.is_file())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("cannot look at", path)(error)),
    }
}

/// Makes the names durable in every folder that leads to one of these paths below a folder.
fn sync_all<'a>(root: &Path, paths: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut folders = std::collections::BTreeSet::from([root.to_owned()]);
    for path in paths {
        let above = Path::new(path).ancestors().skip(1);
        folders.extend(above.map(|folder| root.join(folder)));
    }
    folders.iter().try_for_each(|folder| durable::sync_folder(folder))
}
