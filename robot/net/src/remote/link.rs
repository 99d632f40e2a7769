//! One connection to one robot: what it says, and what time it is there.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use sinew_drivers::clock::SECOND;
use sinew_drivers::stop::StopReport;
use sinew_drivers::{Clock, Nanos};
use zenoh::Wait;
use zenoh::pubsub::Subscriber;
use zenoh::sample::Sample;

use super::{PATIENCE, STOPS};
use crate::key::RobotKeys;
use crate::message::{
    Action, Ask, Description, Event, Kind, Now, Op, Refusal, Reply, State, VERSION, decode,
};
use crate::offset::{FIRST, Offset};
use crate::session::zenoh_error;
use crate::{Error, Network, presence};

/// How often it is asked what time it is there.
const TIME_EVERY: Duration = Duration::from_secs(1);

/// How long nothing may be heard of a robot that is driven before it counts as gone.
pub const SILENCE: Nanos = SECOND;

/// How long a machine may say nothing at all before nobody waits for its answers any more: one whose
/// motors cannot be seen still knows what time it is.
const GONE: Nanos = 3 * SECOND;

/// An instant of a robot's is no older than that, whatever it says.
const OLDEST: Nanos = 3600 * SECOND;

/// After so long without a newer tick, one with a lower number is of a host that was started anew.
const ANEW: Nanos = SILENCE / 2;

/// A tick of the robot's that was heard of.
pub struct Seen {
    /// Which one of those heard of, counted from 1.
    pub number: u64,
    /// When it was heard of here.
    pub heard: Nanos,
    /// What it says.
    pub state: State,
}

/// One connection to one robot. Whoever looks never waits.
pub struct Link {
    pub network: Network,
    pub keys: RobotKeys,
    pub address: String,
    pub description: Description,
    ear: Arc<Ear>,
    _state: Subscriber<()>,
    _event: Subscriber<()>,
    timer: Option<JoinHandle<()>>,
}

/// What is heard of it.
struct Ear {
    clock: Clock,
    newest: ArcSwapOption<Seen>,
    /// When its machine was heard of last.
    heard: AtomicI64,
    /// By how much its clock is ahead.
    ahead: AtomicI64,
    /// Why it was taken from whoever drives, in its own words.
    words: Mutex<Option<String>>,
    over: AtomicBool,
}

impl Link {
    /// Finds a robot, asks it what it is and what time it is there, and listens to it.
    pub fn open(network: &Network, name: &str, clock: Clock) -> Result<Self, Error> {
        let keys = RobotKeys::new(name)?;
        let not_there = || Error::NotThere {
            what: "robot",
            name: name.to_owned(),
            at: network.at().to_owned(),
        };
        let description = presence::robot(network, name, PATIENCE)?.ok_or_else(not_there)?;
        let mut offset = Offset::of(period(&description));
        for _ in 0..FIRST {
            ask_time(network, &keys, &clock, &mut offset)?;
        }
        let ahead = offset.ahead().ok_or_else(not_there)?;
        let ear = Arc::new(Ear {
            newest: ArcSwapOption::empty(),
            heard: AtomicI64::new(clock.now()),
            ahead: AtomicI64::new(ahead),
            words: Mutex::default(),
            over: AtomicBool::new(false),
            clock,
        });
        let values = description.arms.iter().map(|arm| arm.values.len()).sum();
        let listening = |error: zenoh::Error| zenoh_error("listening", &error);
        let hear = Arc::clone(&ear).hears_states(values);
        let state = network.session().declare_subscriber(keys.state()).callback_mut(hear).wait();
        let theirs = Arc::clone(&ear);
        let hear = move |sample: Sample| theirs.hear_event(&sample);
        let event = network.session().declare_subscriber(keys.event()).callback(hear).wait();
        let (theirs, their_network, their_keys) = (Arc::clone(&ear), network.clone(), keys.clone());
        let run = move || theirs.keep_time(&their_network, &their_keys, offset);
        let thread = std::thread::Builder::new().name(format!("time of {name}")).spawn(run);
        let no_thread =
            |error: std::io::Error| Error::System { what: "a thread", why: error.to_string() };
        Ok(Self {
            address: format!("zenoh://{name}@{}", network.at()),
            network: network.clone(),
            _state: state.map_err(listening)?,
            _event: event.map_err(listening)?,
            timer: Some(thread.map_err(no_thread)?),
            keys,
            description,
            ear,
        })
    }

    /// From one tick of the robot's to the next.
    pub fn period(&self) -> Nanos {
        period(&self.description)
    }

    /// This machine's clock.
    pub fn clock(&self) -> &Clock {
        &self.ear.clock
    }

    /// The newest tick that was heard of.
    pub fn newest(&self) -> Guard<Option<Arc<Seen>>> {
        self.ear.newest.load()
    }

    /// An instant of the robot's on this machine's clock: none that is yet to come, and none of long ago.
    pub fn here(&self, there: Nanos, now: Nanos) -> Nanos {
        brought(there, self.ear.ahead.load(Ordering::Relaxed), now)
    }

    /// An instant of this machine's on the robot's clock.
    pub fn there(&self, here: Nanos) -> Nanos {
        here.saturating_add(self.ear.ahead.load(Ordering::Relaxed))
    }

    /// Whether there is any point in waiting for an answer.
    pub fn is_there(&self) -> bool {
        self.ear.clock.now() - self.ear.heard.load(Ordering::Relaxed) < GONE
    }

    /// Why it was taken from whoever drives, in its own words.
    pub fn words(&self) -> Option<String> {
        self.ear.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An answer about its lease that is no refusal.
    pub fn granted(&self, answer: Result<Option<Reply>, Error>) -> Result<Reply, Error> {
        granted(&self.network, &self.description.robot, answer)
    }

    /// Stops it where nobody but the holder of this lease drives it, and says how that went.
    pub fn stop(&self, who: &str, lease: u64) -> Result<Vec<StopReport>, Error> {
        stop_of(&self.network, &self.description.robot, who, lease, false)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.ear.over.store(true, Ordering::Release);
        if let Some(timer) = self.timer.take() {
            timer.thread().unpark();
            // A thread that panicked has already said so.
            timer.join().ok();
        }
    }
}

/// Stops a robot, whoever drives it, as its host is set or limp, and says how that went.
pub fn stop(
    network: &Network,
    name: &str,
    who: &str,
    limp: bool,
) -> Result<Vec<StopReport>, Error> {
    stop_of(network, name, who, 0, limp)
}

/// The same where nobody but the holder of this lease drives it.
fn stop_of(
    network: &Network,
    name: &str,
    who: &str,
    lease: u64,
    limp: bool,
) -> Result<Vec<StopReport>, Error> {
    let key = RobotKeys::new(name)?.lease();
    let who = who.to_owned();
    let ask = Ask { v: VERSION, op: Op::Stop, who, lease, n: 0, take_over: false, limp };
    let answer = network.query::<_, Reply>(&key, Some((&ask, None)), STOPS);
    Ok(granted(network, name, answer)?.stopped)
}

fn granted(
    network: &Network,
    name: &str,
    answer: Result<Option<Reply>, Error>,
) -> Result<Reply, Error> {
    let name = name.to_owned();
    let answer = answer.map_err(|error| match error {
        // Of the key that was asked nobody needs to know.
        Error::Refused { why, .. } => Error::Refused { name: name.clone(), why },
        other => other,
    });
    match answer? {
        Some(Reply { refused: Some(why), .. }) => Err(Error::Refused { name, why }),
        Some(reply) => Ok(reply),
        None => Err(Error::NotThere { what: "robot", name, at: network.at().to_owned() }),
    }
}

fn period(description: &Description) -> Nanos {
    (1e9 / description.fps.clamp(0.1, 2000.0)) as Nanos
}

/// An instant of a clock that is so far ahead, on this machine's; what cannot be is made what can.
fn brought(there: Nanos, ahead: Nanos, now: Nanos) -> Nanos {
    there.saturating_sub(ahead).clamp(now.saturating_sub(OLDEST), now)
}

/// Which ticks are news.
#[derive(Default)]
struct Order {
    /// The number of the newest, and when it was heard of.
    newest: Option<(u64, Nanos)>,
}

impl Order {
    /// Whether this tick is newer than all before; a host that was started anew begins again.
    fn takes(&mut self, n: u64, now: Nanos) -> bool {
        let is_news = self.newest.is_none_or(|(newest, heard)| n > newest || now - heard >= ANEW);
        if is_news {
            self.newest = Some((n, now));
        }
        is_news
    }
}

/// Asks once what time it is there, and says whether anybody answered.
fn ask_time(
    network: &Network,
    keys: &RobotKeys,
    clock: &Clock,
    offset: &mut Offset,
) -> Result<bool, Error> {
    let asked = clock.now();
    let answer = network.query::<Action, Now>(&keys.clock(), None, TIME_EVERY)?;
    let answered = clock.now();
    if let Some(Now { at, .. }) = &answer {
        offset.hear(asked, *at, answered);
    }
    Ok(answer.is_some())
}

impl Ear {
    /// Takes the robot's ticks, with so many values each.
    fn hears_states(self: Arc<Self>, values: usize) -> impl FnMut(Sample) {
        let mut number = 0;
        let mut before = None;
        let mut order = Order::default();
        move |sample| {
            let state: Result<State, Refusal> = decode(&sample.payload().to_bytes());
            let fits = |state: &State| [&state.values, &state.sent].map(Vec::len) == [values; 2];
            let Some(state) = state.ok().filter(fits) else { return };
            let heard = self.clock.now();
            if !order.takes(state.n, heard) {
                return;
            }
            number += 1;
            self.heard.store(heard, Ordering::Relaxed);
            let seen = Arc::new(Seen { number, heard, state });
            // The one that may just be looked at is let go with the next, and here.
            drop(std::mem::replace(&mut before, self.newest.swap(Some(seen))));
        }
    }

    fn hear_event(&self, sample: &Sample) {
        let event: Result<Event, Refusal> = decode(&sample.payload().to_bytes());
        let Ok(Event { kind, who, text, .. }) = event else { return };
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            Kind::LeaseTaken | Kind::Driven => *words = None,
            // What was said first is why; the rest follows from that.
            _ if words.is_some() => {}
            Kind::LeaseTakenOver => *words = Some(format!("{who} has taken it over")),
            Kind::LeaseLost | Kind::Stopped | Kind::Host => {
                *words = Some(format!("its host says: {text}"));
            }
            Kind::LeaseRefused | Kind::LeaseReleased | Kind::Refused => {}
        }
    }

    fn keep_time(&self, network: &Network, keys: &RobotKeys, mut offset: Offset) {
        loop {
            std::thread::park_timeout(TIME_EVERY);
            if self.over.load(Ordering::Acquire) {
                return;
            }
            let answered = ask_time(network, keys, &self.clock, &mut offset);
            if let (Ok(true), Some(ahead)) = (answered, offset.ahead()) {
                self.heard.store(self.clock.now(), Ordering::Relaxed);
                self.ahead.store(ahead, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_that_cannot_be_is_one_that_can() {
        let now = 5 * SECOND;
        assert_eq!(brought(14 * SECOND, 10 * SECOND, now), 4 * SECOND);
        assert_eq!(brought(16 * SECOND, 10 * SECOND, now), now);
        for wild in [Nanos::MIN, Nanos::MIN + 1, Nanos::MAX] {
            for ahead in [Nanos::MIN, -SECOND, 0, SECOND, Nanos::MAX] {
                let here = brought(wild, ahead, now);
                assert!((now - OLDEST..=now).contains(&here), "{here}");
            }
        }
    }

    #[test]
    fn a_tick_counts_once_and_a_host_that_begins_anew_is_heard() {
        let mut order = Order::default();
        let heard =
            [(5, 0), (6, 1), (6, 2), (4, 3), (9, 4), (0, ANEW + 3), (0, ANEW + 4), (1, ANEW + 5)];
        let taken = heard.map(|(n, now)| order.takes(n, now));
        assert_eq!(taken, [true, true, false, false, true, false, true, true]);
    }
}
