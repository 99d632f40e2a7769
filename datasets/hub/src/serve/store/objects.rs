//! Contents by their SHA-256, each once, whoever has it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::files;
use super::hash::Hash;
use super::packs::{Packing, Packs};
use crate::serve::answer::Refusal;
use crate::{Error, Result, durable};

/// How much is taken at a time from whoever sends.
const TAKEN: usize = 256 * 1024;

/// The objects.
#[derive(Debug)]
pub struct Objects {
    folder: PathBuf,
    packs: Packs,
    incoming: PathBuf,
    /// Those whose names a power cut might still take: for all others they are not there yet.
    landing: Mutex<HashSet<Hash>>,
}

/// An object on its way in: hashed while it is written, and gone unless it is finished.
#[derive(Debug)]
pub struct Incoming<'a> {
    objects: &'a Objects,
    file: NamedTempFile,
    hasher: Sha256,
    size: u64,
    limit: u64,
}

impl Objects {
    /// Those of a hub; `incoming` is a folder of the same file system.
    pub fn open(hub: &Path, incoming: &Path) -> Result<Self> {
        let folder = hub.join("objects");
        durable::make_secret_folders(&folder)?;
        let packs = Packs::open(&hub.join("packs"), incoming)?;
        let (incoming, landing) = (incoming.to_owned(), Mutex::default());
        Ok(Self { folder, packs, incoming, landing })
    }

    /// Whether an object is there, and how large it is.
    pub fn size(&self, hash: &Hash) -> Option<u64> {
        if let Some(place) = self.packs.find(hash) {
            return Some(place.length);
        }
        if self.landing().contains(hash) {
            return None;
        }
        let found = std::fs::metadata(self.place(hash)).ok()?;
        found.is_file().then_some(found.len())
    }

    /// An object to read from, from an offset on. What is behind its end may be another's.
    pub fn open_at(&self, hash: &Hash, first: u64) -> Result<File> {
        let (path, first) = match self.packs.find(hash) {
            Some(place) => (place.pack.to_path_buf(), place.first.saturating_add(first)),
            None => (self.place(hash), first),
        };
        let opened = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(first))?;
            Ok(file)
        });
        opened.map_err(Error::io("cannot open the object", &path))
    }

    /// Notes that somebody is about to use an object that no commit may speak of yet.
    pub fn touch(&self, hash: &Hash) -> Result<()> {
        let packed = self.packs.find(hash).map(|place| place.pack.to_path_buf());
        let path = packed.unwrap_or_else(|| self.place(hash));
        let file = File::options().append(true).open(&path);
        file.and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(Error::io("cannot touch the object", &path))
    }

    /// A place for many small ones.
    pub fn pack(&self) -> Result<Packing<'_>> {
        self.packs.begin()
    }

    /// A new one, of at most `limit` bytes.
    pub fn incoming(&self, limit: u64) -> Result<Incoming<'_>> {
        let file = NamedTempFile::new_in(&self.incoming)
            .map_err(Error::io("cannot make a file", &self.incoming))?;
        Ok(Incoming { objects: self, file, hasher: Sha256::new(), size: 0, limit })
    }

    /// Removes what `wanted` does not know and nobody has touched for so long.
    pub fn sweep(&self, age: Duration, wanted: impl Fn(&Hash) -> bool) -> Result<()> {
        let old = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        self.packs.sweep(old, &wanted)?;
        for folder in super::names(&self.folder)? {
            for path in files(&self.folder.join(folder))? {
                let touched = path.metadata().and_then(|about| about.modified());
                let touched = touched.map_err(Error::io("cannot look for leftovers", &path))?;
                let name = path.file_name().and_then(|name| name.to_str());
                let Some(hash) = name.and_then(Hash::parse) else { continue };
                if touched < old && !wanted(&hash) {
                    std::fs::remove_file(&path)
                        .map_err(Error::io("cannot remove a leftover", &path))?;
                }
            }
        }
        Ok(())
    }

    fn landing(&self) -> MutexGuard<'_, HashSet<Hash>> {
        self.landing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, hash: &Hash) -> PathBuf {
        let name = hash.as_str();
        self.folder.join(name.get(..2).unwrap_or_default()).join(name)
    }
}

impl Incoming<'_> {
    /// Takes all that comes.
    pub fn take(&mut self, from: &mut dyn Read) -> Result<(), Refusal> {
        let mut block = vec![0; TAKEN];
        loop {
            let count = match from.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Refusal::cut(&error)),
            };
            self.add(block.get(..count).unwrap_or_default())?;
        }
    }

    /// Takes these bytes.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.limit {
            return Err(Refusal::too_large("the file", self.limit));
        }
        self.hasher.update(bytes);
        let written = self.file.write_all(bytes);
        Ok(written.map_err(Error::io("cannot write the object", self.file.path()))?)
    }

    /// What has come, to look at it before it is kept.
    pub fn reader(&self) -> Result<File> {
        self.file.reopen().map_err(Error::io("cannot open the file", self.file.path()))
    }

    /// How much has come.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Keeps it for good, under the hash that it must have, or under its own.
    pub fn keep(mut self, expected: Option<&Hash>) -> Result<Hash, Refusal> {
        let hash = Hash::of(&self.hasher.finalize_reset().into());
        if let Some(expected) = expected.filter(|expected| **expected != hash) {
            let what = format!("what came has the SHA-256 {hash}, not {expected} as announced");
            return Err(Refusal::wrong(what));
        }
        let place = self.objects.place(&hash);
        if self.objects.size(&hash) == Some(self.size) {
            self.objects.touch(&hash)?;
            return Ok(hash);
        }
        let objects = self.objects;
        objects.landing().insert(hash.clone());
        self.save(&place)?;
        objects.landing().remove(&hash);
        Ok(hash)
    }

    /// Keeps it for good as a file of its own, unless there is one; says whether it was.
    pub fn put_first(self, path: &Path) -> Result<bool, Refusal> {
        let folder = self.synced(path)?;
        let new = match self.file.persist_noclobber(path) {
            Ok(_kept) => true,
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                let touched = File::options().append(true).open(path);
                touched
                    .and_then(|file| file.set_modified(SystemTime::now()))
                    .map_err(Error::io("cannot touch the file", path))?;
                false
            }
            Err(error) => return Err(Error::io("cannot keep the file", path)(error.error).into()),
        };
        durable::sync_folder(folder)?;
        Ok(new)
    }

    /// Keeps it for good as a file of its own, which no object is; its hash comes back.
    pub fn put(mut self, path: &Path) -> Result<Hash, Refusal> {
        let hash = Hash::of(&self.hasher.finalize_reset().into());
        self.save(path)?;
        Ok(hash)
    }

    /// The folder of where it is to be, when nothing but its name there is left to be made durable.
    fn synced<'b>(&self, place: &'b Path) -> Result<&'b Path> {
        let path = self.file.path();
        self.file.as_file().sync_all().map_err(Error::io("cannot save the file", path))?;
        let folder = place.parent().unwrap_or(Path::new("."));
        durable::make_secret_folders(folder)?;
        Ok(folder)
    }

    fn save(self, place: &Path) -> Result<()> {
        let folder = self.synced(place)?;
        self.file
            .persist(place)
            .map_err(|error| Error::io("cannot keep the file", place)(error.error))?;
        durable::sync_folder(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_is_about_to_keep_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::open(folder.path(), folder.path()).unwrap();
        let keep = || {
            let mut incoming = objects.incoming(10).unwrap();
            incoming.add(b"abc").unwrap();
            incoming.keep(None)
        };
        let hash = keep().unwrap();
        assert_eq!(objects.size(&hash), Some(3));
        // Its name is there, and a power cut might still take it.
        objects.landing().insert(hash.clone());
        assert_eq!(objects.size(&hash), None);
        assert_eq!(keep().unwrap(), hash);
        assert_eq!(objects.size(&hash), Some(3));
    }

    #[test]
    fn what_could_not_be_kept_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::open(folder.path(), folder.path()).unwrap();
        let hash = Hash::of(&Sha256::digest(b"abc").into());
        let above = objects.place(&hash).parent().unwrap().to_owned();
        std::fs::write(&above, b"no folder").unwrap();
        let mut incoming = objects.incoming(10).unwrap();
        incoming.add(b"abc").unwrap();
        assert_eq!(incoming.keep(None).unwrap_err().status, 500);
        assert_eq!(objects.size(&hash), None);
    }
}
