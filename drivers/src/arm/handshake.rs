//! Whether the motors on the bus are the arm's.

use sinew_core::calibration::Calibration;
use sinew_core::register::{Faults, Reg};
use sinew_core::tables::{self, Model};

use super::{Arm, OnMismatch};
use crate::bus::{Sample, Timing};
use crate::calibrate::eeprom;
use crate::spec::ArmSpec;
use crate::{Bus, Error};

/// Something odd that does not keep an arm from working.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The motors run different firmware. That alone is no fault; LeRobot refuses such arms.
    FirmwareDiffers {
        /// Each motor's joint and version.
        versions: Vec<(String, String)>,
    },
    /// A motor's supply is not what its model is sold for.
    Voltage {
        /// The joint.
        joint: String,
        /// What it measures.
        volts: f64,
        /// What its model is made for.
        made_for: Vec<f64>,
    },
    /// A joint stands outside its calibrated range; the first goal brings it back inside.
    OutsideRange {
        /// The joint.
        joint: String,
        /// Where it stands, in counts.
        position: i32,
        /// Its range.
        range: (i32, i32),
    },
    /// A board let a joint give way.
    GaveWay {
        /// The joint.
        joint: String,
        /// How hot it was then, in °C.
        celsius: u8,
        /// What its servo complained of.
        faults: Faults,
    },
    /// A board let nothing move for a while, because the supply was outside its limits.
    SupplyWrong {
        /// The joint that said so.
        joint: String,
        /// What it measured.
        volts: f64,
    },
    /// There should be a board with reflexes, and the port is used as a plain adapter.
    NoReflexes {
        /// The port.
        port: String,
        /// Why.
        why: String,
    },
}

impl Notice {
    /// Takes it down, unless the same was odd before: then it stays as it was said first.
    pub(super) fn note(self, notices: &mut Vec<Self>) {
        if !notices.iter().any(|before| before.is_like(&self)) {
            notices.push(self);
        }
    }

    /// Whether both say the same of the same joint, though perhaps with other figures.
    fn is_like(&self, other: &Self) -> bool {
        let joint = |notice: &Self| match notice {
            Self::FirmwareDiffers { .. } | Self::NoReflexes { .. } => None,
            Self::Voltage { joint, .. }
            | Self::OutsideRange { joint, .. }
            | Self::GaveWay { joint, .. }
            | Self::SupplyWrong { joint, .. } => Some(joint.clone()),
        };
        std::mem::discriminant(self) == std::mem::discriminant(other) && joint(self) == joint(other)
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FirmwareDiffers { versions } => {
                let list: Vec<String> =
                    versions.iter().map(|(joint, version)| format!("{joint} {version}")).collect();
                write!(f, "the motors run different firmware ({}); this works", list.join(", "))?;
                write!(f, ", but behaviour may differ from joint to joint")
            }
            Self::Voltage { joint, volts, made_for } => {
                let made_for: Vec<String> = made_for.iter().map(|v| format!("{v:.1}")).collect();
                let made_for = made_for.join(" or ");
                write!(f, "{joint} measures {volts:.1} V, its model is made for {made_for} V: ")?;
                write!(f, "is the power supply on, and the right one?")
            }
            Self::OutsideRange { joint, position, range: (min, max) } => {
                write!(f, "{joint} stands at {position}, outside its range of {min} to {max}: ")?;
                write!(f, "move it inside by hand, or calibrate again")
            }
            Self::GaveWay { joint, celsius, faults } => {
                write!(f, "{joint} gave way on the board: {celsius} °C")?;
                for fault in faults.iter() {
                    write!(f, ", {fault}")?;
                }
                write!(
                    f,
                    "; what it was asked for meanwhile was not sent. Let it cool, and see what "
                )?;
                write!(f, "it pushes against")
            }
            Self::SupplyWrong { joint, volts } => {
                write!(
                    f,
                    "nothing moved on the board for a while: {joint} measured {volts:.1} V; is the "
                )?;
                write!(f, "power supply strong enough, and the right one?")
            }
            Self::NoReflexes { port, why } => {
                write!(f, "{port} is used as a plain adapter, which does not stop the motors by ")?;
                write!(f, "itself: {why}; update the board's firmware, or leave `bridge:` away")
            }
        }
    }
}

/// How far a supply may be from what a model is made for before anybody is told, as a part of it.
const SUPPLY_TOLERANCE: f64 = 0.25;

/// How far outside its range a joint may stand before anybody is told, in counts: it rests on its stop,
/// which gives way a little, and has some play.
pub(super) const OUTSIDE: i32 = 12;

/// Makes sure that every motor of `spec` answers and is of its model.
pub(crate) fn run(bus: &mut Bus, spec: &ArmSpec) -> Result<Vec<Notice>, Error> {
    let mut findings = Vec::new();
    for (name, id, model) in spec.servos() {
        if let Some(finding) = wrong_with(bus, spec, name, id, model)? {
            findings.push(finding);
        }
    }
    if !findings.is_empty() {
        let port = bus.wire().name().to_owned();
        return Err(Error::Handshake { port, arm: spec.name.clone(), findings });
    }
    let mut notices = Vec::new();
    firmware(bus, spec, &mut notices)?;
    supply(bus, spec, &mut notices)?;
    Ok(notices)
}

fn wrong_with(
    bus: &mut Bus,
    spec: &ArmSpec,
    name: &str,
    id: u8,
    model: &'static Model,
) -> Result<Option<String>, Error> {
    let Some(register) = spec.series.get(Reg::ModelNumber) else { return Ok(None) };
    let number = match bus.read(id, register) {
        Ok(answer) => answer.value,
        Err(Error::NoAnswer { .. }) => {
            return Ok(Some(format!("no answer from {name} (id {id})")));
        }
        Err(Error::Corrupt { .. }) => {
            let hint = "two motors with this id, or a bad cable?";
            return Ok(Some(format!("only damaged answers from {name} (id {id}): {hint}")));
        }
        Err(error) => return Err(error),
    };
    if number == i32::from(model.number) {
        return Ok(None);
    }
    let found = u16::try_from(number).ok().and_then(|n| tables::by_number(bus.protocol(), n));
    let found = found.map_or_else(|| format!("model {number}"), |(_, m)| m.name.to_owned());
    Ok(Some(format!("{name} (id {id}) is a {found}, not a {}", model.name)))
}

fn firmware(bus: &mut Bus, spec: &ArmSpec, notices: &mut Vec<Notice>) -> Result<(), Error> {
    let mut versions = Vec::new();
    for (name, id, _) in spec.servos() {
        let mut parts = Vec::new();
        for reg in [Reg::FirmwareMajorVersion, Reg::FirmwareMinorVersion, Reg::FirmwareVersion] {
            if let Some(register) = spec.series.get(reg) {
                parts.push(bus.read(id, register)?.value.to_string());
            }
        }
        versions.push((name.to_owned(), parts.join(".")));
    }
    if versions.windows(2).any(|pair| matches!(pair, [a, b] if a.1 != b.1)) {
        notices.push(Notice::FirmwareDiffers { versions });
    }
    Ok(())
}

fn supply(bus: &mut Bus, spec: &ArmSpec, notices: &mut Vec<Notice>) -> Result<(), Error> {
    let Some(register) = spec.series.get(Reg::PresentVoltage) else { return Ok(()) };
    for (name, id, model) in spec.servos() {
        let volts = f64::from(bus.read(id, register)?.value) / 10.0;
        let made_for: Vec<f64> = model.supply_dv.iter().map(|dv| f64::from(*dv) / 10.0).collect();
        let fits = |made: &f64| (volts - made).abs() <= made * SUPPLY_TOLERANCE;
        if !made_for.iter().any(fits) {
            notices.push(Notice::Voltage { joint: name.to_owned(), volts, made_for });
        }
    }
    Ok(())
}

/// Makes sure that the motors hold `calibration`, or that they do from now on.
pub(super) fn compare_calibration(
    bus: &mut Bus,
    spec: &ArmSpec,
    calibration: &[(String, Calibration)],
    on_mismatch: OnMismatch,
) -> Result<(), Error> {
    let mut differing = Vec::new();
    for joint in &spec.joints {
        let Some((_, wanted)) = calibration.iter().find(|(name, _)| *name == joint.name) else {
            continue;
        };
        let stored = eeprom::read(bus, spec.series, joint.id)?;
        if stored.agrees_with(wanted) {
            continue;
        }
        match on_mismatch {
            OnMismatch::Refuse => differing.push(joint.name.clone()),
            OnMismatch::Write => eeprom::write(bus, spec.series, wanted)?,
        }
    }
    if differing.is_empty() { Ok(()) } else { Err(Error::CalibrationDiffers { joints: differing }) }
}

/// The ranges that the motors themselves hold, a whole turn for those that do not answer.
pub(super) fn ranges_on_motors(bus: &mut Bus, spec: &ArmSpec) -> Vec<(String, Calibration)> {
    let servos: Vec<_> = spec.servos().collect();
    servos
        .into_iter()
        .map(|(name, id, model)| {
            let whole = Calibration {
                id,
                drive_mode: 0,
                homing_offset: 0,
                range_min: 0,
                range_max: i32::from(model.counts) - 1,
            };
            let stored = eeprom::read(bus, spec.series, id).ok().map(|stored| Calibration {
                homing_offset: stored.homing_offset,
                range_min: stored.range_min,
                range_max: stored.range_max,
                ..whole
            });
            let usable = stored.filter(|stored| stored.range_min < stored.range_max);
            (name.to_owned(), usable.unwrap_or(whole))
        })
        .collect()
}

impl Arm {
    /// Reads every position once; an arm whose joints cannot be seen is not connected.
    pub(super) fn first_look(&mut self, notices: &mut Vec<Notice>) -> Result<(), Error> {
        for ((joint, axis), reading) in
            self.spec.joints.iter().zip(&mut self.axes).zip(&mut self.readings)
        {
            let answer = self.bus.read(axis.id, self.registers.position)?;
            let position = axis.rest_anew(answer.value);
            let Timing { first_out: asked, last_in: at } = answer.timing;
            let sample = Sample { value: position, asked, at };
            reading.outcome = Ok(sample);
            reading.last = Some(sample);
            reading.faults = answer.faults;
            if axis.limiter.goal().saturating_sub(position).saturating_abs() > OUTSIDE {
                let range = axis.scale.range();
                let joint = joint.name.clone();
                Notice::OutsideRange { joint, position, range }.note(notices);
            }
        }
        Ok(())
    }
}
