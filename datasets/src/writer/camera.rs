//! One camera of a running episode: its files, and the thread that encodes its images.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;

use super::Options;
use super::encoder::Encoder;
use super::failure::{self, Failure};
use super::queue::Queue;
use crate::schema::{Dtype, Feature};
use crate::{Error, Result};

/// The files that a camera fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The video, or the PNG files one after the other.
    pub images: PathBuf,
    /// A digest for the statistics and a checksum per frame.
    pub counts: PathBuf,
    /// What had to wait on the disk, in this file and another beside it.
    pub spool: PathBuf,
}

impl Files {
    /// The files of a camera in the folder of a running episode.
    pub fn of(folder: &Path, key: &str, dtype: Dtype) -> Self {
        let file = |end: &str| folder.join(format!("{key}.{end}"));
        let images = if dtype == Dtype::Video { "mp4" } else { "images" };
        Self { images: file(images), counts: file("counts"), spool: file("spool") }
    }
}

/// A camera that is being recorded.
pub struct Camera {
    /// The images on their way.
    pub queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

impl Camera {
    /// Begins to record a camera. Who waits for it learns from `failure` when it cannot go on.
    pub fn start(
        files: Files,
        (key, feature): (&str, &Feature),
        fps: u32,
        options: &Options,
        failure: &Arc<Failure>,
    ) -> Result<Self> {
        let queue = Arc::new(Queue::new(&files.spool, options.memory));
        let jobs = Arc::clone(&queue);
        let mut encoder = Encoder::resume(files, (key, feature), fps, &options.coding, &[])?;
        let work = move || {
            let done = encoder.run(&jobs);
            // What was encoded before a failure is whole, and is kept.
            let ended = encoder.end();
            done.and(ended)
        };
        let thread = failure::spawn("encoder", failure, work)?;
        Ok(Self { queue, thread })
    }

    /// Waits until everything handed over is encoded, or the encoder has failed.
    pub fn finish(self) {
        self.queue.close();
        // A panic was told already.
        self.thread.join().unwrap_or_default();
    }
}

/// The PNG files of a camera, up to where the file was cut. None where there is no file.
pub fn read_images(path: &Path) -> Result<Vec<Bytes>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(parse_images(bytes.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("cannot read", path)(error)),
    }
}

/// The PNG files in the bytes of such a file.
pub fn parse_images(all: Bytes) -> Vec<Bytes> {
    let mut images = Vec::new();
    let mut at = 0;
    while let Some([a, b, c, d, e, f, g, h]) = all[at..].first_chunk() {
        let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        let whole = all[at + 8..].get(..length);
        let sum = u32::from_le_bytes([*e, *f, *g, *h]);
        // What a power cut left empty looks like a file of no length.
        if length == 0 || whole.is_none_or(|whole| crc32fast::hash(whole) != sum) {
            break;
        }
        images.push(all.slice(at + 8..at + 8 + length));
        at += 8 + length;
    }
    images
}
