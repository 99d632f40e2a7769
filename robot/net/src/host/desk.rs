//! Who may drive: one holder of a lease at a time.
//!
//! ```text
//! free ── take ─▶ held ── (messages, each within the watchdog's time) ── release, silence ─▶ free
//!                  └── take, where that is allowed ─▶ held by somebody else
//! ```
//! Messages are signed with the lease's secret and numbered: what is forged, old or said twice is
//! refused, counted, and changes nothing. While it ticks, the control thread only looks at a few atomics.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sinew_drivers::clock::{SECOND, duration};
use sinew_drivers::{Clock, Nanos};

use super::refusals::Refusals;
use crate::Error;
use crate::message::{Action, Ask, Granted, Message, Refusal, Secret, decode};

/// Messages of a holder in a second: a loop of 500 Hz over two arms, and as much again.
const MOST_ACTIONS: u32 = 2000;
/// Questions of everybody in a second, of each sort.
const MOST_QUESTIONS: u32 = 100;

/// Questions by their sorts. Each is counted for itself: who asks one too often is in nobody's way who asks
/// another.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// What it is, what time it is there.
    Look,
    /// For the lease.
    Take,
    /// For a stop.
    Stop,
    /// Its holder's, for torque or to give it back: each takes a tick of its own.
    Wish,
}

/// Where leases are given out.
pub struct Desk {
    inner: Mutex<Inner>,
    /// The lease that is held; 0 for none.
    lease: AtomicU64,
    /// The lease whose actions are followed; 0 for none.
    driven: AtomicU64,
    /// When its holder was heard last.
    heard: AtomicI64,
    watchdog: Nanos,
    take_over: bool,
    clock: Clock,
    /// What was refused.
    pub refusals: Refusals,
}

struct Inner {
    holder: Option<Holder>,
    next: u64,
    actions: Rate,
    questions: [Rate; 4],
}

struct Holder {
    lease: u64,
    secret: Secret,
    who: String,
    /// The number of the newest message.
    n: u64,
}

/// How many there were in the second that runs.
#[derive(Default)]
struct Rate {
    since: Nanos,
    count: u32,
}

impl Rate {
    fn one_more(&mut self, now: Nanos, most: u32) -> Result<(), Refusal> {
        if now - self.since >= SECOND {
            *self = Self { since: now, count: 0 };
        }
        self.count += 1;
        if self.count <= most { Ok(()) } else { Err(Refusal::TooFast) }
    }
}

/// A lease that was given out, and from whom it was taken.
pub struct Given {
    /// The lease.
    pub granted: Granted,
    /// Who held it until now.
    pub from: Option<String>,
}

impl Desk {
    /// A desk whose leases end after so much silence.
    pub fn new(watchdog: Nanos, take_over: bool, clock: Clock) -> Result<Self, Error> {
        let mut first = [0; 6];
        getrandom::fill(&mut first)
            .map_err(|error| Error::System { what: "random numbers", why: error.to_string() })?;
        // A lease of before a restart is none of after it.
        let next = first.iter().fold(1, |number, byte| number << 8 | u64::from(*byte));
        let inner =
            Inner { holder: None, next, actions: Rate::default(), questions: Default::default() };
        Ok(Self {
            inner: Mutex::new(inner),
            lease: AtomicU64::new(0),
            driven: AtomicU64::new(0),
            heard: AtomicI64::new(0),
            watchdog,
            take_over,
            clock,
            refusals: Refusals::default(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease that is held.
    pub fn lease(&self) -> Option<u64> {
        Some(self.lease.load(Ordering::Acquire)).filter(|lease| *lease != 0)
    }

    /// The lease whose actions are followed: one that is held is not until its holder asked for torque.
    pub fn driven(&self) -> u64 {
        self.driven.load(Ordering::Acquire)
    }

    /// Follows this lease's actions from now on; none where it is 0.
    pub fn follow(&self, lease: u64) {
        self.driven.store(lease, Ordering::Release);
    }

    /// Who holds it.
    pub fn holder(&self) -> Option<String> {
        self.inner().holder.as_ref().map(|holder| holder.who.clone())
    }

    /// Whether its holder has been silent for too long. For the control thread: takes no lock.
    pub fn is_silent(&self, now: Nanos) -> bool {
        self.lease().is_some() && now - self.heard.load(Ordering::Acquire) > self.watchdog
    }

    /// One more question of this sort.
    pub fn question(&self, sort: Question) -> Result<(), Refusal> {
        let now = self.clock.now();
        let [look, take, stop, wish] = &mut self.inner().questions;
        let rate = match sort {
            Question::Look => look,
            Question::Take => take,
            Question::Stop => stop,
            Question::Wish => wish,
        };
        rate.one_more(now, MOST_QUESTIONS).inspect_err(|refusal| self.refusals.count(refusal))
    }

    /// Gives the lease to who asks for it, or says why not.
    pub fn take(&self, ask: &Ask) -> Result<Given, String> {
        let now = self.clock.now();
        let mut inner = self.inner();
        let silent = now - self.heard.load(Ordering::Acquire) > self.watchdog;
        let holder = inner.holder.as_ref().filter(|_| !silent).map(|holder| holder.who.clone());
        if let Some(who) = &holder
            && !(ask.take_over && self.take_over)
        {
            return Err(match (ask.take_over, self.take_over) {
                (true, false) => format!("{who} drives it, and its host lets nobody take it over"),
                (_, true) => format!("{who} drives it; it can be taken over with --take-over"),
                (false, false) => format!("{who} drives it"),
            });
        }
        let secret = Secret::new().map_err(|error| error.to_string())?;
        inner.next += 1;
        let lease = inner.next;
        let watchdog_ms = u64::try_from(duration(self.watchdog).as_millis()).unwrap_or(0);
        let granted = Granted { lease, secret: secret.clone(), watchdog_ms };
        inner.holder = Some(Holder { lease, secret, who: ask.who.clone(), n: 0 });
        self.heard.store(now, Ordering::Release);
        self.lease.store(lease, Ordering::Release);
        Ok(Given { granted, from: holder })
    }

    /// An action of the holder's, or why it is none.
    pub fn action(&self, payload: &[u8], signature: Option<&[u8]>) -> Result<Action, Refusal> {
        self.signed(payload, signature, |action: &Action| (action.lease, action.n))
    }

    /// A question of the holder's, or why it is none.
    pub fn ask(&self, payload: &[u8], signature: Option<&[u8]>) -> Result<Ask, Refusal> {
        self.signed(payload, signature, |ask: &Ask| (ask.lease, ask.n))
    }

    /// What only the holder can say, and only once.
    fn signed<M: Message>(
        &self,
        payload: &[u8],
        signature: Option<&[u8]>,
        number: impl Fn(&M) -> (u64, u64),
    ) -> Result<M, Refusal> {
        let said = || {
            let message: M = decode(payload)?;
            let (lease, n) = number(&message);
            let now = self.clock.now();
            let mut inner = self.inner();
            let Inner { holder, actions, .. } = &mut *inner;
            // Who was silent for too long has lost it, whether or not a tick has seen that yet.
            let silent = now - self.heard.load(Ordering::Acquire) > self.watchdog;
            let holder = holder.as_mut().filter(|holder| holder.lease == lease && !silent);
            let holder = holder.ok_or(Refusal::NoLease)?;
            let signature = signature.ok_or(Refusal::Unsigned)?;
            if !holder.secret.signed(payload, signature) {
                return Err(Refusal::Unsigned);
            }
            if n <= holder.n {
                return Err(Refusal::Replayed);
            }
            actions.one_more(now, MOST_ACTIONS)?;
            holder.n = n;
            self.heard.store(now, Ordering::Release);
            Ok(message)
        };
        said().inspect_err(|refusal| self.refusals.count(refusal))
    }

    /// Ends a lease; answers whose it was, if it was this one's.
    pub fn end(&self, lease: u64) -> Option<String> {
        let mut inner = self.inner();
        let holder = inner.holder.take_if(|holder| holder.lease == lease)?;
        self.lease.store(0, Ordering::Release);
        Some(holder.who)
    }
}

#[cfg(test)]
mod tests {
    use sinew_drivers::clock::MILLI;

    use super::*;
    use crate::message::{Op, VERSION, encode};

    fn ask(who: &str, take_over: bool) -> Ask {
        Ask { v: VERSION, op: Op::Take, who: who.into(), lease: 0, n: 0, take_over, limp: false }
    }

    fn desk(take_over: bool) -> (Desk, Clock) {
        let clock = Clock::virtual_time();
        (Desk::new(500 * MILLI, take_over, clock.clone()).unwrap(), clock)
    }

    fn say(desk: &Desk, granted: &Granted, n: u64) -> Result<Action, Refusal> {
        let payload = encode(&Action::heartbeat(granted.lease, n));
        desk.action(&payload, Some(&granted.secret.sign(&payload)))
    }

    #[test]
    fn one_holds_it_until_it_is_given_back_or_silent() {
        let (desk, clock) = desk(false);
        let anna = desk.take(&ask("anna", false)).unwrap().granted;
        let refused = desk.take(&ask("ben", true)).err().unwrap();
        assert!(refused.contains("anna drives it"), "{refused}");
        assert!(say(&desk, &anna, 1).is_ok());
        clock.sleep(400 * MILLI);
        assert!(say(&desk, &anna, 2).is_ok() && !desk.is_silent(clock.now()));
        clock.sleep(501 * MILLI);
        assert!(desk.is_silent(clock.now()));
        let ben = desk.take(&ask("ben", false)).unwrap();
        assert_eq!(ben.from, None, "a silent holder is nobody to take it from");
        assert_eq!(say(&desk, &anna, 3), Err(Refusal::NoLease));
        assert_eq!(desk.end(anna.lease), None);
        assert_eq!(desk.end(ben.granted.lease).as_deref(), Some("ben"));
        assert_eq!((desk.lease(), desk.holder()), (None, None));
        assert_eq!(say(&desk, &ben.granted, 1), Err(Refusal::NoLease));
    }

    #[test]
    fn it_is_taken_over_where_that_is_allowed_and_asked_for() {
        let (desk, _clock) = desk(true);
        let anna = desk.take(&ask("anna", false)).unwrap().granted;
        assert!(desk.take(&ask("ben", false)).is_err());
        let ben = desk.take(&ask("ben", true)).unwrap();
        assert_eq!(ben.from.as_deref(), Some("anna"));
        assert_ne!(ben.granted.lease, anna.lease);
        assert_eq!(say(&desk, &anna, 1), Err(Refusal::NoLease));
        assert!(say(&desk, &ben.granted, 1).is_ok());
    }

    #[test]
    fn what_is_forged_unsigned_old_or_said_twice_is_refused_and_counted() {
        let (desk, clock) = desk(false);
        let anna = desk.take(&ask("anna", false)).unwrap().granted;
        let payload = encode(&Action::heartbeat(anna.lease, 5));
        let forged = Secret::new().unwrap().sign(&payload);
        assert_eq!(desk.action(&payload, Some(&forged)), Err(Refusal::Unsigned));
        assert_eq!(desk.action(&payload, None), Err(Refusal::Unsigned));
        assert_eq!(desk.action(b"noise", Some(&forged)).unwrap_err().word(), "malformed");
        clock.sleep(300 * MILLI);
        assert!(say(&desk, &anna, 5).is_ok());
        assert_eq!(say(&desk, &anna, 5), Err(Refusal::Replayed));
        assert_eq!(say(&desk, &anna, 4), Err(Refusal::Replayed));
        assert!(say(&desk, &anna, 6).is_ok());
        let told = desk.refusals.told();
        assert_eq!((told["unsigned"], told["malformed"], told["replayed"]), (2, 1, 2));
        clock.sleep(400 * MILLI);
        let late = encode(&Action::heartbeat(anna.lease, 6));
        assert_eq!(desk.action(&late, Some(&forged)), Err(Refusal::Unsigned));
        clock.sleep(200 * MILLI);
        assert!(desk.is_silent(clock.now()), "what is forged is nothing of its holder's");
        assert_eq!(say(&desk, &anna, 7), Err(Refusal::NoLease), "and it is too late for more");
    }

    #[test]
    fn a_flood_of_one_question_is_in_the_way_of_no_other() {
        let (desk, clock) = desk(false);
        clock.sleep(SECOND);
        let looked = (0..1000).filter(|_| desk.question(Question::Look).is_ok()).count();
        assert_eq!(looked, MOST_QUESTIONS as usize);
        assert!(desk.question(Question::Take).is_ok() && desk.question(Question::Stop).is_ok());
        clock.sleep(SECOND);
        assert!(desk.question(Question::Look).is_ok());
    }

    #[test]
    fn a_flood_is_refused_and_the_next_second_is_another() {
        let (desk, clock) = desk(false);
        clock.sleep(SECOND);
        let anna = desk.take(&ask("anna", false)).unwrap().granted;
        let taken = (1..=3000).filter(|n| say(&desk, &anna, *n).is_ok()).count();
        assert_eq!(taken, MOST_ACTIONS as usize);
        assert_eq!(desk.refusals.told()["too_fast"], 1000);
        clock.sleep(SECOND);
        let ben = desk.take(&ask("ben", false)).unwrap().granted;
        assert!(say(&desk, &ben, 1).is_ok());
    }
}
