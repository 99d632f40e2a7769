//! The connection: what its host says, and what it is told.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::goals::{Goals, Newest};
use crate::camera::{Moment, Source, Taken, jpeg};
use crate::clock::MILLI;
use crate::line::Line;
use crate::spec::ArmSpec;
use crate::zmtp::{self, Socket};
use crate::{Clock, Error, Nanos};

/// How long it may take to accept, and to say something.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a message may take to come whole before the connection is made anew.
const SILENCE: Duration = Duration::from_secs(1);
/// How long goals may take to be taken; what takes longer waits behind old ones.
const TAKES: Duration = Duration::from_millis(100);
/// How old goals may be to be said: its base goes on as long without a word.
const OLD: Nanos = 500 * MILLI;
/// How long it is left alone before that.
const RETRY: Duration = Duration::from_millis(200);
/// The longest message: a few pictures.
const MOST: u64 = 32 << 20;
/// The most values: an arm's and a base's.
pub(super) const VALUES: usize = 16;

/// Where its host takes and says things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Where it takes commands.
    pub commands: u16,
    /// Where it says what it sees.
    pub observations: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { commands: 5555, observations: 5556 }
    }
}

/// What was heard last.
pub(super) struct Heard {
    /// Which message, counted from 1.
    pub number: u64,
    /// When it came.
    pub at: Nanos,
    /// Where it is, in the order of the arm's values.
    pub values: [Said; VALUES],
    /// What its cameras see.
    pub pictures: Vec<(String, Bytes)>,
}

/// One value, as it was said last.
#[derive(Clone, Copy, Default)]
pub(super) struct Said {
    pub value: f64,
    /// In which message.
    pub number: u64,
    /// When that came.
    pub at: Nanos,
}

pub(super) struct Shared {
    pub address: String,
    pub clock: Clock,
    names: Vec<String>,
    newest: ArcSwapOption<Heard>,
    count: AtomicU64,
    /// The newest goals that were really written.
    written: AtomicU64,
    over: Arc<AtomicBool>,
    came: (Mutex<u64>, Condvar),
}

impl Shared {
    pub fn newest(&self) -> Guard<Option<Arc<Heard>>> {
        self.newest.load()
    }

    /// Which goals were really written last.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }
}

/// A LeKiwi elsewhere.
pub struct LeKiwi {
    shared: Arc<Shared>,
    goals: Mutex<Option<Goals>>,
    cameras: Vec<(String, u32, u32)>,
    threads: Vec<JoinHandle<()>>,
}

impl LeKiwi {
    /// Connects to the host program at this name or address, and waits for its first words.
    pub fn connect(host: &str, ports: Ports, spec: &ArmSpec, clock: Clock) -> Result<Self, Error> {
        let address = format!("{host}:{}", ports.observations);
        let failed = |source| Error::Port { port: address.clone(), source };
        let shared = Arc::new(Shared {
            address: address.clone(),
            clock,
            names: spec.value_names(),
            newest: ArcSwapOption::empty(),
            count: AtomicU64::new(0),
            written: AtomicU64::new(0),
            over: Arc::default(),
            came: Default::default(),
        });
        let mut ear =
            Line::open(&*address, Socket::Pull, PATIENCE, &shared.over).map_err(failed)?;
        let first = zmtp::receive(ear.within(PATIENCE), MOST).map_err(failed)?;
        shared.take(first).map_err(failed)?;
        let newest = shared.newest();
        let pictures = newest.iter().flat_map(|heard| &heard.pictures);
        let cameras = pictures.filter_map(|(name, file)| {
            let (width, height) = jpeg::size(file)?;
            Some((name.clone(), width, height))
        });
        let cameras = cameras.collect();
        drop(newest);
        let (goals, newest) = Goals::new();
        let commands = format!("{host}:{}", ports.commands);
        let mouth = Line::open(&*commands, Socket::Push, PATIENCE, &shared.over)
            .map_err(|source| Error::Port { port: commands.clone(), source })?;
        let (hears, speaks) = (Arc::clone(&shared), Arc::clone(&shared));
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(failed)
        };
        let threads = vec![
            spawn("lekiwi hears", Box::new(move || hears.hear(ear)))?,
            spawn("lekiwi speaks", Box::new(move || speaks.speak(mouth, &commands, &newest)))?,
        ];
        Ok(Self { shared, goals: Mutex::new(Some(goals)), cameras, threads })
    }

    /// Where it is, as a port.
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// Its cameras, and how large their pictures are.
    pub fn cameras(&self) -> &[(String, u32, u32)] {
        &self.cameras
    }

    /// One of its cameras, as a source of pictures.
    pub fn eye(self: &Arc<Self>, name: &str) -> Result<Eye, Error> {
        let camera = self.cameras.iter().find(|(known, _, _)| known == name);
        let (name, width, height) = camera.cloned().ok_or_else(|| Error::Camera {
            camera: name.to_owned(),
            what: format!("{} has none of that name", self.shared.address),
        })?;
        Ok(Eye { robot: Arc::clone(self), name, width, height, seen: 0 })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The way to it; there is one.
    pub(super) fn goals(&self) -> Option<Goals> {
        self.goals.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Wakes who speaks. Never waits.
    pub(super) fn wake(&self) {
        if let Some(speaks) = self.threads.last() {
            speaks.thread().unpark();
        }
    }
}

impl Drop for LeKiwi {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        self.wake();
        for thread in self.threads.drain(..) {
            // A thread that panicked has already said so.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Hears until it is over; what fails is connected to again.
    fn hear(&self, line: Line) {
        let mut line = Some(line);
        while !self.over() {
            let heard = match &mut line {
                Some(line) => {
                    zmtp::receive(line.within(SILENCE), MOST).and_then(|frames| self.take(frames))
                }
                None => Line::open(&*self.address, Socket::Pull, SILENCE, &self.over)
                    .map(|opened| line = Some(opened)),
            };
            if heard.is_err() && !self.over() {
                line = None;
                std::thread::sleep(RETRY);
            }
        }
    }

    /// Takes a message in: what is no number stays as it was.
    fn take(&self, frames: Vec<Vec<u8>>) -> io::Result<()> {
        let wrong = || io::Error::new(ErrorKind::InvalidData, "what it says is no LeKiwi's state");
        let mut frames = frames.into_iter();
        let head = frames.next().ok_or_else(wrong)?;
        let head: Map<String, Value> =
            serde_json::from_slice(&head).map_err(|_no_object| wrong())?;
        let before = self.newest.load().as_ref().map(|heard| heard.values);
        let mut values = before.unwrap_or_default();
        let (at, number) = (self.clock.now(), self.count.load(Ordering::Acquire) + 1);
        for (place, name) in values.iter_mut().zip(&self.names) {
            let said = head.get(name).and_then(Value::as_f64).filter(|said| said.is_finite());
            match (said, before) {
                (Some(value), _) => *place = Said { value, number, at },
                // A robot of which not every joint is known is not driven.
                (None, None) => return Err(wrong()),
                (None, Some(_)) => {}
            }
        }
        let names = head.get("_cams").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let names = names.iter().filter_map(Value::as_str).map(str::to_owned);
        let pictures = names.zip(frames.map(Bytes::from)).filter(|(_, file)| !file.is_empty());
        let pictures = pictures.collect();
        self.count.store(number, Ordering::Release);
        self.newest.store(Some(Arc::new(Heard { number, at, values, pictures })));
        *self.came.0.lock().unwrap_or_else(PoisonError::into_inner) = number;
        self.came.1.notify_all();
        Ok(())
    }

    /// Says the newest goals until it is over, each once, and none that are old by then.
    fn speak(&self, line: Line, address: &str, goals: &Newest) {
        let mut line = Some(line);
        let mut cuts = 0;
        while !self.over() {
            let newest = goals.read();
            if let Some(goal) = newest.filter(|goal| goal.cuts != cuts) {
                // With the connection goes what still waits in it.
                (line, cuts) = (None, goal.cuts);
            }
            let due = newest
                .filter(|goal| goal.number != self.written() && self.clock.now() - goal.at < OLD);
            if let Some((goal, values)) = due.and_then(|goal| Some((goal.number, goal.values?))) {
                let said = match &mut line {
                    Some(line) => zmtp::send(line.within(TAKES), &[self.words(&values).as_bytes()])
                        .map(|()| self.written.store(goal, Ordering::Release)),
                    None => Line::open(address, Socket::Push, SILENCE, &self.over)
                        .map(|opened| line = Some(opened)),
                };
                if said.is_ok() {
                    continue;
                }
                line = None;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn words(&self, goals: &[f64]) -> String {
        let named = self.names.iter().zip(goals.iter().copied());
        Value::Object(named.map(|(name, goal)| (name.clone(), goal.into())).collect()).to_string()
    }
}

/// One of its cameras.
pub struct Eye {
    robot: Arc<LeKiwi>,
    name: String,
    width: u32,
    height: u32,
    seen: u64,
}

impl Eye {
    fn failed(&self, what: impl Into<String>) -> Error {
        Error::Camera { camera: self.name.clone(), what: what.into() }
    }
}

impl Source for Eye {
    fn shoot(&mut self) -> Result<Taken, Error> {
        let shared = Arc::clone(self.robot.shared());
        let number = shared.came.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self.seen;
        let waited =
            shared.came.1.wait_timeout_while(number, 3 * SILENCE, |number| *number <= seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        let heard = shared.newest.load_full().filter(|heard| heard.number > seen);
        let heard = heard.ok_or_else(|| self.failed("nothing came for three seconds"))?;
        self.seen = heard.number;
        let picture = heard.pictures.iter().find(|(name, _)| *name == self.name);
        let (_, file) = picture.ok_or_else(|| self.failed("its host shows no picture of it"))?;
        let picture = jpeg::decode_exchanged(file, self.width, self.height)
            .map_err(|what| self.failed(what))?;
        Ok(Taken { at: heard.at, moment: Moment::Arrival, picture })
    }
}
