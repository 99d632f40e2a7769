//! Cameras: each has a thread of its own that keeps its newest image at hand.
//!
//! ```text
//! source (pattern, …) ─ shoot ─▶ Shot { picture, at } ─▶ newest ─▶ whoever looks, without waiting
//!         ▲─────────── reopened after a failure ────────────┘
//! ```
//! Whoever looks never waits: the control thread takes the newest shot as a shared pointer, with the
//! instant at which it was taken. A camera that fails is opened again until it is back; meanwhile its
//! last shot stays, and its age tells.

mod http;
mod jpeg;
mod pattern;
mod shot;
mod stamp;
mod v4l2;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwapOption;

use crate::clock::{MILLI, SECOND};
use crate::{Clock, Error, Nanos};

pub use http::Parts;
pub use pattern::{Look, Pattern};
pub use shot::{Layout, Moment, Picture, Shot, Taken};
pub use v4l2::{Found, devices};

/// Where pictures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A picture made here that moves, and shows the joints of a simulated arm where there is one.
    Pattern,
    /// A device of the system: its path, or its number.
    Device(PathBuf),
    /// A stream of JPEG pictures from a phone or an IP camera.
    Http(String),
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
}

/// What takes one picture after the other.
pub trait Source: Send {
    /// Waits for the next picture, and says when it was taken.
    fn shoot(&mut self) -> Result<Taken, Error>;
}

/// What opens a source, again after each failure.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Source>, Error> + Send>;

/// Opens what a spec names; the pattern is made by whoever knows what it shows.
pub fn open(name: &str, spec: &CameraSpec, clock: Clock) -> Result<Box<dyn Source>, Error> {
    let size = (spec.width, spec.height);
    Ok(match &spec.origin {
        Origin::Pattern => Box::new(Pattern::new(clock, spec.width, spec.height, spec.fps, None)),
        Origin::Http(url) => Box::new(http::Http::open(name, url, size, clock)?),
        Origin::Device(path) => Box::new(v4l2::Device::open(name, path, size, spec.fps, clock)?),
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
}

/// A running camera.
pub struct Camera {
    name: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    newest: ArcSwapOption<Shot>,
    shots: AtomicU64,
    failures: AtomicU64,
    doubted: AtomicU64,
    stopping: AtomicBool,
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
        let camera = Self { name: name.to_owned(), shared, thread: Some(thread) };
        if clock.now() - at > patience {
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
        self.shared.newest.load_full()
    }

    /// How it is doing.
    pub fn counts(&self) -> CameraCounts {
        CameraCounts {
            shots: self.shared.shots.load(Ordering::Relaxed),
            failures: self.shared.failures.load(Ordering::Relaxed),
            doubted: self.shared.doubted.load(Ordering::Relaxed),
        }
    }

    /// What it failed with last, as long as it is not back.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // A thread that panicked has already said so.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn run(&self, source: Box<dyn Source>, mut opener: Opener, clock: &Clock) {
        let mut source = Some(source);
        while !self.stopping.load(Ordering::Acquire) {
            let shot = match &mut source {
                Some(source) => source.shoot(),
                None => opener().and_then(|mut opened| {
                    let shot = opened.shoot();
                    source = Some(opened);
                    shot
                }),
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

    fn keep(&self, taken: Taken) {
        let Taken { at, moment, picture } = taken;
        if moment == Moment::Doubted {
            self.doubted.fetch_add(1, Ordering::Relaxed);
        }
        let number = self.shots.fetch_add(1, Ordering::Relaxed) + 1;
        self.newest.store(Some(Arc::new(Shot { number, at, moment, picture })));
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = None;
    }
}

/// How long the first picture may take: webcams that adjust themselves are slow.
pub const PATIENCE: Nanos = 5 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// Gives three pictures, then fails.
    struct Weak {
        left: u32,
        clock: Clock,
    }

    impl Source for Weak {
        fn shoot(&mut self) -> Result<Taken, Error> {
            std::thread::yield_now();
            self.left = self.left.checked_sub(1).ok_or_else(|| Error::Camera {
                camera: "weak".into(),
                what: "the cable is out".into(),
            })?;
            let pixels = Bytes::from(vec![0; Layout::Rgb8.len(2, 2)]);
            let picture = Picture { width: 2, height: 2, layout: Layout::Rgb8, pixels };
            // Its driver's clock has stopped.
            Ok(Taken { at: self.clock.now(), moment: Moment::Doubted, picture })
        }
    }

    #[test]
    fn a_camera_that_fails_is_opened_again_and_counted() {
        let clock = Clock::virtual_time();
        let theirs = clock.clone();
        let opener =
            move || Ok(Box::new(Weak { left: 3, clock: theirs.clone() }) as Box<dyn Source>);
        let camera = Camera::start("weak", Box::new(opener), &clock, PATIENCE).unwrap();
        while camera.counts().shots < 20 {
            std::thread::yield_now();
        }
        let counts = camera.counts();
        assert!(counts.failures >= counts.shots / 3 - 1, "{counts:?}");
        assert!(camera.newest().unwrap().number >= 19);
        assert!(counts.doubted >= 19, "{counts:?}");
    }

    #[test]
    fn one_that_cannot_be_opened_says_so_at_once() {
        let opener = || Err(Error::Camera { camera: "none".into(), what: "is not there".into() });
        let failed =
            Camera::start("none", Box::new(opener), &Clock::virtual_time(), PATIENCE).err();
        assert_eq!(failed.unwrap().to_string(), "camera none: is not there");
    }
}
