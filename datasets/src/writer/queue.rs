//! The images of one camera on their way to its encoder: in memory while the encoder keeps up, in a
//! file beside the episode while it does not, in their order always.
//!
//! ```text
//! push ─▶ waiting (memory) ──────────────▶ encoder
//!              └─ too many: spill ─▶ file ─▶┘
//! ```

use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::durable::File;
use crate::image::{Image, PixelFormat};
use crate::{Error, Result};

/// What the encoder has to add to the video.
#[derive(Clone, Debug)]
pub enum Job {
    /// An image.
    New(Image),
    /// The last image once more.
    Repeat,
}

/// The images of one camera that wait to be encoded.
pub struct Queue {
    path: PathBuf,
    /// How many bytes of images may wait in memory before they are spilled.
    limit: usize,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Job>,
    bytes: usize,
    spilled: VecDeque<Spilled>,
    /// Where the next spilled image goes.
    end: u64,
    /// Whether images are being spilled right now: what waits in memory is younger than they are.
    spilling: bool,
    closed: bool,
}

enum Spilled {
    Image { at: u64, width: u32, height: u32, format: PixelFormat },
    Repeat,
}

fn bytes_of(job: &Job) -> usize {
    match job {
        Job::New(image) => image.pixels().len(),
        Job::Repeat => 0,
    }
}

impl Queue {
    /// An empty queue that spills into a file of this name.
    pub fn new(path: &Path, limit: usize) -> Self {
        let inner = Mutex::new(Inner { waiting: VecDeque::with_capacity(256), ..Inner::default() });
        Self { path: path.to_owned(), limit, inner, changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an image of this many bytes finds room. Where even the disk does not keep up, it does
    /// not, and the last image has to be repeated in its stead. One always does.
    pub fn fits(&self, bytes: usize) -> bool {
        let inner = self.lock();
        inner.bytes == 0 || inner.bytes + bytes <= 2 * self.limit
    }

    /// Hands an image over.
    pub fn push(&self, job: Job) {
        let mut inner = self.lock();
        inner.bytes += bytes_of(&job);
        inner.waiting.push_back(job);
        drop(inner);
        self.changed.notify_one();
    }

    /// Lets the encoder end once it has taken everything.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Whether more waits in memory than should.
    pub fn is_long(&self) -> bool {
        self.lock().bytes > self.limit
    }

    /// How many bytes of images wait in memory.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.lock().bytes
    }

    /// Moves the oldest images that wait in memory to the file, half of what may wait stays.
    pub fn spill(&self) -> Result<()> {
        let mut inner = self.lock();
        let mut moved = Vec::new();
        let mut moving = 0;
        while inner.bytes - moving > self.limit / 2 {
            let Some(job) = inner.waiting.pop_front() else { break };
            moving += bytes_of(&job);
            moved.push(job);
        }
        inner.spilling = true;
        let mut at = inner.end;
        drop(inner);
        let written = write(&self.path, at, &moved);
        let mut inner = self.lock();
        inner.spilling = false;
        match &written {
            Ok(()) => {
                for job in moved {
                    let bytes = bytes_of(&job) as u64;
                    inner.spilled.push_back(match job {
                        Job::New(image) => {
                            let (width, height) = (image.width(), image.height());
                            Spilled::Image { at, width, height, format: image.format() }
                        }
                        Job::Repeat => Spilled::Repeat,
                    });
                    at += bytes;
                }
                inner.end = at;
                inner.bytes -= moving;
            }
            Err(_kept_in_memory) => {
                for job in moved.into_iter().rev() {
                    inner.waiting.push_front(job);
                }
            }
        }
        drop(inner);
        self.changed.notify_all();
        written
    }

    /// The next image, oldest first; waits for one. None once the queue is closed and empty.
    pub fn pop(&self) -> Result<Option<Job>> {
        let mut inner = self.lock();
        loop {
            if let Some(spilled) = inner.spilled.pop_front() {
                drop(inner);
                let job = self.read(spilled)?;
                let mut inner = self.lock();
                if inner.spilled.is_empty() && !inner.spilling {
                    // Everything in the file was read: it is filled from its beginning again.
                    inner.end = 0;
                }
                return Ok(Some(job));
            }
            if !inner.spilling {
                if let Some(job) = inner.waiting.pop_front() {
                    inner.bytes -= bytes_of(&job);
                    return Ok(Some(job));
                }
                if inner.closed {
                    return Ok(None);
                }
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn read(&self, spilled: Spilled) -> Result<Job> {
        let Spilled::Image { at, width, height, format } = spilled else { return Ok(Job::Repeat) };
        let mut pixels = vec![0; format.len(width, height)];
        let read = std::fs::File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut pixels)
        });
        read.map_err(Error::io("cannot read", &self.path))?;
        Ok(Image::new(width, height, format, pixels).map_or(Job::Repeat, Job::New))
    }
}

fn write(path: &Path, at: u64, jobs: &[Job]) -> Result<()> {
    let mut file = File::reopen(path).map_err(Error::io("cannot write", path))?;
    let mut all = || {
        file.seek(SeekFrom::Start(at))?;
        jobs.iter().try_for_each(|job| match job {
            Job::New(image) => file.write_all(image.pixels()),
            Job::Repeat => Ok(()),
        })
    };
    all().map_err(Error::io("cannot write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(number: u8) -> Job {
        Job::New(Image::new(4, 4, PixelFormat::Rgb8, vec![number; 48]).unwrap())
    }

    fn number(job: &Job) -> Option<u8> {
        match job {
            Job::New(image) => Some(image.pixels()[0]),
            Job::Repeat => None,
        }
    }

    #[test]
    fn images_keep_their_order_through_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::new(&folder.path().join("spill"), 480);
        for n in 0..15 {
            queue.push(image(n));
        }
        assert!(queue.is_long());
        queue.spill().unwrap();
        assert!(!queue.is_long());
        queue.push(Job::Repeat);
        queue.push(image(15));
        queue.close();
        let mut found = Vec::new();
        while let Some(job) = queue.pop().unwrap() {
            found.push(number(&job));
        }
        let expected: Vec<Option<u8>> = (0..15).map(Some).chain([None, Some(15)]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_the_disk_does_not_take_stays_in_memory_up_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::new(&folder.path().join("no/such/folder"), 96);
        for n in 0..4 {
            assert!(queue.fits(48));
            queue.push(image(n));
        }
        assert!(!queue.fits(48));
        assert!(queue.spill().is_err());
        queue.close();
        let mut found = Vec::new();
        while let Some(job) = queue.pop().unwrap() {
            found.push(number(&job));
        }
        assert_eq!(found, [Some(0), Some(1), Some(2), Some(3)]);
    }
}
