//! A robot that others drive over the network.
//!
//! ```text
//!  watched ── drive ─▶ driven ── release, stop, silence of its holder, an error ─▶ stopped ─▶ watched
//!     └───────────────────────── every tick: state ─────────────────────────────────┘
//! ```
//! The loop is the one that everything else is driven by, with the network as its source: limits, dead-man
//! and stop are the arm's own, and nothing on the network can talk them away.

use std::ops::ControlFlow;
use std::sync::mpsc::SyncSender;

use sinew_drivers::clock::MILLI;
use sinew_drivers::stop::{Cause, StopFlag, StopReport};
use sinew_drivers::{Clock, Error, Nanos};
use sinew_net::host::{Condition, Host, Order, Ticket};
use sinew_net::message::{Kind, Mode};

use super::control::{Lap, Outcome, Pace, Pair, end, lap, rehearse};
use super::realtime::Granted;
use super::stats::Stats;

/// What somebody beside it is told.
pub enum Told {
    /// Somebody drives.
    Driven(String),
    /// It stopped, and nobody drives.
    Stopped(String, Vec<StopReport>),
    /// It cannot be seen, because of this.
    Blind(String),
}

/// A robot on the network.
pub struct Hosting<'a> {
    /// Its place there.
    pub host: Host,
    /// Who on this machine wants it to stop.
    pub flag: &'a StopFlag,
    /// Ticks per second.
    pub fps: f64,
    /// Who tells what happens: a terminal that stands still keeps no arm waiting.
    pub told: SyncSender<Told>,
    /// Ticks told so far.
    pub ticks: u64,
    /// Why it stopped last, if it did.
    pub cause: Option<Cause>,
    /// The lease that is followed, or was last.
    pub driven: u64,
}

/// What ended a stretch of watching or driving.
enum Why {
    Order(Order),
    /// Somebody on this machine wants a stop.
    Wish(Cause),
    /// The holder is no longer heard.
    Silence(u64),
}

/// How long a robot that cannot be seen is left alone.
const RETRY: Nanos = 100 * MILLI;

impl Hosting<'_> {
    /// Hosts until somebody on this machine ends it.
    pub fn run(mut self, pairs: &mut [Pair], mut stats: Stats) -> Outcome {
        let clock = Clock::Real;
        let mut blind = false;
        let cause = loop {
            let (watched, why) = self.watch(pairs, &clock, stats);
            stats = watched.stats;
            if let Some(error) = &watched.error {
                self.cause = Some(cause_of(error));
                if !blind {
                    self.say(Told::Blind(error.to_string()));
                }
                // Who looks from elsewhere sees that too, and how old it is what is known.
                let known = |pair: &Pair| pair.follower.observation().timing.last_in > 0;
                if pairs.iter().all(known) {
                    self.tell(self.idle(), pairs, &stats);
                }
                clock.sleep(RETRY);
            }
            blind = watched.error.is_some();
            match why.or_else(|| self.asked()) {
                None => {}
                Some(Why::Wish(Cause::Remote)) => {
                    self.stop(pairs, "sinew stop asked for it", None);
                    self.flag.clear();
                }
                Some(Why::Wish(cause)) => break cause,
                Some(Why::Silence(lease)) => self.lose(lease),
                Some(Why::Order(Order::Drive(lease, ticket))) => {
                    let begun = self.begin(pairs, lease, ticket);
                    stats = if begun { self.drive(pairs, &clock, stats) } else { stats };
                }
                Some(Why::Order(Order::Release(lease, ticket))) => {
                    self.release(pairs, lease, ticket);
                }
                Some(Why::Order(Order::Stop(ticket))) => self.stop_for(pairs, ticket),
            }
        };
        let stopped =
            Lap { stats, error: Some(Error::Stopped { cause }), granted: Granted::default() };
        let outcome = end(pairs, stopped);
        self.host.happened(Kind::Stopped, "", format!("its host ends: {cause}"));
        outcome
    }

    /// Looks at the arms and tells, until something is asked for.
    fn watch(&mut self, pairs: &mut [Pair], clock: &Clock, stats: Stats) -> (Lap, Option<Why>) {
        let mut why = None;
        let pace = Pace { fps: self.fps, duration: None };
        let watched = rehearse(pairs, clock, pace, stats, |_, pairs, stats| {
            self.tell(self.idle(), pairs, stats);
            why = self.asked();
            if why.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (watched, why)
    }

    fn asked(&mut self) -> Option<Why> {
        if let Some(wish) = self.flag.raised() {
            return Some(Why::Wish(wish.cause));
        }
        if let Some(lease) = self.host.lease().filter(|_| self.host.is_silent()) {
            return Some(Why::Silence(lease));
        }
        self.host.order().map(Why::Order)
    }

    /// What it is while nobody drives.
    fn idle(&self) -> Mode {
        match (self.host.lease(), self.cause) {
            (Some(_), _) => Mode::Held,
            (None, Some(_)) => Mode::Stopped,
            (None, None) => Mode::Free,
        }
    }

    fn tell(&mut self, mode: Mode, pairs: &[Pair], stats: &Stats) {
        let mut condition = Condition::UNKNOWN;
        (condition.ticks, condition.late) = (stats.ticks, stats.late_ticks);
        for pair in pairs {
            condition.lost += pair.follower.bus_counts().lost;
            for motor in pair.follower.health() {
                condition.motor(motor.voltage, motor.temperature);
            }
        }
        let arms = pairs.iter().map(|pair| (pair.follower.observation(), pair.follower.sent()));
        self.host.tell(self.ticks, mode, self.cause, condition, arms);
        self.ticks += 1;
    }

    /// Puts the arms under torque where they stand, for who holds this lease.
    fn begin(&mut self, pairs: &mut [Pair], lease: u64, ticket: Ticket) -> bool {
        if self.host.lease() != Some(lease) {
            self.host.answer(ticket, Some("its lease is over".to_owned()), Vec::new());
            return false;
        }
        let ready = pairs.iter_mut().try_for_each(|pair| {
            pair.anew();
            pair.follower.resume()?;
            // Whoever wished meanwhile that it stop has a say before the next arm has torque.
            match self.flag.raised() {
                Some(wish) => Err(Error::Stopped { cause: wish.cause }),
                None => Ok(()),
            }
        });
        if let Err(error) = ready {
            let reports = self.stop_quietly(pairs, false);
            self.cause = Some(cause_of(&error));
            self.host.happened(Kind::Stopped, ticket.who(), error.to_string());
            self.host.answer(ticket, Some(error.to_string()), reports);
            return false;
        }
        self.cause = None;
        self.drives(lease, ticket);
        true
    }

    /// Follows this lease from now on.
    fn drives(&mut self, lease: u64, ticket: Ticket) {
        self.driven = lease;
        self.host.follow(lease);
        self.host.happened(Kind::Driven, ticket.who(), "");
        self.say(Told::Driven(ticket.who().to_owned()));
        self.host.answer(ticket, None, Vec::new());
    }

    /// Follows whoever holds the lease, until nobody does any more; then the arms are stopped.
    fn drive(&mut self, pairs: &mut [Pair], clock: &Clock, mut stats: Stats) -> Stats {
        let pace = Pace { fps: self.fps, duration: None };
        loop {
            let mut why = None;
            let ran = lap(pairs, clock, pace, stats, |_, pairs, stats| {
                self.tell(Mode::Driven, pairs, stats);
                why = self.asked();
                if why.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            stats = ran.stats;
            match (why, ran.error) {
                (_, Some(error)) => self.stop(pairs, &error.to_string(), Some(cause_of(&error))),
                (Some(Why::Wish(cause)), None) => self.stop(pairs, &cause.to_string(), Some(cause)),
                (Some(Why::Silence(lease)), None) => {
                    self.lose(lease);
                    self.stop(pairs, "its holder is silent", Some(Cause::Lease));
                }
                (Some(Why::Order(Order::Drive(lease, ticket))), None) => {
                    // Somebody took it over: the arms stay under torque, and go on smoothly.
                    match self.host.lease() == Some(lease) {
                        true => {
                            pairs.iter_mut().for_each(Pair::anew);
                            self.drives(lease, ticket);
                        }
                        false => {
                            let over = "its lease is over".to_owned();
                            self.host.answer(ticket, Some(over), Vec::new());
                        }
                    }
                    continue;
                }
                (Some(Why::Order(Order::Release(lease, ticket))), None) => {
                    if !self.release(pairs, lease, ticket) {
                        continue;
                    }
                }
                (Some(Why::Order(Order::Stop(ticket))), None) => self.stop_for(pairs, ticket),
                (None, None) => continue,
            }
            return stats;
        }
    }

    /// Takes a lease back, and leaves the arms as they are to be left; nothing where it was over.
    fn release(&mut self, pairs: &mut [Pair], lease: u64, ticket: Ticket) -> bool {
        let Some(who) = self.host.end(lease) else {
            self.host.answer(ticket, Some("its lease is over".to_owned()), Vec::new());
            return false;
        };
        self.cause = None;
        let reports = self.stop_quietly(pairs, false);
        self.host.happened(Kind::LeaseReleased, &who, words(&reports));
        self.say(Told::Stopped("released".to_owned(), reports.clone()));
        self.host.answer(ticket, None, reports);
        true
    }

    /// Ends the lease of somebody who is no longer heard.
    fn lose(&mut self, lease: u64) {
        if let Some(who) = self.host.end(lease) {
            self.host.happened(Kind::LeaseLost, &who, "nothing was heard of it for too long");
        }
    }

    /// Stops, because somebody on the network asked for it.
    fn stop_for(&mut self, pairs: &mut [Pair], ticket: Ticket) {
        let who = ticket.who().to_owned();
        let reports = self.stop_quietly(pairs, ticket.limp());
        // Whoever holds it, nobody goes on.
        if let Some(lease) = self.host.lease() {
            self.host.end(lease);
        }
        self.cause = Some(Cause::Remote);
        self.host.happened(Kind::Stopped, &who, format!("asked to; {}", words(&reports)));
        self.say(Told::Stopped(format!("asked to by {who}"), reports.clone()));
        self.host.answer(ticket, None, reports);
    }

    fn stop(&mut self, pairs: &mut [Pair], why: &str, cause: Option<Cause>) {
        let reports = self.stop_quietly(pairs, false);
        // Who has taken it meanwhile begins with it as it is left now.
        self.host.end(self.driven);
        self.cause = cause.or(Some(Cause::Remote));
        self.host.happened(Kind::Stopped, "", format!("{why}; {}", words(&reports)));
        self.say(Told::Stopped(why.to_owned(), reports));
    }

    /// Leaves something to be told; what there is no room for is not.
    fn say(&self, told: Told) {
        self.told.try_send(told).unwrap_or_default();
    }

    /// Leaves the arms as they are to be left, or limp, and says nothing of it.
    fn stop_quietly(&mut self, pairs: &mut [Pair], limp: bool) -> Vec<StopReport> {
        self.host.follow(0);
        let followers = pairs.iter_mut().map(|pair| &mut pair.follower);
        followers.map(|arm| if limp { arm.let_go() } else { arm.end() }).collect()
    }
}

fn cause_of(error: &Error) -> Cause {
    match error {
        Error::Stopped { cause } => *cause,
        Error::Lost { .. } => Cause::LostPort,
        Error::Blind { .. } => Cause::Blind,
        _ => Cause::Failed,
    }
}

/// How arms were left, in a line.
fn words(reports: &[StopReport]) -> String {
    let unsure = reports.iter().flat_map(|report| &report.motors).filter(|motor| !motor.ok).count();
    let policy = reports.first().map(|report| report.policy).unwrap_or_default();
    match unsure {
        0 => format!("left {policy}, confirmed by every motor"),
        unsure => format!("to be left {policy}, and {unsure} motors do not confirm"),
    }
}
