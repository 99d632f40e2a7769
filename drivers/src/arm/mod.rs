//! The only way to command a motor.
//!
//! ```text
//! connect ─▶ configure ─▶ ┌ observe ─▶ (leader, policy) ─▶ command ┐ ─▶ stop
//!                         └────────────────────────────────────────┘
//! ```
//!
//! Every goal passes the limits on its way out, measured against the position that [`Arm::observe`]
//! read; what was really sent comes back. Whatever ends the loop (a signal, a panic, an error, a
//! lost port, silence, or just dropping the arm) leaves every motor in the configured
//! [`StopPolicy`].

#[cfg(test)]
mod bench;
mod brace;
mod command;
mod configure;
mod follower;
mod halt;
pub(crate) mod handshake;
mod observe;
mod options;
mod reflexes;
#[cfg(test)]
mod tests;

pub use command::Sent;
pub use follower::{Follower, Reach};
pub use handshake::Notice;
pub use observe::Observation;
pub use options::{ArmOptions, MaxStep, OnMismatch};

use sinew_core::calibration::Calibration;
use sinew_core::joint::Scale;
use sinew_core::limits::{ALL_LIMITS, Applied, Limit, Limiter};
use sinew_core::register::{ALL_FAULTS, Fault, Faults, Reg, Register};
use sinew_core::tables::Series;

use crate::base::Base;
use crate::bus::{BusCounts, Reading};
use crate::spec::ArmSpec;
use crate::stop::{Cause, StopFlag, StopPolicy, StopReport};
use crate::telemetry::{Health, Layout};
use crate::{Bus, Clock, Error, Nanos};

/// The right to move a motor. Only an arm has one, and nobody else can make one:
///
/// ```compile_fail
/// let door = sinew_drivers::arm::Door(());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Door(());

const DOOR: Door = Door(());

/// Named joints on a bus, and the one door to their motors.
pub struct Arm {
    spec: ArmSpec,
    bus: Bus,
    clock: Clock,
    options: ArmOptions,
    registers: Registers,
    axes: Vec<Axis>,
    /// One per joint.
    reaches: Vec<Reach>,
    base: Option<Base>,
    /// One per joint.
    readings: Vec<Reading>,
    /// One per wheel.
    wheels: Vec<Reading>,
    observation: Observation,
    sent: Sent,
    state: State,
    last_command: Option<Nanos>,
    /// Since when its joints are looked at in turn.
    watched: Option<Nanos>,
    layout: Option<Layout>,
    /// One per servo, joints first.
    health: Vec<Health>,
    /// Whose health is read next, and whether that is still to be done in this tick.
    turn: usize,
    turn_due: bool,
    /// Until when nobody's is.
    turn_after: Nanos,
    notices: Vec<Notice>,
    counts: ArmCounts,
    report: Option<StopReport>,
    /// Where a board runs the bus: what it was last heard to say.
    reflexes: Option<reflexes::Reflexes>,
    /// Which joint is asked next whether it is limp.
    asked: usize,
    /// Who it is to those who wait for it to stop.
    seat: Option<usize>,
}

/// Where an arm is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Connected; motors as they were found.
    Connected,
    /// Takes commands.
    Active,
    /// The dead-man holds it; the next command sets it going again.
    Held,
    /// Stopped: takes no commands.
    Stopped(Cause),
    /// The port is gone; this stop is the first thing to do when it is back.
    Lost { policy: StopPolicy, next_try: Nanos },
}

/// One joint at work.
struct Axis {
    id: u8,
    scale: Scale,
    limiter: Limiter,
    /// Whether it is to be under torque.
    torque: bool,
    /// Whole turns, in counts, by which a servo that counts turns is off its range: it forgets
    /// them when its power fails.
    turn: i32,
    /// A whole turn in counts, for a servo that counts them.
    whole_turn: Option<i32>,
    /// The size of a count in the joint's units.
    unit: f64,
    /// Where it rests, in counts.
    rest: Option<i32>,
    /// Where a leader's joint springs back to, in counts.
    spring: Option<i32>,
    /// Whether it is under torque only for a while.
    loan: brace::Loan,
}

impl Axis {
    /// Finds out by how many turns the servo is off, and rests where it `stands`. Returns where
    /// that is without those turns.
    fn rest_anew(&mut self, stands: i32) -> i32 {
        if let Some(turn) = self.whole_turn {
            let (min, max) = self.scale.range();
            let off = stands.saturating_sub(min.midpoint(max));
            let turns = (f64::from(off) / f64::from(turn)).round() as i32;
            self.turn = turns.saturating_mul(turn);
        }
        let position = stands.saturating_sub(self.turn);
        self.limiter.rest_at(position);
        position
    }

    /// What the servo is to be told, so that it goes to `goal`.
    fn on_servo(&self, goal: i32) -> i32 {
        goal.saturating_add(self.turn)
    }
}

/// The registers an arm needs every tick.
#[derive(Clone, Copy)]
struct Registers {
    position: &'static Register,
    goal: &'static Register,
    torque: &'static Register,
    speed: Option<&'static Register>,
    goal_speed: Option<&'static Register>,
}

impl Registers {
    /// The registers of a series; every series has those that every arm needs.
    fn of(series: &'static Series) -> Option<Self> {
        Some(Self {
            position: series.get(Reg::PresentPosition)?,
            goal: series.get(Reg::GoalPosition)?,
            torque: series.get(Reg::TorqueEnable)?,
            speed: series.get(Reg::PresentVelocity),
            goal_speed: series.get(Reg::GoalVelocity),
        })
    }
}

/// What has happened to an arm since it was connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmCounts {
    /// Ticks observed.
    pub ticks: u64,
    /// Commands sent.
    pub commands: u64,
    /// Joint values that were not fresh.
    pub stale: u64,
    /// How often the dead-man held the arm.
    pub dead_man: u64,
    /// How often a motor was found without the torque it should have had.
    pub torque_lost: u64,
    /// How often the port went away.
    pub port_lost: u64,
    /// Health readings that did not come.
    pub health_missed: u64,
    /// How often a board let a joint give way: too hot, or its servo had tripped.
    pub gave_way: u64,
    /// How often a board found the supply outside its limits, and let nothing move.
    pub supply: u64,
    /// Answers of servos that a board missed.
    pub board_missed: u64,
    /// A board's cycles that began late.
    pub board_late: u64,
    /// How often a board had no room for bytes, or no time.
    pub board_lost: u64,
    limits: [u64; ALL_LIMITS.len()],
    faults: [u64; ALL_FAULTS.len()],
}

impl ArmCounts {
    /// How many goals this limit changed.
    pub fn limited(&self, limit: Limit) -> u64 {
        self.limits.get(limit as usize).copied().unwrap_or_default()
    }

    /// How often a motor began to complain of this.
    pub fn faults(&self, fault: Fault) -> u64 {
        self.faults.get(fault as usize).copied().unwrap_or_default()
    }

    /// What has happened to both.
    pub fn and(mut self, other: Self) -> Self {
        self.ticks += other.ticks;
        self.commands += other.commands;
        self.stale += other.stale;
        self.dead_man += other.dead_man;
        self.torque_lost += other.torque_lost;
        self.port_lost += other.port_lost;
        self.health_missed += other.health_missed;
        self.gave_way += other.gave_way;
        self.supply += other.supply;
        self.board_missed += other.board_missed;
        self.board_late += other.board_late;
        self.board_lost += other.board_lost;
        let more = |sums: &mut [u64], others: &[u64]| {
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        };
        more(&mut self.limits, &other.limits);
        more(&mut self.faults, &other.faults);
        self
    }

    fn count_limits(&mut self, applied: Applied) {
        for limit in applied.iter() {
            if let Some(count) = self.limits.get_mut(limit as usize) {
                *count += 1;
            }
        }
    }

    fn count_faults(&mut self, before: Faults, now: Faults) {
        for fault in now.iter().filter(|fault| !before.has(*fault)) {
            if let Some(count) = self.faults.get_mut(fault as usize) {
                *count += 1;
            }
        }
    }
}

impl Arm {
    /// Finds the arm on `bus`: every motor answers, is of its model, and holds the calibration
    /// given. Nothing moves and no torque changes.
    pub fn connect(
        spec: ArmSpec,
        mut bus: Bus,
        calibration: &[(String, Calibration)],
        options: ArmOptions,
    ) -> Result<Self, Error> {
        let mut notices = handshake::run(&mut bus, &spec)?;
        handshake::compare_calibration(&mut bus, &spec, calibration, options.on_mismatch)?;
        let mut arm = Self::assemble(spec, bus, calibration, options)?;
        arm.first_look(&mut notices)?;
        arm.notices = notices;
        arm.goes_without_reflexes();
        Ok(arm)
    }

    /// Takes over motors that somebody else left as they are, only to stop them: nobody needs to
    /// answer, and ranges come from the motors themselves.
    pub fn take_over(spec: ArmSpec, mut bus: Bus, options: ArmOptions) -> Result<Self, Error> {
        let calibration = handshake::ranges_on_motors(&mut bus, &spec);
        let mut arm = Self::assemble(spec, bus, &calibration, options)?;
        arm.state = State::Active;
        Ok(arm)
    }

    /// The parts of an arm, put together and not yet looked at.
    fn assemble(
        spec: ArmSpec,
        bus: Bus,
        calibration: &[(String, Calibration)],
        options: ArmOptions,
    ) -> Result<Self, Error> {
        let Some(registers) = Registers::of(spec.series) else {
            return Err(Error::BadBase { arm: spec.name });
        };
        let (axes, reaches) = options::axes(&spec, calibration, &options)?;
        let base = match &spec.base {
            Some(base) => match Base::new(base) {
                Some(base) => Some(base),
                None => return Err(Error::BadBase { arm: spec.name }),
            },
            None => None,
        };
        let servos = spec.servos().count();
        Ok(Self {
            seat: options.stop_flag.as_ref().map(StopFlag::join),
            clock: bus.wire().clock().clone(),
            readings: axes.iter().map(|axis| Reading::new(axis.id)).collect(),
            wheels: spec.wheels().iter().map(|wheel| Reading::new(wheel.id)).collect(),
            observation: Observation::new(spec.value_count()),
            sent: Sent::new(spec.value_count(), axes.len()),
            layout: Layout::of(spec.series),
            health: vec![Health::default(); servos],
            state: State::Connected,
            last_command: None,
            watched: None,
            turn: 0,
            turn_due: false,
            turn_after: Nanos::MIN,
            notices: Vec::new(),
            counts: ArmCounts::default(),
            report: None,
            reflexes: None,
            asked: 0,
            registers,
            axes,
            reaches,
            base,
            spec,
            bus,
            options,
        })
    }

    /// What it is.
    pub fn spec(&self) -> &ArmSpec {
        &self.spec
    }

    /// How it is driven.
    pub fn options(&self) -> &ArmOptions {
        &self.options
    }

    /// The clock that its instants come from.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was odd when it was connected, though not in the way, and what a board has held back since,
    /// once it does not run the bus any more.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The health of every servo, joints first, then wheels.
    pub fn health(&self) -> &[Health] {
        &self.health
    }

    /// What has happened to it.
    pub fn counts(&self) -> ArmCounts {
        self.counts
    }

    /// What has happened on its bus.
    pub fn bus_counts(&self) -> BusCounts {
        self.bus.counts()
    }

    /// How its latest stop went.
    pub fn stop_report(&self) -> Option<&StopReport> {
        self.report.as_ref()
    }

    /// Why it takes no commands, if it is stopped.
    pub fn stopped(&self) -> Option<Cause> {
        match self.state {
            State::Stopped(cause) => Some(cause),
            State::Lost { .. } => Some(Cause::LostPort),
            State::Connected | State::Active | State::Held => None,
        }
    }

    /// How far each joint goes, in the order of the values.
    pub fn reaches(&self) -> &[Reach] {
        &self.reaches
    }
}
