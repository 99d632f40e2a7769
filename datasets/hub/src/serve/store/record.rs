//! The commits of a repository, one line each, in a file that only grows.
//!
//! A commit is called by the SHA-1 of its line, which stands before it: what a power cut left of a
//! last line does not fit its name, and is cut off when the file is opened.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::hash::{self, Hash};
use crate::{Error, Result};

/// One state of a repository, by what is different from the one before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Commit {
    /// Its name.
    #[serde(skip)]
    pub id: String,
    /// The commit before it.
    pub parent: Option<String>,
    /// Who made it.
    pub author: String,
    /// What it is for, in a line.
    pub title: String,
    /// And in more.
    pub message: String,
    /// When, as the interface writes it.
    pub date: String,
    /// Two commits that say the same are two.
    pub nonce: u64,
    /// Files that are gone; applied before the new ones.
    pub gone: Vec<String>,
    /// Files that are new, or have new contents.
    pub put: Vec<(String, Entry)>,
}

/// The contents of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where they are.
    pub sha256: Hash,
    /// Their length.
    pub size: u64,
    /// What git calls them, or the pointer to them.
    pub git: String,
    /// Whether git would keep a pointer.
    pub large: bool,
}

/// The file that commits are added to.
#[derive(Debug)]
pub struct Record {
    file: File,
    path: PathBuf,
    length: u64,
    /// Whether the end may hold half a line that could not be taken back.
    torn: bool,
}

impl Record {
    /// Opens the file, or makes it, and reads all commits.
    pub fn open(path: &Path) -> Result<(Self, Vec<Commit>)> {
        let failed = || Error::io("cannot read the commits", path);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(path).map_err(failed())?;
        let whole = file.metadata().map_err(failed())?.len();
        let mut reader = BufReader::new(&file);
        let (mut commits, mut length, mut line) = (Vec::new(), 0, Vec::new());
        loop {
            line.clear();
            let count = reader.by_ref().read_until(b'\n', &mut line).map_err(failed())?;
            match parse(&line) {
                Some(commit) => commits.push(commit),
                None if length + count as u64 == whole => break,
                None => {
                    let what = format!("commit {} is not what it was", commits.len() + 1);
                    return Err(Error::Damaged { what, path: path.to_owned() });
                }
            }
            length += count as u64;
        }
        if length < whole {
            file.set_len(length).and_then(|()| file.sync_all()).map_err(failed())?;
        }
        Ok((Self { file, path: path.to_owned(), length, torn: false }, commits))
    }

    /// Adds a commit for good, and gives it its name.
    pub fn add(&mut self, commit: &mut Commit) -> Result<()> {
        let failed = || Error::io("cannot write the commit", &self.path);
        if self.torn {
            self.file.set_len(self.length).map_err(failed())?;
            self.torn = false;
        }
        let text = serde_json::to_vec(commit).map_err(std::io::Error::from).map_err(failed())?;
        let id = hash::git("commit", &text);
        let line = [id.as_bytes(), b" ", &text, b"\n"].concat();
        let written = self
            .file
            .seek(SeekFrom::End(0))
            .and_then(|_| self.file.write_all(&line))
            .and_then(|()| self.file.sync_all());
        if let Err(error) = written {
            let error = failed()(error);
            self.torn = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.length += line.len() as u64;
        commit.id = id;
        Ok(())
    }
}

fn parse(line: &[u8]) -> Option<Commit> {
    let line = line.strip_suffix(b"\n")?;
    let (id, text) = (line.get(..40)?, line.get(41..)?);
    let id = std::str::from_utf8(id).ok()?;
    if hash::git("commit", text) != id {
        return None;
    }
    let mut commit: Commit = serde_json::from_slice(text).ok()?;
    id.clone_into(&mut commit.id);
    Some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(title: &str) -> Commit {
        Commit {
            id: String::new(),
            parent: None,
            author: "me".into(),
            title: title.into(),
            message: String::new(),
            date: "2026-01-01T00:00:00.000Z".into(),
            nonce: 0,
            gone: vec!["old".into()],
            put: vec![(
                "a/b".into(),
                Entry {
                    sha256: Hash::of(&[7; 32]),
                    size: 3,
                    git: hash::git("blob", b"abc"),
                    large: false,
                },
            )],
        }
    }

    #[test]
    fn wherever_power_fails_whole_commits_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("commits");
        let (mut record, none) = Record::open(&path).unwrap();
        assert!(none.is_empty());
        let (mut first, mut second) = (commit("first"), commit("second"));
        record.add(&mut first).unwrap();
        let kept = record.length as usize;
        record.add(&mut second).unwrap();
        assert_ne!(first.id, second.id);
        let whole = std::fs::read(&path).unwrap();
        for length in kept..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (mut record, commits) = Record::open(&path).unwrap();
            let ids: Vec<_> = commits.iter().map(|commit| commit.id.clone()).collect();
            assert_eq!(ids, [first.id.clone()], "{length}");
            assert_eq!(commits[0].put, first.put);
            record.add(&mut second).unwrap();
            assert_eq!(Record::open(&path).unwrap().1.len(), 2, "{length}");
        }
    }

    #[test]
    fn a_commit_that_changed_is_not_served() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("commits");
        let (mut record, _none) = Record::open(&path).unwrap();
        record.add(&mut commit("first")).unwrap();
        record.add(&mut commit("second")).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[60] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Record::open(&path), Err(Error::Damaged { .. })));
    }
}
