//! What is on the disk when a call returns.
//!
//! Whatever a recording's safety hangs on is done here, so that the tests see every step of it: they
//! have it fail at any of them, and put together what a power cut would leave behind.

#[cfg(test)]
pub mod disk;
mod file;
#[cfg(test)]
pub mod watch;

use std::path::{Path, PathBuf};

pub use file::File;

use crate::{Error, Result};

/// Does something about a file; in tests whoever watches its folder is told, and may forbid it.
macro_rules! step {
    ($path:expr, $step:expr, $act:expr) => {{
        #[cfg(test)]
        let done = $crate::durable::watch::step($path, || $step, $act);
        #[cfg(not(test))]
        let done = $act();
        done
    }};
}
pub(crate) use step;
#[cfg(test)]
use watch::Step;

/// Writes a text; the folder it goes into is made where it is missing.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_folders(folder)?;
    }
    let written = File::create(path);
    let written =
        written.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(Error::io("cannot write", path))
}

/// Makes a folder and those above it where they are missing.
pub fn make_folders(folder: &Path) -> Result<()> {
    missing(folder).iter().rev().try_for_each(|folder| make(folder))
}

/// Makes a folder and those above it where they are missing. Their names are durable at once: nothing
/// that is put into them can be lost with them.
pub fn keep_folders(folder: &Path) -> Result<()> {
    missing(folder).iter().rev().try_for_each(|folder| {
        make(folder)?;
        sync_folder(above(folder))
    })
}

/// A folder and those above it, as far as they are not there.
fn missing(folder: &Path) -> Vec<&Path> {
    let named = folder.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    named.take_while(|folder| !folder.is_dir()).collect()
}

fn make(folder: &Path) -> Result<()> {
    let act = || std::fs::create_dir(folder);
    let made = step!(folder, Step::Folder(folder.to_owned()), act);
    match made {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("cannot make the folder", folder)(error))
        }
        _ => Ok(()),
    }
}

/// The folder that something lies in.
pub fn above(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Moves a file or a folder. It is durable once both folders are waited for.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let act = || std::fs::rename(from, to);
    let moved = step!(from, Step::Rename(from.to_owned(), to.to_owned()), act);
    moved.map_err(Error::io("cannot move", from))
}

/// Removes a folder and everything in it, for good: no power cut brings it back.
pub fn remove(folder: &Path) -> Result<()> {
    let act = || std::fs::remove_dir_all(folder);
    let removed = step!(folder, Step::Remove(folder.to_owned()), act);
    match removed {
        Ok(()) => sync_folder(above(folder)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("cannot remove", folder)(error)),
    }
}

/// How many files are waited for at once: the disk writes them together.
const AT_ONCE: usize = 8;

/// Waits until everything below a folder is on the disk: the files' bytes, then all names.
pub fn sync_tree(folder: &Path) -> Result<()> {
    let files = files(folder)?;
    let share = files.len().div_ceil(AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let waits = files.chunks(share).map(|share| {
            let wait = move || share.iter().try_for_each(|path| sync_file(path));
            std::thread::Builder::new().name("sync".into()).spawn_scoped(scope, wait)
        });
        let waits: Vec<_> = waits.collect();
        for wait in waits {
            let wait = wait.map_err(Error::io("cannot start a thread for", folder))?;
            let gone =
                |_panic| Err(Error::Refused { what: "a thread ended without a word".into() });
            wait.join().unwrap_or_else(gone)?;
        }
        Ok::<(), Error>(())
    })?;
    sync_folders(folder)
}

/// Waits until a file's bytes are on the disk.
pub fn sync_file(path: &Path) -> Result<()> {
    let file = std::fs::File::open(path).map_err(Error::io("cannot open", path))?;
    let synced = step!(path, Step::SyncPath(path.to_owned()), || file.sync_all());
    synced.map_err(Error::io("cannot make durable", path))
}

/// Every file below a folder, sorted; none where there is no such folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in sorted(folder)? {
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    Ok(found)
}

/// What a folder holds, sorted; nothing where there is none.
pub fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("cannot list", folder)(error)),
    };
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(Error::io("cannot list", folder))?;
    paths.sort();
    Ok(paths)
}

/// Waits until a folder's names are on the disk.
pub fn sync_folder(folder: &Path) -> Result<()> {
    let open = std::fs::File::open(folder).map_err(Error::io("cannot open", folder))?;
    let synced = step!(folder, Step::SyncPath(folder.to_owned()), || open.sync_all());
    synced.map_err(Error::io("cannot make durable", folder))
}

/// Waits until the names in a folder and in every folder below it are on the disk.
pub fn sync_folders(folder: &Path) -> Result<()> {
    for path in sorted(folder)?.iter().filter(|path| path.is_dir()) {
        sync_folders(path)?;
    }
    sync_folder(folder)
}
