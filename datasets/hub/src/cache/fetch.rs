//! One file from a server to the disk: from where an earlier try stopped, and only if it hashes to
//! what it should.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Place;
use crate::hashing::Hasher;
use crate::http::{Client, Failed, passing};
use crate::hub::{Digest, Entry};
use crate::{Error, Result, address};

/// How many bytes are in memory at once, for each file.
const STEP: usize = 128 << 10;

/// A connection that brought so much was worth it: the next try is another file's first.
const WORTH: u64 = 64 << 10;

/// How much of a pull is done.
#[derive(Debug, Default)]
pub struct Tally {
    /// Files that are there.
    pub files: AtomicU64,
    /// Bytes that are there.
    pub bytes: AtomicU64,
    /// Bytes that came from the server.
    pub came: AtomicU64,
}

/// Whoever watches.
pub struct Watch<'a> {
    /// What is counted.
    pub tally: &'a Tally,
    /// Called after every step.
    pub tell: &'a (dyn Fn() + Sync),
}

/// Fetches a file into its place, where it is not there yet.
pub fn fetch(
    client: &Client,
    url: &str,
    entry: &Entry,
    place: &dyn Place,
    watch: &Watch<'_>,
) -> Result<()> {
    let _mine = place.lock(entry)?;
    // Whoever held the lock before may have fetched it.
    if !place.has(entry)? {
        let part = place.part(entry);
        let mut growing = Growing::open(&part, entry, watch)?;
        let mut begun_before = growing.length > 0;
        loop {
            growing.grow(client, url)?;
            let found = growing.digest();
            if found == entry.digest.text() {
                break;
            }
            growing.empty()?;
            if !begun_before {
                return Err(Error::WrongHash {
                    path: entry.path.clone(),
                    expected: entry.digest.text().to_owned(),
                    found,
                    url: address::shown(url).to_owned(),
                });
            }
            // What was begun by somebody else need not have been the beginning of this file.
            begun_before = false;
        }
        growing.file.sync_all().map_err(Error::io("cannot make durable", &part))?;
        place.put(entry, &part)?;
    } else {
        watch.tally.bytes.fetch_add(entry.size, Ordering::Relaxed);
    }
    watch.tally.files.fetch_add(1, Ordering::Relaxed);
    (watch.tell)();
    Ok(())
}

/// Whether a file is the one that is meant.
pub fn fits(path: &Path, entry: &Entry) -> Result<bool> {
    let mut hash = hasher(entry);
    let read = File::open(path).and_then(|file| hash.read(file, entry.size));
    read.map_err(Error::io("cannot read", path))?;
    Ok(hash.digits() == entry.digest.text())
}

/// A file that is on its way.
struct Growing<'a> {
    file: File,
    path: &'a Path,
    entry: &'a Entry,
    watch: &'a Watch<'a>,
    hash: Hasher,
    length: u64,
}

impl<'a> Growing<'a> {
    /// What an earlier try has left, or nothing yet.
    fn open(path: &'a Path, entry: &'a Entry, watch: &'a Watch<'a>) -> Result<Self> {
        let open = File::options().read(true).append(true).create(true).open(path);
        let file = open.map_err(Error::io("cannot write", path))?;
        let mut growing = Self { file, path, entry, watch, hash: hasher(entry), length: 0 };
        let again = File::open(path).map_err(Error::io("cannot read", path))?;
        let begun = growing.hash.read(again.take(entry.size.saturating_add(1)), entry.size);
        growing.length = begun.map_err(Error::io("cannot read", path))?;
        watch.tally.bytes.fetch_add(growing.length, Ordering::Relaxed);
        if growing.length > entry.size {
            growing.empty()?;
        }
        Ok(growing)
    }

    /// Asks for what is missing until nothing is.
    fn grow(&mut self, client: &Client, url: &str) -> Result<()> {
        client.patiently(|| {
            loop {
                let before = self.length;
                match self.once(client, url) {
                    // Whoever gets on needs no patience.
                    Err(failed) if failed.again.is_some() && self.length > before + WORTH => {}
                    done => return done,
                }
            }
        })
    }

    /// Asks for what is missing, and takes what comes.
    fn once(&mut self, client: &Client, url: &str) -> Result<(), Failed> {
        if self.length == self.entry.size {
            return Ok(());
        }
        let mut rest = client.rest(url, self.length, self.entry.size)?;
        if rest.first != self.length {
            self.empty()?;
        }
        let mut buffer = vec![0; STEP];
        loop {
            let count = match rest.bytes.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(passing(url, error.to_string())),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            if count == 0 {
                break;
            }
            if self.length + count as u64 > self.entry.size {
                self.empty()?;
                let what = format!("more than the {} bytes of its list came", self.entry.size);
                return Err(Error::Nonsense { what, url: address::shown(url).to_owned() }.into());
            }
            self.file.write_all(bytes).map_err(Error::io("cannot write", self.path))?;
            self.hash.update(bytes);
            self.length += count as u64;
            self.watch.tally.bytes.fetch_add(count as u64, Ordering::Relaxed);
            self.watch.tally.came.fetch_add(count as u64, Ordering::Relaxed);
            (self.watch.tell)();
        }
        match self.length == self.entry.size {
            true => Ok(()),
            false => Err(passing(
                url,
                format!("it ended after {} of {} bytes", self.length, self.entry.size),
            )),
        }
    }

    /// Begins again.
    fn empty(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(Error::io("cannot write", self.path))?;
        self.watch.tally.bytes.fetch_sub(self.length, Ordering::Relaxed);
        self.hash = hasher(self.entry);
        self.length = 0;
        Ok(())
    }

    fn digest(&self) -> String {
        self.hash.digits()
    }
}

/// What comes to the hash that a file must have.
fn hasher(entry: &Entry) -> Hasher {
    match entry.digest {
        Digest::Sha256(_) => Hasher::sha256(),
        Digest::Git(_) => Hasher::git("blob", entry.size),
    }
}
