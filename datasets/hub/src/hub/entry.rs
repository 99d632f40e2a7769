//! What a hub's list says of the files of a repository.

use serde::Deserialize;

use crate::hex::is_hex;
use crate::repo::check_path;
use crate::{Error, Result};

/// A file in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path, with `/` between folders.
    pub path: String,
    /// How long it is.
    pub size: u64,
    /// What it must hash to.
    pub digest: Digest,
    /// Git's SHA-1 of it; of a large file, of what git keeps in its place.
    pub oid: String,
}

/// A file's hash, as the Hub keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256 of a large file.
    Sha256(String),
    /// Git's SHA-1 of a small one: of `blob `, its length, a zero byte, and its content.
    Git(String),
}

#[derive(Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    oid: String,
    size: u64,
}

/// The files on a page of a hub's list; none where the bytes are no such page.
pub fn read_list(bytes: &[u8]) -> Option<Vec<Entry>> {
    let page: Vec<Listed> = serde_json::from_slice(bytes).ok()?;
    Some(entries(page).collect())
}

pub(super) fn entries(page: Vec<Listed>) -> impl Iterator<Item = Entry> {
    page.into_iter().filter(|one| one.kind == "file").map(Entry::from)
}

impl Entry {
    /// Refuses names and hashes that no file of this machine may be called by.
    pub fn check(&self) -> Result<()> {
        check_path(&self.path)?;
        if is_digest(&self.digest) {
            return Ok(());
        }
        let what = format!("{:?} is no hash", self.digest.text());
        Err(Error::Nonsense { what, url: self.path.clone() })
    }
}

impl From<Listed> for Entry {
    fn from(listed: Listed) -> Self {
        let (size, digest) = match listed.lfs {
            Some(large) => (large.size, Digest::Sha256(large.oid)),
            None => (listed.size, Digest::Git(listed.oid.clone())),
        };
        Self { path: listed.path, size, digest, oid: listed.oid }
    }
}

impl Digest {
    /// Its hexadecimal digits.
    pub fn text(&self) -> &str {
        match self {
            Self::Sha256(text) | Self::Git(text) => text,
        }
    }
}

/// Whether this names a commit by its hash.
pub(crate) fn is_commit(text: &str) -> bool {
    is_hex(text, 40)
}

/// Whether a hash that a server names can be one: files are named by it.
fn is_digest(digest: &Digest) -> bool {
    match digest {
        Digest::Sha256(text) => is_hex(text, 64),
        Digest::Git(text) => is_hex(text, 40),
    }
}
