//! A repository in the cache that all programs of this machine share.
//!
//! ```text
//! datasets--me--pick/refs/main                        the commit
//! datasets--me--pick/trees/<commit>.json              its files
//! datasets--me--pick/blobs/<hash>                     their bytes, once
//! datasets--me--pick/snapshots/<commit>/meta/info.json ─▶ ../../../../blobs/<hash>
//! datasets--me--pick/.no_exist/<commit>/a.json        the commit has no such file
//! .locks/datasets--me--pick/<hash>.lock               held by whoever fetches it
//! ```
//! A disk that has no links has the bytes in the snapshot instead.

use std::fs::{self, File};
use std::io::{self, ErrorKind::PermissionDenied, ErrorKind::Unsupported};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Place, length, sync_all, tag, tree};
use crate::hub::{Entry, is_commit};
use crate::repo::check_path;
use crate::{Error, Repo, Result, durable};

/// A repository's folder in the cache, at a commit.
#[derive(Debug)]
pub struct Shelf {
    cache: PathBuf,
    name: String,
    commit: String,
    /// The paths that were put and are not durable yet.
    fresh: Mutex<Vec<String>>,
    /// What makes a link; some disks have none.
    symlink: fn(&Path, &Path) -> io::Result<()>,
}

impl Shelf {
    /// The folder at a commit, made where there is none.
    pub fn make(cache: &Path, repo: &Repo, commit: &str) -> Result<Self> {
        durable::make_folders(cache)?;
        tag(cache)?;
        let shelf = Self::at(cache, repo, commit);
        for folder in [shelf.root(), shelf.blobs(), shelf.locks()] {
            durable::make_folders(&folder)?;
        }
        Ok(shelf)
    }

    /// The folder at a commit, if it is there.
    pub fn find(cache: &Path, repo: &Repo, commit: &str) -> Option<Self> {
        let shelf = Self::at(cache, repo, commit);
        shelf.root().is_dir().then_some(shelf)
    }

    fn at(cache: &Path, repo: &Repo, commit: &str) -> Self {
        Self {
            cache: cache.to_owned(),
            name: repo.folder(),
            commit: commit.to_owned(),
            fresh: Mutex::default(),
            symlink: |to, at| std::os::unix::fs::symlink(to, at),
        }
    }

    /// Whether it is known here that a commit has no such file.
    pub fn lacks(cache: &Path, repo: &Repo, commit: &str, path: &str) -> bool {
        check_path(path).is_ok() && Self::at(cache, repo, commit).lack(path).is_file()
    }

    /// What says that the commit has no such file.
    fn lack(&self, path: &str) -> PathBuf {
        self.folder().join(".no_exist").join(&self.commit).join(path)
    }

    /// The commit that a revision stood for when it was fetched last.
    pub fn commit_of(cache: &Path, repo: &Repo, revision: &str) -> Result<Option<String>> {
        if is_commit(revision) {
            return Ok(Some(revision.to_owned()));
        }
        check_path(revision)?;
        let path = cache.join(repo.folder()).join("refs").join(revision);
        let text = if path.is_file() { durable::read_text(&path, 1024)? } else { None };
        Ok(text.map(|text| text.trim().to_owned()).filter(|commit| is_commit(commit)))
    }

    /// Remembers what a revision stands for.
    pub fn remember(&self, revision: &str) -> Result<()> {
        if is_commit(revision) {
            return Ok(());
        }
        check_path(revision)?;
        let path = self.folder().join("refs").join(revision);
        match fs::read(&path) {
            Ok(known) if known == self.commit.as_bytes() => Ok(()),
            _ => durable::keep(&path, self.commit.as_bytes()),
        }
    }

    fn folder(&self) -> PathBuf {
        self.cache.join(&self.name)
    }

    fn blobs(&self) -> PathBuf {
        self.folder().join("blobs")
    }

    fn locks(&self) -> PathBuf {
        self.cache.join(".locks").join(&self.name)
    }

    fn blob(&self, entry: &Entry) -> PathBuf {
        self.blobs().join(entry.digest.text())
    }

    /// Lets the snapshot's name lead to the bytes, which no other name may do yet if they are `new`.
    fn link(&self, entry: &Entry, new: bool) -> Result<()> {
        let path = self.root().join(&entry.path);
        let folder = durable::folder_of(&path);
        durable::make_folders(folder)?;
        let up = "../".repeat(entry.path.split('/').count() + 1);
        let to = PathBuf::from(format!("{up}blobs/{}", entry.digest.text()));
        if fs::read_link(&path).is_ok_and(|known| known == to) {
            return Ok(());
        }
        // Whatever was there is replaced in one go: nobody finds the name gone.
        let fresh = tempfile::Builder::new()
            .prefix(".link")
            .make_in(folder, |fresh| (self.symlink)(&to, fresh));
        let done = fresh.and_then(|fresh| fresh.persist(&path).map_err(|error| error.error));
        match done {
            Err(error) if matches!(error.kind(), PermissionDenied | Unsupported) => {
                self.put_itself(entry, &path, new)?;
            }
            done => done.map(drop).map_err(Error::io("cannot link", &path))?,
        }
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).push(entry.path.clone());
        Ok(())
    }

    /// Puts the bytes where a link would be, as the official client does on a disk that has none: new
    /// ones are moved there, others may be some other name's.
    fn put_itself(&self, entry: &Entry, path: &Path, new: bool) -> Result<()> {
        let blob = self.blob(entry);
        if new {
            return fs::rename(&blob, path).map_err(Error::io("cannot move into its place", path));
        }
        let mut bytes = File::open(&blob).map_err(Error::io("cannot read", &blob))?;
        durable::keep_from(path, &mut bytes)
    }
}

impl Place for Shelf {
    fn root(&self) -> PathBuf {
        self.folder().join("snapshots").join(&self.commit)
    }

    fn takes(&self, _path: &str) -> bool {
        true
    }

    fn tree(&self) -> Result<Option<Vec<Entry>>> {
        tree::read(&self.folder().join("trees"), &self.commit)
    }

    fn keep_tree(&self, entries: &[Entry]) -> Result<()> {
        tree::write(&self.folder().join("trees"), &self.commit, entries)
    }

    fn forget_tree(&self) -> Result<()> {
        tree::forget(&self.folder().join("trees"), &self.commit)
    }

    fn has(&self, entry: &Entry) -> Result<bool> {
        // A file of another length is a blob that a power cut has damaged.
        if length(&self.root().join(&entry.path))? == Some(entry.size) {
            return Ok(true);
        }
        if length(&self.blob(entry))? != Some(entry.size) {
            return Ok(false);
        }
        self.link(entry, false).map(|()| true)
    }

    fn part(&self, entry: &Entry) -> PathBuf {
        self.blobs().join(format!("{}.incomplete", entry.digest.text()))
    }

    fn lock(&self, entry: &Entry) -> Result<File> {
        durable::lock(&self.locks().join(format!("{}.lock", entry.digest.text())))
    }

    fn put(&self, entry: &Entry, part: &Path) -> Result<()> {
        let blob = self.blob(entry);
        fs::rename(part, &blob).map_err(Error::io("cannot move into its place", &blob))?;
        self.link(entry, true)
    }

    fn note_lack(&self, path: &str) {
        let lack = self.lack(path);
        // Who cannot note it down asks again the next time.
        durable::make_folders(durable::folder_of(&lack)).ok();
        File::options().create(true).append(true).open(&lack).ok();
    }

    fn settle(&self) -> Result<()> {
        let fresh = std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
        if fresh.is_empty() {
            return Ok(());
        }
        let blobs = self.blobs();
        durable::sync_folder(&blobs)?;
        sync_all(&self.root(), fresh.iter().map(String::as_str))?;
        for folder in [self.folder().join("snapshots"), self.folder()] {
            durable::sync_folder(&folder)?;
        }
        Ok(())
    }
}

/// The files below a snapshot whose list was not kept.
pub fn files_below(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(below) = open.pop() {
        let place = folder.join(&below);
        let list = || -> io::Result<Vec<String>> {
            let names = fs::read_dir(&place)?.map(|entry| Ok(entry?.file_name()));
            let names: io::Result<Vec<_>> = names.collect();
            Ok(names?.iter().filter_map(|name| name.to_str().map(str::to_owned)).collect())
        };
        for name in list().map_err(Error::io("cannot look into", &place))? {
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let at = folder.join(&path);
            // A link to a folder is nothing that a cache has.
            if fs::symlink_metadata(&at).is_ok_and(|about| about.is_dir()) {
                open.push(path);
            } else if let Some(size) = length(&at)? {
                found.push((path, size));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, Kind};

    #[test]
    fn a_disk_without_links_has_the_files_themselves() {
        let cache = tempfile::tempdir().unwrap();
        let repo = Repo::new(Kind::Dataset, "me/pick").unwrap();
        let shelf = |commit: &str| {
            let mut shelf = Shelf::make(cache.path(), &repo, &commit.repeat(40)).unwrap();
            // As vfat says it.
            shelf.symlink = |_, _| Err(io::Error::from_raw_os_error(libc::EPERM));
            shelf
        };
        let entry = |path: &str| Entry {
            path: path.to_owned(),
            size: 5,
            digest: Digest::Git("a".repeat(40)),
            oid: "a".repeat(40),
        };
        let (one, first) = (entry("meta/info.json"), shelf("0"));
        assert!(!first.has(&one).unwrap());
        fs::write(first.part(&one), "bytes").unwrap();
        first.put(&one, &first.part(&one)).unwrap();
        first.settle().unwrap();
        assert!(first.has(&one).unwrap() && !first.blob(&one).exists());
        let place = first.root().join(&one.path);
        assert!(fs::symlink_metadata(&place).unwrap().is_file());
        assert_eq!(fs::read(&place).unwrap(), b"bytes");
        assert_eq!(files_below(&first.root()).unwrap(), [(one.path.clone(), 5)]);

        // What another program has, under whatever name, stays there.
        let (other, later) = (entry("other.json"), shelf("1"));
        fs::write(later.blob(&other), "bytes").unwrap();
        for entry in [&other, &one] {
            assert!(later.has(entry).unwrap(), "{}", entry.path);
            assert_eq!(fs::read(later.root().join(&entry.path)).unwrap(), b"bytes");
        }
        assert!(later.blob(&other).exists());
    }
}
