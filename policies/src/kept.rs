//! Packed weights kept in a file, so that the next program needs not pack them again: it maps them
//! into memory.
//!
//! ```text
//! MAGIC ─ weights, each at a cache line ─ list (JSON) ─ where the list is, how long, its checksum
//! ```
//! The list comes last because weights are written as they are packed; a file without its end is
//! none. It says which checkpoint the weights were packed from, and every piece has a checksum that
//! is compared before the piece is used. What does not fit is packed anew, and the file replaced.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use memmap2::Mmap;
use serde_json::{Value, json};

use crate::kernels::slab::{Held, LINE};

/// What a file begins with; the last byte counts the ways in which weights have been laid out.
const MAGIC: &[u8; 16] = b"sinew packed   \x01";
/// Bytes at the end: where the list is, how long it is, its checksum.
const END: usize = 20;
/// An unfinished file that nobody has written to for so long was left by a process that was killed.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// The packed weights of one checkpoint: read from a file, or written to one.
pub struct Kept {
    path: PathBuf,
    file: State,
    /// Whether a piece was not as it was written.
    broken: AtomicBool,
}

enum State {
    There { map: Arc<Mmap>, pieces: BTreeMap<String, Piece> },
    Made(Mutex<Making>),
}

/// Where a piece lies in the file.
#[derive(Clone, Copy)]
struct Piece {
    at: usize,
    size: usize,
    sum: u32,
}

/// A file that is being written.
struct Making {
    source: Value,
    path: PathBuf,
    /// The first failure ends it.
    file: io::Result<File>,
    at: usize,
    pieces: BTreeMap<String, Piece>,
}

impl Kept {
    /// Opens what is kept in a folder under a name, if it was made from this very source; otherwise
    /// it will be made.
    pub fn open(folder: &Path, name: &str, source: Value) -> Self {
        let path = folder.join(format!("{name}.packed"));
        let file = match read(&path, &source) {
            Some((map, pieces)) => State::There { map: Arc::new(map), pieces },
            None => State::Made(Mutex::new(Making::begin(folder, name, source))),
        };
        Self { path, file, broken: AtomicBool::new(false) }
    }

    /// A piece of so many bytes, if it is there and as it was written.
    pub fn get(&self, key: &str, size: usize) -> Option<Held> {
        let State::There { map, pieces } = &self.file else { return None };
        let piece = pieces.get(key).filter(|piece| piece.size == size);
        let whole = piece.filter(|piece| {
            let bytes = map.get(piece.at..piece.at + piece.size);
            bytes.is_some_and(|bytes| crc32fast::hash(bytes) == piece.sum)
        });
        if whole.is_none() {
            self.broken.store(true, Ordering::Relaxed);
        }
        whole.and_then(|piece| Held::mapped(map, piece.at, piece.size))
    }

    /// Keeps a piece. What goes wrong is told at the end.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        if let State::Made(making) = &self.file {
            let mut making = making.lock().unwrap_or_else(PoisonError::into_inner);
            making.put(key, bytes);
        }
    }

    /// To be called when all pieces have been asked for: puts the file in its place. Says why
    /// where there will be none.
    pub fn finish(self) -> Option<String> {
        let done = match self.file {
            State::Made(making) => {
                making.into_inner().unwrap_or_else(PoisonError::into_inner).end(&self.path)
            }
            State::There { .. } if self.broken.into_inner() => fs::remove_file(&self.path),
            State::There { .. } => Ok(()),
        };
        let path = self.path.display();
        done.err().map(|error| format!("packed weights are not kept: {error}: {path}"))
    }
}

impl Making {
    fn begin(folder: &Path, name: &str, source: Value) -> Self {
        let path = folder.join(format!("{name}.{}.new", std::process::id()));
        let file = fs::create_dir_all(folder).and_then(|()| {
            forget(folder, name)?;
            let mut file = File::create(&path)?;
            file.write_all(MAGIC).map(|()| file)
        });
        Self { source, path, file, at: MAGIC.len(), pieces: BTreeMap::new() }
    }

    fn put(&mut self, key: &str, bytes: &[u8]) {
        let Ok(file) = &mut self.file else { return };
        if self.pieces.contains_key(key) {
            return;
        }
        let at = self.at.next_multiple_of(LINE);
        let gap = &[0; LINE][..at - self.at];
        if let Err(error) = file.write_all(gap).and_then(|()| file.write_all(bytes)) {
            self.file = Err(error);
            return;
        }
        let piece = Piece { at, size: bytes.len(), sum: crc32fast::hash(bytes) };
        self.pieces.insert(key.to_owned(), piece);
        self.at = at + bytes.len();
    }

    fn end(mut self, place: &Path) -> io::Result<()> {
        let mut file = std::mem::replace(&mut self.file, Err(io::ErrorKind::Other.into()))?;
        let pieces = self.pieces.iter().map(|(key, piece)| {
            let Piece { at, size, sum } = piece;
            json!({"key": key, "at": at, "size": size, "sum": sum})
        });
        let list = json!({"source": self.source, "pieces": pieces.collect::<Vec<_>>()});
        let list = list.to_string().into_bytes();
        file.write_all(&list)?;
        file.write_all(&(self.at as u64).to_le_bytes())?;
        file.write_all(&(list.len() as u64).to_le_bytes())?;
        file.write_all(&crc32fast::hash(&list).to_le_bytes())?;
        fs::rename(&self.path, place)
    }
}

impl Drop for Making {
    /// What was not finished goes. Once it is in its place, there is nothing of this name.
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// Removes what others have left unfinished.
fn forget(folder: &Path, name: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        let file = file.to_string_lossy();
        let unfinished = file.starts_with(name) && file.ends_with(".new");
        let written = entry.metadata().and_then(|about| about.modified());
        let age = written.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if unfinished && age.is_some_and(|age| age > FORGOTTEN) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Maps a file of packed weights, if it is whole and of this source.
fn read(path: &Path, source: &Value) -> Option<(Mmap, BTreeMap<String, Piece>)> {
    let file = File::open(path).ok()?;
    // SAFETY: the file is only read, and nobody writes to it once it has its name; it is replaced
    // by another one as a whole. Whoever cuts it off by hand ends us, as with every mapped file.
    let map = unsafe { Mmap::map(&file) }.ok()?;
    let pieces = parse(&map, source)?;
    Some((map, pieces))
}

fn parse(bytes: &[u8], source: &Value) -> Option<BTreeMap<String, Piece>> {
    let body = bytes.strip_prefix(MAGIC)?;
    let (_, end) = body.split_at_checked(body.len().checked_sub(END)?)?;
    let number = |at: usize| {
        let bytes = end.get(at..at + 8)?.try_into().ok()?;
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let (at, length) = (number(0)?, number(8)?);
    let list = bytes.get(at..at.checked_add(length)?)?;
    if end.get(16..)? != crc32fast::hash(list).to_le_bytes() {
        return None;
    }
    let list: Value = serde_json::from_slice(list).ok()?;
    if list.get("source")? != source {
        return None;
    }
    let pieces = list.get("pieces")?.as_array()?.iter().map(|piece| {
        let number = |name: &str| usize::try_from(piece.get(name)?.as_u64()?).ok();
        let key = piece.get("key")?.as_str()?.to_owned();
        let (at, size) = (number("at")?, number("size")?);
        let sum = u32::try_from(number("sum")?).ok()?;
        let inside = at.checked_add(size)? <= bytes.len() && at.is_multiple_of(LINE);
        inside.then_some((key, Piece { at, size, sum }))
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(held: &Held, size: usize) -> Vec<u8> {
        // SAFETY: so many were asked for.
        unsafe { std::slice::from_raw_parts(held.start::<u8>(), size) }.to_vec()
    }

    fn make(folder: &Path) -> PathBuf {
        let kept = Kept::open(folder, "act", json!({"size": 1}));
        assert!(kept.get("a", 3).is_none());
        kept.put("a", &[1, 2, 3]);
        kept.put("b", &[7; 100]);
        assert_eq!(kept.finish(), None);
        folder.join("act.packed")
    }

    #[test]
    fn comes_back_as_it_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let kept = Kept::open(folder.path(), "act", json!({"size": 1}));
        assert_eq!(bytes(&kept.get("a", 3).unwrap(), 3), [1, 2, 3]);
        let last = kept.get("b", 100).unwrap();
        assert_eq!(kept.finish(), None);
        assert_eq!(bytes(&last, 100), [7; 100], "what is held stays");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_another_source_it_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let kept = Kept::open(folder.path(), "act", json!({"size": 2}));
        assert!(kept.get("a", 3).is_none());
        kept.put("a", &[4]);
        assert_eq!(kept.finish(), None);
        let kept = Kept::open(folder.path(), "act", json!({"size": 2}));
        assert_eq!(bytes(&kept.get("a", 1).unwrap(), 1), [4]);
        assert!(kept.get("a", 3).is_none(), "another size");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_and_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let kept = Kept::open(&file, "act", Value::Null);
        kept.put("a", &[1]);
        let why = kept.finish().unwrap();
        assert!(why.contains("packed weights are not kept") && why.contains("act.packed"), "{why}");
    }

    #[test]
    fn unfinished_files_go() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("act.1.new");
        fs::write(&old, "").unwrap();
        let hours_ago = SystemTime::now() - 2 * FORGOTTEN;
        File::options().write(true).open(&old).unwrap().set_modified(hours_ago).unwrap();
        drop(Kept::open(folder.path(), "act", Value::Null));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    proptest! {
        #[test]
        fn a_broken_file_gives_nothing_that_is_wrong(
            flip in any::<prop::sample::Index>(),
            bit in 0u8..8,
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = make(folder.path());
            let mut file = fs::read(&path).unwrap();
            let at = flip.index(file.len());
            file[at] ^= 1u8 << bit;
            if let Some(cut) = cut {
                file.truncate(cut.index(file.len()));
            }
            fs::write(&path, &file).unwrap();
            let kept = Kept::open(folder.path(), "act", json!({"size": 1}));
            for (key, wanted) in [("a", vec![1, 2, 3]), ("b", vec![7; 100])] {
                if let Some(held) = kept.get(key, wanted.len()) {
                    prop_assert_eq!(bytes(&held, wanted.len()), wanted);
                }
            }
            prop_assert_eq!(kept.finish(), None);
        }
    }
}
