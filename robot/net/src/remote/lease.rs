//! The right to drive a robot: taken, kept alive, used, and given back.
//!
//! ```text
//!   arm ─ goals ─▶ sender ─ newest goal, or a heartbeat ─▶ signed, numbered ─▶ action
//! ```
//! The control thread puts a goal into a queue and goes on; whatever signing and sending takes is the
//! sender's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use sinew_drivers::Nanos;
use sinew_drivers::clock::MILLI;
use sinew_drivers::stop::StopReport;
use zenoh::Wait;
use zenoh::bytes::Encoding;
use zenoh::pubsub::Publisher;
use zenoh::qos::{CongestionControl, Priority};

use super::link::{Link, SILENCE};
use super::{Driver, PATIENCE, STOPS};
use crate::Error;
use crate::message::{
    Action, Ask, Granted, MOST_VALUES, Mode, Op, Refusal, Reply, VERSION, encode,
};
use crate::session::zenoh_error;

/// How often a holder who says nothing else says that it is there.
const BEAT: Nanos = 50 * MILLI;

/// How long an arm may take to be set up and put under torque.
const SETS_UP: Duration = Duration::from_secs(20);

/// How many goals may wait for a sender that is held up; only the newest is sent.
const ROOM: usize = 64;

/// Where one arm is to go.
#[derive(Clone, Copy)]
pub struct Goal {
    /// When it was said, on this machine's clock.
    pub at: Nanos,
    /// How many of the values there are.
    pub count: usize,
    pub values: [f64; MOST_VALUES],
}

/// The end of a queue that an arm puts its goals in.
pub struct Goals {
    queue: Producer<Goal>,
    sender: Thread,
}

impl Goals {
    /// Sends the arm there; a goal that finds no room is older than those that will.
    pub fn push(&mut self, goal: Goal) {
        self.queue.push(goal).unwrap_or_default();
        self.sender.unpark();
    }
}

/// A lease, and the thread that speaks under it.
pub struct Lease {
    holding: Arc<Holding>,
    thread: Option<JoinHandle<()>>,
}

/// What a lease's arms and its sender share; the control thread touches it before its first tick and
/// after its last one.
pub struct Holding {
    pub link: Arc<Link>,
    who: String,
    take_over: bool,
    publisher: Publisher<'static>,
    held: Mutex<Held>,
    over: AtomicBool,
}

#[derive(Default)]
struct Held {
    /// None once it was given back.
    granted: Option<Granted>,
    /// The number of the newest message.
    n: u64,
    /// When that was said.
    said: Nanos,
    /// Whether it was asked for torque, and got it.
    driven: bool,
    left: Option<Left>,
}

/// How the arms were left.
#[derive(Clone, Debug)]
pub enum Left {
    /// As the robot says, arm by arm.
    Stopped(Vec<StopReport>),
    /// With somebody else, who drives them.
    Taken,
    /// Nobody knows.
    Unknown,
}

impl Lease {
    /// Takes the lease of a robot, and keeps it. Of each arm the end of its queue comes along.
    pub fn take(link: &Arc<Link>, driver: &Driver) -> Result<(Arc<Self>, Vec<Goals>), Error> {
        let publisher = link.network.session().declare_publisher(link.keys.action());
        let publisher = publisher
            .encoding(Encoding::APPLICATION_CBOR)
            // What cannot be sent now is not worth sending later.
            .congestion_control(CongestionControl::Drop)
            .priority(Priority::RealTime)
            .express(true)
            .wait();
        let holding = Arc::new(Holding {
            link: Arc::clone(link),
            who: driver.who.clone(),
            take_over: driver.take_over,
            publisher: publisher.map_err(|error| zenoh_error("announcing actions", &error))?,
            held: Mutex::default(),
            over: AtomicBool::new(false),
        });
        holding.ask_for_it()?;
        let queues = link.description.arms.iter().map(|_| RingBuffer::new(ROOM));
        let (ends, queues): (Vec<_>, Vec<_>) = queues.unzip();
        let theirs = Arc::clone(&holding);
        let run = move || theirs.run(queues);
        let name = format!("goals of {}", link.description.robot);
        let thread = std::thread::Builder::new().name(name).spawn(run);
        let thread =
            thread.map_err(|error| Error::System { what: "a thread", why: error.to_string() })?;
        let sender = thread.thread().clone();
        let goals = |queue| Goals { queue, sender: sender.clone() };
        let goals = ends.into_iter().map(goals).collect();
        Ok((Arc::new(Self { holding, thread: Some(thread) }), goals))
    }

    /// What is shared with its sender.
    pub fn holding(&self) -> &Holding {
        &self.holding
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Whoever drops it without a word is not to leave an arm waiting for its watchdog.
        self.holding.release();
        self.holding.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has already said so.
            thread.join().ok();
        }
    }
}

impl Holding {
    /// Puts the robot under torque, and says under which lease; an arm knows under which it was driven
    /// `before`. The other arms of a pair are asked for once, and find it done.
    pub fn drive(&self, before: u64) -> Result<u64, Error> {
        let lease = self.held().granted.as_ref().map(|granted| granted.lease);
        let is_new = lease.filter(|lease| *lease != before);
        if let Some(lease) = is_new.filter(|_| self.held().driven) {
            return Ok(lease);
        }
        if is_new.is_none() {
            // It was driven under that one, and that is over: whether the robot knows so or not.
            self.give_back().ok();
            self.ask_for_it()?;
        }
        let (lease, _) = self.ask(Op::Drive, SETS_UP)?;
        self.held().driven = true;
        Ok(lease)
    }

    /// Gives the lease back, once, and says how the arms were left.
    pub fn release(&self) -> Left {
        if let Some(left) = &self.held().left {
            return left.clone();
        }
        let lease = self.held().granted.as_ref().map(|granted| granted.lease);
        let left = match self.give_back() {
            Ok(reply) => Left::Stopped(reply.stopped),
            // The lease was over; a robot that nobody drives may be asked how it stands.
            Err(Error::Refused { .. }) => match (self.is_driven(), lease) {
                (Some(false), Some(lease)) => {
                    self.link.stop(&self.who, lease).map_or(Left::Unknown, Left::Stopped)
                }
                (Some(true), _) => Left::Taken,
                _ => Left::Unknown,
            },
            Err(_) => Left::Unknown,
        };
        self.held().left = Some(left.clone());
        left
    }

    fn give_back(&self) -> Result<Reply, Error> {
        Ok(self.ask(Op::Release, STOPS)?.1)
    }

    /// Whether somebody drives the robot, as far as it was heard of.
    fn is_driven(&self) -> Option<bool> {
        let newest = self.link.newest();
        let now = self.link.clock().now();
        let seen = newest.as_ref().filter(|seen| now - seen.heard < SILENCE)?;
        Some(matches!(seen.state.mode, Mode::Held | Mode::Driven))
    }

    fn ask_for_it(&self) -> Result<(), Error> {
        let ask = Ask {
            v: VERSION,
            op: Op::Take,
            who: self.who.clone(),
            lease: 0,
            n: 0,
            take_over: self.take_over,
            limp: false,
        };
        let link = &self.link;
        let key = link.keys.lease();
        let answer = link.network.query::<_, Reply>(&key, Some((&ask, None)), PATIENCE);
        let Some(granted) = link.granted(answer)?.granted else {
            let refusal = Refusal::malformed("a lease without one");
            return Err(Error::Answer { name: link.description.robot.clone(), refusal });
        };
        *self.held() = Held { granted: Some(granted), ..Held::default() };
        Ok(())
    }

    /// Asks for something under the lease, says which one that is, and waits for the answer as long as
    /// the robot is heard of. Meanwhile the sender goes on saying that somebody is there.
    fn ask(&self, op: Op, patience: Duration) -> Result<(u64, Reply), Error> {
        let mut held = self.held();
        let Some(Granted { lease, secret, .. }) = held.granted.clone() else {
            let name = self.link.description.robot.clone();
            return Err(Error::Refused { name, why: Refusal::NoLease.to_string() });
        };
        held.n += 1;
        let (who, n) = (self.who.clone(), held.n);
        let ask = Ask { v: VERSION, op, who, lease, n, take_over: false, limp: false };
        let signature = secret.sign(&encode(&ask));
        let question = Some((&ask, Some(&signature[..])));
        let key = self.link.keys.lease();
        // With the priority of actions it arrives in order with them.
        let asked = self.link.network.question(&key, question, patience, Priority::RealTime)?;
        if op == Op::Release {
            // Nothing is said under it any more.
            (held.granted, held.driven) = (None, false);
        }
        drop(held);
        Ok((lease, self.link.granted(asked.answer(|| self.link.is_there()))?))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sender: sends each arm's newest goal as it comes, and says now and then that somebody is there.
    fn run(&self, mut queues: Vec<Consumer<Goal>>) {
        while !self.over.load(Ordering::Acquire) {
            for (arm, queue) in queues.iter_mut().enumerate() {
                let newest = std::iter::from_fn(|| queue.pop().ok()).last();
                let Some(Goal { at, count, values }) = newest else { continue };
                let (arm, at) = (arm as u64, self.link.there(at));
                let values = values.iter().take(count).copied().collect();
                self.say(|lease, n| Action { v: VERSION, lease, n, arm, at, values });
            }
            let mut due = self.held().said + BEAT - self.link.clock().now();
            if due <= 0 {
                self.say(Action::heartbeat);
                due = BEAT;
            }
            std::thread::park_timeout(Duration::from_nanos(due.unsigned_abs()));
        }
    }

    fn say(&self, action: impl FnOnce(u64, u64) -> Action) {
        let mut held = self.held();
        held.said = self.link.clock().now();
        let Some(Granted { lease, secret, .. }) = held.granted.clone() else { return };
        held.n += 1;
        let payload = encode(&action(lease, held.n));
        let signature = secret.sign(&payload);
        // A robot that hears nothing says so by stopping, and by ending the lease.
        self.publisher.put(payload).attachment(&signature[..]).wait().ok();
    }
}
