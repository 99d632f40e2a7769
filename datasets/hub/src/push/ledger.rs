//! What is known of a push, kept so that the next try begins where this one ended: hashes of files,
//! how far large ones have gone, and what the repository was given.
//!
//! One line of JSON for each thing learned, only ever appended to; a line that was cut off by a power
//! cut is left out, and what it said is found out again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::local::Stamp;
use crate::{Error, Result, durable};

/// The longest line that is read: that of a file in ten thousand parts.
const LONGEST_LINE: u64 = 32 << 20;

/// What is known, and where it is kept.
#[derive(Debug, Default)]
pub struct Ledger {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    file: Option<(File, PathBuf)>,
    hashes: HashMap<String, (Stamp, String)>,
    given: HashMap<String, String>,
    meant: HashMap<String, String>,
    started: HashMap<String, Started>,
    request: Option<u64>,
}

/// A large file that is on its way in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    /// Where it is said that all parts are there.
    pub href: String,
    /// How long a part is; the last is shorter.
    pub chunk: u64,
    /// Where each part goes.
    pub parts: Vec<String>,
    /// What the server called each part that it has.
    #[serde(skip)]
    pub etags: HashMap<usize, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A file of this machine hashes to this.
    Hash(String, Stamp, String),
    /// The repository was given this for a path; nothing: it was taken away.
    Given(String, Option<String>),
    /// The repository may have been given this for a path: nobody has heard yet.
    Meant(String, String),
    /// A large file is on its way.
    Started(String, Started),
    /// One of its parts is there.
    Part(String, usize, String),
    /// All of it is there, or it has to begin again.
    Over(String),
    /// The pull request of this number has some of it; nothing: all of it, or there is none.
    Request(Option<u64>),
}

impl Ledger {
    /// What a file says, which is made where there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let mut known = Known::default();
        if let Ok(file) = File::open(path) {
            known.read(BufReader::new(file)).map_err(Error::io("cannot read", path))?;
        }
        // Written anew: without what no longer matters, and without half a line at its end.
        durable::write_secretly(path, |to| {
            known.lines().try_for_each(|line| writeln!(to, "{}", serde_json::to_string(&line)?))
        })?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(Error::io("cannot write", path))?;
        known.file = Some((file, path.to_owned()));
        Ok(Self { known: Mutex::new(known) })
    }

    /// What a file hashes to, if it was hashed as it is now.
    pub(crate) fn hash(&self, path: &str, stamp: &Stamp) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, hash) = known.hashes.get(path)?;
        (then == stamp).then(|| hash.clone())
    }

    pub(crate) fn hashed(&self, path: &str, stamp: &Stamp, hash: &str) -> Result<()> {
        self.learn(Line::Hash(path.to_owned(), stamp.clone(), hash.to_owned()), false)
    }

    /// What the repository was last given for each path.
    pub(crate) fn given(&self) -> HashMap<String, String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).given.clone()
    }

    pub(crate) fn give(&self, path: &str, hash: Option<&str>) -> Result<()> {
        self.learn(Line::Given(path.to_owned(), hash.map(str::to_owned)), false)
    }

    /// Whether what the repository has under a path is what it was given from here.
    pub(crate) fn is_ours(&self, path: &str, hash: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        [&known.given, &known.meant].iter().any(|all| all.get(path).is_some_and(|is| is == hash))
    }

    pub(crate) fn mean(&self, path: &str, hash: &str) -> Result<()> {
        self.learn(Line::Meant(path.to_owned(), hash.to_owned()), false)
    }

    /// How far a large file has gone.
    pub(crate) fn started(&self, oid: &str) -> Option<Started> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).started.get(oid).cloned()
    }

    pub(crate) fn start(&self, oid: &str, started: &Started) -> Result<()> {
        self.learn(Line::Started(oid.to_owned(), started.clone()), true)
    }

    pub(crate) fn part(&self, oid: &str, part: usize, etag: &str) -> Result<()> {
        self.learn(Line::Part(oid.to_owned(), part, etag.to_owned()), true)
    }

    pub(crate) fn over(&self, oid: &str) -> Result<()> {
        self.learn(Line::Over(oid.to_owned()), false)
    }

    /// The pull request that a push has begun, and not ended.
    pub(crate) fn requested(&self) -> Option<u64> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).request
    }

    pub(crate) fn request(&self, number: Option<u64>) -> Result<()> {
        if number == self.requested() { Ok(()) } else { self.learn(Line::Request(number), true) }
    }

    /// Waits until everything learned is on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &known.file {
            Some((file, path)) => file.sync_data().map_err(Error::io("cannot write", path)),
            None => Ok(()),
        }
    }

    fn learn(&self, line: Line, durably: bool) -> Result<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((file, path)) = &mut known.file {
            let mut text = serde_json::to_string(&line).unwrap_or_default();
            text.push('\n');
            let written = file.write_all(text.as_bytes()).and_then(|()| match durably {
                true => file.sync_data(),
                false => Ok(()),
            });
            written.map_err(Error::io("cannot write", path))?;
        }
        known.take(line);
        Ok(())
    }
}

impl Known {
    fn read(&mut self, mut lines: impl BufRead) -> std::io::Result<()> {
        let mut text = Vec::new();
        loop {
            text.clear();
            let mut some = std::io::Read::take(&mut lines, LONGEST_LINE);
            if some.read_until(b'\n', &mut text)? == 0 {
                return Ok(());
            }
            // A line that says nothing was being written when the power went.
            if let Ok(line) = serde_json::from_slice(&text) {
                self.take(line);
            }
        }
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Hash(path, stamp, hash) => {
                self.hashes.insert(path, (stamp, hash));
            }
            Line::Given(path, Some(hash)) => {
                self.meant.remove(&path);
                self.given.insert(path, hash);
            }
            Line::Given(path, None) => {
                self.meant.remove(&path);
                self.given.remove(&path);
            }
            Line::Meant(path, hash) => {
                self.meant.insert(path, hash);
            }
            Line::Started(oid, started) => {
                self.started.insert(oid, started);
            }
            Line::Part(oid, part, etag) => {
                let started = self.started.get_mut(&oid).filter(|one| part < one.parts.len());
                if let Some(started) = started {
                    started.etags.insert(part, etag);
                }
            }
            Line::Over(oid) => {
                self.started.remove(&oid);
            }
            Line::Request(number) => self.request = number,
        }
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        let hashes = self.hashes.iter();
        let hashes = hashes
            .map(|(path, (stamp, hash))| Line::Hash(path.clone(), stamp.clone(), hash.clone()));
        let given = self.given.iter();
        let given = given.map(|(path, hash)| Line::Given(path.clone(), Some(hash.clone())));
        let meant = self.meant.iter().map(|(path, hash)| Line::Meant(path.clone(), hash.clone()));
        let started = self.started.iter().flat_map(|(oid, started)| {
            let parts = started.etags.iter();
            let parts = parts.map(|(part, etag)| Line::Part(oid.clone(), *part, etag.clone()));
            std::iter::once(Line::Started(oid.clone(), started.clone())).chain(parts)
        });
        let request = self.request.map(|number| Line::Request(Some(number)));
        hashes.chain(given).chain(meant).chain(started).chain(request)
    }
}

/// Takes lines as a file has them; whatever they are, nothing goes wrong. For fuzzing.
#[doc(hidden)]
pub fn read_ledger(bytes: &[u8]) -> (usize, usize, usize) {
    let mut known = Known::default();
    let read = known.read(bytes);
    debug_assert!(read.is_ok());
    (known.hashes.len(), known.given.len(), known.started.len())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn stamp(size: u64) -> Stamp {
        Stamp { size, modified: 5, inode: 7 }
    }

    #[test]
    fn what_was_learned_is_known_after_a_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("push.ledger");
        let ledger = Ledger::open(&path).unwrap();
        ledger.hashed("a", &stamp(1), "aa").unwrap();
        ledger.give("a", Some("aa")).unwrap();
        ledger.give("b", Some("bb")).unwrap();
        ledger.give("b", None).unwrap();
        let parts = vec!["http://x/1".to_owned(), "http://x/2".to_owned()];
        let (href, etags) = ("http://x".to_owned(), HashMap::new());
        let started = Started { href, chunk: 10, parts, etags };
        ledger.start("cc", &started).unwrap();
        ledger.part("cc", 1, "\"e\"").unwrap();
        ledger.part("cc", 9, "no such part").unwrap();
        ledger.start("dd", &started).unwrap();
        ledger.over("dd").unwrap();
        ledger.request(Some(7)).unwrap();
        drop(ledger);

        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let ledger = Ledger::open(&path).unwrap();
            assert!(ledger.hash("a", &stamp(2)).is_none(), "another file by now");
            if cut == whole.len() {
                assert_eq!(ledger.hash("a", &stamp(1)).as_deref(), Some("aa"));
                assert_eq!(ledger.given(), HashMap::from([("a".to_owned(), "aa".to_owned())]));
                let etags = HashMap::from([(1, "\"e\"".to_owned())]);
                assert_eq!(ledger.started("cc"), Some(Started { etags, ..started.clone() }));
                assert_eq!(ledger.started("dd"), None);
                assert_eq!(ledger.requested(), Some(7));
            }
            // What is appended after half a line is a line of its own.
            ledger.give("z", Some("zz")).unwrap();
            drop(ledger);
            assert!(Ledger::open(&path).unwrap().given().contains_key("z"), "cut at {cut}");
        }
    }
}
