//! A virtual board between a host and a virtual bus: the logic that runs in a real one, told what
//! came and what time it is.
//!
//! A board has a clock of its own. On virtual time its bus runs on that clock and not on the host's,
//! so that what happened while the host looked elsewhere happens in its order when it looks again.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sinew_core::bridge::{Counts, Mode};
use sinew_core::reflex::{Board, Kind, Light, Micros, Settings};

use super::VirtualBus;
use super::line::take_due;
use crate::clock::{MICRO, MILLI, SECOND};
use crate::{Clock, Error, Nanos, Wire};

/// What its clock shows when the host's shows zero: two machines never agree.
const HEAD_START: Nanos = 77 * SECOND;

/// A board with a virtual bus behind it. Clones are the same board.
#[derive(Clone)]
pub struct VirtualBoard {
    desk: Arc<Mutex<Desk>>,
    /// The host's.
    clock: Clock,
}

/// The board with all that goes to it and comes from it.
struct Desk {
    board: Board,
    bus: VirtualBus,
    /// When its clock showed zero.
    began: Nanos,
    /// What the host has sent, and when it comes in.
    coming: VecDeque<(Nanos, Vec<u8>)>,
    going: VecDeque<(Nanos, u8)>,
    /// How long bytes take between host and board.
    delay: Nanos,
    plugged: bool,
    /// When the board wants to be asked again.
    wake: Nanos,
    light: Light,
    flash: Vec<u8>,
    bootloader: bool,
}

impl VirtualBoard {
    /// A board in front of `bus`, as a host with this clock meets it. Where the clock is virtual the bus
    /// must have another, which is then the board's.
    pub fn new(bus: VirtualBus, clock: Clock) -> Self {
        let desk = Desk {
            board: Board::new(Kind::Virtual, &[]),
            bus,
            began: -HEAD_START,
            coming: VecDeque::new(),
            going: VecDeque::new(),
            delay: MILLI / 4,
            plugged: true,
            wake: Nanos::MIN,
            light: Light::Idle,
            flash: Vec::new(),
            bootloader: false,
        };
        Self { desk: Arc::new(Mutex::new(desk)), clock }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic elsewhere leaves a board that still runs.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A wire to the board's bridge port within this process.
    pub fn wire(&self) -> Box<dyn Wire> {
        Box::new(BoardLink { board: self.clone() })
    }

    /// Lets the board and its servos go on to the present.
    pub fn settle(&self) {
        let now = self.clock.now();
        self.desk().run_until(now);
    }

    /// How long bytes take between host and board.
    pub fn set_delay(&self, delay: Nanos) {
        self.desk().delay = delay;
    }

    /// Pulls the cable to the host. The board goes on: it has the servos' power.
    pub fn unplug(&self) {
        self.settle();
        let mut desk = self.desk();
        desk.plugged = false;
        desk.coming.clear();
        desk.going.clear();
    }

    /// Plugs it in again.
    pub fn replug(&self) {
        self.desk().plugged = true;
    }

    /// Takes the board's power and gives it back: it keeps its settings and nothing else.
    pub fn power_cycle(&self) {
        let mut desk = self.desk();
        desk.board = Board::new(Kind::Virtual, &desk.flash);
        desk.began = desk.bus.clock().now();
        desk.wake = Nanos::MIN;
    }

    /// What the board does with the motors.
    pub fn mode(&self) -> Mode {
        self.desk().board.mode()
    }

    /// What has happened.
    pub fn counts(&self) -> Counts {
        self.desk().board.counts()
    }

    /// What its light shows.
    pub fn light(&self) -> Light {
        self.desk().light
    }

    /// What it keeps without power.
    pub fn settings(&self) -> Settings {
        *self.desk().board.settings()
    }

    /// Whether it was asked to wait for new firmware.
    pub fn waits_for_firmware(&self) -> bool {
        self.desk().bootloader
    }

    /// The bus behind it.
    pub fn bus(&self) -> VirtualBus {
        self.desk().bus.clone()
    }

    /// The clock of its hosts.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn plugged(&self) -> bool {
        self.desk().plugged
    }

    /// The host sends `bytes`.
    pub(super) fn host_sends(&self, bytes: &[u8]) {
        let now = self.clock.now();
        let mut desk = self.desk();
        desk.run_until(now);
        let at = now + desk.delay;
        desk.coming.push_back((at, bytes.to_vec()));
        desk.run_until(now);
    }

    /// Takes what has come in for the host.
    pub(super) fn host_takes(&self, into: &mut [u8]) -> usize {
        let now = self.clock.now();
        let mut desk = self.desk();
        desk.run_until(now);
        take_due(&mut desk.going, now, into)
    }

    /// When something happens next, whatever it is.
    pub(super) fn next_event(&self) -> Nanos {
        let desk = self.desk();
        let going = desk.going.front().map_or(Nanos::MAX, |(at, _)| *at);
        desk.next_event().min(going)
    }
}

impl Desk {
    fn next_event(&self) -> Nanos {
        let coming = self.coming.front().map_or(Nanos::MAX, |(at, _)| *at);
        let answer = self.bus.next_arrival().unwrap_or(Nanos::MAX);
        self.wake.min(coming).min(answer)
    }

    fn run_until(&mut self, now: Nanos) {
        loop {
            let at = self.next_event();
            if at > now {
                break;
            }
            // On the real clock, or after something that was due earlier, it is later than that.
            self.bus.clock().sleep_until(at);
            self.step(self.bus.clock().now());
        }
        self.bus.clock().sleep_until(now);
    }

    fn step(&mut self, at: Nanos) {
        let now = Micros::try_from((at - self.began) / MICRO).unwrap_or_default();
        while let Some((then, _)) = self.coming.front()
            && *then <= at
            && let Some((_, bytes)) = self.coming.pop_front()
        {
            self.board.host_bytes(now, &bytes);
        }
        let mut heard = [0; 512];
        loop {
            let got = self.bus.host_takes(&mut heard);
            if got == 0 {
                break;
            }
            self.board.bus_bytes(now, heard.get(..got).unwrap_or_default());
        }
        let step = self.board.poll(now);
        if !step.bus.is_empty() {
            self.bus.host_sends(step.bus, step.baud);
        }
        if self.plugged {
            let later = at + self.delay;
            self.going.extend(step.host.iter().map(|byte| (later, *byte)));
        }
        (self.light, self.bootloader) = (step.light, step.bootloader);
        let wake = Nanos::try_from(step.wake_us).unwrap_or(Nanos::MAX).saturating_mul(MICRO);
        self.wake = wake.saturating_add(self.began).max(at + MICRO);
        if let Some(record) = step.save {
            self.flash = record.to_vec();
            self.board.saved(true);
            self.wake = at + MICRO;
        }
    }
}

/// The wire between a driver in this process and the board.
struct BoardLink {
    board: VirtualBoard,
}

impl BoardLink {
    fn check(&self) -> Result<(), Error> {
        if self.board.plugged() {
            return Ok(());
        }
        let source = io::ErrorKind::NotConnected.into();
        Err(Error::Lost { port: self.name().to_owned(), source })
    }
}

impl Wire for BoardLink {
    fn name(&self) -> &str {
        "virtual board"
    }

    fn clock(&self) -> &Clock {
        self.board.clock()
    }

    fn baud(&self) -> u32 {
        1_000_000
    }

    fn set_baud(&mut self, _baud: u32) -> Result<(), Error> {
        // A port on USB has no rate of its own.
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        self.check()?;
        let now = self.clock().now();
        self.board.host_sends(bytes);
        Ok(now)
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        loop {
            self.check()?;
            let taken = self.board.host_takes(into);
            let now = self.clock().now();
            if taken > 0 || now >= deadline {
                return Ok(taken);
            }
            let next = self.board.next_event().max(now + MICRO);
            self.clock().sleep_until(next.min(deadline).min(now + 100 * MILLI));
        }
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        self.check()?;
        let mut into = [0; 256];
        while self.board.host_takes(&mut into) > 0 {}
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.check()
    }
}
