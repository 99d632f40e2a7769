//! An arm whose bus a board runs: goals and readings travel a message at a time, and the board stops
//! the motors should nobody be here to do it.
//!
//! The limits are applied here as ever; the board applies the same ones again, to the even way it makes
//! of the goals. What has no message of its own, such as a setting, goes to the servos as always.

mod engage;
mod held;

use sinew_core::bridge::{JointSeen, Mode, Observation, Stop, Torque};

use held::Held;

use super::{Arm, Axis, DOOR, State};
use crate::bridge::Bridge;
use crate::bus::{Miss, Reading, Sample, Timing};
use crate::clock::{MILLI, SECOND};
use crate::stop::{Cause, StopPolicy};
use crate::telemetry::Health;
use crate::{Error, Nanos};

/// What the arm remembers of a board that runs its bus.
pub(super) struct Reflexes {
    /// The latest cycle it was told of.
    cycle: u32,
    /// The cycle that each servo's reading is of, joints first.
    cycles: Vec<u32>,
    /// When it was told something last though nobody commands.
    told: Nanos,
    held: Held,
}

/// How long a host without a dead-man may be silent before the joints hold.
const SILENCE: Nanos = SECOND;
/// How long one more cycle may take.
const ONE_CYCLE: Nanos = 200 * MILLI;

impl Arm {
    /// Whether a board runs the bus.
    pub fn has_reflexes(&self) -> bool {
        self.reflexes.is_some()
    }

    fn bridge(&mut self) -> Option<&mut Bridge> {
        self.bus.wire_mut().bridge().filter(|bridge| bridge.board().is_ok())
    }

    /// Has the board stop the motors. What holds is then held where the board holds it.
    pub(super) fn stop_through_board(&mut self, policy: StopPolicy) -> Result<(), Error> {
        let Some(bridge) = self.bridge() else { return Ok(()) };
        match bridge.stop(DOOR, stop(policy)) {
            // The motors are told without it.
            Err(Error::Board { .. }) => return Ok(()),
            told => told?,
        }
        let mut parks = policy == StopPolicy::Park;
        let mut cycles = 0;
        loop {
            let urgent = self.urgent();
            let than = self.reflexes.as_ref().map_or(0, |reflexes| reflexes.cycle);
            let Some(bridge) = self.bridge() else { return Ok(()) };
            if parks && urgent {
                bridge.stop(DOOR, Stop::Limp)?;
                parks = false;
            }
            let deadline = bridge.clock_now().saturating_add(ONE_CYCLE);
            let Some(seen) = bridge.watch(than, deadline)?.copied() else { return Ok(()) };
            if let Some(reflexes) = &mut self.reflexes {
                reflexes.cycle = seen.cycle;
            }
            cycles += 1;
            // The first may have begun before the stop.
            if seen.mode != Mode::Parking && cycles > 1 {
                self.rest_as_seen(&seen);
                return Ok(());
            }
        }
    }

    /// Goes on from where the board has the joints.
    fn rest_as_seen(&mut self, seen: &Observation) {
        for (axis, joint) in self.axes.iter_mut().zip(seen.joints()) {
            if joint.age < u8::MAX {
                axis.limiter.rest_at(joint.goal.saturating_sub(axis.turn));
            }
        }
    }

    /// What [`Arm::look`] does, by asking the board.
    pub(super) fn look_through_board(&mut self) -> Result<Timing, Error> {
        let now = self.clock.now();
        let (budget, than) =
            (self.options.read_budget, self.reflexes.as_ref().map_or(0, |r| r.cycle));
        let bridge = self.bus.wire_mut().bridge();
        let Some(bridge) = bridge else { return Ok(Timing::default()) };
        let period = bridge.period().unwrap_or_default();
        let seen = bridge.watch(than, now.saturating_add(budget))?.copied();
        let asked = seen.and_then(|seen| bridge.offset().here(seen.asked_us));
        let (Some(seen), Some(asked)) = (seen, asked) else {
            self.readings.iter_mut().chain(&mut self.wheels).for_each(missed);
            return Ok(Timing { first_out: now, last_in: self.clock.now() });
        };
        let Some(reflexes) = &mut self.reflexes else { return Ok(Timing::default()) };
        reflexes.cycle = seen.cycle;
        let took = Nanos::from(seen.took_us) * crate::clock::MICRO;
        let turns = self.axes.iter().map(|axis| Some(axis.turn)).chain(std::iter::repeat(None));
        let readings = self.readings.iter_mut().chain(&mut self.wheels).zip(turns);
        for (((reading, turn), joint), latest) in
            readings.zip(seen.joints()).zip(&mut reflexes.cycles)
        {
            let cycle = seen.cycle.wrapping_sub(u32::from(joint.age));
            if joint.age == u8::MAX || cycle == *latest || cycle > seen.cycle {
                missed(reading);
                continue;
            }
            *latest = cycle;
            let asked = asked.saturating_sub(Nanos::from(joint.age).saturating_mul(period));
            // A wheel tells how fast it turns.
            let value =
                turn.map_or(i32::from(joint.speed), |turn| joint.position.saturating_sub(turn));
            let sample = Sample { value, asked, at: asked.saturating_add(took) };
            reading.outcome = Ok(sample);
            reading.last = Some(sample);
            reading.faults = joint.faults;
            reading.misses = 0;
        }
        let last_in = asked.saturating_add(took);
        self.see_held(&seen);
        self.health_from_board(&seen, last_in);
        Ok(Timing { first_out: asked, last_in })
    }

    fn health_from_board(&mut self, seen: &Observation, at: Nanos) {
        for (place, joint) in self.health.iter_mut().zip(seen.joints()) {
            if joint.age > 0 {
                continue;
            }
            self.counts.count_faults(place.faults, joint.faults);
            *place = health(joint, at);
        }
    }

    /// First aid for a motor that has lost its torque, one a tick.
    pub(super) fn first_aid(&mut self) -> Result<(), Error> {
        if !matches!(self.state, State::Active | State::Held) {
            return Ok(());
        }
        let limp = |(axis, health): (&Axis, &Health)| axis.torque && health.torque == Some(false);
        let Some(index) = self.axes.iter().zip(&self.health).position(limp) else { return Ok(()) };
        self.counts.torque_lost += 1;
        let turn = self.axes.get(index).map(|axis| axis.turn);
        let revived = self.revive(index);
        if matches!(revived, Err(Error::Lost { .. })) {
            return self.or_lost(revived);
        }
        if let Some(health) = self.health.get_mut(index) {
            // The board says when it holds again.
            health.torque = None;
        }
        if self.axes.get(index).map(|axis| axis.turn) != turn {
            // Its limits lie elsewhere in its own counts now.
            let engaged = self.engage();
            return self.or_lost(engaged);
        }
        Ok(())
    }

    /// Does what the board has already done because this host was silent.
    pub(super) fn heed_board(&mut self) -> Result<(), Error> {
        if self.reflexes.is_none() || !matches!(self.state, State::Active | State::Held) {
            return Ok(());
        }
        let mode = self.bridge().and_then(|bridge| bridge.seen()).map(|seen| seen.mode);
        match mode {
            Some(Mode::Parking | Mode::Stopped) => {
                self.give_up(Cause::DeadMan, self.options.stop);
                Err(Error::Stopped { cause: Cause::DeadMan })
            }
            Some(Mode::Held) if self.state == State::Active => {
                self.counts.dead_man += 1;
                self.state = State::Held;
                if let Some(seen) = self.bridge().and_then(|bridge| bridge.seen().copied()) {
                    self.rest_as_seen(&seen);
                }
                Ok(())
            }
            // It has lost its power for a moment and knows of nothing.
            Some(Mode::Free) => {
                let engaged = self.engage();
                self.or_lost(engaged)
            }
            _ => Ok(()),
        }
    }

    /// Tells the joints again where they are to be, where nobody else does: a board holds and stops
    /// those of a host that only looks.
    pub(super) fn tell_again(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        let every = self.options.dead_man.unwrap_or(SILENCE) / 4;
        match &mut self.reflexes {
            Some(reflexes) if now - reflexes.told >= every => reflexes.told = now,
            _ => return Ok(()),
        }
        self.act_through_board(|axis| axis.limiter.goal()).map(drop)
    }

    /// Has the board send what was limited last, and the wheels where `values` say.
    pub(super) fn send_through_board(&mut self, values: &[f64]) -> Result<Nanos, Error> {
        let body = match values.get(self.axes.len()..) {
            Some([x, y, turn]) => [*x, *y, *turn],
            _ => [0.0; 3],
        };
        let speeds = self.base.as_ref().map_or([0; 3], |base| base.wheels(body));
        let goals = self.axes.iter().zip(&self.sent.goals).map(|(axis, goal)| axis.on_servo(*goal));
        let goals = goals.chain(speeds.into_iter().take(self.wheels.len()));
        if let Some(reflexes) = &mut self.reflexes {
            reflexes.held.told(goals.clone());
        }
        match self.bus.wire_mut().bridge() {
            Some(bridge) => bridge.act(DOOR, goals),
            None => Ok(self.clock.now()),
        }
    }

    /// Has the board send every joint to its `goal`, each within its own turn, while wheels stand still.
    pub(super) fn act_through_board(
        &mut self,
        goal: impl Fn(&Axis) -> i32 + Copy,
    ) -> Result<Nanos, Error> {
        let axes = self.axes.iter().map(|axis| axis.on_servo(goal(axis)));
        let goals = axes.chain(self.wheels.iter().map(|_| 0));
        if let Some(reflexes) = &mut self.reflexes {
            reflexes.held.told(goals.clone());
        }
        match self.bus.wire_mut().bridge() {
            Some(bridge) => bridge.act(DOOR, goals),
            None => Ok(self.clock.now()),
        }
    }
}

fn missed(reading: &mut Reading) {
    reading.outcome = Err(Miss::NoAnswer);
    reading.misses = reading.misses.saturating_add(1);
}

fn stop(policy: StopPolicy) -> Stop {
    match policy {
        StopPolicy::Hold => Stop::Hold,
        StopPolicy::Park => Stop::Park,
        StopPolicy::Limp => Stop::Limp,
    }
}

fn health(joint: &JointSeen, at: Nanos) -> Health {
    Health {
        at: Some(at),
        torque: match joint.torque {
            Torque::Unknown => None,
            Torque::Off => Some(false),
            Torque::On => Some(true),
        },
        load: Some(f32::from(joint.load) / 1000.0),
        current_ma: None,
        voltage: Some(f32::from(joint.supply_dv) / 10.0),
        temperature: Some(f32::from(joint.celsius)),
        faults: joint.faults,
    }
}

#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;
