//! What is on the disk when a call returns.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Writes a text; the folder it goes into is made where it is missing.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("cannot make the folder", folder))?;
    }
    std::fs::write(path, text).map_err(Error::io("cannot write", path))
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
        Ok(())
    })?;
    sync_folders(folder)
}

/// Waits until a file's bytes are on the disk.
pub fn sync_file(path: &Path) -> Result<()> {
    let file = File::open(path).map_err(Error::io("cannot open", path))?;
    file.sync_all().map_err(Error::io("cannot make durable", path))
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
    let open = File::open(folder).map_err(Error::io("cannot open", folder))?;
    open.sync_all().map_err(Error::io("cannot make durable", folder))
}

/// Waits until the names in a folder and in every folder below it are on the disk.
pub fn sync_folders(folder: &Path) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("cannot list", folder))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("cannot list", folder))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}
