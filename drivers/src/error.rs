//! Everything that can go wrong between the host and its devices, with the facts in fields.

use std::path::PathBuf;

use sinew_core::packet::EncodeError;
use sinew_core::register::{Faults, OutOfRange};

/// What went wrong: what failed, on which port and servo, and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is not there.
    #[error("{port}: no such port")]
    NoSuchPort {
        /// The port.
        port: String,
    },
    /// The port may not be opened by this user.
    #[error("{port}: permission denied")]
    PermissionDenied {
        /// The port.
        port: String,
    },
    /// Another process holds the port.
    #[error("{port}: in use by {holder}")]
    PortInUse {
        /// The port.
        port: String,
        /// Who holds it, as far as the system tells.
        holder: String,
    },
    /// The port went away while it was open.
    #[error("{port}: gone ({source})")]
    Lost {
        /// The port.
        port: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The port cannot run at this rate.
    #[error("{port}: cannot run at {baud} baud")]
    BaudRefused {
        /// The port.
        port: String,
        /// The rate asked for.
        baud: u32,
    },
    /// The port failed in some other way.
    #[error("{port}: {source}")]
    Port {
        /// The port.
        port: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A servo did not answer.
    #[error("{port}: servo {id} does not answer ({what})")]
    NoAnswer {
        /// The port.
        port: String,
        /// The servo.
        id: u8,
        /// What it was asked.
        what: &'static str,
    },
    /// A servo's answers arrive damaged.
    #[error("{port}: servo {id} answers, but the answer is damaged ({what})")]
    Corrupt {
        /// The port.
        port: String,
        /// The servo.
        id: u8,
        /// What it was asked.
        what: &'static str,
    },
    /// A servo refused the request.
    #[error("{port}: servo {id} refuses {what}: {faults}")]
    Refused {
        /// The port.
        port: String,
        /// The servo.
        id: u8,
        /// What it was asked.
        what: &'static str,
        /// What it complains of.
        faults: Faults,
    },
    /// The board between host and servos does not do what it is asked to.
    #[error("{port}: the board does not {what}: {why}")]
    Board {
        /// The port.
        port: String,
        /// What it was asked to do.
        what: &'static str,
        /// What it says, or that it says nothing.
        why: &'static str,
    },
    /// The request cannot be put on the wire.
    #[error("cannot write the request: {0}")]
    Encode(#[from] EncodeError),
    /// The value does not fit the register.
    #[error("{0}")]
    OutOfRange(#[from] OutOfRange),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A camera does not do what it should.
    #[error("camera {camera}: {what}")]
    Camera {
        /// The camera.
        camera: String,
        /// What is wrong with it.
        what: String,
    },
    /// A calibration file does not hold a calibration.
    #[error("{}: {why}", path.display())]
    CalibrationFile {
        /// The file.
        path: PathBuf,
        /// Where in it, and what.
        why: crate::calibration_file::Malformed,
    },
    /// No arm has this name.
    #[error("no arm is called {name}{}", near.as_ref().map_or(String::new(), |near| format!("; did you mean {near}?")))]
    NoSuchArm {
        /// The name.
        name: String,
        /// What it may have meant.
        near: Option<String>,
        /// All there are.
        known: Vec<String>,
    },
    /// An arm's file has a mistake.
    #[error(transparent)]
    Spec(#[from] crate::spec::SpecError),
    /// Motors of the arm are missing or are other ones than it has.
    #[error("{port}: this is no complete {arm}: {}", findings.join("; "))]
    Handshake {
        /// The port.
        port: String,
        /// The arm's type.
        arm: String,
        /// What is missing or wrong, motor by motor.
        findings: Vec<String>,
    },
    /// The calibration lacks a joint, or the joint's range is empty.
    #[error("{joint} is not calibrated ({why}): calibrate the arm, or import its calibration file")]
    NotCalibrated {
        /// The joint.
        joint: String,
        /// What is wrong with it.
        why: String,
    },
    /// The motors hold another calibration than the file.
    #[error("the motors of {} hold another calibration than the file: write the file to them, or calibrate", joints.join(", "))]
    CalibrationDiffers {
        /// The joints.
        joints: Vec<String>,
    },
    /// A servo took a value and holds another.
    #[error("{port}: servo {id} was given {wrote} for {what} and holds {holds}")]
    NotKept {
        /// The port.
        port: String,
        /// The servo.
        id: u8,
        /// Which register.
        what: &'static str,
        /// What was written.
        wrote: i32,
        /// What it holds.
        holds: i32,
    },
    /// A command has too few or too many values.
    #[error("a command for this arm has {expected} values, not {got}")]
    ValueCount {
        /// How many the arm takes.
        expected: usize,
        /// How many there were.
        got: usize,
    },
    /// The arm was stopped and takes no commands.
    #[error("the arm is stopped ({cause})")]
    Stopped {
        /// Why.
        cause: crate::stop::Cause,
    },
    /// The arm was not configured yet.
    #[error("the arm is connected, but not under torque yet: configure it before commanding it")]
    NotConfigured,
    /// An arm's base cannot move the way its file says.
    #[error("the wheels of {arm} do not span the floor: their angles must differ")]
    BadBase {
        /// The arm's type.
        arm: String,
    },
    /// A robot's name that cannot be a file's.
    #[error("`{name}` cannot be a robot's name: use letters, digits, `-` and `_`")]
    BadRobotName {
        /// The name.
        name: String,
    },
    /// Another process runs the robot.
    #[error("another program runs the robot {name}")]
    AlreadyRunning {
        /// What it is called.
        name: String,
    },
    /// A joint's greatest step makes no sense.
    #[error("max_relative_target of {joint}: {why}")]
    MaxStep {
        /// The joint.
        joint: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A driven joint could not be seen for too long, and the arm was stopped.
    #[error("{port}: {joint} (id {id}) has not answered for {ms} ms{}: the arm is stopped; check its cable and the power supply", volts.map_or(String::new(), |volts| format!(", it last measured {volts:.1} V")))]
    Blind {
        /// The port.
        port: String,
        /// The joint.
        joint: String,
        /// The servo.
        id: u8,
        /// For how long.
        ms: i64,
        /// The supply it measured last.
        volts: Option<f32>,
    },
    /// A joint that is to come under torque would be pulled into its range at once.
    #[error(
        "{joint} stands {counts} counts outside its calibrated range: move it inside by hand, or calibrate the arm anew"
    )]
    OutsideRange {
        /// The joint.
        joint: String,
        /// How far.
        counts: i32,
    },
    /// Somebody other than an arm wanted to move a motor.
    #[error("{what} would move a motor: only an arm may do that, with its limits")]
    OneDoor {
        /// What was to be written.
        what: &'static str,
    },
    /// The id is another servo's, or none that a servo may carry.
    #[error("{port}: id {id} is taken, or no servo may carry it")]
    IdTaken {
        /// The port.
        port: String,
        /// The id.
        id: u8,
    },
    /// The servos cannot be set to this rate.
    #[error("{series} servos cannot be set to {baud} baud")]
    NoSuchBaud {
        /// The series.
        series: &'static str,
        /// The rate asked for.
        baud: u32,
    },
    /// The servos have no such register.
    #[error("{series} servos have no {what}")]
    NoSuchRegister {
        /// The series.
        series: &'static str,
        /// The register.
        what: &'static str,
    },
    /// No motor answers at any rate.
    #[error("{port}: no motor answers: plug exactly one in and switch its power on")]
    NoMotor {
        /// The port.
        port: String,
    },
    /// More than one motor answers where one is to be set up.
    #[error(
        "{port}: more than one motor answers (ids {}): leave exactly one plugged in",
        list(ids)
    )]
    NotAlone {
        /// The port.
        port: String,
        /// Their ids.
        ids: Vec<u8>,
    },
    /// The motor is of another model.
    #[error("{port}: servo {id} is a {found}, not a {wanted}: plug in the right one")]
    WrongModel {
        /// The port.
        port: String,
        /// The servo.
        id: u8,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
}

fn list(ids: &[u8]) -> String {
    ids.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}
