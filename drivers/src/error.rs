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
    #[error("{port}: adapter gone ({source})")]
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
    },
    /// An arm's file has a mistake.
    #[error(transparent)]
    Spec(#[from] crate::spec::SpecError),
}
