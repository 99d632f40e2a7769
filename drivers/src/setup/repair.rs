//! Bringing the motors that a scan found to where an arm needs them.

use sinew_core::tables::Series;

use super::{Step, change_baud, change_id};
use crate::scan::{Expected, FoundMotor, ScanReport};
use crate::{Bus, Error};

/// A motor that is to get another id, another rate, or both.
#[derive(Clone, Copy, Debug)]
pub struct Repair {
    /// Its register table.
    pub series: &'static Series,
    /// Its id and rate as found.
    pub found: (u8, u32),
    /// Its id and rate as they should be.
    pub wanted: (u8, u32),
}

impl Repair {
    /// What brings `motor` to this id and rate; `None` where nothing is known of its registers.
    pub fn new(motor: &FoundMotor, id: u8, baud: u32) -> Option<Self> {
        let series = motor.series()?;
        Some(Self { series, found: (motor.id, motor.baud), wanted: (id, baud) })
    }

    /// A line about it for people.
    pub fn describe(&self) -> String {
        let ((id, baud), (new_id, new_baud)) = (self.found, self.wanted);
        let mut parts = Vec::new();
        if id != new_id {
            parts.push(format!("becomes id {new_id}"));
        }
        if baud != new_baud {
            parts.push(format!("goes from {baud} to {new_baud} baud"));
        }
        format!("id {id} {}", parts.join(" and "))
    }
}

/// What can be repaired with all motors plugged in.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// To be applied in this order.
    pub repairs: Vec<Repair>,
    /// What takes hands: motors to be plugged in alone, or found at all.
    pub by_hand: Vec<String>,
}

/// What brings the motors of `report` to where `expected` wants them. Only what is beyond doubt
/// is planned: a motor gets another id only where one is missing, one is too many, and they are
/// of one model. Without expectations, rates alone are repaired.
pub fn plan(report: &ScanReport, expected: &[Expected]) -> Plan {
    let mut plan = Plan::default();
    let home = report.home;
    let motors = &report.motors;
    let sharing = |motor: &FoundMotor| {
        motor.shared || motors.iter().filter(|other| other.id == motor.id).count() > 1
    };
    let belongs = |motor: &FoundMotor| {
        expected.is_empty() || expected.iter().any(|expected| expected.id == motor.id)
    };
    // One that shares its id with another at the home rate is too many, unless both are at once.
    let extra: Vec<&FoundMotor> = motors
        .iter()
        .filter(|motor| !motor.shared)
        .filter(|motor| !belongs(motor) || (sharing(motor) && motor.baud != home))
        .collect();
    let missing: Vec<&Expected> =
        expected.iter().filter(|wanted| motors.iter().all(|motor| motor.id != wanted.id)).collect();
    match (extra.as_slice(), missing.as_slice()) {
        ([motor], [wanted]) if motor.number == Some(wanted.model.number) => {
            plan.repairs.extend(Repair::new(motor, wanted.id, home));
        }
        _ => {
            let alone = "plug it in alone and set it up";
            plan.by_hand.extend(extra.iter().map(|motor| {
                format!("id {} at {} baud belongs to no joint: {alone}", motor.id, motor.baud)
            }));
            plan.by_hand.extend(missing.iter().map(|wanted| {
                format!("{} (id {}) does not answer: {alone}", wanted.name, wanted.id)
            }));
        }
    }
    for motor in motors {
        if motor.shared {
            plan.by_hand.push(format!(
                "two motors answer as id {}: plug each in alone and set it up",
                motor.id
            ));
        } else if motor.baud != home && belongs(motor) && !sharing(motor) {
            plan.repairs.extend(Repair::new(motor, motor.id, home));
        }
    }
    plan
}

/// Carries out one repair. The wire is left at the wanted rate, or where it was if that fails.
pub fn apply(bus: &mut Bus, repair: &Repair) -> Result<Vec<Step>, Error> {
    let (protocol, rate) = (bus.protocol(), bus.wire().baud());
    let ((id, baud), (new_id, new_baud)) = (repair.found, repair.wanted);
    bus.set_protocol(repair.series.protocol);
    bus.wire_mut().set_baud(baud)?;
    let done = change_id(bus, repair.series, id, new_id).and_then(|mut steps| {
        steps.append(&mut change_baud(bus, repair.series, new_id, new_baud)?);
        Ok(steps)
    });
    bus.set_protocol(protocol);
    if done.is_err() {
        bus.wire_mut().set_baud(rate)?;
    }
    done
}
