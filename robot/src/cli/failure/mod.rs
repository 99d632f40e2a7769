//! How a command can end badly: what failed, why, and what to do about it.

mod datasets;
mod hub;
#[cfg(feature = "zenoh")]
mod network;
#[cfg(feature = "policies")]
mod policies;
#[cfg(feature = "sim")]
mod worlds;

use sinew_drivers::Error;

/// What the process ends with: a contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Used wrongly.
    Usage = 2,
    /// Hardware not reachable, or not safe.
    Hardware = 3,
    /// Data invalid.
    Data = 4,
    /// Refused: permission, token, lease.
    Refused = 5,
    /// Interrupted, after the arm was made safe.
    Interrupted = 130,
}

/// A command that did not do what it was asked.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the process ends with.
    pub exit: Exit,
    /// What failed, and why.
    pub what: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl Failure {
    /// A failure with nothing to advise.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), remedy: None }
    }

    /// A failure and what to do about it.
    pub fn advise(exit: Exit, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { exit, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// What failed, where `port` stands before it already.
    pub fn on(&self, port: &str) -> &str {
        let rest = self.what.strip_prefix(port).and_then(|rest| rest.strip_prefix(": "));
        rest.unwrap_or(&self.what)
    }

    /// Wrong usage.
    pub fn usage(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::advise(Exit::Usage, what, remedy)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { exit: exit_of(&error), remedy: remedy_of(&error), what: error.to_string() }
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::PermissionDenied { .. } | Error::PortInUse { .. } | Error::AlreadyRunning { .. } => {
            Exit::Refused
        }
        // A robot that another machine hosts said no.
        Error::Port { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            Exit::Refused
        }
        Error::NoSuchPort { .. }
        | Error::Lost { .. }
        | Error::BaudRefused { .. }
        | Error::Port { .. }
        | Error::NoAnswer { .. }
        | Error::Corrupt { .. }
        | Error::Board { .. }
        | Error::Refused { .. }
        | Error::Handshake { .. }
        | Error::NotKept { .. }
        | Error::NoMotor { .. }
        | Error::NotAlone { .. }
        | Error::WrongModel { .. }
        | Error::Camera { .. }
        | Error::Blind { .. }
        | Error::CalibrationDiffers { .. } => Exit::Hardware,
        Error::CalibrationFile { .. } | Error::Spec(_) | Error::NotCalibrated { .. } => Exit::Data,
        Error::NoSuchArm { .. } | Error::BadRobotName { .. } | Error::MaxStep { .. } => Exit::Usage,
        Error::Stopped { cause } => stopped(*cause),
        _ => Exit::Failed,
    }
}

/// What the process ends with when its arm was stopped from outside.
pub fn stopped(cause: sinew_drivers::stop::Cause) -> Exit {
    use sinew_drivers::stop::Cause;
    match cause {
        Cause::Interrupt | Cause::Terminate | Cause::Hangup | Cause::Remote => Exit::Interrupted,
        Cause::Asked | Cause::Dropped => Exit::Done,
        Cause::LostPort | Cause::DeadMan | Cause::Blind => Exit::Hardware,
        Cause::Panic | Cause::Failed => Exit::Failed,
        Cause::Lease => Exit::Refused,
    }
}

fn remedy_of(error: &Error) -> Option<String> {
    Some(match error {
        Error::Stopped { cause: sinew_drivers::stop::Cause::DeadMan } => {
            "see why nothing commanded it any more: the leader's cable and power, the policy's machine, \
             or a computer with too much to do"
                .to_owned()
        }
        Error::NoSuchPort { .. } => {
            "plug the adapter in, and find its port: sinew find-port".into()
        }
        Error::PermissionDenied { .. } => {
            "run once, then log in again: sudo usermod -aG dialout $USER (or install the rules \
             that `sinew udev` prints)"
                .into()
        }
        Error::PortInUse { .. } => {
            "end that program, or stop its robot: sinew stop --robot NAME".into()
        }
        Error::Lost { port, .. } if port.starts_with("zenoh://") => {
            "see whether its machine and the network are up: sinew ps".into()
        }
        Error::Lost { .. } => "plug the adapter in again".into(),
        Error::Port { port, source }
            if !port.starts_with("zenoh://")
                && source.kind() != std::io::ErrorKind::PermissionDenied =>
        {
            "check that it is a servo adapter's port, and its cable: sinew find-port".into()
        }
        Error::NoAnswer { port, .. } => format!(
            "check the motor's cable and the power supply, then look who answers: sinew scan --port {port}"
        ),
        Error::Corrupt { port, .. } => {
            format!("check cables and for two motors of one id: sinew scan --port {port}")
        }
        Error::Handshake { port, .. } => {
            format!("see who answers at which rate: sinew scan --port {port} --all-bauds")
        }
        Error::CalibrationDiffers { .. } => {
            "write the file to the motors: sinew calibrate --import FILE, or calibrate anew: \
             sinew calibrate"
                .into()
        }
        Error::NoMotor { .. } => "plug one motor in and switch its power on".into(),
        Error::NotAlone { .. } => "unplug all motors but the one that was asked for".into(),
        Error::WrongModel { .. } => "is it another joint's motor, or another arm's type?".into(),
        Error::NotCalibrated { .. } => "calibrate it: sinew calibrate".into(),
        Error::NoSuchArm { known, .. } => format!("the types are {}", known.join(", ")),
        Error::AlreadyRunning { name } => {
            format!("end that program, or stop the robot: sinew stop --robot {name}")
        }
        _ => return None,
    })
}
