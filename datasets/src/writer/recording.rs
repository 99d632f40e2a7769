//! The running episode: frames pushed from any thread, rows to the journal, images to their encoders.
//!
//! `push` only copies a row into memory and hands image buffers over; a disk thread appends rows,
//! makes them durable once a second, and spills images that pile up.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::camera::{Camera, Files};
use super::journal::{Journal, RowFormat};
use super::queue::{Job, Queue};
use crate::frame::Frame;
use crate::image::Image;
use crate::schema::{Dtype, Feature, Info};
use crate::{Error, Result};

/// More cameras than this on one robot are refused.
pub const MOST_CAMERAS: usize = 32;
/// How often the disk thread looks.
const ROUND: Duration = Duration::from_millis(100);
/// How much of the running episode a power cut may take.
const DURABLE_EVERY: Duration = Duration::from_secs(1);

/// Takes the frames of the running episode, from any thread.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    format: RowFormat,
    /// Name, declaration and queue of each camera.
    cameras: Vec<(String, Feature, Arc<Queue>)>,
    pending: Mutex<Pending>,
    wake: Condvar,
    repeated: AtomicU64,
}

struct Pending {
    rows: Vec<u8>,
    frames: u64,
    seen: [bool; MOST_CAMERAS],
    closed: bool,
    failed: Option<Error>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Adds a frame. A camera without a new image repeats its last one, which is counted.
    pub fn push(&self, frame: &Frame) -> Result<()> {
        let shared = &*self.shared;
        let mut pending = shared.lock();
        if let Some(error) = pending.failed.take() {
            return Err(error);
        }
        if pending.closed {
            return Err(Error::Refused { what: "the episode has ended".into() });
        }
        let number = pending.frames;
        if frame.images.len() != shared.cameras.len() {
            let what = format!(
                "{} images, {} cameras are declared",
                frame.images.len(),
                shared.cameras.len()
            );
            return Err(Error::Frame { frame: number, feature: "(cameras)".into(), what });
        }
        let mut repeated = [false; MOST_CAMERAS];
        for (at, ((name, feature, queue), image)) in
            shared.cameras.iter().zip(&frame.images).enumerate()
        {
            repeated[at] = match image {
                Some(image) => {
                    check(image, feature).map_err(|what| refuse(number, name, what))?;
                    !queue.fits(image.pixels().len())
                }
                None => true,
            };
            if repeated[at] && !pending.seen[at] {
                return Err(refuse(number, name, "the camera has given no image yet".into()));
            }
        }
        let cameras = shared.cameras.len();
        shared.format.write(number, frame, &repeated[..cameras], &mut pending.rows)?;
        for (at, ((_, _, queue), image)) in shared.cameras.iter().zip(&frame.images).enumerate() {
            match image {
                Some(image) if !repeated[at] => {
                    pending.seen[at] = true;
                    queue.push(Job::New(image.clone()));
                }
                _ => {
                    shared.repeated.fetch_add(1, Ordering::Relaxed);
                    queue.push(Job::Repeat);
                }
            }
        }
        pending.frames += 1;
        Ok(())
    }

    /// Whether images pile up because an encoder or the disk does not keep up: whoever does not
    /// record in real time waits then.
    pub fn is_busy(&self) -> bool {
        self.shared.cameras.iter().any(|(_, _, queue)| queue.is_long())
    }

    /// How many frames were pushed.
    pub fn frames(&self) -> u64 {
        self.shared.lock().frames
    }

    /// How often a camera's last image stood in for a missing one.
    pub fn repeated(&self) -> u64 {
        self.shared.repeated.load(Ordering::Relaxed)
    }
}

fn refuse(frame: u64, feature: &str, what: String) -> Error {
    Error::Frame { frame, feature: feature.to_owned(), what }
}

fn check(image: &Image, feature: &Feature) -> Result<(), String> {
    let size = (image.width(), image.height());
    match feature.image_size() {
        Some(declared) if declared == size => {}
        declared => {
            let (width, height) = declared.unwrap_or_default();
            return Err(format!("an image of {}x{}, declared is {width}x{height}", size.0, size.1));
        }
    }
    match (feature.is_depth(), image.format() == crate::PixelFormat::Gray16) {
        (false, true) => Err("a depth image of a camera that is not declared as depth".into()),
        (true, false) => Err("a colour image of a camera that is declared as depth".into()),
        _ => Ok(()),
    }
}

/// The running episode, with its threads.
pub struct Recording {
    folder: PathBuf,
    shared: Arc<Shared>,
    cameras: Vec<Camera>,
    disk: JoinHandle<Result<()>>,
}

impl Recording {
    /// Begins an episode in a folder of its own. `memory` is what the images of one camera may take
    /// while they wait for their encoder.
    pub fn start(folder: &Path, info: &Info, episode: u64, memory: usize) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("cannot make the folder", folder))?;
        let journal = Journal::create(&folder.join("journal"), info, episode)?;
        let format = RowFormat::new(info);
        let mut cameras = Vec::new();
        let mut named = Vec::new();
        let mut synced = Vec::new();
        for name in format.cameras() {
            let Some(feature) = info.feature(name) else { continue };
            let refuse =
                |what: &str| Error::Feature { feature: name.clone(), what: what.to_owned() };
            if named.len() == MOST_CAMERAS {
                return Err(refuse("there are more cameras than can be recorded at once"));
            }
            if feature.is_depth() && feature.dtype == Dtype::Video {
                return Err(refuse("depth cannot be recorded as video; declare it as image"));
            }
            let files = Files::of(folder, name, feature.dtype);
            synced.push(files.images.clone());
            let camera = Camera::start(files, feature, info.fps, memory)?;
            named.push((name.clone(), feature.clone(), Arc::clone(&camera.queue)));
            cameras.push(camera);
        }
        let pending = Pending {
            rows: Vec::with_capacity(1 << 18),
            frames: 0,
            seen: [false; MOST_CAMERAS],
            closed: false,
            failed: None,
        };
        let shared = Arc::new(Shared {
            format,
            cameras: named,
            pending: Mutex::new(pending),
            wake: Condvar::new(),
            repeated: AtomicU64::new(0),
        });
        let theirs = Arc::clone(&shared);
        let disk = std::thread::Builder::new().name("journal".into());
        let disk = disk.spawn(move || keep(&theirs, journal, &synced));
        let disk = disk.map_err(Error::io("cannot start a thread for", folder))?;
        Ok(Self { folder: folder.to_owned(), shared, cameras, disk })
    }

    /// What takes this episode's frames.
    pub fn recorder(&self) -> Recorder {
        Recorder { shared: Arc::clone(&self.shared) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What went wrong since it was last asked for.
    pub fn failure(&self) -> Option<Error> {
        self.cameras.iter().find_map(Camera::failure)
    }

    /// Ends the episode: everything pushed is on the disk when this returns.
    ///
    /// When a part failed, the others are ended all the same, and what they hold can be recovered.
    pub fn finish(self) -> Result<()> {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
        self.cameras.iter().for_each(|camera| camera.queue.close());
        let cameras: Vec<Result<()>> = self.cameras.into_iter().map(Camera::finish).collect();
        let ended = self.disk.join().unwrap_or_else(|_panic| {
            Err(Error::Refused { what: "the journal ended without a word".into() })
        });
        cameras.into_iter().chain([ended]).collect()
    }
}

/// The disk thread: appends rows, makes them durable, spills images that pile up.
fn keep(shared: &Shared, mut journal: Journal, synced: &[PathBuf]) -> Result<()> {
    let mut rows = Vec::with_capacity(1 << 18);
    let mut durable = Instant::now();
    let mut failed = None;
    loop {
        let pending = shared.lock();
        let waited = shared.wake.wait_timeout_while(pending, ROUND, |pending| !pending.closed);
        let (mut pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut pending.rows, &mut rows);
        let closed = pending.closed;
        drop(pending);
        let mut round = journal.append(&rows);
        rows.clear();
        for (_, _, queue) in shared.cameras.iter().filter(|(_, _, queue)| queue.is_long()) {
            round = round.and(queue.spill());
        }
        // Of an episode that has ended, what is made of it is made durable.
        if !closed && durable.elapsed() >= DURABLE_EVERY {
            round = round.and(journal.sync());
            round = synced.iter().fold(round, |round, path| round.and_then(|()| sync(path)));
            durable = Instant::now();
        }
        if let Err(error) = round {
            let told = format!("{error}");
            shared.lock().failed = Some(error);
            failed = Some(Error::Refused { what: told });
        }
        if closed {
            return failed.map_or(Ok(()), Err);
        }
    }
}

fn sync(path: &Path) -> Result<()> {
    let file = std::fs::File::open(path).map_err(Error::io("cannot open", path))?;
    file.sync_data().map_err(Error::io("cannot make durable", path))
}
