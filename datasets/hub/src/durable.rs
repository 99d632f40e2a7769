//! Files that are on the disk, whole, or not there at all; and locks that Python's `filelock` sees.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A text of at most so many bytes; none where there is no file.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("cannot read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Error::io("cannot read", path))?;
    if bytes.len() as u64 > most {
        return Err(Error::io("cannot read", path)(ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Puts a file in place that whoever may read its folder may read, which is made where it is missing. It
/// is on the disk when this returns; until then what was there before is.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    keep_from(path, &mut &*bytes)
}

/// The same of whatever is read.
pub(crate) fn keep_from(path: &Path, from: &mut dyn Read) -> Result<()> {
    make_folders(folder_of(path))?;
    let mut how = tempfile::Builder::new();
    how.prefix(".fresh").permissions(Permissions::from_mode(0o666));
    let kept = put(path, &how, |mut to| io::copy(from, &mut to).map(drop));
    kept.map_err(Error::io("cannot write", path))
}

/// Puts a file in place that only this user may read, as [`keep`]; its folder must be there.
pub(crate) fn write_secretly(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    // Such files are born for their owner's eyes only.
    put(path, tempfile::Builder::new().prefix(".secret"), write)
        .map_err(Error::io("cannot write", path))
}

/// The same for a value, which [`read_value`] reads.
pub(crate) fn write_value(path: &Path, value: &impl Serialize) -> Result<()> {
    write_secretly(path, |to| Ok(serde_json::to_writer_pretty(to, value)?))
}

/// A value in a file of at most so many bytes; none where there is no file.
pub(crate) fn read_value<T: DeserializeOwned>(path: &Path, most: u64) -> Result<Option<T>> {
    let Some(text) = read_text(path, most)? else { return Ok(None) };
    serde_json::from_str(&text)
        .map_err(|error| Error::Damaged { what: error.to_string(), path: path.to_owned() })
}

fn put(
    path: &Path,
    how: &tempfile::Builder<'_, '_>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let fresh = how.tempfile_in(folder_of(path))?;
    let mut buffered = BufWriter::new(fresh.as_file());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    fresh.as_file().sync_all()?;
    fresh.persist(path).map_err(|error| error.error)?;
    File::open(folder_of(path))?.sync_all()
}

/// Removes a file, for good; nothing happens where there is none.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(folder_of(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("cannot remove", path)(error)),
    }
}

/// Makes a folder and those above it where they are missing.
pub(crate) fn make_folders(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("cannot make the folder", folder))
}

/// Makes a folder and those above it where they are missing, for this user alone; their names are on the
/// disk when this returns.
pub(crate) fn make_secret_folders(folder: &Path) -> Result<()> {
    let above = folder_of(folder);
    let mut how = fs::DirBuilder::new();
    how.mode(0o700);
    let made = match how.create(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound && above != Path::new(".") => {
            make_secret_folders(above)?;
            how.create(folder)
        }
        made => made,
    };
    match made {
        // Whoever made it meanwhile may not have come to this. What is above a folder that was there
        // long before may be nobody's to open.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {
            match sync_folder(above) {
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
                    Ok(())
                }
                synced => synced,
            }
        }
        made => {
            made.map_err(Error::io("cannot make the folder", folder))?;
            sync_folder(above)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn secret_folders_are_made_once_and_a_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make_secret_folders(&deep).unwrap();
        make_secret_folders(&deep).unwrap();
        assert!(deep.is_dir() && deep.ancestors().take(3).all(|folder| mode(folder) == 0o700));
        let file = deep.join("file");
        write_value(&file, &"secret").unwrap();
        assert_eq!(mode(&file), 0o600);
        assert!(make_secret_folders(&file).is_err());
        assert!(make_secret_folders(&file.join("below")).is_err());
    }

    #[test]
    fn a_value_is_read_as_it_was_written_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        assert_eq!(read_value::<u32>(&path, 10).unwrap(), None);
        write_value(&path, &7).unwrap();
        assert_eq!(read_value(&path, 10).unwrap(), Some(7));
        fs::write(&path, "{").unwrap();
        assert!(matches!(read_value::<u32>(&path, 10), Err(Error::Damaged { .. })));
        fs::write(&path, "1".repeat(11)).unwrap();
        assert!(matches!(read_value::<u32>(&path, 10), Err(Error::Io { .. })));
    }
}
