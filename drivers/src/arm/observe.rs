//! The beginning of a tick: where every joint is, how old that is, and whether anybody still
//! commands.

use super::{Arm, Axis, State};
use crate::bus::{Reading, Timing};
use crate::clock::MILLI;
use crate::stop::Cause;
use crate::telemetry::BLOCK_ROOM;
use crate::{Error, Nanos};

/// What one tick saw, in LeRobot's units and order.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Joints, then a base's `x.vel`, `y.vel`, `theta.vel`.
    pub values: Vec<f64>,
    /// Whether each value is of this tick; what is not is the newest good one.
    pub fresh: Vec<bool>,
    /// How old each value is.
    pub ages: Vec<Nanos>,
    /// When the reading began and ended on the wire.
    pub timing: Timing,
}

impl Observation {
    /// Nothing seen yet, of an arm with so many values.
    pub fn new(values: usize) -> Self {
        Self {
            values: vec![0.0; values],
            fresh: vec![false; values],
            ages: vec![Nanos::MAX; values],
            timing: Timing::default(),
        }
    }
}

/// How long one answer beside the positions may keep a tick.
pub(super) const GLANCE: Nanos = 8 * MILLI;
/// No two of them follow one another faster: loads and lost torque do not change with every tick of a
/// fast loop, and each costs as much time on the bus as all positions together.
const DRIVEN_HEALTH: Nanos = 15 * MILLI;
/// The same where no motor holds anything.
const LIMP_HEALTH: Nanos = 120 * MILLI;
/// How often a lost port is tried again.
pub(super) const REOPEN_EVERY: Nanos = 100 * MILLI;

impl Arm {
    /// Reads every joint, and looks whether it is time to stop. To be called every tick by the
    /// thread that owns the arm: this is also what makes the dead-man work.
    ///
    /// A motor that misses costs only its own value. An error means that the arm was stopped, or
    /// that its port is gone; then this also tries to get it back, and stops it first thing.
    pub fn observe(&mut self) -> Result<&Observation, Error> {
        self.obey()?;
        if let State::Lost { next_try, .. } = self.state {
            return self.lost(next_try);
        }
        if self.turn_due {
            self.read_health()?;
        }
        let read = self.read_positions();
        let timing = self.or_lost(read)?;
        self.counts.ticks += 1;
        self.turn_due = self.clock.now() >= self.turn_after;
        self.fill(timing);
        self.heed_board()?;
        self.watch_joints()?;
        self.watch_commands()?;
        Ok(&self.observation)
    }

    /// The latest observation.
    pub fn observation(&self) -> &Observation {
        &self.observation
    }

    fn read_positions(&mut self) -> Result<Timing, Error> {
        let timing = self.look()?;
        if self.has_reflexes() {
            return Ok(timing);
        }
        let budget = self.options.read_budget;
        if let (Some(speed), false) = (self.registers.speed, self.wheels.is_empty()) {
            let wheels = self.bus.sync_read(speed, &mut self.wheels, budget)?;
            return Ok(Timing { first_out: timing.first_out, last_in: wheels.last_in });
        }
        Ok(timing)
    }

    /// Reads where every joint is, each within its own turn.
    pub(super) fn look(&mut self) -> Result<Timing, Error> {
        if self.has_reflexes() {
            return self.look_through_board();
        }
        let budget = self.options.read_budget;
        let timing = self.bus.sync_read(self.registers.position, &mut self.readings, budget)?;
        for (axis, reading) in self.axes.iter().zip(&mut self.readings) {
            if let Ok(sample) = &mut reading.outcome {
                sample.value = sample.value.saturating_sub(axis.turn);
                reading.last = Some(*sample);
            }
        }
        Ok(timing)
    }

    fn fill(&mut self, timing: Timing) {
        let now = self.clock.now();
        let Observation { values, fresh, ages, timing: seen } = &mut self.observation;
        *seen = timing;
        let places = values.iter_mut().zip(fresh.iter_mut()).zip(ages.iter_mut());
        for (((value, fresh), age), (axis, reading)) in
            places.zip(self.axes.iter().zip(&self.readings))
        {
            if let Some(sample) = reading.last {
                *value = axis.scale.user(sample.value);
                *age = now - sample.at;
            }
            *fresh = reading.outcome.is_ok();
            self.counts.stale += u64::from(!*fresh);
        }
        let Some(base) = &self.base else { return };
        let mut speeds = [0; 3];
        let mut oldest = 0;
        for (speed, reading) in speeds.iter_mut().zip(&self.wheels) {
            *speed = reading.last.map_or(0, |sample| sample.value);
            oldest = oldest.max(reading.age(now).unwrap_or(Nanos::MAX));
        }
        let all = self.wheels.iter().all(|reading| reading.outcome.is_ok());
        let body = base.body(speeds);
        let joints = self.axes.len();
        let places = values.iter_mut().zip(fresh.iter_mut()).zip(ages.iter_mut()).skip(joints);
        for (((value, fresh), age), speed) in places.zip(body) {
            (*value, *fresh, *age) = (speed, all, oldest);
        }
    }

    /// Stops if somebody asked for it.
    pub(super) fn obey(&mut self) -> Result<(), Error> {
        if !matches!(self.state, State::Active | State::Held) {
            return Ok(());
        }
        let Some(request) = self.options.stop_flag.as_ref().and_then(|flag| flag.raised()) else {
            return Ok(());
        };
        self.give_up(request.cause, request.policy.unwrap_or(self.options.stop));
        Err(Error::Stopped { cause: request.cause })
    }

    /// Stops an arm that is driven blindly: one of its joints has been silent for too long.
    fn watch_joints(&mut self) -> Result<(), Error> {
        let Some(patience) = self.options.blind else { return Ok(()) };
        if !matches!(self.state, State::Active | State::Held) {
            return Ok(());
        }
        let now = self.clock.now();
        // Before somebody looks, nobody can have been silent.
        let watched = *self.watched.get_or_insert(now);
        let seen =
            |reading: &Reading| reading.last.map_or(watched, |sample| sample.at.max(watched));
        let unseen = |reading: &Reading| now - seen(reading) >= patience;
        let blind = |(axis, reading): (&Axis, &Reading)| {
            axis.torque && reading.outcome.is_err() && unseen(reading)
        };
        let Some(index) = self.axes.iter().zip(&self.readings).position(blind) else {
            return Ok(());
        };
        let error = self.blind_error(index, now);
        self.give_up(Cause::Blind, self.options.stop);
        Err(error)
    }

    fn blind_error(&self, index: usize, now: Nanos) -> Error {
        let joint = self.spec.joints.get(index);
        let age = self.readings.get(index).and_then(|reading| reading.age(now));
        Error::Blind {
            port: self.bus.wire().name().to_owned(),
            joint: joint.map(|joint| joint.name.clone()).unwrap_or_default(),
            id: joint.map(|joint| joint.id).unwrap_or_default(),
            ms: age.unwrap_or_default() / MILLI,
            volts: self.health.get(index).and_then(|health| health.voltage),
        }
    }

    /// Before the first command, and without a dead-man, the joints stay where they are to be.
    fn stand_by(&mut self) -> Result<(), Error> {
        if !matches!(self.state, State::Active | State::Held) {
            return Ok(());
        }
        let told = self.tell_again();
        self.or_lost(told)
    }

    /// The dead-man: holds, and later stops, an arm that nobody commands.
    fn watch_commands(&mut self) -> Result<(), Error> {
        let (Some(patience), Some(last)) = (self.options.dead_man, self.last_command) else {
            return self.stand_by();
        };
        let silence = self.clock.now() - last;
        match self.state {
            State::Active if silence >= patience => {
                self.counts.dead_man += 1;
                self.state = State::Held;
                let held = self.hold_still();
                self.or_lost(held)
            }
            State::Held if silence >= patience.saturating_mul(2) => {
                self.give_up(Cause::DeadMan, self.options.stop);
                Err(Error::Stopped { cause: Cause::DeadMan })
            }
            _ => Ok(()),
        }
    }

    /// The health of the servo whose turn it is, and first aid if it lost its torque.
    pub(super) fn read_health(&mut self) -> Result<(), Error> {
        self.turn_due = false;
        if self.has_reflexes() {
            return self.first_aid();
        }
        let driven = self.axes.iter().any(|axis| axis.torque);
        self.turn_after = self.clock.now() + if driven { DRIVEN_HEALTH } else { LIMP_HEALTH };
        let Some(layout) = self.layout else { return Ok(()) };
        let joints = self.readings.len();
        let index = self.turn;
        self.turn = (index + 1) % self.health.len().max(1);
        let reading =
            self.readings.get(index).or_else(|| self.wheels.get(index - joints.min(index)));
        // A servo that missed its position would only cost the tick more time.
        let Some(reading) = reading.filter(|reading| reading.outcome.is_ok()) else {
            return Ok(());
        };
        let id = reading.id;
        let mut block = [0; BLOCK_ROOM];
        let Some(block) = block.get_mut(..layout.width) else { return Ok(()) };
        let read = self.bus.glance(id, layout.address, GLANCE, block);
        let (status, at) = match self.or_lost(read)? {
            Ok((faults, timing)) => (faults, timing.last_in),
            Err(_miss) => {
                self.counts.health_missed += 1;
                return Ok(());
            }
        };
        let health = layout.decode(block, at);
        if let Some(place) = self.health.get_mut(index) {
            let mut faults = health.faults;
            for fault in status.iter() {
                faults = faults.with(fault);
            }
            self.counts.count_faults(place.faults, faults);
            *place = crate::telemetry::Health { faults, ..health };
        }
        let driven = self.axes.get(index).is_some_and(|axis| axis.torque);
        let commanded = matches!(self.state, State::Active | State::Held);
        if driven && commanded && health.torque == Some(false) {
            self.counts.torque_lost += 1;
            let revived = self.revive(index);
            if matches!(revived, Err(Error::Lost { .. })) {
                return self.or_lost(revived);
            }
            // If it fails, say because the power went again, its next turn tries again.
        }
        Ok(())
    }

    /// Notes that the port is gone, and reports the stop that cannot be confirmed now.
    pub(super) fn or_lost<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(result, Err(Error::Lost { .. })) && !matches!(self.state, State::Lost { .. }) {
            let policy = self.options.stop;
            self.unconfirmed(Cause::LostPort, policy);
        }
        result
    }

    /// A tick without a port: tries to get it back.
    pub(super) fn lost(&mut self, next_try: Nanos) -> Result<&Observation, Error> {
        let now = self.clock.now();
        if now < next_try {
            return Err(Error::Stopped { cause: Cause::LostPort });
        }
        if let State::Lost { next_try, .. } = &mut self.state {
            *next_try = now + REOPEN_EVERY;
        }
        self.replugged()?;
        Err(Error::Stopped { cause: Cause::LostPort })
    }

    /// Opens the port again and does first what could not be done when it went away.
    pub(super) fn replugged(&mut self) -> Result<(), Error> {
        let State::Lost { policy, .. } = self.state else { return Ok(()) };
        self.bus.wire_mut().reopen()?;
        self.state = State::Held;
        if !self.is_braced() {
            self.stop_because(Cause::LostPort, policy);
            return Ok(());
        }
        // Its joints say one by one that they are limp, and then it moves freely again.
        self.let_go();
        if !matches!(self.state, State::Lost { .. }) {
            self.report = None;
            self.tell();
        }
        Ok(())
    }
}
