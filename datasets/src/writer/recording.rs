//! The running episode: frames pushed from any thread, rows to the journal, images to their encoders.
//!
//! `push` only copies a row into memory and hands image buffers over; a disk thread appends rows and
//! the images that an encoder leaves waiting, and makes them durable twice a second.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Options;
use super::camera::{Camera, Files};
use super::failure::{self, Failure};
use super::journal::{Journal, RowFormat};
use super::queue::Queue;
use super::spool::Spool;
use crate::frame::Frame;
use crate::image::Image;
use crate::schema::{Feature, Info};
use crate::{Error, Result, durable};

/// More cameras than this on one robot are refused.
pub const MOST_CAMERAS: usize = 32;
/// How often the disk thread looks.
const ROUND: Duration = Duration::from_millis(100);
/// How often it waits for the disk. With what a round and the encoders add, and the wait itself, a
/// power cut takes no more than the last second of the running episode.
const DURABLE_EVERY: Duration = Duration::from_millis(500);

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
    /// How many frames are on the disk with everything they have.
    durable: AtomicU64,
    failure: Arc<Failure>,
}

struct Pending {
    rows: Vec<u8>,
    frames: u64,
    seen: [bool; MOST_CAMERAS],
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Adds a frame. A camera without a new image repeats its last one, which is counted.
    ///
    /// Never waits for an encoder or the disk. Once one of them has failed every call says why: the
    /// episode can be saved up to there.
    pub fn push(&self, frame: &Frame) -> Result<()> {
        let shared = &*self.shared;
        if let Some(error) = shared.failure.told() {
            return Err(error);
        }
        let mut pending = shared.lock();
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
        let (cameras, now) = (shared.cameras.len(), Instant::now());
        shared.format.write(number, frame, &repeated[..cameras], &mut pending.rows)?;
        for (at, ((_, _, queue), image)) in shared.cameras.iter().zip(&frame.images).enumerate() {
            match image {
                Some(_) if !repeated[at] => pending.seen[at] = true,
                _ => drop(shared.repeated.fetch_add(1, Ordering::Relaxed)),
            }
            queue.push(image.as_ref().filter(|_| !repeated[at]), now);
        }
        pending.frames += 1;
        Ok(())
    }

    /// Whether images pile up because an encoder or the disk does not keep up: whoever does not
    /// record in real time waits then.
    pub fn is_busy(&self) -> bool {
        // Nobody takes images any more after a failure.
        let (waits, now) = (self.shared.failure.told().is_none(), Instant::now());
        waits && self.shared.cameras.iter().any(|(_, _, queue)| queue.is_long(now))
    }

    /// How many frames were pushed.
    pub fn frames(&self) -> u64 {
        self.shared.lock().frames
    }

    /// How many of them no power cut can take any more.
    pub fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// The most bytes that wait in memory for one encoder.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        let cameras = self.shared.cameras.iter();
        cameras.map(|(_, _, queue)| queue.memory()).max().unwrap_or_default()
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
    shared: Arc<Shared>,
    cameras: Vec<Camera>,
    disk: JoinHandle<()>,
}

impl Recording {
    /// Begins an episode in a folder of its own. `options` say what the images of one camera may take
    /// while they wait for their encoder.
    pub fn start(folder: &Path, info: &Info, episode: u64, options: &Options) -> Result<Self> {
        durable::keep_folders(folder)?;
        let journal = Journal::create(&folder.join("journal"), info, episode, &options.coding)?;
        let format = RowFormat::new(info);
        let mut cameras = Vec::new();
        let mut named = Vec::new();
        let mut kept = Kept { files: Vec::new(), spools: Vec::new() };
        let failure = Arc::new(Failure::default());
        for name in format.cameras() {
            let Some(feature) = info.feature(name) else { continue };
            let refuse =
                |what: &str| Error::Feature { feature: name.clone(), what: what.to_owned() };
            if named.len() == MOST_CAMERAS {
                return Err(refuse("there are more cameras than can be recorded at once"));
            }
            let files = Files::of(folder, name, feature.dtype);
            kept.files.extend([files.images.clone(), files.counts.clone()]);
            kept.spools.push(Spool::new(&files.spool, options.memory));
            let camera = Camera::start(files, (name, feature), info.fps, options, &failure)?;
            named.push((name.clone(), feature.clone(), Arc::clone(&camera.queue)));
            cameras.push(camera);
        }
        durable::sync_folder(folder)?;
        let pending = Pending {
            rows: Vec::with_capacity(1 << 18),
            frames: 0,
            seen: [false; MOST_CAMERAS],
            closed: false,
        };
        let shared = Arc::new(Shared {
            format,
            cameras: named,
            pending: Mutex::new(pending),
            wake: Condvar::new(),
            repeated: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            failure: Arc::clone(&failure),
        });
        let theirs = Arc::clone(&shared);
        let disk = failure::spawn("journal", &failure, move || keep(&theirs, journal, kept))?;
        Ok(Self { shared, cameras, disk })
    }

    /// What takes this episode's frames.
    pub fn recorder(&self) -> Recorder {
        Recorder { shared: Arc::clone(&self.shared) }
    }

    /// What ended it before its time.
    pub fn failure(&self) -> Option<Error> {
        self.shared.failure.told()
    }

    /// Ends the episode: everything pushed was handed to the system when this returns. Gives how many
    /// frames were pushed, and what went wrong; what the other parts hold is kept all the same.
    pub fn finish(self) -> (u64, Option<Error>) {
        let mut pending = self.shared.lock();
        pending.closed = true;
        let pushed = pending.frames;
        drop(pending);
        self.shared.wake.notify_all();
        self.cameras.iter().for_each(|camera| camera.queue.close());
        self.cameras.into_iter().for_each(Camera::finish);
        // A panic was told already.
        self.disk.join().unwrap_or_default();
        (pushed, self.shared.failure.told())
    }
}

/// What the disk thread makes durable beside the journal.
struct Kept {
    files: Vec<PathBuf>,
    /// One for each camera.
    spools: Vec<Spool>,
}

/// The disk thread: appends rows, and images that wait too long or are too many; makes all durable.
fn keep(shared: &Shared, mut journal: Journal, mut kept: Kept) -> Result<()> {
    let mut rows = Vec::with_capacity(1 << 18);
    let mut due = Instant::now() + DURABLE_EVERY;
    loop {
        let round = ROUND.min(due.saturating_duration_since(Instant::now()));
        let pending = shared.lock();
        let waited = shared.wake.wait_timeout_while(pending, round, |pending| !pending.closed);
        let (mut pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut pending.rows, &mut rows);
        let (appended, closed) = (pending.frames, pending.closed);
        drop(pending);
        // A row that is not whole ends the journal: nothing may come behind it.
        journal.append(&rows)?;
        rows.clear();
        let now = Instant::now();
        for ((_, _, queue), spool) in shared.cameras.iter().zip(&mut kept.spools) {
            if let Err(error) = queue.spool(spool, now) {
                shared.failure.end(error);
            }
        }
        // Of an episode that has ended, what is made of it is made durable.
        if closed {
            return Ok(());
        }
        if now >= due {
            due = now + DURABLE_EVERY;
            make_durable(shared, appended, &journal, &mut kept)?;
        }
    }
}

/// Waits for the disk. What a spool has of frames that are safe in the video now is forgotten.
fn make_durable(shared: &Shared, appended: u64, journal: &Journal, kept: &mut Kept) -> Result<()> {
    let queues = || shared.cameras.iter().map(|(_, _, queue)| queue);
    let whole = queues().fold(appended, |whole, queue| whole.min(queue.kept()));
    let spent: Vec<u64> = queues().map(|queue| queue.in_video()).collect();
    journal.sync()?;
    kept.files.iter().try_for_each(|path| durable::sync_file(path))?;
    kept.spools.iter_mut().try_for_each(Spool::sync)?;
    shared.durable.store(whole, Ordering::Release);
    kept.spools.iter_mut().zip(spent).try_for_each(|(spool, first)| spool.clear_before(first))
}
