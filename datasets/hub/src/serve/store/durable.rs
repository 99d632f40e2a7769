//! Writing so that a power cut leaves the old or the new, and nothing between.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Puts a value into a file in the place of what was there.
pub fn replace(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = |what| Error::io(what, path);
    let folder = path.parent().unwrap_or(Path::new("."));
    let bytes = serde_json::to_vec_pretty(value)
        .map_err(std::io::Error::from)
        .map_err(failed("cannot write it down"))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed("cannot make a file"))?;
    file.write_all(&bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed("cannot write the file"))?;
    file.persist(path).map_err(|error| failed("cannot replace the file")(error.error))?;
    sync_folder(folder)
}

/// What [`replace`] wrote.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(Error::io("cannot read the file", path))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Damaged { what: error.to_string(), path: path.to_owned() })
}

/// Makes the names in a folder as durable as the files they stand for.
pub fn sync_folder(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("cannot save the folder", path))
}

/// Makes a folder and those above it, durably.
pub fn make_folder(path: &Path) -> Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    let made = match std::fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && above != Path::new(".") => {
            make_folder(above)?;
            std::fs::create_dir(path)
        }
        made => made,
    };
    match made {
        // Whoever made it meanwhile may not have come to what follows.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made.map_err(Error::io("cannot make the folder", path))?,
    }
    sync_folder(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_once_and_a_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        assert!(deep.is_dir());
        let file = deep.join("file");
        std::fs::write(&file, b"").unwrap();
        assert!(make_folder(&file).is_err());
        assert!(make_folder(&file.join("below")).is_err());
    }
}
