//! What is wrong with what a scan found, why, and what to do about it.

use serde::Serialize;
use sinew_core::tables::Model;

use super::{FoundMotor, ScanReport};
use crate::{Error, port};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A name that programs can rely on.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    fn new(code: &'static str, message: String, remedy: impl Into<String>) -> Self {
        Self { code, message, remedy: remedy.into() }
    }
}

/// A servo that an arm is made of.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The joint it drives.
    pub name: &'a str,
    /// Its id.
    pub id: u8,
    /// Its model.
    pub model: &'static Model,
}

/// A supply this far below what a model is made for is no supply at all, as a part of it.
const TOO_LITTLE: f64 = 0.75;
/// A supply this far above it does harm.
const TOO_MUCH: f64 = 1.25;
/// A servo this hot is close to cutting its torque, in degrees Celsius.
const HOT: i32 = 60;

/// What can be said without knowing the arm.
pub(super) fn general(report: &mut ScanReport) {
    let mut problems = Vec::new();
    if report.motors.is_empty() {
        problems.push(nobody(report));
    }
    wrong_bauds(report, &mut problems);
    for motor in &report.motors {
        shared(motor, &mut problems);
        complaints(motor, &mut problems);
    }
    twice(report, &mut problems);
    supplies(report, &mut problems);
    firmwares(report, &mut problems);
    report.problems.append(&mut problems);
}

fn nobody(report: &ScanReport) -> Problem {
    Problem::new(
        "no_answer",
        format!("{}: no answer at all: adapter present, motors unpowered?", report.port),
        "switch the motors' power supply on and check the cable from the adapter to the first \
         motor; if they have power, look at every rate: `sinew scan --all-bauds`",
    )
}

fn wrong_bauds(report: &ScanReport, problems: &mut Vec<Problem>) {
    let home = report.home;
    for FoundMotor { id, baud, .. } in report.motors.iter().filter(|motor| motor.baud != home) {
        problems.push(Problem::new(
            "wrong_baud",
            format!("id {id} answers at {baud} baud, the bus runs at {home}"),
            "run `sinew setup-motors --fix`",
        ));
    }
}

fn shared(motor: &FoundMotor, problems: &mut Vec<Problem>) {
    if motor.shared {
        problems.push(Problem::new(
            "duplicate_id",
            format!("two motors answer as id {} at {} baud", motor.id, motor.baud),
            "leave only one of them plugged in and run `sinew setup-motors`, which gives each its \
             own id; if there is only one, its cable is bad",
        ));
    }
}

/// The same id at two rates: whoever is brought to the home rate collides with the other.
fn twice(report: &ScanReport, problems: &mut Vec<Problem>) {
    for (place, motor) in report.motors.iter().enumerate() {
        let earlier = report.motors.iter().take(place).find(|other| other.id == motor.id);
        if let Some(earlier) = earlier {
            problems.push(Problem::new(
                "duplicate_id",
                format!(
                    "two motors answer as id {}: one at {} baud, one at {}",
                    motor.id, earlier.baud, motor.baud
                ),
                "leave only one of them plugged in and run `sinew setup-motors`, which gives each \
                 its own id",
            ));
        }
    }
}

fn complaints(motor: &FoundMotor, problems: &mut Vec<Problem>) {
    let id = motor.id;
    if !motor.faults.is_empty() {
        problems.push(Problem::new(
            "servo_fault",
            format!("id {id} complains of {}", motor.faults),
            "remove the cause (a blocked joint, heat, the wrong supply), then switch its power \
             off and on",
        ));
    }
    if let Some(degrees) = motor.temperature.filter(|degrees| *degrees >= HOT) {
        problems.push(Problem::new(
            "hot",
            format!("id {id} is at {degrees} °C"),
            "let it cool down, and find out what it had to hold",
        ));
    }
}

fn supplies(report: &ScanReport, problems: &mut Vec<Problem>) {
    for motor in &report.motors {
        let (Some(volts), Some(model)) = (motor.voltage, motor.model) else { continue };
        let made_for: Vec<f64> = model.supply_dv.iter().map(|dv| f64::from(*dv) / 10.0).collect();
        let (Some(least), Some(most)) = (made_for.first(), made_for.last()) else { continue };
        let list: Vec<String> = made_for.iter().map(f64::to_string).collect();
        let list = list.join(" or ");
        let id = motor.id;
        let fact = format!("id {id}: {volts:.1} V on a {list} V motor");
        if volts < least * TOO_LITTLE {
            problems.push(Problem::new(
                "low_voltage",
                format!("{fact}: power supply off?"),
                "switch the motors' own supply on; USB alone cannot move them",
            ));
        } else if volts > most * TOO_MUCH {
            problems.push(Problem::new(
                "high_voltage",
                format!("{fact}: the wrong power supply?"),
                "unplug the supply at once and use the one that came with the arm",
            ));
        }
    }
}

fn firmwares(report: &ScanReport, problems: &mut Vec<Problem>) {
    for (place, motor) in report.motors.iter().enumerate() {
        // What two motors say at once is nobody's version.
        let same_model = |other: &&FoundMotor| other.number == motor.number && !other.shared;
        let first_of_model = !report.motors.iter().take(place).any(|other| same_model(&other));
        let mut versions: Vec<(&str, u8)> = report
            .motors
            .iter()
            .filter(same_model)
            .filter_map(|other| Some((other.firmware.as_deref()?, other.id)))
            .collect();
        versions.sort_unstable();
        if motor.shared
            || !first_of_model
            || versions.windows(2).all(|pair| matches!(pair, [a, b] if a.0 == b.0))
        {
            continue;
        }
        let list: Vec<String> =
            versions.iter().map(|(version, id)| format!("id {id} has {version}")).collect();
        problems.push(Problem::new(
            "firmware_differs",
            format!(
                "the {} servos run different firmware ({}); they work together, but gains and \
                 protections may differ from joint to joint",
                motor.describe(),
                list.join(", ")
            ),
            "nothing needs to be done here; LeRobot refuses such an arm until the maker's \
             configuration program has brought them to one version",
        ));
    }
}

impl ScanReport {
    /// Adds what is wrong beside the arm that should be there.
    pub fn compare(&mut self, expected: &[Expected]) {
        // An empty bus has its own problem, which explains every missing motor.
        if self.motors.is_empty() {
            return;
        }
        for Expected { name, id, model } in expected {
            let found = self.motors.iter().find(|motor| motor.id == *id);
            let problem = match found {
                None => Problem::new(
                    "missing_motor",
                    format!("{name} (id {id}) does not answer at {}", self.rates()),
                    "check its cable; if it still has its factory id, plug it in alone and run \
                     `sinew setup-motors`",
                ),
                Some(motor) if motor.number.is_some_and(|number| number != model.number) => {
                    Problem::new(
                        "model_differs",
                        format!(
                            "{name} (id {id}) is a {}, the arm is made with a {}: strength, \
                             speed and units may differ",
                            motor.describe(),
                            model.name
                        ),
                        "check that this is the right arm's port and type, or change the motor",
                    )
                }
                Some(_) => continue,
            };
            self.problems.push(problem);
        }
        for motor in &self.motors {
            if !expected.iter().any(|expected| expected.id == motor.id) {
                self.problems.push(Problem::new(
                    "unexpected_motor",
                    format!("id {} belongs to no joint of this arm", motor.id),
                    "if it is one of the arm's motors, plug it in alone and run `sinew \
                     setup-motors`; if not, unplug it",
                ));
            }
        }
    }

    fn rates(&self) -> String {
        let elsewhere = self.motors.iter().any(|motor| motor.baud != self.home);
        if elsewhere { "any rate".to_owned() } else { format!("{} baud", self.home) }
    }
}

/// What an error on the way to the motors means, for those that a user can do something about.
pub fn explain(error: &Error) -> Option<Problem> {
    let message = error.to_string();
    Some(match error {
        Error::PermissionDenied { port } => {
            Problem::new("permission_denied", message, port::permission_remedy(port))
        }
        Error::PortInUse { .. } => Problem::new(
            "port_in_use",
            message,
            "stop that program, or wait until it has finished with the arm",
        ),
        Error::NoSuchPort { .. } => Problem::new(
            "no_such_port",
            message,
            "plug the adapter in, and run `sinew find-port` to see what it is called",
        ),
        Error::Lost { .. } => Problem::new(
            "adapter_lost",
            message,
            "check the USB cable and plug the adapter in again",
        ),
        Error::BaudRefused { .. } => Problem::new(
            "baud_refused",
            message,
            "choose a rate that the adapter can run at; over TCP the far end sets it",
        ),
        _ => return None,
    })
}
