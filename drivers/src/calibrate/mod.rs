//! Calibrating an arm by hand, and checking a calibration.
//!
//! A [`Calibrator`] takes the torque off, watches every joint while somebody moves it from stop to
//! stop, and only then writes: the offset comes from the middle of what was swept, counted on
//! across the end of a turn. So no pose has to be struck first, and no offset can be too large.
//! It prints nothing and asks nobody; [`Calibrator::look`] returns what a screen would show.

mod check;
pub mod eeprom;

pub use check::{CheckRow, Finding, check, compare};

use sinew_core::calibration::{Calibration, Sweep};
use sinew_core::register::Reg;

use crate::arm::{Notice, handshake};
use crate::bus::Reading;
use crate::clock::MILLI;
use crate::spec::{ArmSpec, JointSpec};
use crate::{Bus, Error, Nanos};

/// How long one look may take.
const LOOK: Nanos = 15 * MILLI;

/// One joint as it is being swept.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// The joint.
    pub name: String,
    /// The servo.
    pub id: u8,
    /// It takes one reference pose instead of a sweep.
    pub full_turn: bool,
    /// Where it is, in counts that run on across the end of a turn.
    pub position: i32,
    /// The least position so far.
    pub min: i32,
    /// The greatest position so far.
    pub max: i32,
    /// Counts between its stops, where the arm's file knows.
    pub travel: Option<i32>,
    /// Whether it answered this time.
    pub fresh: bool,
}

/// What the sweeps amount to.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Every joint and wheel that has one, in the order of LeRobot's files.
    pub calibration: Vec<(String, Calibration)>,
    /// What is missing or odd.
    pub findings: Vec<(String, Finding)>,
}

impl Proposal {
    /// Whether every joint is there; odd is no obstacle.
    pub fn complete(&self) -> bool {
        !self.findings.iter().any(|(_, finding)| matches!(finding, Finding::NotSwept(_)))
    }
}

/// One joint's sweep.
struct Track {
    offset: i32,
    sweep: Sweep,
    /// A full-turn joint's pose, once it was taken.
    reference: Option<Calibration>,
}

/// An arm whose joints are being moved by hand.
pub struct Calibrator {
    spec: ArmSpec,
    bus: Bus,
    notices: Vec<Notice>,
    readings: Vec<Reading>,
    tracks: Vec<Track>,
    live: Vec<Live>,
}

impl Calibrator {
    /// Finds the arm's motors and takes the torque off all of them. Their calibration stays as it
    /// is until [`Calibrator::write`].
    pub fn begin(spec: ArmSpec, mut bus: Bus) -> Result<Self, Error> {
        let notices = handshake::run(&mut bus, &spec)?;
        let ids: Vec<u8> = spec.servos().map(|servo| servo.1).collect();
        for id in ids {
            eeprom::open(&mut bus, spec.series, id)?;
        }
        let mut tracks = Vec::new();
        let mut live = Vec::new();
        for joint in &spec.joints {
            let offset = eeprom::read(&mut bus, spec.series, joint.id)?.homing_offset;
            let present = match spec.series.get(Reg::PresentPosition) {
                Some(register) => bus.read(joint.id, register)?.value,
                None => 0,
            };
            let sweep = Sweep::new(joint.model.counts, spec.series.homing, offset, present);
            tracks.push(Track { offset, sweep, reference: None });
            live.push(Live {
                name: joint.name.clone(),
                id: joint.id,
                full_turn: joint.full_turn,
                position: sweep.position(),
                min: sweep.min(),
                max: sweep.max(),
                travel: travel(joint),
                fresh: true,
            });
        }
        let readings = spec.joints.iter().map(|joint| Reading::new(joint.id)).collect();
        Ok(Self { spec, bus, notices, readings, tracks, live })
    }

    /// What was odd about the motors, though not in the way.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The arm.
    pub fn spec(&self) -> &ArmSpec {
        &self.spec
    }

    /// Looks once where every joint is. To be called fifty times a second or so while somebody
    /// moves the arm.
    pub fn look(&mut self) -> Result<&[Live], Error> {
        if let Some(register) = self.spec.series.get(Reg::PresentPosition) {
            self.bus.sync_read(register, &mut self.readings, LOOK)?;
        }
        let rows = self.readings.iter().zip(&mut self.tracks).zip(&mut self.live);
        for ((reading, track), live) in rows {
            live.fresh = reading.outcome.is_ok();
            if let Some(present) = reading.fresh() {
                track.sweep.see(track.offset, present);
            }
            live.position = track.sweep.position();
            (live.min, live.max) = (track.sweep.min(), track.sweep.max());
        }
        Ok(&self.live)
    }

    /// Takes the pose of the full-turn joints as their middle.
    pub fn take_reference(&mut self) {
        for (track, joint) in self.tracks.iter_mut().zip(&self.spec.joints) {
            if joint.full_turn {
                track.reference = Some(track.sweep.reference(joint.id, joint.drive_mode));
            }
        }
    }

    /// Begins the sweep of one joint anew, for instance after a finding.
    pub fn restart(&mut self, joint: &str) {
        if let Some((index, _)) = self.spec.joint(joint)
            && let Some(track) = self.tracks.get_mut(index)
        {
            track.sweep.restart();
        }
    }

    /// What the sweeps amount to so far.
    pub fn proposal(&self) -> Proposal {
        let mut calibration = Vec::new();
        let mut findings = Vec::new();
        for (track, joint) in self.tracks.iter().zip(&self.spec.joints) {
            let name = || joint.name.clone();
            let done = if joint.full_turn {
                track.reference.ok_or(Finding::NotSwept("its reference pose was not taken".into()))
            } else {
                let done = track.sweep.finish(joint.id, joint.drive_mode);
                done.map_err(|error| Finding::NotSwept(error.to_string()))
            };
            match done {
                Ok(done) => {
                    findings.extend(check::implausible(joint, &done).map(|odd| (name(), odd)));
                    calibration.push((name(), done));
                }
                Err(finding) => findings.push((name(), finding)),
            }
        }
        calibration.extend(wheels(&self.spec));
        Proposal { calibration, findings }
    }

    /// Writes a calibration to the motors and reads it back.
    pub fn write(&mut self, calibration: &[(String, Calibration)]) -> Result<(), Error> {
        for (_, row) in calibration {
            eeprom::write(&mut self.bus, self.spec.series, row)?;
        }
        for (track, joint) in self.tracks.iter_mut().zip(&self.spec.joints) {
            if let Some((_, row)) = calibration.iter().find(|(name, _)| *name == joint.name) {
                track.offset = row.homing_offset;
            }
        }
        Ok(())
    }

    /// Gives the bus back. The torque stays off.
    pub fn into_bus(self) -> Bus {
        self.bus
    }
}

/// The calibration of an arm that comes calibrated, or `None` where a sweep is needed.
pub fn factory(spec: &ArmSpec) -> Option<Vec<(String, Calibration)>> {
    if !spec.factory_calibrated {
        return None;
    }
    let joints = spec.joints.iter().map(|joint| {
        let whole = whole_turn(joint.id, joint.model.counts);
        let own = Calibration {
            drive_mode: joint.drive_mode,
            homing_offset: joint.homing_offset,
            ..whole
        };
        (joint.name.clone(), own)
    });
    Some(joints.chain(wheels(spec)).collect())
}

fn wheels(spec: &ArmSpec) -> impl Iterator<Item = (String, Calibration)> {
    let wheels = spec.wheels().iter();
    wheels.map(|wheel| (wheel.name.clone(), whole_turn(wheel.id, wheel.model.counts)))
}

fn whole_turn(id: u8, counts: u16) -> Calibration {
    let range_max = i32::from(counts) - 1;
    Calibration { id, drive_mode: 0, homing_offset: 0, range_min: 0, range_max }
}

/// Counts between a joint's stops, where they are known.
fn travel(joint: &JointSpec) -> Option<i32> {
    joint.travel.map(|degrees| (degrees * f64::from(joint.model.counts) / 360.0) as i32)
}
