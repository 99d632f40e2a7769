//! A dataset on a server, of which only what is looked at is fetched.
//!
//! ```text
//! meta/*              whole, once                       (meta)
//! data/*.parquet      footer, then row groups           ─▶ unpacked as a local one's, on disk
//! videos/*.mp4        moov, then the samples' blocks    (blocks: in memory, the newest kept)
//! ```
//!
//! Every store is bounded: what is thrown away is fetched again when it is looked at again.

mod blocks;
mod meta;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sinew_hub::{Client, Link, Part, Piece};

pub(crate) use meta::fetch;
pub use sinew_hub::Options as Server;

use crate::source::Held;
use crate::video::ReadAt;
use crate::{Error, Result};
use blocks::{Blocks, Film};

/// How much of a Parquet file's end is fetched to find its footer: nearly always all of it.
const TAIL: u64 = 64 << 10;

/// The largest footer: that of some hundred thousand row groups.
const LARGEST_FOOTER: u64 = 256 << 20;

/// The most that is fetched at once of one table; LeRobot's files end at 100 MB.
const LARGEST_HELD: u64 = 2 << 30;

/// Columns that lie no further apart are fetched together.
const GAP: u64 = 64 << 10;

/// How much is asked for at once, so that a broken connection costs no more than that.
const STEP: u64 = 8 << 20;

/// How a dataset is read from a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who asks, and with how much patience.
    pub server: Server,
    /// How many bytes of video are kept in memory.
    pub memory: u64,
    /// How many bytes of unpacked rows are kept in a temporary file.
    pub disk: u64,
    /// How many bytes of a video are fetched at once where it is read in order.
    pub ahead: u64,
    /// How many bytes of a video are fetched at least.
    pub block: u64,
}

impl Default for Options {
    fn default() -> Self {
        let (memory, disk) = (256 << 20, 4 << 30);
        Self { server: Server::default(), memory, disk, ahead: 2 << 20, block: 64 << 10 }
    }
}

/// A dataset's folder on a server.
pub(crate) struct Remote {
    client: Arc<Client>,
    base: String,
    /// The base as errors and the paths of files show it.
    root: PathBuf,
    films: Mutex<HashMap<PathBuf, Arc<Film>>>,
    tables: Mutex<HashMap<PathBuf, Arc<Link>>>,
    blocks: Arc<Blocks>,
}

impl Remote {
    /// The dataset at a base such as `https://huggingface.co/datasets/me/pick/resolve/main`.
    pub fn new(base: &str, options: &Options) -> Result<Self> {
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            client: Arc::new(Client::new(options.server.clone())?),
            root: PathBuf::from(&base),
            base,
            films: Mutex::default(),
            tables: Mutex::default(),
            blocks: Arc::new(Blocks::new(options)),
        })
    }

    /// The base, as a path that those of files begin with.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file that such a path means.
    fn link(&self, path: &Path) -> Link {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let parts = below.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        Link::new(&self.client, &self.base, parts)
    }

    fn table(&self, path: &Path) -> Arc<Link> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(path.to_owned()).or_insert_with(|| Arc::new(self.link(path))))
    }

    /// The end of a Parquet file that its footer is in.
    pub fn footer(&self, path: &Path) -> Result<Held> {
        let link = self.table(path);
        let Piece { first, bytes, total } = link.part(Part::Last(TAIL))?;
        let malformed = |what: &str| Error::malformed(path, "the footer", what);
        let Some((length, magic)) = bytes.last_chunk::<8>().map(|end| {
            let (length, magic) = end.split_at(4);
            (length.iter().rev().fold(0_u64, |all, byte| all << 8 | u64::from(*byte)), magic)
        }) else {
            return Err(malformed("not a whole Parquet file: it is too short"));
        };
        if magic != b"PAR1" {
            return Err(malformed("not a whole Parquet file: the magic number is missing"));
        }
        let begin = total.checked_sub(8 + length).filter(|_| length <= LARGEST_FOOTER);
        let begin = begin.ok_or_else(|| malformed("not a whole Parquet file: impossibly large"))?;
        if begin >= first {
            return Ok(Held { total, parts: vec![(first, bytes.into())] });
        }
        let mut whole = fetched(&link, begin..first)?;
        whole.extend(bytes);
        Ok(Held { total, parts: vec![(begin, whole.into())] })
    }

    /// These ranges of a Parquet file whose footer was read.
    pub fn hold(&self, path: &Path, mut wanted: Vec<Range<u64>>) -> Result<Held> {
        wanted.sort_by_key(|range| (range.start, range.end));
        let mut together: Vec<Range<u64>> = Vec::new();
        for range in wanted {
            match together.last_mut() {
                Some(last) if range.start <= last.end.saturating_add(GAP) => {
                    last.end = last.end.max(range.end);
                }
                _ => together.push(range),
            }
        }
        let bytes = together
            .iter()
            .fold(0_u64, |all, range| all.saturating_add(range.end.saturating_sub(range.start)));
        if bytes > LARGEST_HELD {
            let what = format!("says that it has {bytes} bytes: too many to stream");
            return Err(Error::malformed(path, "a row group", what));
        }
        let link = self.table(path);
        let mut held =
            Held { total: together.last().map_or(0, |last| last.end), parts: Vec::new() };
        for range in together {
            let first = range.start;
            held.parts.push((first, Bytes::from(fetched(&link, range)?)));
        }
        Ok(held)
    }

    /// The bytes of a video.
    pub fn video(&self, path: &Path) -> Result<Box<dyn ReadAt>> {
        let film = {
            let mut films = self.films.lock().unwrap_or_else(PoisonError::into_inner);
            let number = films.len() as u64;
            let film = films.entry(path.to_owned());
            Arc::clone(film.or_insert_with(|| Arc::new(Film::new(number, self.link(path)))))
        };
        let total = self.blocks.total(&film)?;
        Ok(Box::new(FarVideo { film, blocks: Arc::clone(&self.blocks), total }))
    }
}

/// A range of a file, in steps.
fn fetched(link: &Link, range: Range<u64>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let length = (range.end - at).min(STEP);
        let Piece { bytes: some, total, .. } = link.part(Part::From { first: at, length })?;
        if (some.len() as u64) < length {
            let what = format!("byte {} lies beyond the {total} of the file", range.end);
            return Err(Error::malformed(Path::new(link.url()), "a row group", what));
        }
        bytes.extend(some);
        at += length;
    }
    Ok(bytes)
}

/// A video on a server.
struct FarVideo {
    film: Arc<Film>,
    blocks: Arc<Blocks>,
    total: u64,
}

impl ReadAt for FarVideo {
    fn len(&self) -> u64 {
        self.total
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.total) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.blocks.read(&self.film, offset, buffer).map_err(io::Error::other)
    }
}
