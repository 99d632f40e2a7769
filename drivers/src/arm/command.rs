//! The end of a tick: goals go out, limited.

use sinew_core::limits::{Applied, Measured};

use super::{Arm, Axis, DOOR, State};
use crate::clock::{MILLI, SECOND};
use crate::{Error, Nanos};

/// What was really sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// In LeRobot's units and order: the value asked for where no limit changed it.
    pub values: Vec<f64>,
    /// What the limits changed, joint by joint.
    pub applied: Vec<Applied>,
    /// The goals in counts, joint by joint. Of a joint that a board holds back, this and its value are the
    /// goal that its servo had as the board said last.
    pub goals: Vec<i32>,
    /// When.
    pub at: Nanos,
}

impl Sent {
    /// Nothing sent yet, to an arm with so many values, the first of them its joints'.
    pub fn new(values: usize, joints: usize) -> Self {
        Self {
            values: vec![0.0; values],
            applied: vec![Applied::NONE; joints],
            goals: vec![0; joints],
            at: 0,
        }
    }

    /// Whether any limit changed anything.
    pub fn limited(&self) -> bool {
        self.applied.iter().any(|applied| !applied.is_empty())
    }
}

/// A position older than this says nothing of where a joint is now.
const POSITION_LASTS: Nanos = 100 * MILLI;
/// A load lasts until its servo's turn comes again.
const LOAD_LASTS: Nanos = SECOND;

/// What a wheel's count per second is worth at most, in a base's units.
const COUNT_OF_SPEED: [f64; 3] = [1e-3, 1e-3, 0.1];

impl Arm {
    /// Sends every joint (and a base) where `values` say, as far as the limits allow, and returns
    /// what was really sent. Needs no reading of its own: the limits use what [`Arm::observe`]
    /// read.
    pub fn command(&mut self, values: &[f64]) -> Result<&Sent, Error> {
        self.obey()?;
        match self.state {
            State::Connected => return Err(Error::NotConfigured),
            State::Stopped(cause) => return Err(Error::Stopped { cause }),
            State::Lost { .. } => {
                return Err(Error::Stopped { cause: crate::stop::Cause::LostPort });
            }
            State::Active | State::Held => {}
        }
        if values.len() != self.spec.value_count() {
            let expected = self.spec.value_count();
            return Err(Error::ValueCount { expected, got: values.len() });
        }
        self.limit(values);
        let sent = self.send(values);
        self.sent.at = self.or_lost(sent)?;
        self.own_to_held();
        self.counts.commands += 1;
        self.last_command = Some(self.clock.now());
        self.state = State::Active;
        if self.turn_due {
            self.read_health()?;
        }
        Ok(&self.sent)
    }

    /// What was sent last.
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Takes `values` through the limits into `self.sent`.
    fn limit(&mut self, values: &[f64]) {
        let now = self.clock.now();
        let since = self.last_command.map_or(0, |last| now - last);
        let dt = since as f64 / SECOND as f64;
        let seen = self.readings.iter().zip(&self.health);
        let places = self.sent.values.iter_mut().zip(&mut self.sent.applied);
        let places = places.zip(&mut self.sent.goals);
        for (((axis, (reading, health)), ((value, applied), goal)), asked) in
            self.axes.iter_mut().zip(seen).zip(places).zip(values)
        {
            let position = reading.last.filter(|sample| now - sample.at <= POSITION_LASTS);
            let known = health.at.is_some_and(|at| now - at <= LOAD_LASTS);
            let measured = Measured {
                position: position.map(|sample| sample.value),
                load: health.load.filter(|_| known),
            };
            let wanted = axis.scale.raw(*asked).ok();
            (*goal, *applied) = axis.limiter.limit(wanted, measured, dt);
            let exact = axis.scale.user(*goal);
            // Counts are coarser than values: what only loses its fraction was not limited.
            let same = applied.is_empty() && (exact - asked).abs() <= axis.unit;
            *value = if same { *asked } else { exact };
            self.counts.count_limits(*applied);
        }
    }

    /// Puts the limited goals on the wire.
    fn send(&mut self, values: &[f64]) -> Result<Nanos, Error> {
        // A spring keeps to where it springs back to.
        let driven = |axis: &Axis| axis.torque && axis.spring.is_none();
        let rows = self.axes.iter().zip(&self.sent.goals).filter(|(axis, _)| driven(axis));
        let rows = rows.map(|(axis, goal)| (axis.id, axis.on_servo(*goal)));
        let mut at = self.clock.now();
        if self.has_reflexes() {
            at = self.send_through_board(values)?;
        } else if self.axes.iter().any(driven) {
            at = self.bus.sync_write(DOOR, self.registers.goal, rows)?;
        }
        let (Some(base), Some(register)) = (&self.base, self.registers.goal_speed) else {
            return Ok(at);
        };
        let joints = self.axes.len();
        let body = match values.get(joints..) {
            Some([x, y, turn]) => [*x, *y, *turn],
            _ => [0.0; 3],
        };
        let wheels = base.wheels(body);
        if self.reflexes.is_none() {
            let rows = self.wheels.iter().zip(wheels).map(|(wheel, speed)| (wheel.id, speed));
            self.bus.sync_write(DOOR, register, rows)?;
        }
        let exact = base.body(wheels);
        let fits = |((sent, asked), size): ((f64, f64), f64)| (sent - asked).abs() <= size;
        let same = exact.into_iter().zip(body).zip(COUNT_OF_SPEED).all(fits);
        let really = if same { body } else { exact };
        for (value, speed) in self.sent.values.iter_mut().skip(joints).zip(really) {
            *value = speed;
        }
        Ok(at)
    }
}
