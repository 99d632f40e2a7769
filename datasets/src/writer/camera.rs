//! One camera of a running episode: a thread that turns images into a video, or into PNG files for
//! datasets without video, and counts their brightness for the statistics.

use std::collections::VecDeque;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::Options;
use super::counts;
use super::failure::{self, Failure};
use super::queue::{Job, Queue};
use crate::durable::File;
use crate::image::png;
use crate::schema::{Dtype, Feature};
use crate::stats::image::Histogram;
use crate::video::VideoWriter;
use crate::{Error, Image, Result};

/// How often in a second of frames what is encoded is handed to the system.
const FLUSHES: u32 = 5;

/// The files that a camera fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The video, or the PNG files one after the other.
    pub images: PathBuf,
    /// A histogram and a checksum per frame.
    pub counts: PathBuf,
    /// What had to wait on the disk.
    pub spill: PathBuf,
}

impl Files {
    /// The files of a camera in the folder of a running episode.
    pub fn of(folder: &Path, key: &str, dtype: Dtype) -> Self {
        let file = |end: &str| folder.join(format!("{key}.{end}"));
        let images = if dtype == Dtype::Video { "mp4" } else { "images" };
        Self { images: file(images), counts: file("counts"), spill: file("spill") }
    }
}

/// A camera that is being recorded.
pub struct Camera {
    /// The images on their way.
    pub queue: Arc<Queue>,
    /// How many frames were handed to the system.
    pub flushed: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// Where the images go.
enum Sink {
    Video(Box<VideoWriter>),
    Images(BufWriter<File>),
}

/// The thread's part.
struct Encoder {
    files: Files,
    fps: u32,
    sink: Sink,
    counts: BufWriter<File>,
    last: Option<(Bytes, Vec<u8>)>,
    /// The histograms of images that an encoder still has.
    held: VecDeque<Vec<u8>>,
    frames: u64,
    /// How many frames are in the files.
    written: u64,
    flushed: Arc<AtomicU64>,
}

impl Camera {
    /// Begins to record a camera. Who waits for it learns from `failure` when it cannot go on.
    pub fn start(
        files: Files,
        feature: &Feature,
        fps: u32,
        options: &Options,
        failure: &Arc<Failure>,
    ) -> Result<Self> {
        let create = |path: &Path| File::create(path).map_err(Error::io("cannot create", path));
        let sink = match (feature.dtype, feature.image_size()) {
            (Dtype::Video, Some((width, height))) => {
                let path = &files.images;
                let video = VideoWriter::create_with(path, width, height, fps, &options.coding)?;
                Sink::Video(Box::new(video))
            }
            _ => Sink::Images(BufWriter::with_capacity(1 << 18, create(&files.images)?)),
        };
        let counts = BufWriter::new(create(&files.counts)?);
        let queue = Arc::new(Queue::new(&files.spill, options.memory));
        let (jobs, flushed) = (Arc::clone(&queue), Arc::new(AtomicU64::new(0)));
        let told = Arc::clone(&flushed);
        let mut encoder = Encoder {
            files,
            fps,
            sink,
            counts,
            last: None,
            held: VecDeque::new(),
            frames: 0,
            written: 0,
            flushed: told,
        };
        let work = move || {
            let done = encoder.run(&jobs);
            // What was encoded before a failure is whole, and is kept.
            let ended = encoder.end();
            done.and(ended)
        };
        let thread = failure::spawn("encoder", failure, work)?;
        Ok(Self { queue, flushed, thread })
    }

    /// Waits until everything handed over is encoded, or the encoder has failed.
    pub fn finish(self) {
        self.queue.close();
        // A panic was told already.
        self.thread.join().unwrap_or_default();
    }
}

impl Encoder {
    fn run(&mut self, jobs: &Queue) -> Result<()> {
        while let Some(job) = jobs.pop()? {
            match job {
                Job::New(image) => self.add(&image)?,
                Job::Repeat => self.repeat()?,
            }
            self.frames += 1;
            if self.frames.is_multiple_of(u64::from(self.fps / FLUSHES).max(1)) {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn add(&mut self, image: &Image) -> Result<()> {
        let histogram = Histogram::of(image).to_bytes();
        let kept = match &mut self.sink {
            Sink::Video(video) => {
                video.push(image)?;
                Bytes::new()
            }
            Sink::Images(_) => {
                let file = png::encode(&image.to_rgb());
                file.map_err(|what| Error::Video { what, path: self.files.images.clone() })?.into()
            }
        };
        self.last = Some((kept, histogram));
        self.keep()
    }

    fn repeat(&mut self) -> Result<()> {
        if let Sink::Video(video) = &mut self.sink {
            video.repeat()?;
        }
        self.keep()
    }

    /// Writes the last image's file and counts once more.
    fn keep(&mut self) -> Result<()> {
        let Some((file, histogram)) = &self.last else {
            return Err(Error::Refused { what: "there is no image to repeat".into() });
        };
        self.held.push_back(histogram.clone());
        let sums = match &mut self.sink {
            Sink::Images(out) => {
                let length = (file.len() as u32).to_le_bytes();
                let sum = crc32fast::hash(file);
                let all = out.write_all(&length).and_then(|()| out.write_all(&sum.to_le_bytes()));
                let all = all.and_then(|()| out.write_all(file));
                all.map_err(Error::io("cannot write", &self.files.images))?;
                vec![sum]
            }
            Sink::Video(video) => video.take_sums(),
        };
        self.count(sums)
    }

    /// Writes the counts of frames that are in the file now.
    fn count(&mut self, sums: Vec<u32>) -> Result<()> {
        for sum in sums {
            let Some(histogram) = self.held.pop_front() else { return Ok(()) };
            let record = counts::record(sum, &histogram);
            let wrote = self.counts.write_all(&record);
            wrote.map_err(Error::io("cannot write", &self.files.counts))?;
            self.written += 1;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        match &mut self.sink {
            Sink::Video(video) => video.flush()?,
            Sink::Images(out) => {
                out.flush().map_err(Error::io("cannot write", &self.files.images))?
            }
        }
        self.counts.flush().map_err(Error::io("cannot write", &self.files.counts))?;
        self.flushed.store(self.written, Ordering::Release);
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        if let Sink::Video(video) = &mut self.sink {
            video.drain()?;
            let sums = video.take_sums();
            self.count(sums)?;
        }
        self.flush()?;
        match self.sink {
            Sink::Video(video) if self.written > 0 => video.finish().map(|_written| ()),
            _ => Ok(()),
        }
    }
}

/// The PNG files of a camera, up to where the file was cut.
pub fn read_images(path: &Path) -> Result<Vec<Bytes>> {
    Ok(parse_images(std::fs::read(path).map_err(Error::io("cannot read", path))?.into()))
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
