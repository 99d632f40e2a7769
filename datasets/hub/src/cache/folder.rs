//! A folder of the user's own that files of a repository are put into, as they are.
//!
//! Beside them, in `.cache/huggingface/`, is kept what was fetched, in the official client's form: a
//! file that was changed since is the user's and never written over.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use sha1::{Digest as _, Sha1};

use super::{Place, fetch, length, sync_all, tag, tree};
use crate::hub::Entry;
use crate::{Error, Result, durable};

/// By how much a file's time may lie behind what is noted: some disks keep whole seconds.
const SLACK: f64 = 1.0;

/// Where it is noted what was fetched.
const NOTES: &str = ".cache/huggingface";

/// A folder of the user's own, at a commit.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    commit: String,
}

/// What was noted of a file when it was fetched.
#[derive(Debug, PartialEq)]
struct Note {
    commit: String,
    etag: String,
    time: f64,
}

impl Folder {
    /// The folder, made where there is none.
    pub fn make(root: &Path, commit: &str) -> Result<Self> {
        let folder = Self { root: root.to_owned(), commit: commit.to_owned() };
        let notes = folder.notes();
        durable::make_folders(&notes.join("download"))?;
        tag(&notes)?;
        let ignored = notes.join(".gitignore");
        if !ignored.exists() {
            durable::keep(&ignored, b"*")?;
        }
        Ok(folder)
    }

    fn notes(&self) -> PathBuf {
        self.root.join(NOTES)
    }

    fn note(&self, entry: &Entry, ending: &str) -> PathBuf {
        self.notes().join("download").join(format!("{}.{ending}", entry.path))
    }

    fn write_note(&self, entry: &Entry) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let text = format!("{}\n{}\n{now}\n", self.commit, entry.digest.text());
        durable::keep(&self.note(entry, "metadata"), text.as_bytes())
    }

    /// Notes a file that is in its place, once all of it is on the disk: after a power cut the note
    /// would pass off what was there before as this file, where that is as long.
    fn note_whole(&self, entry: &Entry) -> Result<()> {
        let path = self.root.join(&entry.path);
        let synced = File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(Error::io("cannot make durable", &path))?;
        sync_all(&self.root, std::iter::once(entry.path.as_str()))?;
        self.write_note(entry)
    }

    /// What was noted, where the file was not changed since.
    fn read_note(&self, entry: &Entry) -> Result<Option<Note>> {
        let text = durable::read_text(&self.note(entry, "metadata"), 4096)?;
        let Some(note) = text.as_deref().and_then(parse) else { return Ok(None) };
        let path = self.root.join(&entry.path);
        let modified = fs::metadata(&path).and_then(|about| about.modified());
        let modified = modified.map_err(Error::io("cannot look at", &path))?;
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Ok(Some(note).filter(|note| modified - SLACK <= note.time))
    }
}

/// What a note says.
fn parse(text: &str) -> Option<Note> {
    let mut lines = text.lines().map(str::trim);
    let (commit, etag) = (lines.next()?.to_owned(), lines.next()?.to_owned());
    let time = lines.next()?.parse().ok().filter(|time: &f64| time.is_finite())?;
    Some(Note { commit, etag, time })
}

impl Place for Folder {
    fn root(&self) -> PathBuf {
        self.root.clone()
    }

    fn takes(&self, path: &str) -> bool {
        // Somebody else's notes would say that what the user changed is as it was fetched. Some disks
        // tell large letters from small ones, some do not.
        path.split_at_checked(NOTES.len()).is_none_or(|(head, rest)| {
            !head.eq_ignore_ascii_case(NOTES) || !(rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn tree(&self) -> Result<Option<Vec<Entry>>> {
        tree::read(&self.notes().join("trees"), &self.commit)
    }

    fn keep_tree(&self, entries: &[Entry]) -> Result<()> {
        tree::write(&self.notes().join("trees"), &self.commit, entries)
    }

    fn forget_tree(&self) -> Result<()> {
        tree::forget(&self.notes().join("trees"), &self.commit)
    }

    fn has(&self, entry: &Entry) -> Result<bool> {
        let path = self.root.join(&entry.path);
        let Some(there) = length(&path)? else {
            return if fs::symlink_metadata(&path).is_ok() {
                Err(Error::InTheWay { path })
            } else {
                Ok(false)
            };
        };
        match self.read_note(entry)? {
            Some(note) if note.etag == entry.digest.text() && there == entry.size => {
                if note.commit != self.commit {
                    self.write_note(entry)?;
                }
                Ok(true)
            }
            // As it was fetched, at another commit: it is replaced.
            Some(_older) => Ok(false),
            None if there == entry.size && fetch::fits(&path, entry)? => {
                self.note_whole(entry)?;
                Ok(true)
            }
            None => Err(Error::InTheWay { path }),
        }
    }

    fn part(&self, entry: &Entry) -> PathBuf {
        let note = self.note(entry, "metadata");
        let name = note.file_name().unwrap_or_default().to_string_lossy();
        let short = URL_SAFE.encode(Sha1::digest(name.as_bytes()));
        note.with_file_name(format!("{short}.{}.incomplete", entry.digest.text()))
    }

    fn lock(&self, entry: &Entry) -> Result<File> {
        let path = self.note(entry, "lock");
        durable::make_folders(durable::folder_of(&path))?;
        durable::lock(&path)
    }

    fn put(&self, entry: &Entry, part: &Path) -> Result<()> {
        let path = self.root.join(&entry.path);
        durable::make_folders(durable::folder_of(&path))?;
        fs::rename(part, &path).map_err(Error::io("cannot move into its place", &path))?;
        self.note_whole(entry)
    }

    fn note_lack(&self, _path: &str) {}

    fn settle(&self) -> Result<()> {
        // Each was before it was noted.
        Ok(())
    }
}
