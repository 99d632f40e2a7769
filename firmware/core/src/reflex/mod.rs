//! What a board between host and servos does by itself: it runs the bus at a fixed rate, goes evenly
//! from one action to the next, keeps to the limits, and stops the motors when the host falls silent.
//!
//! ```text
//!            host_bytes ─▶ ┌───────┐ ─▶ Step.bus ─▶ servos
//!   host                   │ Board │
//!            Step.host  ◀─ └───────┘ ◀─ bus_bytes ◀─ servos
//! ```
//! A [`Board`] touches no hardware and has no clock: whoever owns it tells it what came and what time
//! it is, and does what its [`Step`] says. A board's firmware does so with its UART and its USB port,
//! the tests with virtual servos.

mod aim;
mod axis;
mod cycle;
mod outbox;
mod owner;
mod ports;
mod requests;
mod series;
mod settings;
mod watch;

pub use owner::Owner;
pub use settings::{BAUDS, Settings};

use crate::bridge::{Counts, Framer, Joint, MOST_JOINTS, MOST_THROUGH, Mode, Plan, Stop};
use crate::packet::{Decoder, Protocol};
use axis::Axis;
use cycle::Phase;
use outbox::Outbox;
use owner::Claims;
use series::Series;

/// An instant on the board's only clock, in microseconds since it started.
pub type Micros = u64;

/// What a board is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A thread of a test or of the virtual bus.
    Virtual,
    /// A Raspberry Pi RP2040.
    Rp2040,
    /// A Raspberry Pi RP2350.
    Rp2350,
    /// A machine that QEMU pretends to be.
    Qemu,
}

/// What the light shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// Nobody uses the bus.
    Idle,
    /// Bytes pass through.
    Through,
    /// It runs the bus, and all is well.
    Running,
    /// The host is silent: the joints hold, or go to rest.
    Held,
    /// The motors were stopped.
    Stopped,
    /// A joint gives way, does not answer, or the supply is wrong.
    Trouble,
}

/// What the board's owner is to do now.
#[derive(Debug, PartialEq)]
pub struct Step<'a> {
    /// Send these bytes on the bus at `baud`, and listen again once the last one is out.
    pub bus: &'a [u8],
    /// The bus's rate, in force from now on also where there is nothing to send.
    pub baud: u32,
    /// Send these bytes to the host's bridge port.
    pub host: &'a [u8],
    /// Show this, as bright as [`Board::settings`] says.
    pub light: Light,
    /// Write this record to flash, where [`Board::new`] finds it next time, and tell [`Board::saved`]
    /// how that went. Said once.
    pub save: Option<[u8; Settings::STORED]>,
    /// Start again as a disk for new firmware, once `host` has left.
    pub bootloader: bool,
    /// Ask again then, or as soon as bytes come.
    pub wake_us: Micros,
}

/// Room for what goes out on the bus in one step: goals, torque, and the question to all servos.
const BUS_ROOM: usize = 240 + QUEUE_ROOM;
/// Room for what goes to the host in one step.
const HOST_ROOM: usize = 1536;
/// Room for the host's bytes that wait for their time on the bus.
const QUEUE_ROOM: usize = 2 * MOST_THROUGH;
/// Room for the longest answer of one servo.
const ANSWER_ROOM: usize = 96;

/// All that a board is, but for its hardware.
pub struct Board {
    kind: Kind,
    settings: Settings,
    /// Settings that are to be kept, and the number of who asked for that.
    saving: Option<(u16, Settings)>,
    /// Whether their record is still to be handed out.
    save: bool,
    bootloader: bool,
    baud: u32,

    framer: Framer,
    to_host: Outbox<HOST_ROOM>,
    to_bus: Outbox<BUS_ROOM>,
    /// What the host wants on the bus beside the cycle.
    queue: Outbox<QUEUE_ROOM>,
    /// For how many cycles it has waited.
    waited: u8,
    claims: Claims,

    mode: Mode,
    plan: Plan,
    /// The servos told since the last plan.
    told: [Option<Joint>; MOST_JOINTS],
    axes: [Axis; MOST_JOINTS],
    series: Option<Series>,
    decoder: Decoder<ANSWER_ROOM>,
    phase: Phase,

    /// When the host was last heard: while it drives the motors, when it last told them something. One
    /// that only looks may have lost the thread that drives.
    heard: Micros,
    /// How long the host takes from one action to the next.
    pace_us: u32,
    acted: Option<Micros>,
    /// How the motors are being stopped.
    stop: Stop,
    /// A stop that must not wait for the next cycle.
    urgent: bool,
    /// Until when parking may take.
    park_until: Micros,
    supply: watch::Supply,

    /// Cycles begun.
    cycle: u32,
    next_cycle: Micros,
    begun: Micros,
    /// The latest finished cycle: its number, when it asked, and how long that took.
    latest: (u32, Micros, u16),
    /// Until when an answer to some earlier question may still come.
    suspect_until: Micros,
    tag: u8,
    /// Which servo is asked next for what its block does not tell.
    turn: u8,
    /// Until when the line is taken by what was sent.
    line_free: Micros,
    counts: Counts,
}

/// A plan before there is one.
const NO_PLAN: Plan = Plan {
    protocol: Protocol::Feetech0,
    joints: 0,
    period_us: 5_000,
    hold_ms: 0,
    stop_ms: 0,
    stop: Stop::Limp,
    park_speed: 0.0,
    supply_dv: (0, 0),
};

impl Board {
    /// A board that has just got its power, with what was found where its settings are kept.
    pub fn new(kind: Kind, flash: &[u8]) -> Self {
        let settings = Settings::restore(flash).unwrap_or_default();
        Self {
            kind,
            settings,
            saving: None,
            save: false,
            bootloader: false,
            baud: settings.baud,
            framer: Framer::new(),
            to_host: Outbox::new(),
            to_bus: Outbox::new(),
            queue: Outbox::new(),
            waited: 0,
            claims: Claims::default(),
            mode: Mode::Free,
            plan: NO_PLAN,
            told: [None; MOST_JOINTS],
            axes: [Axis::absent(); MOST_JOINTS],
            series: None,
            decoder: Decoder::new(Protocol::Feetech0),
            phase: Phase::Idle,
            heard: 0,
            pace_us: 0,
            acted: None,
            stop: Stop::Limp,
            urgent: false,
            park_until: 0,
            supply: watch::Supply::default(),
            cycle: 0,
            next_cycle: 0,
            begun: 0,
            latest: (0, 0, 0),
            suspect_until: 0,
            tag: 0,
            turn: 0,
            line_free: 0,
            counts: Counts::default(),
        }
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it does with the motors.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What has happened.
    pub fn counts(&self) -> Counts {
        Counts {
            refused: self.counts.refused.wrapping_add(self.framer.damaged() as u16),
            ..self.counts
        }
    }

    /// Takes what came from the host's bridge port.
    pub fn host_bytes(&mut self, now_us: Micros, bytes: &[u8]) {
        let mut input = bytes;
        // The framer lends its buffer; a message that may change the board is read from a copy.
        let mut message = [0; crate::bridge::PAYLOAD_ROOM];
        loop {
            let Some(found) = self.framer.next(&mut input) else { return };
            let len = found.len();
            for (place, byte) in message.iter_mut().zip(found) {
                *place = *byte;
            }
            self.message(now_us, message.get(..len).unwrap_or_default());
        }
    }

    /// Takes what came from the bus.
    pub fn bus_bytes(&mut self, now_us: Micros, bytes: &[u8]) {
        self.hear(now_us, bytes);
    }

    /// What to do now. All of it is to be done before the board is told anything else.
    pub fn poll(&mut self, now_us: Micros) -> Step<'_> {
        self.to_bus.begin();
        self.to_host.begin();
        self.run(now_us);
        Step {
            baud: self.baud,
            light: self.light(now_us),
            save: self
                .saving
                .filter(|_| core::mem::take(&mut self.save))
                .map(|(_, new)| new.store()),
            bootloader: self.bootloader,
            wake_us: self.wake(),
            bus: self.to_bus.hand_out(),
            host: self.to_host.hand_out(),
        }
    }

    /// Whether the board runs the bus, and the bus cannot be had by anybody else.
    fn engaged(&self) -> bool {
        self.mode != Mode::Free
    }

    /// The servos of the plan.
    fn axes(&self) -> &[Axis] {
        self.axes.get(..usize::from(self.plan.joints)).unwrap_or_default()
    }

    fn axes_mut(&mut self) -> &mut [Axis] {
        self.axes.get_mut(..usize::from(self.plan.joints)).unwrap_or_default()
    }

    fn light(&self, now_us: Micros) -> Light {
        match self.mode {
            Mode::Free if self.claims.owner(now_us) == Owner::Nobody => Light::Idle,
            Mode::Free => Light::Through,
            Mode::Stopped => Light::Stopped,
            _ if self.supply.wrong() || self.axes().iter().any(Axis::in_trouble) => Light::Trouble,
            Mode::Running => Light::Running,
            Mode::Held | Mode::Parking => Light::Held,
        }
    }
}

#[cfg(test)]
mod tests;
