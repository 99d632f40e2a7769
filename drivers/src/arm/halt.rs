//! Stopping: every motor, even if one fails, and its own word for it.

use sinew_core::limits::{Limiter, Limits, Measured};

use super::observe::REOPEN_EVERY;
use super::options::per_degree;
use super::{Arm, DOOR, State};
use crate::bus::Reading;
use crate::clock::{MILLI, SECOND};
use crate::stop::{Cause, MotorStop, StopFlag, StopPolicy, StopReport};
use crate::{Error, Nanos};

/// How often a motor is told again before it counts as not stopped. Each try has the bus's own
/// retries inside.
const TRIES: u32 = 5;
/// How often a parking arm gets a new goal.
const PARK_TICK: Nanos = 20 * MILLI;
/// How long a parking arm may trail behind its last goal.
const PARK_SETTLES: Nanos = SECOND;
/// How fast parking speeds up, as a part of its speed per second.
const PARK_RAMP: f64 = 2.0;
/// How near to its rest pose a joint has arrived, in degrees.
const PARK_NEAR: f64 = 3.0;

impl Arm {
    /// Leaves every motor in the state of `policy` and says of each how that went.
    pub fn stop(&mut self, policy: StopPolicy) -> StopReport {
        let wish = self.options.stop_flag.as_ref().and_then(StopFlag::raised);
        self.stop_because(wish.map_or(Cause::Asked, |wish| wish.cause), policy)
    }

    /// Ends a loop: stops an arm that has not stopped itself, as somebody wished or else as it is
    /// configured, and says how its stop went. What a hand moves and has not confirmed that it is limp
    /// is told once more.
    pub fn end(&mut self) -> StopReport {
        // A wish that is obeyed here is an error to a loop, and none to its end.
        self.obey().ok();
        if let (Some(_), Some(report)) = (self.stopped(), &self.report)
            && !self.is_braced()
        {
            return report.clone();
        }
        // Nobody drove it and nothing holds it: to hold or park it would be to move it now.
        let limp = self.state == State::Connected && self.has_no_torque();
        self.stop(if limp { StopPolicy::Limp } else { self.options.stop })
    }

    /// Whether every motor says that it has no torque.
    fn has_no_torque(&mut self) -> bool {
        let (torque, bus) = (self.registers.torque, &mut self.bus);
        let mut ids = self.readings.iter().chain(&self.wheels).map(|reading| reading.id);
        ids.all(|id| bus.read(id, torque).is_ok_and(|answer| answer.value == 0))
    }

    /// Waits up to `patience` for a lost port to come back, and then carries out the stop that
    /// could not be confirmed. Returns how the latest stop went, `None` if there was none. Raising
    /// the stop flag again ends the waiting.
    pub fn settle(&mut self, patience: Nanos) -> Option<&StopReport> {
        let end = self.clock.now().saturating_add(patience);
        while matches!(self.state, State::Lost { .. }) && !self.urgent() {
            let now = self.clock.now();
            if self.replugged().is_err() {
                if now >= end {
                    break;
                }
                self.clock.sleep_until(end.min(now + REOPEN_EVERY));
            } else if self.is_braced() {
                self.stop_because(Cause::LostPort, self.options.stop);
            }
        }
        self.report.as_ref()
    }

    pub(super) fn stop_because(&mut self, cause: Cause, policy: StopPolicy) -> StopReport {
        // What was lent is nothing that a stop holds on to.
        if self.is_braced() {
            self.let_go();
        }
        let parked = match policy {
            _ if self.has_reflexes() => self.stop_through_board(policy),
            StopPolicy::Park => self.park(),
            StopPolicy::Hold => self.hold_still(),
            StopPolicy::Limp => self.all_limp(),
        };
        if let Err(Error::Lost { .. }) = parked {
            return self.unconfirmed(cause, policy);
        }
        let servos = self.spec.servos().count();
        let mut motors = Vec::with_capacity(servos);
        for index in 0..servos {
            match self.stop_motor(index, policy) {
                Ok(motor) => {
                    self.heard_of(index, motor.ok);
                    motors.push(motor);
                }
                Err(Error::Lost { .. }) => return self.unconfirmed(cause, policy),
                Err(_) => motors.push(self.unknown(index)),
            }
        }
        let unstopped = (!motors.iter().all(|motor| motor.ok)).then_some(policy);
        if let Err(Error::Lost { .. }) = self.disengage(unstopped) {
            return self.unconfirmed(cause, policy);
        }
        self.state = State::Stopped(cause);
        let arm = self.spec.name.clone();
        self.publish(StopReport { arm, policy, cause, motors })
    }

    /// The report of a stop that nobody could carry out: the port is gone.
    pub(super) fn unconfirmed(&mut self, cause: Cause, policy: StopPolicy) -> StopReport {
        if !matches!(self.state, State::Lost { .. }) {
            self.counts.port_lost += 1;
        }
        self.state = State::Lost { policy, next_try: self.clock.now() };
        self.forget_board();
        let motors = (0..self.spec.servos().count()).map(|index| self.unknown(index)).collect();
        let arm = self.spec.name.clone();
        self.publish(StopReport { arm, policy, cause, motors })
    }

    fn publish(&mut self, report: StopReport) -> StopReport {
        self.report = Some(report.clone());
        self.tell();
        report
    }

    /// Lets those who wait for it know how it stopped, or that it goes on.
    pub(super) fn tell(&self) {
        if let (Some(flag), Some(seat)) = (&self.options.stop_flag, self.seat) {
            flag.report(seat, self.report.as_ref());
        }
    }

    fn unknown(&self, index: usize) -> MotorStop {
        let servo = self.spec.servos().nth(index);
        let (name, id) = servo.map_or((String::new(), 0), |(name, id, _)| {
            (format!("{}{name}", self.spec.prefix), id)
        });
        MotorStop { id, name, torque: None, ok: false }
    }

    /// Brings one motor into the state of `policy`, as often as it takes, and reads back whether
    /// it is there. Only a lost port is an error.
    fn stop_motor(&mut self, index: usize, policy: StopPolicy) -> Result<MotorStop, Error> {
        let mut motor = self.unknown(index);
        let axis =
            self.axes.get(index).map(|axis| (axis.torque, axis.on_servo(axis.limiter.goal())));
        let holds = policy == StopPolicy::Hold && axis.is_none_or(|(torque, _)| torque);
        let place = match (axis, self.registers.goal_speed) {
            (Some((_, goal)), _) => Some((self.registers.goal, goal)),
            (None, Some(speed)) => Some((speed, 0)),
            (None, None) => None,
        };
        for _ in 0..TRIES {
            // A goal only where the motor holds on to it, or where it would go on turning.
            let goes_on = axis.is_none() || holds;
            if let Some((register, goal)) = place.filter(|_| goes_on)
                && let Err(error) = self.bus.drive(DOOR, motor.id, register, goal)
            {
                lost_only(error)?;
                continue;
            }
            let torque = self.registers.torque;
            // An overload in the receipt is an answer, not a failure; what counts is the register.
            if let Err(error) = self.bus.drive(DOOR, motor.id, torque, i32::from(holds)) {
                lost_only(error)?;
            }
            match self.bus.read(motor.id, torque) {
                Ok(answer) => {
                    motor.torque = Some(answer.value != 0);
                    motor.ok = (answer.value != 0) == holds;
                }
                Err(error) => lost_only(error)?,
            }
            if motor.ok {
                break;
            }
        }
        Ok(motor)
    }

    /// Takes the torque off all motors at once; nobody confirms.
    fn all_limp(&mut self) -> Result<(), Error> {
        self.stop_wheels()?;
        let ids = self.readings.iter().chain(&self.wheels).map(|reading| reading.id);
        self.bus.sync_write(DOOR, self.registers.torque, ids.map(|id| (id, 0))).map(drop)
    }

    /// Tells every driven joint to stay where it is, and the wheels to stand still.
    pub(super) fn hold_still(&mut self) -> Result<(), Error> {
        self.stop_wheels()?;
        self.look()?;
        for (axis, reading) in self.axes.iter_mut().zip(&self.readings) {
            // A joint that cannot be seen keeps the goal it has.
            if let Some(position) = reading.fresh() {
                axis.limiter.rest_at(position);
            }
        }
        if self.has_reflexes() {
            return self.act_through_board(|axis| axis.limiter.goal()).map(drop);
        }
        let driven = self.axes.iter().filter(|axis| axis.torque && axis.spring.is_none());
        let mut rows = driven.map(|axis| (axis.id, axis.on_servo(axis.limiter.goal()))).peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        self.bus.sync_write(DOOR, self.registers.goal, rows).map(drop)
    }

    fn stop_wheels(&mut self) -> Result<(), Error> {
        if self.has_reflexes() {
            // The next action says so.
            return Ok(());
        }
        match self.registers.goal_speed {
            Some(register) if !self.wheels.is_empty() => {
                let rows = self.wheels.iter().map(|wheel| (wheel.id, 0));
                self.bus.sync_write(DOOR, register, rows).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Moves every driven joint slowly to its rest pose. Ends early if somebody asks to stop a
    /// second time.
    fn park(&mut self) -> Result<(), Error> {
        self.hold_still()?;
        let mut ways: Vec<Way> = (self.axes.iter().zip(&self.spec.joints).zip(&self.readings))
            .filter_map(|((axis, joint), reading)| {
                let rest = axis.rest.filter(|_| axis.torque)?;
                let degree = per_degree(joint.model.counts);
                let speed = self.options.park_speed.clamp(1.0, 180.0) * degree;
                let limits = Limits {
                    max_velocity: Some(speed),
                    max_acceleration: Some(speed * PARK_RAMP),
                    max_step: None,
                    ..*axis.limiter.limits()
                };
                let limiter = Limiter::new(limits, reading.fresh()?);
                let turn = axis.turn;
                Some(Way {
                    reading: *reading,
                    rest,
                    turn,
                    near: PARK_NEAR * degree,
                    speed,
                    limiter,
                })
            })
            .collect();
        let longest = ways.iter().map(Way::seconds).fold(0.0, f64::max);
        let mut left = (longest * SECOND as f64) as Nanos + PARK_SETTLES;
        while left > 0 && ways.iter().any(|way| !way.arrived()) && !self.urgent() {
            self.park_tick(&mut ways)?;
            self.clock.sleep(PARK_TICK);
            left -= PARK_TICK;
        }
        self.all_limp()
    }

    fn park_tick(&mut self, ways: &mut [Way]) -> Result<(), Error> {
        self.look()?;
        for way in &mut *ways {
            let seen = self.readings.iter().find(|reading| reading.id == way.reading.id);
            way.reading = seen.copied().unwrap_or(way.reading);
            let measured = Measured { position: way.reading.fresh(), load: None };
            way.limiter.limit(Some(way.rest), measured, PARK_TICK as f64 / SECOND as f64);
        }
        let rows = ways.iter().map(|way| (way.reading.id, way.limiter.goal() + way.turn));
        if ways.is_empty() {
            return Ok(());
        }
        self.bus.sync_write(DOOR, self.registers.goal, rows).map(drop)
    }

    pub(super) fn urgent(&self) -> bool {
        self.options.stop_flag.as_ref().is_some_and(|flag| flag.urgent())
    }
}

impl Drop for Arm {
    fn drop(&mut self) {
        // A port that is back by now still gets its stop; nobody waits for one that is not.
        self.settle(0);
        // Somebody's wish, which another arm's tick may have obeyed first, comes before the default.
        let works = |arm: &Self| matches!(arm.state, State::Active | State::Held);
        if works(self) && (self.obey().is_ok() || self.is_braced()) {
            let cause = if std::thread::panicking() { Cause::Panic } else { Cause::Dropped };
            self.stop_because(cause, self.options.stop);
        } else if self.is_braced() {
            // It was told often enough to count as deaf; perhaps it is not any more.
            self.let_go();
        }
        if let (Some(flag), Some(seat)) = (&self.options.stop_flag, self.seat) {
            flag.leave(seat);
        }
    }
}

/// One joint on its way to rest.
struct Way {
    reading: Reading,
    rest: i32,
    turn: i32,
    near: f64,
    /// Counts per second.
    speed: f64,
    limiter: Limiter,
}

impl Way {
    /// How long it takes at most: the way itself, speeding up and slowing down.
    fn seconds(&self) -> f64 {
        f64::from((self.rest - self.limiter.goal()).abs()) / self.speed + 2.0 / PARK_RAMP
    }

    fn arrived(&self) -> bool {
        let there = self.limiter.goal().abs_diff(self.rest) <= 1;
        let near = |position: i32| f64::from((position - self.rest).abs()) <= self.near;
        there && self.reading.fresh().is_some_and(near)
    }
}

/// Lets a lost port through and takes everything else as one failed try.
fn lost_only(error: Error) -> Result<(), Error> {
    match error {
        Error::Lost { .. } => Err(error),
        _ => Ok(()),
    }
}
