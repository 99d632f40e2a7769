//! The list of a commit's files, which never changes, as the official client keeps it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::hub::{Digest, Entry};
use crate::{Error, Result, durable};

/// The form that is written and read.
const FORMAT: u32 = 1;

/// The largest list that is read: some million files.
const LARGEST: u64 = 512 << 20;

#[derive(Deserialize, Serialize)]
struct Tree {
    format_version: u32,
    files: BTreeMap<String, File>,
}

#[derive(Deserialize, Serialize)]
struct File {
    size: u64,
    blob_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lfs_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lfs_size: Option<u64>,
}

/// The list of a commit's files, where it was kept and can be understood.
pub fn read(folder: &Path, commit: &str) -> Result<Option<Vec<Entry>>> {
    let text = durable::read_text(&folder.join(format!("{commit}.json")), LARGEST)?;
    // What is damaged, or newer than this program, is asked for anew.
    Ok(text.as_deref().and_then(parse))
}

/// Keeps the list of a commit's files.
pub fn write(folder: &Path, commit: &str, entries: &[Entry]) -> Result<()> {
    durable::keep(&folder.join(format!("{commit}.json")), render(entries).as_bytes())
}

/// Lets go of the list of a commit's files: it is asked for anew.
pub fn forget(folder: &Path, commit: &str) -> Result<()> {
    let path = folder.join(format!("{commit}.json"));
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("cannot remove", &path)(error))
        }
        _ => Ok(()),
    }
}

/// A list as it is kept.
pub fn render(entries: &[Entry]) -> String {
    let files = entries.iter().map(|entry| {
        let (lfs_sha256, lfs_size) = match &entry.digest {
            Digest::Sha256(digest) => (Some(digest.clone()), Some(entry.size)),
            Digest::Git(_) => (None, None),
        };
        let file = File { size: entry.size, blob_id: entry.oid.clone(), lfs_sha256, lfs_size };
        (entry.path.clone(), file)
    });
    let tree = Tree { format_version: FORMAT, files: files.collect() };
    // Numbers and texts can always be written.
    serde_json::to_string_pretty(&tree).unwrap_or_default()
}

/// A list, if it is one of which every name and hash can be used.
pub fn parse(text: &str) -> Option<Vec<Entry>> {
    let tree: Tree =
        serde_json::from_str(text).ok().filter(|tree: &Tree| tree.format_version == FORMAT)?;
    let entries = tree.files.into_iter().map(|(path, file)| {
        let (size, digest) = match file.lfs_sha256 {
            Some(sha256) => (file.lfs_size.unwrap_or(file.size), Digest::Sha256(sha256)),
            None => (file.size, Digest::Git(file.blob_id.clone())),
        };
        let entry = Entry { path, size, digest, oid: file.blob_id };
        entry.check().ok().map(|()| entry)
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::hub::{Digest, Entry};

    #[test]
    fn lists_are_kept_as_they_are_and_damaged_ones_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |path: &str, digest: Digest| Entry {
            path: path.into(),
            size: 7,
            digest,
            oid: "0".repeat(40),
        };
        let entries = vec![
            entry("a/b.json", Digest::Git("0".repeat(40))),
            entry("c.bin", Digest::Sha256("1".repeat(64))),
        ];
        super::write(folder.path(), "one", &entries).unwrap();
        assert_eq!(super::read(folder.path(), "one").unwrap(), Some(entries));
        assert_eq!(super::read(folder.path(), "other").unwrap(), None);
        let good = fs::read_to_string(folder.path().join("one.json")).unwrap();
        for (from, to) in [
            ("\"format_version\": 1", "\"format_version\": 2"),
            ("a/b.json", "../b.json"),
            ("\"blob_id\": \"0", "\"blob_id\": \"/"),
            ("7", "-7"),
            ("}", ""),
        ] {
            assert_eq!(super::parse(&good.replace(from, to)), None, "{from}");
        }
    }
}
