//! A camera of another machine that a ZeroMQ publisher shows, as LeRobot's image server does
//! (`lerobot.cameras.zmq`, LeRobot 0.6.1).
//!
//! Whoever decodes more slowly than the server sends gets the newest picture. Instants are those at which a
//! picture was here whole.

mod message;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::http::address;
use super::{Moment, Source, Taken, jpeg};
use crate::line::Line;
use crate::zmtp::{self, Socket};
use crate::{Clock, Error};

pub use message::Message;

/// The port that LeRobot's server takes.
pub const PORT: u16 = 5555;
/// How long no picture may come before the connection is made anew.
pub const SILENCE: Duration = Duration::from_secs(3);
/// How long it may take to connect, and to shake hands.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest message: the pictures of a few cameras.
pub const LONGEST: u64 = 32 << 20;
/// Messages that show whether a server has one camera: not each has a picture of all.
const LISTENED: usize = 10;
/// Cameras that are told at most where the one that was asked for is not there.
const MOST_TOLD: usize = 10;
/// Messages that are left out at most because newer ones are there.
const MOST_LEFT_OUT: usize = 1000;

/// Which camera of which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its name or number.
    pub host: String,
    /// Where it publishes.
    pub port: u16,
    /// What it calls the camera; nothing where it has only one.
    pub camera: Option<String>,
    /// Whether its files have red and blue exchanged, as LeRobot's have: OpenCV takes the red it is handed
    /// for blue.
    pub exchanged: bool,
    /// How long no picture may come before the connection is made anew.
    pub silence: Duration,
}

impl Address {
    /// A camera of a server that does everything as LeRobot's.
    pub fn new(host: &str, port: u16, camera: Option<&str>) -> Self {
        let camera = camera.map(str::to_owned);
        Self { host: host.to_owned(), port, camera, exchanged: true, silence: SILENCE }
    }

    /// What `zmq://HOST:PORT/CAMERA` means; port and camera may be left out.
    pub fn parse(url: &str) -> Option<Self> {
        let (host, port, path) = address(url, "zmq://", PORT)?;
        let camera = path.trim_start_matches('/');
        Some(Self::new(host, port, (!camera.is_empty()).then_some(camera)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, camera, .. } = self;
        let brackets = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "zmq://{}{host}{}:{port}", brackets.0, brackets.1)?;
        camera.iter().try_for_each(|camera| write!(f, "/{camera}"))
    }
}

/// How wide and how high the pictures of a camera are.
pub fn look(name: &str, at: &Address, clock: Clock) -> Result<(u32, u32), Error> {
    let mut camera = Zmq::open(name, at, (0, 0), clock)?;
    let file = camera.newest()?;
    jpeg::size(&file).ok_or_else(|| camera.failed("a picture without a size"))
}

/// A camera behind such an address.
pub struct Zmq {
    name: String,
    at: Address,
    /// What the server calls it, once that is known.
    camera: Option<String>,
    size: (u32, u32),
    clock: Clock,
    line: Line,
    /// What went wrong after a picture that was still shown.
    trouble: Option<Error>,
}

impl Zmq {
    /// Connects and asks for pictures of this size.
    pub fn open(name: &str, at: &Address, size: (u32, u32), clock: Clock) -> Result<Self, Error> {
        let gone = |error: io::Error| Error::Camera {
            camera: name.to_owned(),
            what: format!("{at} cannot be reached: {}", told(&error, PATIENCE)),
        };
        let place = (at.host.as_str(), at.port);
        let line = Line::open(place, Socket::Subscribe, PATIENCE, &Arc::default());
        let mut line = line.map_err(gone)?;
        zmtp::subscribe(line.within(PATIENCE)).map_err(gone)?;
        let (name, at, camera) = (name.to_owned(), at.clone(), at.camera.clone());
        Ok(Self { name, at, camera, size, clock, line, trouble: None })
    }

    fn failed(&self, what: impl fmt::Display) -> Error {
        Error::Camera { camera: self.name.clone(), what: format!("{}: {what}", self.at) }
    }

    /// The next message's last frame: before it may stand what it is about.
    fn message(&mut self) -> io::Result<Vec<u8>> {
        let mut frames = zmtp::receive(&mut self.line, LONGEST)?;
        Ok(frames.pop().unwrap_or_default())
    }

    /// The name of the only camera that the server shows.
    fn only(&mut self) -> Result<String, Error> {
        let mut shown: Vec<String> = Vec::new();
        self.line.within(self.at.silence);
        for _ in 0..LISTENED {
            let bytes = match self.message() {
                Err(error) if error.kind() == ErrorKind::TimedOut && !shown.is_empty() => break,
                bytes => bytes.map_err(|error| self.failed(told(&error, self.at.silence)))?,
            };
            let message = Message::read(&bytes).map_err(|what| self.failed(what))?;
            for name in message.names() {
                if !shown.iter().any(|known| known == name) {
                    shown.push(name.to_owned());
                }
            }
            if let [one, _, ..] = &*shown {
                let all = shown.join(" and ");
                return Err(self.failed(format!("it shows {all}: which one? {}/{one}", self.at)));
            }
        }
        shown.pop().ok_or_else(|| self.failed("it shows no camera"))
    }

    /// The file of the newest picture that is here, or else of the next one.
    fn newest(&mut self) -> Result<Vec<u8>, Error> {
        if let Some(error) = self.trouble.take() {
            return Err(error);
        }
        let camera = match self.camera.clone() {
            Some(camera) => camera,
            None => self.only()?,
        };
        self.camera = Some(camera.clone());
        let (mut newest, mut others) = (None, BTreeSet::new());
        self.line.within(self.at.silence);
        for _ in 0..MOST_LEFT_OUT {
            match self.next(&camera, &mut others) {
                Ok(file) => newest = file.or(newest),
                // A picture that is here is shown, whatever became of those after it.
                Err(error) if newest.is_some() => {
                    self.trouble = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
            if newest.is_some() && !self.line.has_frame() {
                break;
            }
        }
        newest.ok_or_else(|| self.failed("no picture of it in a thousand messages"))
    }

    /// The camera's file in the next message, if it has one; `others` is what all of them showed.
    fn next(
        &mut self,
        camera: &str,
        others: &mut BTreeSet<String>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let bytes = self.message().map_err(|error| match error.kind() {
            ErrorKind::TimedOut if !others.is_empty() => {
                let others = others.iter().cloned().collect::<Vec<_>>().join(" and ");
                self.failed(format!("no camera is called {camera}, but {others}"))
            }
            _ => self.failed(told(&error, self.at.silence)),
        })?;
        let message = Message::read(&bytes).map_err(|what| self.failed(what))?;
        for name in message.names() {
            if !others.contains(name) && others.len() < MOST_TOLD {
                others.insert(name.to_owned());
            }
        }
        message.file(camera).map_err(|what| self.failed(what))
    }
}

impl Source for Zmq {
    fn shoot(&mut self) -> Result<Taken, Error> {
        let file = self.newest()?;
        let at = self.clock.now();
        let (width, height) = self.size;
        let decode = if self.at.exchanged { jpeg::decode_exchanged } else { jpeg::decode };
        let picture = decode(&file, width, height).map_err(|what| self.failed(what))?;
        Ok(Taken { at, moment: Moment::Arrival, picture })
    }

    fn heed(&mut self, over: &Arc<AtomicBool>) {
        self.line.heed(over);
    }
}

fn told(error: &io::Error, patience: Duration) -> String {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            format!("nothing came for {} seconds", patience.as_secs_f32())
        }
        ErrorKind::UnexpectedEof => "it has hung up".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
