//! What is on the disk when a call returns.

use std::fs::File;
use std::path::Path;

use crate::{Error, Result};

/// Writes a text durably; the folder it goes into is made where it is missing.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("cannot make the folder", folder))?;
    }
    let write = || {
        let mut file = File::create(path)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(Error::io("cannot write", path))
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
