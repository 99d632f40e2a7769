//! One camera of a running episode: a thread that turns images into a video, or into PNG files for
//! datasets without video, and counts their brightness for the statistics.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::queue::{Job, Queue};
use crate::image::png;
use crate::schema::{Dtype, Feature};
use crate::stats::image::Histogram;
use crate::video::VideoWriter;
use crate::{Error, Image, Result};

/// The files that a camera fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The video, or the PNG files one after the other.
    pub images: PathBuf,
    /// A histogram per frame.
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
    failed: Arc<Mutex<Option<Error>>>,
    thread: JoinHandle<Result<()>>,
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
    frames: u64,
}

impl Camera {
    /// Begins to record a camera.
    pub fn start(files: Files, feature: &Feature, fps: u32, memory: usize) -> Result<Self> {
        let create = |path: &Path| File::create(path).map_err(Error::io("cannot create", path));
        let sink = match (feature.dtype, feature.image_size()) {
            (Dtype::Video, Some((width, height))) => {
                Sink::Video(Box::new(VideoWriter::create(&files.images, width, height, fps)?))
            }
            _ => Sink::Images(BufWriter::with_capacity(1 << 18, create(&files.images)?)),
        };
        let counts = BufWriter::new(create(&files.counts)?);
        let queue = Arc::new(Queue::new(&files.spill, memory));
        let failed = Arc::new(Mutex::new(None));
        let (jobs, failure) = (Arc::clone(&queue), Arc::clone(&failed));
        let mut encoder = Encoder { files, fps, sink, counts, last: None, frames: 0 };
        let run = move || {
            let done = encoder.run(&jobs);
            if let Err(error) = done {
                // The rest is taken and left, so that nothing waits for a thread that is gone.
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                while let Ok(Some(_left)) = jobs.pop() {}
            }
            encoder.end()
        };
        let thread = std::thread::Builder::new().name("encoder".into()).spawn(run);
        let thread =
            thread.map_err(Error::io("cannot start a thread for", Path::new("encoder")))?;
        Ok(Self { queue, failed, thread })
    }

    /// What went wrong, told once.
    pub fn failure(&self) -> Option<Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until everything handed over is on the disk.
    pub fn finish(self) -> Result<()> {
        self.queue.close();
        let ended = self.thread.join();
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => ended.unwrap_or_else(|_panic| {
                Err(Error::Refused { what: "an encoder ended without a word".into() })
            }),
        }
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
            if self.frames.is_multiple_of(u64::from(self.fps / 2).max(1)) {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn add(&mut self, image: &Image) -> Result<()> {
        let counts = Histogram::of(image).to_bytes();
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
        self.last = Some((kept, counts));
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
        let Some((file, counts)) = &self.last else {
            return Err(Error::Refused { what: "there is no image to repeat".into() });
        };
        if let Sink::Images(out) = &mut self.sink {
            let length = (file.len() as u32).to_le_bytes();
            let checksum = crc32fast::hash(file).to_le_bytes();
            let all = out.write_all(&length).and_then(|()| out.write_all(&checksum));
            let all = all.and_then(|()| out.write_all(file));
            all.map_err(Error::io("cannot write", &self.files.images))?;
        }
        self.counts.write_all(counts).map_err(Error::io("cannot write", &self.files.counts))
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

    fn end(mut self) -> Result<()> {
        self.flush()?;
        match self.sink {
            Sink::Video(video) if self.frames > 0 => video.finish().map(|_written| ()),
            _ => Ok(()),
        }
    }
}

/// The PNG files of a camera, up to where the file was cut.
pub fn read_images(path: &Path) -> Result<Vec<Bytes>> {
    let all = Bytes::from(std::fs::read(path).map_err(Error::io("cannot read", path))?);
    let mut images = Vec::new();
    let mut at = 0;
    while let Some(head) = all.get(at..at + 8) {
        let number = |from: usize| {
            u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]])
        };
        let end = at + 8 + number(0) as usize;
        if end > all.len() || crc32fast::hash(&all[at + 8..end]) != number(4) {
            break;
        }
        images.push(all.slice(at + 8..end));
        at = end;
    }
    Ok(images)
}
