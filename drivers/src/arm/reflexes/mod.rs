//! An arm whose bus a board runs: goals and readings travel a message at a time, and the board stops
//! the motors should nobody be here to do it.
//!
//! The limits are applied here as ever; the board applies the same ones again, to the even way it makes
//! of the goals. What has no message of its own, such as a setting, goes to the servos as always.

use sinew_core::bridge::{Drive, Joint, JointSeen, Mode, Observation, Plan, Refusal, Stop, Torque};
use sinew_core::limits::Limits;
use sinew_core::packet::Protocol;

use super::options::per_degree;
use super::{Arm, Axis, DOOR, Notice, State};
use crate::bridge::Bridge;
use crate::bus::{Miss, Reading, Sample, Timing};
use crate::clock::{MILLI, SECOND};
use crate::spec::Role;
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
}

/// How long a host without a dead-man may be silent before the joints hold.
const SILENCE: Nanos = SECOND;
/// How long one more cycle may take.
const ONE_CYCLE: Nanos = 200 * MILLI;
/// How long the first cycle may take.
const FIRST_CYCLE: Nanos = 200 * MILLI;
/// How far the supply may be from what the arm is sold with before nothing moves, as parts of it.
const SUPPLY: (f64, f64) = (0.65, 1.3);
/// Counts a turn of the servos that a board can look after, for the speed it parks at.
const TURN: u16 = 4096;

impl Arm {
    /// Whether a board runs the bus.
    pub fn has_reflexes(&self) -> bool {
        self.reflexes.is_some()
    }

    fn bridge(&mut self) -> Option<&mut Bridge> {
        self.bus.wire_mut().bridge().filter(|bridge| bridge.board().is_ok())
    }

    /// Hands the joints over to the board, where there is one and somebody is to drive them.
    pub(super) fn engage(&mut self) -> Result<(), Error> {
        self.reflexes = None;
        if self.goes_without_reflexes() {
            return Ok(());
        }
        // A leader is in a hand, which may well put it down for longer than a host may be silent.
        let driven = self.spec.role == Role::Follower;
        if !driven || self.axes.iter().all(|axis| !axis.torque) {
            return Ok(());
        }
        let plan = self.plan();
        let wheels = self.spec.base.as_ref().map_or(0, |base| base.max_speed);
        let wheels = self.wheels.iter().map(|reading| wheel(reading.id, wheels));
        let joints: Vec<Joint> = self.axes.iter().map(joint).chain(wheels).collect();
        let Some(bridge) = self.bridge() else { return Ok(()) };
        match bridge.engage(DOOR, joints.iter().copied(), plan) {
            Err(error) => {
                // It may run the bus all the same, if only its answer was lost.
                bridge.release().ok();
                Err(error)
            }
            Ok(()) => {
                let first = bridge.clock_now().saturating_add(FIRST_CYCLE);
                // It believes no place that it has seen only once.
                bridge.watch(0, first)?;
                bridge.watch(1, first)?;
                let (cycles, told) = (vec![0; joints.len()], bridge.clock_now());
                self.reflexes = Some(Reflexes { cycle: 0, cycles, told });
                Ok(())
            }
        }
    }

    /// Whether no board can run the bus, though one was asked for; that is said.
    pub(super) fn goes_without_reflexes(&mut self) -> bool {
        let servos = self.spec.servos().count();
        let protocol = self.spec.series.protocol;
        let why = match self.bus.wire_mut().bridge().map(|bridge| bridge.board()) {
            None => return false,
            Some(Err(why)) => why.to_string(),
            Some(Ok(_)) if protocol == Protocol::Feetech1 => Refusal::Protocol.name().to_owned(),
            Some(Ok(board)) if servos > usize::from(board.joints) => {
                Refusal::Joints.name().to_owned()
            }
            Some(Ok(_)) => return false,
        };
        let port = self.bus.wire().name().to_owned();
        let notice = Notice::NoReflexes { port, why };
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
        true
    }

    fn plan(&self) -> Plan {
        let hold = self.options.dead_man.unwrap_or(SILENCE);
        let ms = |span: Nanos| u16::try_from((span / MILLI).max(1)).unwrap_or(u16::MAX);
        let volts =
            |part: f64, volts: Option<f64>| volts.map_or(0, |volts| (volts * part * 10.0) as u8);
        let lowest = self.spec.supply.iter().copied().reduce(f64::min);
        let highest = self.spec.supply.iter().copied().reduce(f64::max);
        Plan {
            protocol: self.spec.series.protocol,
            joints: 0,
            period_us: 0,
            hold_ms: ms(hold),
            stop_ms: ms(hold.saturating_mul(2)),
            stop: stop(self.options.stop),
            park_speed: (self.options.park_speed.clamp(1.0, 180.0) * per_degree(TURN)) as f32,
            supply_dv: (volts(SUPPLY.0, lowest), volts(SUPPLY.1, highest)),
        }
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

    /// Takes the bus back from the board. One that could not stop every motor keeps it, and goes on
    /// stopping them.
    pub(super) fn disengage(&mut self, unstopped: Option<StopPolicy>) -> Result<(), Error> {
        let drives = self.reflexes.is_some();
        let Some(bridge) = self.bridge().filter(|_| drives) else { return Ok(()) };
        let told = match unstopped {
            None => bridge.release(),
            Some(policy) => bridge.stop(DOOR, stop(policy)),
        };
        self.reflexes = None;
        told
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

    /// Takes the bus from a board that still has it, from this host or an earlier one, before the motors
    /// are set up.
    pub(super) fn take_bus(&mut self) -> Result<(), Error> {
        let ours = self.reflexes.take().is_some();
        let Some(bridge) = self.bridge() else { return Ok(()) };
        if ours {
            // Whoever sets it up again while it stands under torque wants it to stay there until then.
            bridge.stop(DOOR, Stop::Hold)?;
        }
        bridge.release()
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
        match self.bus.wire_mut().bridge() {
            Some(bridge) => bridge.act(DOOR, goals),
            None => Ok(self.clock.now()),
        }
    }

    /// Has the board send every joint to its `goal`, each within its own turn, while wheels stand still.
    pub(super) fn act_through_board(
        &mut self,
        goal: impl Fn(&Axis) -> i32,
    ) -> Result<Nanos, Error> {
        let axes = self.axes.iter().map(|axis| axis.on_servo(goal(axis)));
        let goals = axes.chain(self.wheels.iter().map(|_| 0));
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

/// A joint as the board knows it, in the servo's own counts.
fn joint(axis: &Axis) -> Joint {
    let limits = *axis.limiter.limits();
    let (min, max) = (axis.on_servo(limits.min), axis.on_servo(limits.max));
    // What a spring pulls back needs no goals.
    let drive = if axis.spring.is_some() { Drive::Watched } else { Drive::Position };
    let rest = axis.rest.filter(|_| axis.torque);
    let rest = rest.map(|rest| axis.on_servo(rest).max(min).min(max));
    Joint { id: axis.id, drive, limits: Limits { min, max, ..limits }, rest, hot: 0 }
}

fn wheel(id: u8, fastest: i32) -> Joint {
    let limits = Limits {
        min: fastest.saturating_neg(),
        max: fastest,
        max_step: None,
        max_velocity: None,
        max_acceleration: None,
        back_off: None,
    };
    Joint { id, drive: Drive::Speed, limits, rest: None, hot: 0 }
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
