//! Whether a calibration can be right: file against motors, leader against follower, sweep
//! against the arm's known travel.

use sinew_core::calibration::Calibration;

use super::eeprom::{self, Stored};
use crate::spec::{ArmSpec, JointSpec};
use crate::{Bus, Error};

/// What is wrong or odd with one joint's calibration.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The sweep gives no calibration, for this reason.
    NotSwept(String),
    /// The file does not have this joint.
    NotInFile,
    /// The motor did not answer.
    NoAnswer,
    /// The motor holds something else than the file.
    Differs {
        /// What the file says.
        file: Calibration,
        /// What the motor holds.
        motor: Stored,
    },
    /// The file's servo is another one than the arm's.
    WrongId {
        /// What the file says.
        file: u8,
        /// What the arm has.
        arm: u8,
    },
    /// The range is empty or beyond a turn.
    BadRange {
        /// Its least position.
        min: i32,
        /// Its greatest position.
        max: i32,
    },
    /// Far less or far more than the joint's known travel.
    Implausible {
        /// Degrees calibrated.
        degrees: f64,
        /// Degrees between the joint's stops.
        travel: f64,
    },
    /// Leader and follower do not travel alike.
    Unlike {
        /// The leader's degrees.
        leader: f64,
        /// The follower's degrees.
        follower: f64,
    },
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSwept(why) => f.write_str(why),
            Self::NotInFile => write!(f, "is not in the calibration file: calibrate the arm again"),
            Self::NoAnswer => write!(f, "does not answer: check its cable and the power supply"),
            Self::Differs { file, motor } => {
                write!(f, "file and motor differ: offset {}", file.homing_offset)?;
                write!(f, " and {}, range {}", motor.homing_offset, file.range_min)?;
                write!(f, "..{} and {}", file.range_max, motor.range_min)?;
                write!(f, "..{}; write the file to the motors, or calibrate", motor.range_max)
            }
            Self::WrongId { file, arm } => {
                write!(f, "the file is for servo {file}, the arm has {arm}: is it another arm's?")
            }
            Self::BadRange { min, max } => {
                write!(f, "range {min}..{max} is none within a turn: calibrate again")
            }
            Self::Implausible { degrees, travel } => {
                write!(f, "{degrees:.0}° where the joint travels {travel:.0}°: ")?;
                write!(f, "was it swept from stop to stop, and is it assembled right?")
            }
            Self::Unlike { leader, follower } => {
                write!(f, "leader {leader:.0}°, follower {follower:.0}°: ")?;
                write!(f, "they will not meet at their ends; calibrate the one that is off")
            }
        }
    }
}

/// One joint of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRow {
    /// The joint or wheel.
    pub name: String,
    /// What the file says.
    pub file: Option<Calibration>,
    /// What the motor holds.
    pub motor: Option<Stored>,
    /// What is wrong or odd.
    pub findings: Vec<Finding>,
}

/// The part of its known travel that a joint must at least have been swept over.
const LEAST_OF_TRAVEL: f64 = 0.6;
/// The most, counting play and builds that differ.
const MOST_OF_TRAVEL: f64 = 1.3;
/// How much a leader's travel may differ from its follower's, as a part of it.
const ALIKE: f64 = 0.15;

/// Compares a calibration file with what the motors hold and with what the arm can be.
pub fn check(
    bus: &mut Bus,
    spec: &ArmSpec,
    file: &[(String, Calibration)],
) -> Result<Vec<CheckRow>, Error> {
    let servos: Vec<_> = spec.servos().collect();
    servos.into_iter().map(|(name, id, _)| check_servo(bus, spec, file, name, id)).collect()
}

fn check_servo(
    bus: &mut Bus,
    spec: &ArmSpec,
    file: &[(String, Calibration)],
    name: &str,
    id: u8,
) -> Result<CheckRow, Error> {
    let row = file.iter().find(|(other, _)| other == name).map(|(_, row)| *row);
    let motor = match eeprom::read(bus, spec.series, id) {
        Ok(stored) => Some(stored),
        Err(Error::NoAnswer { .. } | Error::Corrupt { .. }) => None,
        Err(error) => return Err(error),
    };
    let mut findings = Vec::new();
    if motor.is_none() {
        findings.push(Finding::NoAnswer);
    }
    match row {
        None => findings.push(Finding::NotInFile),
        Some(row) => {
            if row.id != id {
                findings.push(Finding::WrongId { file: row.id, arm: id });
            }
            findings.extend(
                motor
                    .filter(|motor| !motor.agrees_with(&row))
                    .map(|motor| Finding::Differs { file: row, motor }),
            );
            let joint = spec.joint(name).map(|(_, joint)| joint);
            findings.extend(joint.and_then(|joint| implausible(joint, &row)));
        }
    }
    Ok(CheckRow { name: name.to_owned(), file: row, motor, findings })
}

/// What cannot be right about a joint's calibration.
pub(super) fn implausible(joint: &JointSpec, row: &Calibration) -> Option<Finding> {
    let (min, max) = (row.range_min, row.range_max);
    if min >= max || min < 0 || max >= i32::from(joint.model.counts) {
        return Some(Finding::BadRange { min, max });
    }
    let travel = joint.travel.filter(|_| !joint.full_turn)?;
    let degrees = degrees(joint, row);
    let plausible = travel * LEAST_OF_TRAVEL..=travel * MOST_OF_TRAVEL;
    (!plausible.contains(&degrees)).then_some(Finding::Implausible { degrees, travel })
}

fn degrees(joint: &JointSpec, row: &Calibration) -> f64 {
    let span = i64::from(row.range_max) - i64::from(row.range_min);
    span as f64 * 360.0 / f64::from(joint.model.counts)
}

/// Compares a leader's calibration with its follower's, joint by joint. Grippers are told in
/// parts of their range and may differ.
pub fn compare(
    leader: (&ArmSpec, &[(String, Calibration)]),
    follower: (&ArmSpec, &[(String, Calibration)]),
) -> Vec<(String, Finding)> {
    let row = |arm: (&ArmSpec, &[(String, Calibration)]), name: &str| {
        let row = arm.1.iter().find(|(other, _)| other == name)?.1;
        let (_, joint) = arm.0.joint(name)?;
        Some((degrees(joint, &row), joint.units == sinew_core::joint::Units::Range0To100))
    };
    let mut findings = Vec::new();
    for joint in &follower.0.joints {
        let Some((theirs, parts)) = row(follower, &joint.name) else {
            findings.push((joint.name.clone(), Finding::NotInFile));
            continue;
        };
        let Some((ours, _)) = row(leader, &joint.name) else { continue };
        if !parts && (ours - theirs).abs() > theirs * ALIKE {
            let finding = Finding::Unlike { leader: ours, follower: theirs };
            findings.push((joint.name.clone(), finding));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u8, range_min: i32, range_max: i32) -> Calibration {
        Calibration { id, drive_mode: 0, homing_offset: 0, range_min, range_max }
    }

    #[test]
    fn a_range_that_the_arm_cannot_have_is_told() {
        let arm = ArmSpec::builtin("so101_follower").unwrap();
        let (_, pan) = arm.joint("shoulder_pan").unwrap();
        assert_eq!(implausible(pan, &row(1, 758, 3292)), None);
        let odd = implausible(pan, &row(1, 2000, 2400));
        assert!(matches!(odd, Some(Finding::Implausible { .. })), "{odd:?}");
        let bad = implausible(pan, &row(1, 3000, 100));
        assert_eq!(bad, Some(Finding::BadRange { min: 3000, max: 100 }));
        let (_, roll) = arm.joint("wrist_roll").unwrap();
        assert_eq!(implausible(roll, &row(5, 0, 4095)), None);
    }

    #[test]
    fn a_leader_that_travels_unlike_its_follower_is_told() {
        let follower = ArmSpec::builtin("so101_follower").unwrap();
        let leader = ArmSpec::builtin("so101_leader").unwrap();
        let file = |pan: i32| {
            let joints = follower.joints.iter().map(|joint| {
                let half = if joint.name == "shoulder_pan" { pan } else { 1000 };
                (joint.name.clone(), row(joint.id, 2047 - half, 2047 + half))
            });
            joints.collect::<Vec<_>>()
        };
        let (ours, theirs) = (file(1000), file(1250));
        assert_eq!(compare((&leader, &ours), (&follower, &ours)), []);
        let found = compare((&leader, &ours), (&follower, &theirs));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "shoulder_pan");
    }
}
