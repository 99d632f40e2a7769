//! Cameras for other programs on this machine: over HTTP as phones serve theirs, and as LeRobot's
//! camera of type `zmq` takes them.
//!
//! ```text
//! cameras ─▶ newest shot ─▶ one JPEG file of it ─▶ every viewer that has not had it yet
//! ```
//! A picture is coded when the first viewer asks for it, so cameras that nobody looks at cost no more
//! than their pictures. Each viewer has a thread, and there are only so many.

mod http;
mod zmq;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use sinew_drivers::camera::Camera;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{Clock, Nanos};

use crate::cameras::image;
use crate::cameras::jpeg;
use crate::door::Door;

/// What a JPEG picture is worth.
const QUALITY: u8 = 90;
/// How many may look at once, over each protocol.
const VIEWERS: usize = 16;
/// How long a picture is waited for.
const AWAITED: Nanos = 3 * SECOND;

/// Cameras that are shown. Dropping it ends that.
pub struct Streams {
    shown: Arc<Shown>,
    doors: Vec<Door>,
    http: SocketAddr,
    zmq: SocketAddr,
}

/// How viewers of one protocol are served, until they have had enough or the pictures end.
type Serve = fn(&Shown, TcpStream) -> io::Result<()>;

impl Streams {
    /// Shows cameras on this machine alone: over HTTP on this port, or on any that is free.
    pub fn start(cameras: Arc<[Camera]>, port: u16) -> io::Result<Self> {
        let shown = Arc::new(Shown::new(cameras));
        let here = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let (web, publisher) = (here(port)?, here(0)?);
        let (http, zmq) = (web.local_addr()?, publisher.local_addr()?);
        let mut streams = Self { shown, doors: Vec::new(), http, zmq };
        streams.open("http", web, http::serve)?;
        streams.open("zmq", publisher, zmq::serve)?;
        Ok(streams)
    }

    /// Where a camera of this name is seen over HTTP.
    pub fn address(&self, camera: &str) -> String {
        format!("http://{}/{camera}.mjpg", self.http)
    }

    /// The port at which LeRobot's camera of type `zmq` finds them all.
    pub fn zmq_port(&self) -> u16 {
        self.zmq.port()
    }

    fn open(&mut self, name: &str, listener: TcpListener, serve: Serve) -> io::Result<()> {
        let shown = Arc::clone(&self.shown);
        let door = Door::open(name, listener, VIEWERS, move |stream| serve(&shown, stream))?;
        self.doors.push(door);
        Ok(())
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.shown.over.store(true, Ordering::Release);
    }
}

/// How a picture becomes a file.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    /// As LeRobot's image server makes it.
    Exchanged,
}

/// What viewers see.
struct Shown {
    cameras: Arc<[Camera]>,
    /// The last picture of each that somebody has asked for, and its number, in either form.
    files: Box<[[Mutex<File>; 2]]>,
    /// What makes instants of the cameras' clock times of day.
    wall: Nanos,
    over: AtomicBool,
}

#[derive(Clone, Default)]
struct File {
    number: u64,
    at: Nanos,
    jpeg: Arc<[u8]>,
}

impl Shown {
    fn new(cameras: Arc<[Camera]>) -> Self {
        let files = cameras.iter().map(|_| Default::default()).collect();
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Nanos::try_from(epoch.as_nanos()).unwrap_or(0) - Clock::Real.now();
        Self { cameras, files, wall, over: AtomicBool::new(false) }
    }

    /// The place of the camera of this name.
    fn place(&self, name: &str) -> Option<usize> {
        self.cameras.iter().position(|camera| camera.name() == name)
    }

    /// The newest picture of a camera, if it is newer than this one.
    fn newer(&self, place: usize, than: u64, form: Form) -> Option<File> {
        let shot = self.cameras.get(place)?.newest().filter(|shot| shot.number > than)?;
        let file = self.files.get(place)?.get(form as usize)?;
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.number < shot.number {
            let make = match form {
                Form::Plain => jpeg::jpeg,
                Form::Exchanged => jpeg::exchanged,
            };
            let jpeg = make(&image(&shot)?, QUALITY).ok()?.into();
            *file = File { number: shot.number, at: shot.at, jpeg };
        }
        Some(file.clone())
    }

    /// Waits for what `look` finds. Nothing where it does not come, or all is over.
    fn wait<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let end = Clock::Real.now() + AWAITED;
        while !self.over.load(Ordering::Acquire) && Clock::Real.now() < end {
            if let Some(found) = look() {
                return Some(found);
            }
            Clock::Real.sleep(2 * MILLI);
        }
        None
    }
}

#[cfg(test)]
mod tests;
