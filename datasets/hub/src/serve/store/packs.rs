//! The small files of a commit, one behind the other in one file, so that a thousand of them are made
//! durable as fast as one.
//!
//! ```text
//! contents … | index, as JSON: [[SHA-256, length], …] | length of the index, u64 little endian
//! ```

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::hash::Hash;
use crate::{Error, Result, durable};

/// What stands at the end of a pack.
const END: u64 = 8;

/// All packs.
#[derive(Debug)]
pub struct Packs {
    folder: PathBuf,
    incoming: PathBuf,
    places: RwLock<HashMap<Hash, Place>>,
}

/// Where a content is.
#[derive(Clone, Debug)]
pub struct Place {
    /// The pack.
    pub pack: Arc<Path>,
    /// Where in it.
    pub first: u64,
    /// How many bytes.
    pub length: u64,
}

/// A pack that is being made, and gone unless it is kept.
#[derive(Debug)]
pub struct Packing<'a> {
    packs: &'a Packs,
    file: NamedTempFile,
    index: Vec<(Hash, u64)>,
    known: HashSet<Hash>,
}

impl Packs {
    /// Reads what is in the packs of a folder.
    pub fn open(folder: &Path, incoming: &Path) -> Result<Self> {
        durable::make_secret_folders(folder)?;
        let mut places = HashMap::new();
        for path in super::files(folder)? {
            let pack: Arc<Path> = path.into();
            enter(&mut places, &pack, read(&pack)?);
        }
        let (folder, incoming) = (folder.to_owned(), incoming.to_owned());
        Ok(Self { folder, incoming, places: RwLock::new(places) })
    }

    /// Where a content is, if it is in a pack.
    pub fn find(&self, hash: &Hash) -> Option<Place> {
        self.places.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    /// A new pack.
    pub fn begin(&self) -> Result<Packing<'_>> {
        let file = NamedTempFile::new_in(&self.incoming)
            .map_err(Error::io("cannot make a file", &self.incoming))?;
        Ok(Packing { packs: self, file, index: Vec::new(), known: HashSet::new() })
    }

    /// Removes the packs that nobody has touched since then and in which nothing is `wanted`.
    pub fn sweep(&self, old: SystemTime, wanted: impl Fn(&Hash) -> bool) -> Result<()> {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        for path in super::files(&self.folder)? {
            let touched = path.metadata().and_then(|about| about.modified());
            let touched = touched.map_err(Error::io("cannot look for leftovers", &path))?;
            let inside = places.iter().filter(|(_, place)| *place.pack == *path);
            if touched < old && !inside.map(|(hash, _)| hash).any(&wanted) {
                places.retain(|_, place| *place.pack != *path);
                std::fs::remove_file(&path)
                    .map_err(Error::io("cannot remove a leftover", &path))?;
            }
        }
        Ok(())
    }
}

impl Packing<'_> {
    /// Adds a content, unless it is in there already.
    pub fn add(&mut self, hash: &Hash, content: &[u8]) -> Result<()> {
        if self.known.insert(hash.clone()) {
            self.write(content)?;
            self.index.push((hash.clone(), content.len() as u64));
        }
        Ok(())
    }

    /// Keeps it for good, if there is anything in it.
    pub fn keep(mut self) -> Result<()> {
        if self.index.is_empty() {
            return Ok(());
        }
        let index = serde_json::to_vec(&self.index).map_err(std::io::Error::from);
        let index = index.map_err(Error::io("cannot write it down", self.file.path()))?;
        self.write(&index)?;
        self.write(&(index.len() as u64).to_le_bytes())?;
        let saved = self.file.as_file().sync_all();
        saved.map_err(Error::io("cannot save the file", self.file.path()))?;
        let name = Hash::of(&Sha256::digest(&index).into());
        let path = self.packs.folder.join(name.as_str());
        let kept = self.file.persist(&path);
        kept.map_err(|error| Error::io("cannot keep the file", &path)(error.error))?;
        durable::sync_folder(&self.packs.folder)?;
        let mut places = self.packs.places.write().unwrap_or_else(PoisonError::into_inner);
        enter(&mut places, &path.into(), self.index);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(Error::io("cannot write the file", self.file.path()))
    }
}

fn enter(places: &mut HashMap<Hash, Place>, pack: &Arc<Path>, index: Vec<(Hash, u64)>) {
    let mut first = 0;
    for (hash, length) in index {
        places.insert(hash, Place { pack: Arc::clone(pack), first, length });
        first += length;
    }
}

/// The index of a pack.
fn read(path: &Path) -> Result<Vec<(Hash, u64)>> {
    let failed = || Error::io("cannot read the pack", path);
    let damaged = |what: &str| Error::Damaged { what: what.to_owned(), path: path.to_owned() };
    let mut file = File::open(path).map_err(failed())?;
    let whole = file.metadata().map_err(failed())?.len();
    let before_end = whole.checked_sub(END).ok_or_else(|| damaged("the pack has no end"))?;
    let mut end = [0; END as usize];
    file.seek(SeekFrom::Start(before_end)).map_err(failed())?;
    file.read_exact(&mut end).map_err(failed())?;
    let contents = before_end.checked_sub(u64::from_le_bytes(end));
    let contents = contents.ok_or_else(|| damaged("the pack is shorter than its index"))?;
    let mut index = Vec::new();
    file.seek(SeekFrom::Start(contents)).map_err(failed())?;
    file.take(before_end - contents).read_to_end(&mut index).map_err(failed())?;
    let index: Vec<(Hash, u64)> = serde_json::from_slice(&index)
        .map_err(|error| damaged(&format!("the index of the pack is none: {error}")))?;
    let counted = index.iter().try_fold(0u64, |sum, (_, length)| sum.checked_add(*length));
    match counted == Some(contents) {
        true => Ok(index),
        false => Err(damaged("the pack does not hold what its index says")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(content: &[u8]) -> Hash {
        Hash::of(&Sha256::digest(content).into())
    }

    fn content(packs: &Packs, hash: &Hash) -> Option<Vec<u8>> {
        let place = packs.find(hash)?;
        let bytes = std::fs::read(&place.pack).unwrap();
        Some(bytes[place.first as usize..][..place.length as usize].to_vec())
    }

    #[test]
    fn what_was_packed_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let (place, incoming) = (folder.path().join("packs"), folder.path().to_owned());
        let packs = Packs::open(&place, &incoming).unwrap();
        let contents: [&[u8]; 4] = [b"one", b"", b"three", b"one"];
        let mut packing = packs.begin().unwrap();
        for content in contents {
            packing.add(&hash(content), content).unwrap();
        }
        assert!(packs.find(&hash(b"one")).is_none());
        packing.keep().unwrap();
        packs.begin().unwrap().keep().unwrap();
        for packs in [packs, Packs::open(&place, &incoming).unwrap()] {
            for wanted in contents {
                assert_eq!(content(&packs, &hash(wanted)).unwrap(), wanted);
            }
            assert!(packs.find(&hash(b"two")).is_none());
        }
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
        let packs = Packs::open(&place, &incoming).unwrap();
        packs.sweep(SystemTime::UNIX_EPOCH, |_| false).unwrap();
        packs.sweep(SystemTime::now(), |wanted| *wanted == hash(b"three")).unwrap();
        assert!(packs.find(&hash(b"one")).is_some());
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        packs.sweep(later, |_| false).unwrap();
        assert!(packs.find(&hash(b"one")).is_none());
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_pack_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("packs");
        let packs = Packs::open(&place, folder.path()).unwrap();
        let mut packing = packs.begin().unwrap();
        packing.add(&hash(b"one"), b"one").unwrap();
        packing.keep().unwrap();
        let path = packs.find(&hash(b"one")).unwrap().pack;
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Packs::open(&place, folder.path()).is_err(), "{length}");
        }
        std::fs::write(&path, [&b"more"[..], &whole].concat()).unwrap();
        assert!(matches!(Packs::open(&place, folder.path()), Err(Error::Damaged { .. })));
    }
}
