//! Files that are on the disk, whole, or not there at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Error;

/// Writes `text` to `path`, making its folders. The file is on the disk, whole, when this
/// returns; until then the old one stays.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    // A link is followed, so that it is the file behind it that changes.
    let path = fs::canonicalize(path).unwrap_or_else(|_new_file| path.to_owned());
    let failed = |source| Error::File { path: path.clone(), source };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let fresh = beside(&path);
    let done = put(&fresh, text).and_then(|()| fs::rename(&fresh, &path));
    if let Err(source) = done {
        // Nothing to do about a file that cannot be removed either: the first error is the story.
        drop(fs::remove_file(&fresh));
        return Err(failed(source));
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// A name in the same folder that no other process uses.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
