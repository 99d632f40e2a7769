//! Files that are on the disk, whole, or not there at all; and locks that Python's `filelock` sees.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::{Error, Result};

/// A text of at most so many bytes; none where there is no file.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("cannot read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Error::io("cannot read", path))?;
    if bytes.len() as u64 > most {
        return Err(Error::io("cannot read", path)(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Puts a file in place that whoever may read its folder may read. It is on the disk when this returns;
/// until then what was there before is.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut how = tempfile::Builder::new();
    put(path, how.prefix(".fresh").permissions(Permissions::from_mode(0o666)), bytes)
}

/// The same; its folder is made where it is missing.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    make_folders(folder_of(path))?;
    write(path, bytes).map_err(Error::io("cannot write", path))
}

/// Puts a text in place that only this user may read, as [`write`]; its folder is made where it is
/// missing.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    make_secret_folders(folder_of(path))?;
    // Such files are born for their owner's eyes only.
    put(path, tempfile::Builder::new().prefix(".secret"), text.as_bytes())
        .map_err(Error::io("cannot write", path))
}

fn put(path: &Path, how: &tempfile::Builder<'_, '_>, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = how.tempfile_in(folder_of(path))?;
    fresh.write_all(bytes)?;
    fresh.as_file().sync_all()?;
    fresh.persist(path).map_err(|error| error.error)?;
    sync_folder_of(path)
}

/// Removes a file, for good; nothing happens where there is none.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path).map_err(Error::io("cannot remove", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("cannot remove", path)(error)),
    }
}

/// Makes a folder and those above it where they are missing.
pub(crate) fn make_folders(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("cannot make the folder", folder))
}

/// Makes a folder and those above it where they are missing, for this user alone.
pub(crate) fn make_secret_folders(folder: &Path) -> Result<()> {
    let mut how = fs::DirBuilder::new();
    how.recursive(true).mode(0o700);
    how.create(folder).map_err(Error::io("cannot make the folder", folder))
}

/// Waits until the names in a file's folder are on the disk.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Waits until the names in a folder are on the disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io("cannot make durable", folder))
}

/// Waits for a lock that is held by whoever has this file locked, and given up with what is returned.
/// Its folder must be there.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let open = || {
        let mut how = File::options();
        // Users who share a cache wait for each other.
        how.read(true).write(true).create(true).truncate(false).mode(0o664);
        let file = how.open(path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(Error::io("cannot lock", path))
}

/// The folder that something lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
