//! How an arm is driven, and what that makes of each joint.

use sinew_core::calibration::Calibration;
use sinew_core::joint::{Scale, Units};
use sinew_core::limits::{BackOff, Limiter, Limits};
use sinew_core::packet::Protocol;

use super::brace::{GENTLE_SPEED, GENTLE_STEP, Loan};
use super::{Axis, Reach};
use crate::clock::{MILLI, SECOND};
use crate::spec::{ArmSpec, JointSpec};
use crate::stop::{StopFlag, StopPolicy};
use crate::{Error, Nanos};

/// The farthest a goal may lie from the measured position, in the joints' units: LeRobot's
/// `max_relative_target`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum MaxStep {
    /// As far as the range goes.
    #[default]
    Off,
    /// The same for all joints.
    All(f64),
    /// For each joint its own; every joint must be named.
    Each(Vec<(String, f64)>),
}

impl MaxStep {
    /// That of one joint.
    pub fn of(&self, joint: &str) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::All(step) => Some(*step),
            Self::Each(steps) => {
                steps.iter().find(|(name, _)| name.ends_with(joint)).map(|(_, step)| *step)
            }
        }
    }
}

/// What to do if the motors hold another calibration than the one given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMismatch {
    /// Refuse to connect: with the wrong ranges no limit is worth anything.
    #[default]
    Refuse,
    /// Write the one given to the motors.
    Write,
}

/// How an arm is driven.
#[derive(Clone, Debug)]
pub struct ArmOptions {
    /// Degrees (`true`) or −100 to 100 (`false`) for all joints but those told in 0 to 100; by
    /// default as the arm's file has it. LeRobot's `use_degrees`.
    pub use_degrees: Option<bool>,
    /// How far a goal may lie from the measured position.
    pub max_step: MaxStep,
    /// Degrees per second that goals may move, unless the arm's file allows less.
    pub max_velocity: Option<f64>,
    /// Degrees per second squared that a goal's velocity may change, unless the file allows less.
    pub max_acceleration: Option<f64>,
    /// Whether joints give way before their servos trip, as the arm's file says.
    pub back_off: bool,
    /// Without a command for this long the arm holds, and after as long again it stops.
    pub dead_man: Option<Nanos>,
    /// A driven joint that could not be seen for this long stops the arm.
    pub blind: Option<Nanos>,
    /// The state the arm is left in.
    pub stop: StopPolicy,
    /// How fast it parks, in degrees per second.
    pub park_speed: f64,
    /// How long a tick may spend on reading positions, retries included.
    pub read_budget: Nanos,
    /// What to do if the motors hold another calibration.
    pub on_mismatch: OnMismatch,
    /// Who may ask it to stop.
    pub stop_flag: Option<StopFlag>,
}

impl Default for ArmOptions {
    fn default() -> Self {
        Self {
            use_degrees: None,
            max_step: MaxStep::Off,
            max_velocity: None,
            max_acceleration: None,
            back_off: true,
            dead_man: Some(500 * MILLI),
            blind: Some(SECOND),
            stop: StopPolicy::Limp,
            park_speed: 30.0,
            read_budget: 10 * MILLI,
            on_mismatch: OnMismatch::Refuse,
            stop_flag: None,
        }
    }
}

/// Counts per degree of a servo with this many counts per turn.
pub(super) fn per_degree(counts: u16) -> f64 {
    f64::from(counts) / 360.0
}

/// The joints of an arm, each with its scale and its limits, and how far it goes.
pub(super) fn axes(
    spec: &ArmSpec,
    calibration: &[(String, Calibration)],
    options: &ArmOptions,
) -> Result<(Vec<Axis>, Vec<Reach>), Error> {
    if let MaxStep::Each(steps) = &options.max_step {
        let unknown = steps.iter().find(|(name, _)| spec.joint(name).is_none());
        if let Some((name, _)) = unknown {
            return Err(Error::MaxStep { joint: name.clone(), why: "the arm has no such joint" });
        }
    }
    spec.joints.iter().map(|joint| axis(spec, joint, calibration, options)).collect()
}

fn axis(
    spec: &ArmSpec,
    joint: &JointSpec,
    calibration: &[(String, Calibration)],
    options: &ArmOptions,
) -> Result<(Axis, Reach), Error> {
    let missing = |why: String| Error::NotCalibrated { joint: joint.name.clone(), why };
    let row = calibration.iter().find(|(name, _)| *name == joint.name);
    let Some((_, calibration)) = row else {
        return Err(missing("not in the calibration".to_owned()));
    };
    let units = match (joint.units, options.use_degrees) {
        (Units::Range0To100, _) | (_, None) => joint.units,
        (_, Some(true)) => Units::Degrees,
        (_, Some(false)) => Units::RangeM100,
    };
    let feetech = spec.series.protocol != Protocol::Dynamixel2;
    let scale = Scale::new(units, joint.model.counts, calibration, feetech)
        .map_err(|error| missing(error.to_string()))?;
    let (min, max) = scale.range();
    let (a, b) = (scale.user(min), scale.user(max));
    let unit = (b - a).abs() / f64::from(max - min).abs();
    let max_step = max_step(joint, options)?;
    let range = (a.min(b), a.max(b));
    let reach = Reach { units, degrees: scale.degrees(), range, max_step };
    let degree = per_degree(joint.model.counts);
    let least = |file: Option<f64>, asked: Option<f64>| match (file, asked) {
        (Some(file), Some(asked)) => Some(file.min(asked) * degree),
        (one, other) => one.or(other).map(|limit| limit * degree),
    };
    let back_off = joint.back_off.filter(|_| options.back_off).map(|back_off| BackOff {
        load: back_off.load / 100.0,
        free_speed: back_off.free_speed * degree as f32,
        after: f64::from(back_off.after_ms) / 1000.0,
    });
    // One that a hand usually moves may have a hand on it while it moves by itself.
    let gentle = |limit: f64| (!joint.torque).then_some(limit * degree);
    let limits = Limits {
        min: min.min(max),
        max: max.max(min),
        max_step: max_step.map(|step| step / unit).or(gentle(GENTLE_STEP)),
        max_velocity: least(joint.max_velocity, options.max_velocity).or(gentle(GENTLE_SPEED)),
        max_acceleration: least(joint.max_acceleration, options.max_acceleration),
        back_off,
    };
    let middle = min.midpoint(max);
    let at = |part: f64| f64::from(min) + (part + 100.0) / 200.0 * f64::from(max - min);
    let axis = Axis {
        id: joint.id,
        scale,
        limiter: Limiter::new(limits, middle),
        torque: joint.torque,
        turn: 0,
        whole_turn: joint.mode.counts_turns().then_some(i32::from(joint.model.counts)),
        unit,
        rest: joint.rest.map(|part| at(part) as i32),
        spring: joint.spring.and_then(|user| scale.raw(user).ok()),
        loan: Loan::None,
    };
    Ok((axis, reach))
}

fn max_step(joint: &JointSpec, options: &ArmOptions) -> Result<Option<f64>, Error> {
    let refuse = |why| Error::MaxStep { joint: joint.name.clone(), why };
    let step = match (options.max_step.of(&joint.name), &options.max_step) {
        (Some(step), _) => step,
        (None, MaxStep::Each(_)) => {
            return Err(refuse("every joint needs a value, and this one has none"));
        }
        (None, MaxStep::Off | MaxStep::All(_)) => return Ok(None),
    };
    if step.is_finite() && step > 0.0 {
        Ok(Some(step))
    } else {
        Err(refuse("a step is a number above zero"))
    }
}
