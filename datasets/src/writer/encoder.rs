//! Turns a camera's images into a video, or into PNG files for datasets without video, and counts
//! their pixels for the statistics.

use std::collections::VecDeque;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::camera::{Files, read_images};
use super::counts;
use super::queue::{Job, Queue};
use crate::depth::{Scale, Table};
use crate::durable::File;
use crate::image::png;
use crate::schema::{Dtype, Feature};
use crate::stats::image::Digest;
use crate::video::{Coding, VideoWriter};
use crate::{Error, Image, Result};

/// How often in a second of frames what is encoded is handed to the system.
const FLUSHES: u32 = 5;
/// An encoder that does not keep up hands over what it has after this time at the latest.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// Where the images go.
enum Sink {
    Video(Box<VideoWriter>),
    Images(BufWriter<File>),
}

/// What encodes the images of one camera, one after the other.
pub struct Encoder {
    files: Files,
    sink: Sink,
    /// What makes steps of depth, where that is kept as video.
    steps: Option<Table>,
    counts: BufWriter<File>,
    last: Option<(Bytes, Vec<u8>)>,
    /// The digests of images that an encoder still has.
    held: VecDeque<Vec<u8>>,
    /// How many frames are in the files.
    written: u64,
    /// After how many frames they are handed to the system.
    flush_every: u32,
}

impl Encoder {
    /// Begins behind the whole frames that a camera's files hold, which have these checksums in the
    /// counts: with none of them, anew.
    pub fn resume(
        files: Files,
        (key, feature): (&str, &Feature),
        fps: u32,
        coding: &Coding,
        sums: &[u32],
    ) -> Result<Self> {
        let mut steps = None;
        let sink = match (feature.dtype, feature.image_size()) {
            (Dtype::Video, Some((width, height))) => {
                let asked = (width, height, fps);
                let coding = coding.of_camera(key, feature)?;
                steps = coding.scale().map(Scale::to_steps);
                let video = VideoWriter::resume(&files.images, asked, &coding, sums)?;
                Sink::Video(Box::new(video))
            }
            _ => {
                let kept = match sums {
                    [] => Vec::new(),
                    sums => read_images(&files.images)?.into_iter().take(sums.len()).collect(),
                };
                let end = kept.iter().map(|image| 8 + image.len() as u64).sum();
                Sink::Images(BufWriter::with_capacity(1 << 18, cut(&files.images, end)?))
            }
        };
        let counts = BufWriter::new(cut(&files.counts, counts::at(sums.len() as u64, feature))?);
        Ok(Self {
            files,
            sink,
            steps,
            counts,
            last: None,
            held: VecDeque::new(),
            written: sums.len() as u64,
            flush_every: (fps / FLUSHES).max(1),
        })
    }

    /// Encodes whatever comes until the queue is closed.
    pub fn run(&mut self, jobs: &Queue) -> Result<()> {
        let (mut frames, mut flushed) = (0, Instant::now());
        while let Some(job) = jobs.pop()? {
            self.encode(job)?;
            frames += 1;
            let due = frames >= self.flush_every || jobs.is_heavy();
            if due || flushed.elapsed() >= FLUSH_AFTER {
                self.flush()?;
                jobs.written(self.written);
                (frames, flushed) = (0, Instant::now());
            }
        }
        Ok(())
    }

    /// Adds one frame.
    pub fn encode(&mut self, job: Job) -> Result<()> {
        match job {
            Job::New(image) => self.add(&image),
            Job::Repeat => self.repeat(),
        }
    }

    fn add(&mut self, image: &Image) -> Result<()> {
        let digest = Digest::of(image).to_bytes();
        let kept = match &mut self.sink {
            Sink::Video(video) => {
                match self.steps.as_ref().and_then(|steps| steps.apply(image)) {
                    Some(steps) => video.push(&steps)?,
                    None => video.push(image)?,
                }
                Bytes::new()
            }
            Sink::Images(_) => {
                let file = png::encode(&image.to_rgb());
                file.map_err(|what| Error::Video { what, path: self.files.images.clone() })?.into()
            }
        };
        self.last = Some((kept, digest));
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
        let Some((file, digest)) = &self.last else {
            return Err(Error::Refused { what: "there is no image to repeat".into() });
        };
        self.held.push_back(digest.clone());
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
            let Some(digest) = self.held.pop_front() else { return Ok(()) };
            let record = counts::record(sum, &digest);
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
        self.counts.flush().map_err(Error::io("cannot write", &self.files.counts))
    }

    /// Writes what is left, and finishes the video.
    pub fn end(mut self) -> Result<()> {
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

/// A file without what lies behind this place, to be added to.
fn cut(path: &Path, end: u64) -> Result<File> {
    let cut = || {
        let mut file = match end {
            0 => File::create(path)?,
            _ => File::edit(path)?,
        };
        if end > 0 {
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
        }
        Ok(file)
    };
    cut().map_err(Error::io("cannot open", path))
}
