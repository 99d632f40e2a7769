//! A board between host and servos, behind `bridge:PORT`.
//!
//! ```text
//! bus ─▶ Bridge ─▶ wire (USB) ─▶ board ─▶ servos
//! ```
//! Whoever wants a [`Wire`] gets one: bytes for the servos travel in the board's messages, so that a
//! scan, a setup or a calibration need not know of it. An arm that is driven hands its joints and their
//! limits over with [`Bridge::engage`]; from then on the board runs the bus, and stops the motors
//! should this host fall silent. Where no board answers, the port is a plain adapter.

mod offset;
mod talk;

use sinew_core::bridge::{
    Describe, Goals, Joint, Observation, Plan, Reply, Request, Stop, VERSION,
};

pub use offset::Offset;

use crate::arm::Door;
use crate::clock::MILLI;
use crate::{Clock, Error, Nanos, Wire};
use talk::Talk;

/// What stands before a port's name to say that a board is behind it.
pub const SCHEME: &str = "bridge:";

/// How long a board may take to say who it is. One that has just got its power needs longer than one
/// that runs; a plain adapter never answers.
const GREETING: Nanos = 80 * MILLI;
/// How often it is asked.
const GREETINGS: u32 = 3;
/// How long it may take until all motors have said that they are stopped.
const STOPS: Nanos = 250 * MILLI;
/// How long it may take over anything else.
const ANSWER: Nanos = 25 * MILLI;

/// Why nothing can be done on this port with a board of another version.
const OTHER_VERSION: &str = "its firmware has another version; update the older of the two, or use the \
                             board's first port, which is a plain adapter";

/// A port is used as a plain adapter: no board answers there, or it has firmware without the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain;

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no board answers there")
    }
}

/// A wire whose far end is a board, or was taken for one.
pub struct Bridge {
    talk: Talk,
    /// Who the board is; a plain adapter is nobody.
    board: Result<Describe, Plain>,
    baud: u32,
    /// Whether the board runs the bus, and at which period.
    period: Option<Nanos>,
}

impl Bridge {
    /// Asks who is at the end of `wire`.
    pub fn open(wire: Box<dyn Wire>) -> Result<Self, Error> {
        let baud = wire.baud();
        let mut bridge = Self { talk: Talk::new(wire), board: Err(Plain), baud, period: None };
        bridge.greet()?;
        Ok(bridge)
    }

    /// Finds out who is there, and asks for the bus should the board still run it for an earlier host:
    /// it gives it away once the motors are stopped.
    fn greet(&mut self) -> Result<(), Error> {
        self.board = Err(Plain);
        self.period = None;
        self.talk.begin()?;
        for _ in 0..GREETINGS {
            let hello = Request::Hello { version: VERSION };
            match self.talk.ask(&hello, GREETING)? {
                Some(Reply::Describe(board)) if board.version == VERSION => {
                    self.board = Ok(board);
                    match self.release() {
                        Ok(()) => {}
                        // It goes on stopping motors, at the rate that they have.
                        Err(Error::Board { .. }) => return Ok(()),
                        Err(error) => return Err(error),
                    }
                    let baud = self.baud;
                    return self.tell(&Request::Baud { baud }, "take the bus's rate");
                }
                Some(Reply::Describe(_)) => {
                    // This port of it is no adapter.
                    return Err(self.failed("speak the messages of this program", OTHER_VERSION));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Who the board is, or why the port is used as a plain adapter.
    pub fn board(&self) -> Result<Describe, Plain> {
        self.board
    }

    /// The present instant on the host's clock.
    pub(crate) fn clock_now(&self) -> Nanos {
        self.talk.clock().now()
    }

    /// Whether the board runs the bus.
    pub fn engaged(&self) -> bool {
        self.period.is_some()
    }

    /// From one of the board's cycles to the next, while it runs the bus.
    pub fn period(&self) -> Option<Nanos> {
        self.period
    }

    /// How the board's clock stands to this one.
    pub fn offset(&self) -> &Offset {
        self.talk.offset()
    }

    /// Lets the board run the bus with these joints.
    pub fn engage(
        &mut self,
        _door: Door,
        joints: impl Iterator<Item = Joint>,
        plan: Plan,
    ) -> Result<(), Error> {
        let mut count = 0;
        for joint in joints {
            self.tell(&Request::Joint { place: count, joint }, "take a joint's limits")?;
            count = count.saturating_add(1);
        }
        let plan = Plan { joints: count, ..plan };
        match self.asked(&Request::Engage { plan }, "run the bus")? {
            Reply::Engaged { period_us } => {
                self.period = Some(Nanos::from(period_us) * crate::clock::MICRO);
                Ok(())
            }
            _ => Err(self.failed("run the bus", "it says something else")),
        }
    }

    /// Takes the bus back. A board that still drives motors stops them first, as it was told to when it
    /// was engaged, and keeps the bus until they say that they are stopped: then this is an error.
    pub fn release(&mut self) -> Result<(), Error> {
        let what = "let go of the bus";
        if self.board.is_err() {
            return Ok(());
        }
        let end = self.talk.clock().now().saturating_add(STOPS);
        loop {
            match self.talk.ask(&Request::Release, ANSWER)? {
                Some(Reply::Refused(why)) if self.talk.clock().now() >= end => {
                    return Err(self.failed(what, why.name()));
                }
                Some(Reply::Refused(_)) => {}
                Some(_) => {
                    self.period = None;
                    return Ok(());
                }
                None if self.talk.clock().now() >= end => {
                    return Err(self.failed(what, "it does not answer"));
                }
                None => {}
            }
            let next = self.talk.clock().now().saturating_add(5 * MILLI);
            self.talk.clock().sleep_until(next);
        }
    }

    /// Sends every joint where `goals` say. Waits for nobody; what the board makes of it is in the next
    /// observation. Returns when the action left.
    pub fn act(&mut self, _door: Door, goals: impl Iterator<Item = i32>) -> Result<Nanos, Error> {
        let Some(goals) = Goals::new(goals) else {
            return Err(self.failed("take the action", "it has too many joints"));
        };
        self.talk.say(&Request::Act { over_us: 0, goals })
    }

    /// Has the board stop the motors, and go on stopping those that do not confirm it.
    pub fn stop(&mut self, _door: Door, stop: Stop) -> Result<(), Error> {
        self.asked(&Request::Stop { stop }, "stop the motors").map(drop)
    }

    /// What the board sees, of a cycle later than `than` where one comes before `deadline`. `None` means
    /// that it said nothing at all.
    pub fn watch(&mut self, than: u32, deadline: Nanos) -> Result<Option<&Observation>, Error> {
        let mut any = false;
        loop {
            let now = self.talk.clock().now();
            let patience = ANSWER.min(deadline.saturating_sub(now)).max(MILLI);
            any |= matches!(self.talk.ask(&Request::Watch, patience)?, Some(Reply::Observation(_)));
            let newer = any && self.talk.seen().is_some_and(|seen| seen.cycle != than);
            let now = self.talk.clock().now();
            if newer || now >= deadline {
                break;
            }
            // Asking at once again would find the same cycle.
            let next = self.period.unwrap_or(MILLI) / 4;
            self.talk.clock().sleep_until(deadline.min(now + next));
        }
        Ok(self.talk.seen().filter(|_| any))
    }

    /// What the board told of itself last.
    pub fn seen(&self) -> Option<&Observation> {
        self.talk.seen()
    }

    /// Asks for something whose answer is that it was done.
    fn tell(&mut self, request: &Request, what: &'static str) -> Result<(), Error> {
        self.asked(request, what).map(drop)
    }

    /// Asks until there is an answer that is no refusal.
    fn asked(&mut self, request: &Request, what: &'static str) -> Result<Reply<'static>, Error> {
        for _ in 0..GREETINGS {
            match self.talk.ask(request, ANSWER)? {
                Some(Reply::Refused(why)) => return Err(self.failed(what, why.name())),
                Some(reply) => return Ok(reply),
                None => {}
            }
        }
        Err(self.failed(what, "it does not answer"))
    }

    fn failed(&self, what: &'static str, why: &'static str) -> Error {
        Error::Board { port: self.name().to_owned(), what, why }
    }
}

impl Wire for Bridge {
    fn name(&self) -> &str {
        self.talk.wire().name()
    }

    fn clock(&self) -> &Clock {
        self.talk.clock()
    }

    fn baud(&self) -> u32 {
        self.baud
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        if self.board.is_err() {
            self.talk.wire_mut().set_baud(baud)?;
        } else if self.tell(&Request::Baud { baud }, "take the bus's rate").is_err() {
            return Err(Error::BaudRefused { port: self.name().to_owned(), baud });
        }
        self.baud = baud;
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        if self.board.is_err() {
            return self.talk.wire_mut().send(bytes);
        }
        self.talk.through(bytes)
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        if self.board.is_err() {
            return self.talk.wire_mut().receive(into, deadline);
        }
        self.talk.hear(into, deadline)
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        if self.board.is_err() {
            return self.talk.wire_mut().discard_input();
        }
        self.talk.discard()
    }

    fn reopen(&mut self) -> Result<(), Error> {
        let was = self.board.is_ok();
        self.talk.wire_mut().reopen()?;
        self.greet()?;
        if was && self.board.is_err() {
            // A board that has just been plugged in needs a moment; it is tried again.
            return Err(self.failed("come back", "it does not answer yet"));
        }
        Ok(())
    }

    fn bridge(&mut self) -> Option<&mut Bridge> {
        Some(self)
    }
}

#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;
