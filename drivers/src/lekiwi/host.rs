//! The connection: what its host says, and what it is told.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use bytes::Bytes;
use rtrb::{Consumer, Producer, RingBuffer};
use serde_json::{Map, Value};

use crate::camera::{Moment, Source, Taken, jpeg};
use crate::spec::ArmSpec;
use crate::zmtp::{self, Socket};
use crate::{Clock, Error, Nanos};

/// How long it may take to accept, and to say something.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing may come before the connection is made anew.
const SILENCE: Duration = Duration::from_secs(1);
/// How long it is left alone before that.
const RETRY: Duration = Duration::from_millis(200);
/// The longest message: a few pictures.
const MOST: u64 = 32 << 20;
/// The most values: an arm's and a base's.
pub(super) const VALUES: usize = 16;
/// Goals that may wait; the newest counts.
const ROOM: usize = 8;

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
    pub values: [f64; VALUES],
    /// What its cameras see.
    pub pictures: Vec<(String, Bytes)>,
}

/// What is to be done.
#[derive(Clone, Copy)]
pub(super) struct Goals(pub [f64; VALUES]);

pub(super) struct Shared {
    pub address: String,
    pub clock: Clock,
    names: Vec<String>,
    newest: ArcSwapOption<Heard>,
    count: AtomicU64,
    over: AtomicBool,
    came: (Mutex<u64>, Condvar),
}

impl Shared {
    pub fn newest(&self) -> Guard<Option<Arc<Heard>>> {
        self.newest.load()
    }
}

/// A LeKiwi elsewhere.
pub struct LeKiwi {
    shared: Arc<Shared>,
    goals: Mutex<Option<Producer<Goals>>>,
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
            over: AtomicBool::new(false),
            came: Default::default(),
        });
        let mut ear = open(&address, Socket::Pull).map_err(failed)?;
        ear.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        shared.take(zmtp::receive(&mut ear, MOST).map_err(failed)?).map_err(failed)?;
        let newest = shared.newest();
        let pictures = newest.iter().flat_map(|heard| &heard.pictures);
        let cameras = pictures.filter_map(|(name, file)| {
            let (width, height) = jpeg::size(file)?;
            Some((name.clone(), width, height))
        });
        let cameras = cameras.collect();
        drop(newest);
        let (goals, waiting) = RingBuffer::new(ROOM);
        let commands = format!("{host}:{}", ports.commands);
        let mouth = open(&commands, Socket::Push)
            .map_err(|source| Error::Port { port: commands.clone(), source })?;
        let (hears, speaks) = (Arc::clone(&shared), Arc::clone(&shared));
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(failed)
        };
        let threads = vec![
            spawn("lekiwi hears", Box::new(move || hears.hear(ear)))?,
            spawn("lekiwi speaks", Box::new(move || speaks.speak(mouth, &commands, waiting)))?,
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
    pub(super) fn goals(&self) -> Option<Producer<Goals>> {
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

fn open(address: &str, socket: Socket) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, PATIENCE) {
            Ok(mut stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(SILENCE))?;
                stream.set_write_timeout(Some(SILENCE))?;
                zmtp::greet(&mut stream, socket)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Shared {
    fn over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Hears until it is over; what fails is connected to again.
    fn hear(&self, stream: TcpStream) {
        let mut stream = Some(stream);
        if let Some(stream) = &stream {
            // A socket that takes no limit keeps the longer one it has.
            stream.set_read_timeout(Some(SILENCE)).unwrap_or_default();
        }
        while !self.over() {
            let heard = match &mut stream {
                Some(stream) => zmtp::receive(stream, MOST).and_then(|frames| self.take(frames)),
                None => open(&self.address, Socket::Pull).map(|opened| stream = Some(opened)),
            };
            if heard.is_err() {
                stream = None;
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
        for (value, name) in values.iter_mut().zip(&self.names) {
            let said = head.get(name).and_then(Value::as_f64).filter(|said| said.is_finite());
            match (said, before) {
                (Some(said), _) => *value = said,
                // A robot of which not every joint is known is not driven.
                (None, None) => return Err(wrong()),
                (None, Some(_)) => {}
            }
        }
        let names = head.get("_cams").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let names = names.iter().filter_map(Value::as_str).map(str::to_owned);
        let pictures = names.zip(frames.map(Bytes::from)).filter(|(_, file)| !file.is_empty());
        let number = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        let (at, pictures) = (self.clock.now(), pictures.collect());
        self.newest.store(Some(Arc::new(Heard { number, at, values, pictures })));
        *self.came.0.lock().unwrap_or_else(PoisonError::into_inner) = number;
        self.came.1.notify_all();
        Ok(())
    }

    /// Says the newest goals until it is over.
    fn speak(&self, stream: TcpStream, address: &str, mut waiting: Consumer<Goals>) {
        let mut stream = Some(stream);
        loop {
            let over = self.over();
            let mut newest = None;
            while let Ok(goals) = waiting.pop() {
                newest = Some(goals);
            }
            if let Some(goals) = newest {
                let said = match &mut stream {
                    Some(stream) => zmtp::send(stream, &[self.words(&goals).as_bytes()]),
                    None => open(address, Socket::Push).map(|opened| stream = Some(opened)),
                };
                if said.is_err() {
                    stream = None;
                }
            }
            if over {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn words(&self, goals: &Goals) -> String {
        let named = self.names.iter().zip(goals.0);
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
        let picture =
            jpeg::decode(file, self.width, self.height).map_err(|what| self.failed(what))?;
        Ok(Taken { at: heard.at, moment: Moment::Arrival, picture })
    }
}
