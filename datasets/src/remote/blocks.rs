//! The blocks of videos that were fetched last, shared by all who read.
//!
//! A block is fetched once however many threads wait for it. Who misses the very block that an earlier
//! fetch ended at reads in order, and is given twice as many as that time; who misses any other jumps
//! about, and is given what was asked for.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sinew_hub::{Link, Part, Result};

use super::Options;

/// How many fetches are remembered, so that many threads in many videos can each read in order.
const MOST_RUNS: usize = 64;

/// One video on a server.
pub struct Film {
    /// Tells the blocks of one video from another's.
    number: u64,
    link: Link,
    total: Mutex<Option<u64>>,
}

impl Film {
    /// A video of which nothing is known yet.
    pub fn new(number: u64, link: Link) -> Self {
        Self { number, link, total: Mutex::new(None) }
    }
}

/// The blocks that are kept.
pub struct Blocks {
    size: u64,
    most_bytes: u64,
    most_ahead: u64,
    shelf: Mutex<Shelf>,
    came: Condvar,
}

#[derive(Default)]
struct Shelf {
    /// By video and place in it.
    blocks: HashMap<(u64, u64), Block>,
    bytes: u64,
    /// Counts the looks, so that the block not looked at for longest is known.
    looks: u64,
    /// The latest fetches: of which video, the block that follows, and how many they were.
    runs: VecDeque<(u64, u64, u64)>,
}

enum Block {
    /// Somebody fetches it.
    Coming,
    Here {
        bytes: Bytes,
        looked: u64,
    },
}

impl Blocks {
    /// No blocks yet.
    pub fn new(options: &Options) -> Self {
        let size = options.block.clamp(1 << 10, 16 << 20);
        let most_bytes = options.memory.max(4 * size);
        let most_ahead = (options.ahead.min(most_bytes / 4) / size).max(1);
        Self { size, most_bytes, most_ahead, shelf: Mutex::default(), came: Condvar::new() }
    }

    /// How long a video is. The answer to the first question brings its first block along.
    pub fn total(&self, film: &Film) -> Result<u64> {
        let mut total = film.total.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(total) = *total {
            return Ok(total);
        }
        let first = film.link.part(Part::From { first: 0, length: self.size })?;
        self.keep(film.number, 0, &Bytes::from(first.bytes));
        Ok(*total.insert(first.total))
    }

    /// Fills the buffer with a video's bytes from an offset on. All of them must be there.
    pub fn read(&self, film: &Film, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset + buffer.len() as u64;
        let total = self.total(film)?;
        let mut rest = buffer;
        while !rest.is_empty() {
            let at = end - rest.len() as u64;
            let wanted = at / self.size..end.div_ceil(self.size);
            let bytes = self.block(film, wanted, total.div_ceil(self.size))?;
            let bytes = bytes.get((at % self.size) as usize..).unwrap_or_default();
            let some = bytes.len().min(rest.len());
            let (now, later) = rest.split_at_mut(some);
            now.copy_from_slice(&bytes[..some]);
            rest = later;
        }
        Ok(())
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first of the wanted blocks; the others come along where none of them is there.
    fn block(&self, film: &Film, wanted: Range<u64>, end: u64) -> Result<Bytes> {
        let mut shelf = self.shelf();
        loop {
            shelf.looks += 1;
            let look = shelf.looks;
            match shelf.blocks.get_mut(&(film.number, wanted.start)) {
                Some(Block::Here { bytes, looked }) => {
                    *looked = look;
                    return Ok(bytes.clone());
                }
                Some(Block::Coming) => {
                    shelf = self.came.wait(shelf).unwrap_or_else(PoisonError::into_inner);
                }
                None => break,
            }
        }
        let run = shelf.claim(film.number, wanted, self.most_ahead, end);
        drop(shelf);
        // Whoever waits for these blocks looks again, whether they came or not.
        let claim = Claim { blocks: self, number: film.number, run: run.clone() };
        let part =
            Part::From { first: run.start * self.size, length: (run.end - run.start) * self.size };
        let bytes = Bytes::from(film.link.part(part)?.bytes);
        self.keep(film.number, run.start, &bytes);
        drop(claim);
        Ok(bytes.slice(..bytes.len().min(self.size as usize)))
    }

    /// Keeps the blocks from this one on, and throws away what was not looked at for longest.
    fn keep(&self, number: u64, first: u64, bytes: &Bytes) {
        let mut shelf = self.shelf();
        let size = self.size as usize;
        let mut at = first;
        for start in (0..bytes.len()).step_by(size) {
            // A copy, so that one block kept does not keep those fetched with it.
            let block = Bytes::copy_from_slice(&bytes[start..bytes.len().min(start + size)]);
            shelf.put(number, at, block);
            at += 1;
        }
        shelf.runs.push_back((number, at, at - first));
        if shelf.runs.len() > MOST_RUNS {
            shelf.runs.pop_front();
        }
        while shelf.bytes > self.most_bytes && shelf.forget_one() {}
    }
}

impl Shelf {
    /// Which blocks to fetch where the first of the wanted ones is missing.
    fn claim(&mut self, number: u64, wanted: Range<u64>, most: u64, end: u64) -> Range<u64> {
        let ended_here = |run: &(u64, u64, u64)| (run.0, run.1) == (number, wanted.start);
        let run = self.runs.iter().position(ended_here).and_then(|at| self.runs.remove(at));
        let ahead = run.map_or(1, |(_, _, length)| (length * 2).min(most));
        let last = (wanted.start + ahead).max(wanted.end).min(end.max(wanted.start + 1));
        let missing =
            (wanted.start..last).take_while(|at| !self.blocks.contains_key(&(number, *at)));
        let run = wanted.start..wanted.start + missing.count() as u64;
        for at in run.clone() {
            self.blocks.insert((number, at), Block::Coming);
        }
        run
    }

    fn put(&mut self, number: u64, at: u64, bytes: Bytes) {
        self.bytes += bytes.len() as u64;
        let block = Block::Here { bytes, looked: self.looks };
        if let Some(Block::Here { bytes, .. }) = self.blocks.insert((number, at), block) {
            self.bytes -= bytes.len() as u64;
        }
    }

    /// Throws away the block not looked at for longest; whether there was one.
    fn forget_one(&mut self) -> bool {
        let here = self.blocks.iter().filter_map(|(key, block)| match block {
            Block::Here { looked, .. } => Some((*looked, *key)),
            Block::Coming => None,
        });
        let Some((_, key)) = here.min() else { return false };
        if let Some(Block::Here { bytes, .. }) = self.blocks.remove(&key) {
            self.bytes -= bytes.len() as u64;
        }
        true
    }
}

/// Blocks that are being fetched: those that did not come may be fetched by others afterwards.
struct Claim<'a> {
    blocks: &'a Blocks,
    number: u64,
    run: Range<u64>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut shelf = self.blocks.shelf();
        for at in self.run.clone() {
            if let Some(Block::Coming) = shelf.blocks.get(&(self.number, at)) {
                shelf.blocks.remove(&(self.number, at));
            }
        }
        self.blocks.came.notify_all();
    }
}
