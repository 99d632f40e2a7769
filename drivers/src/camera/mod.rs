//! Cameras: each has a thread of its own that keeps its newest image at hand.
//!
//! ```text
//! source (pattern, …) ─ shoot ─▶ Shot { picture, at } ─▶ newest few ─▶ whoever looks, without waiting
//!         ▲─────────── reopened after a failure ────────────┘
//! ```
//! Whoever looks never waits: a shot is a shared pointer, with the instant at which it was taken; a
//! policy takes the newest, a recording the one nearest to the joint reading it is stored with. A
//! camera that fails is opened again until it is back; meanwhile its last shot stays, and its age
//! tells.

mod http;
pub mod jpeg;
mod pattern;
mod settings;
mod shot;
mod stamp;
mod turned;
mod usb;
mod v4l2;
pub mod yuyv;
pub mod zmq;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwapOption;

use crate::clock::{MILLI, SECOND};
use crate::{Clock, Error, Nanos};

pub use http::Parts;
pub use pattern::{Look, Pattern};
pub use settings::{Sent, Settings};
pub use shot::{Layout, Moment, Picture, Shot, Taken};
pub use turned::{Turn, Turned};
pub use usb::{Crowd, crowds};
pub use v4l2::{Found, devices};

/// Where pictures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A picture made here that moves, and shows the joints of a simulated arm where there is one.
    Pattern,
    /// What there is to be seen around a simulated arm, which whoever has its world paints.
    World,
    /// A device of the system: its path, or its number.
    Device(PathBuf),
    /// A stream of JPEG pictures from a phone or an IP camera.
    Http(String),
    /// One of the cameras that a ZeroMQ publisher shows as LeRobot's does.
    Zmq(zmq::Address),
    /// A video file, which whoever can decode one opens.
    Film(PathBuf),
    /// A camera of a robot that another machine hosts, which whoever has that robot opens.
    Robot,
}

/// Which camera, and how it is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraSpec {
    /// Where its pictures come from.
    pub origin: Origin,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Pictures per second.
    pub fps: u32,
    /// What a device is told before it takes pictures.
    pub settings: Settings,
}

/// What takes one picture after the other.
pub trait Source: Send {
    /// Waits for the next picture, and says when it was taken.
    fn shoot(&mut self) -> Result<Taken, Error>;

    /// Waits no longer for a picture once this is raised, should it wait for long.
    fn heed(&mut self, _over: &Arc<AtomicBool>) {}
}

/// What opens a source, again after each failure.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Source>, Error> + Send>;

/// Opens what a spec names; the pattern and a world are painted by whoever knows what they show, and a
/// video is opened by whoever can decode it.
pub fn open(name: &str, spec: &CameraSpec, clock: Clock) -> Result<Box<dyn Source>, Error> {
    let size = (spec.width, spec.height);
    Ok(match &spec.origin {
        Origin::Pattern => Box::new(Pattern::new(clock, spec.width, spec.height, spec.fps, None)),
        Origin::Http(url) => Box::new(http::Http::open(name, url, size, clock)?),
        Origin::Zmq(address) => Box::new(zmq::Zmq::open(name, address, size, clock)?),
        Origin::Device(path) => {
            let turn = spec.settings.turn;
            let (width, height) = turn.before(size);
            let mounted = CameraSpec { width, height, ..spec.clone() };
            let device = Box::new(v4l2::Device::open(name, path, &mounted, clock)?);
            match turn {
                Turn::None => device,
                turn => Box::new(Turned::new(name, device, turn)),
            }
        }
        Origin::World => {
            let what = "it sees a simulated SO-101, and there is none here; pattern needs none";
            return Err(Error::Camera { camera: name.to_owned(), what: what.to_owned() });
        }
        Origin::Robot => {
            let what =
                "it is a camera of a robot that another machine hosts, and there is none here";
            return Err(Error::Camera { camera: name.to_owned(), what: what.to_owned() });
        }
        Origin::Film(path) => {
            let what = format!("{} is a video, which nobody here can decode", path.display());
            return Err(Error::Camera { camera: name.to_owned(), what });
        }
    })
}

/// How a camera is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameraCounts {
    /// Shots taken.
    pub shots: u64,
    /// How often it failed and was opened again.
    pub failures: u64,
    /// Shots whose driver gave an instant that cannot be; that of their arrival stands for it.
    pub doubted: u64,
    /// The longest time from one shot to the next, or from the last one until now.
    pub longest_gap: Nanos,
}

/// A running camera.
pub struct Camera {
    name: String,
    clock: Clock,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// How many shots are kept: beside the newest, what a joint reading from before it may belong to.
const KEPT: u64 = 4;

#[derive(Default)]
struct Shared {
    /// The newest shots, each in the place of its number.
    kept: [ArcSwapOption<Shot>; KEPT as usize],
    /// How many there were; the newest has this number.
    shots: AtomicU64,
    failures: AtomicU64,
    doubted: AtomicU64,
    longest_gap: AtomicI64,
    stopping: Arc<AtomicBool>,
    /// Whether it is being opened: an address that nobody answers takes seconds.
    opening: AtomicBool,
    /// What it failed with last, for whoever waits for a picture.
    trouble: Mutex<Option<String>>,
}

/// How long a camera that failed is left alone.
const RETRY: Nanos = 200 * MILLI;

impl Camera {
    /// Starts a camera and waits for its first picture.
    pub fn start(
        name: &str,
        mut opener: Opener,
        clock: &Clock,
        patience: Nanos,
    ) -> Result<Self, Error> {
        let failed = |what: String| Error::Camera { camera: name.to_owned(), what };
        let mut source = opener()?;
        let taken = source.shoot()?;
        let at = taken.at;
        let shared = Arc::new(Shared::default());
        shared.keep(taken);
        let theirs = Arc::clone(&shared);
        let their_clock = clock.clone();
        let run = move || theirs.run(source, opener, &their_clock);
        let spawned = std::thread::Builder::new().name(format!("camera {name}")).spawn(run);
        let thread = spawned.map_err(|error| failed(format!("cannot start a thread: {error}")))?;
        let (thread, clock) = (Some(thread), clock.clone());
        let camera = Self { name: name.to_owned(), clock, shared, thread };
        if camera.clock.now() - at > patience {
            return Err(failed("its first picture came too late".to_owned()));
        }
        Ok(camera)
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its newest shot. Never waits.
    pub fn newest(&self) -> Option<Arc<Shot>> {
        self.shared.backwards().next()
    }

    /// The shot taken nearest to an instant, of the few that are kept. Never waits.
    ///
    /// Looks back from the newest until shots are further off again, so that one about to be let go
    /// is touched only if it is the one.
    pub fn nearest(&self, at: Nanos) -> Option<Arc<Shot>> {
        let off = |shot: &Shot| shot.at.abs_diff(at);
        let mut shots = self.shared.backwards();
        let mut nearest = shots.next()?;
        for shot in shots {
            match off(&shot).cmp(&off(&nearest)) {
                std::cmp::Ordering::Less => nearest = shot,
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => break,
            }
        }
        Some(nearest)
    }

    /// How it is doing.
    pub fn counts(&self) -> CameraCounts {
        let since = self.newest().map_or(0, |shot| self.clock.now() - shot.at);
        CameraCounts {
            shots: self.shared.shots.load(Ordering::Acquire),
            failures: self.shared.failures.load(Ordering::Relaxed),
            doubted: self.shared.doubted.load(Ordering::Relaxed),
            longest_gap: self.shared.longest_gap.load(Ordering::Relaxed).max(since),
        }
    }

    /// What it failed with last, as long as it is not back.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // One that is being opened is left to itself, and closed again once it is open.
        if !self.shared.opening.load(Ordering::SeqCst) {
            // A thread that panicked has already said so.
            let _ended = self.thread.take().map(JoinHandle::join);
        }
    }
}

impl Shared {
    fn run(&self, mut source: Box<dyn Source>, mut opener: Opener, clock: &Clock) {
        source.heed(&self.stopping);
        let mut source = Some(source);
        while !self.stopping.load(Ordering::Acquire) {
            let shot = match &mut source {
                Some(source) => source.shoot(),
                None => match self.reopen(&mut opener) {
                    Some(opened) => opened.and_then(|opened| source.insert(opened).shoot()),
                    None => break,
                },
            };
            match shot {
                Ok(taken) => self.keep(taken),
                Err(error) => {
                    if source.take().is_some() {
                        self.failures.fetch_add(1, Ordering::Relaxed);
                    }
                    *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(error.to_string());
                    clock.sleep(RETRY);
                }
            }
        }
    }

    /// Opens its source again, but for one that is not wanted any more.
    fn reopen(&self, opener: &mut Opener) -> Option<Result<Box<dyn Source>, Error>> {
        // Either this is seen by who ends it, or the end is seen here.
        self.opening.store(true, Ordering::SeqCst);
        let wanted = !self.stopping.load(Ordering::SeqCst);
        let opened = wanted.then(opener);
        self.opening.store(false, Ordering::SeqCst);
        opened.map(|opened| {
            opened.map(|mut source| {
                source.heed(&self.stopping);
                source
            })
        })
    }

    fn place(&self, number: u64) -> Option<&ArcSwapOption<Shot>> {
        self.kept.get(usize::try_from(number % KEPT).ok()?)
    }

    /// The shots that are kept, the newest first. One that is replaced meanwhile is left out, and so
    /// is all that was older.
    fn backwards(&self) -> impl Iterator<Item = Arc<Shot>> {
        let newest = self.shots.load(Ordering::Acquire);
        let numbers = (newest.saturating_sub(KEPT - 1).max(1)..=newest).rev();
        numbers.map_while(move |number| {
            let shot = self.place(number)?.load_full()?;
            // The newest may be newer by now than it was.
            (shot.number == number || number == newest).then_some(shot)
        })
    }

    fn keep(&self, taken: Taken) {
        let Taken { at, moment, picture } = taken;
        if moment == Moment::Doubted {
            self.doubted.fetch_add(1, Ordering::Relaxed);
        }
        // Only the camera's own thread comes here, so nobody counts in between.
        let number = self.shots.load(Ordering::Relaxed) + 1;
        if let Some(last) = self.backwards().next() {
            self.longest_gap.fetch_max(at - last.at, Ordering::Relaxed);
        }
        let shot = Some(Arc::new(Shot { number, at, moment, picture }));
        if let Some(place) = self.place(number) {
            place.store(shot);
        }
        self.shots.store(number, Ordering::Release);
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = None;
    }
}

/// How long the first picture may take: webcams that adjust themselves are slow.
pub const PATIENCE: Nanos = 5 * SECOND;

#[cfg(test)]
mod tests;
