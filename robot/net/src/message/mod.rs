//! What is said on the network, in CBOR: maps with names, the version first.
//!
//! Every message is bounded before it is looked at, and checked after: what comes from outside is
//! refused with a reason, and never more than that.

mod action;
mod describe;
mod event;
mod few;
mod lease;
mod now;
mod picture;
mod state;
mod think;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use action::{Action, SIGNATURE, Secret};
pub use describe::{ArmDescription, CameraDescription, Description, ReachDescription};
pub use event::{Event, Health, Kind};
pub use lease::{Ask, Granted, Op, Reply};
pub use now::Now;
pub use picture::{PictureHead, moment};
pub use state::{Mode, State};
pub use think::{Frame, Input, Observed, SUPERSEDED, Thinker, Thought, View};

/// What is spoken here.
pub const VERSION: u64 = 1;

/// The most values of a robot, all its arms together.
pub const MOST_VALUES: usize = 64;
/// The most arms of a robot.
pub const MOST_ARMS: usize = 8;
/// The most cameras of a robot.
pub const MOST_CAMERAS: usize = 16;
/// The longest text for people.
pub const MOST_TEXT: usize = 1024;

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is longer than any of its kind.
    #[error("{bytes} bytes, where {most} are the most")]
    TooBig {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// Another version's.
    #[error(
        "it speaks version {0}, and this program version {VERSION}: use the same release of sinew"
    )]
    Version(u64),
    /// It is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// It is not signed with the lease's secret.
    #[error("its signature is wrong")]
    Unsigned,
    /// It belongs to another lease, or to one that is over.
    #[error("its lease is over or somebody else's")]
    NoLease,
    /// It was there before.
    #[error("it was said before")]
    Replayed,
    /// There were too many.
    #[error("too many in too short a time")]
    TooFast,
}

impl Refusal {
    /// The word by which refusals are counted.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TooBig { .. } => "too_big",
            Self::Version(_) => "version",
            Self::Malformed(_) => "malformed",
            Self::Unsigned => "unsigned",
            Self::NoLease => "no_lease",
            Self::Replayed => "replayed",
            Self::TooFast => "too_fast",
        }
    }

    /// It is not what it should be, because of this.
    pub fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed(why.into())
    }
}

/// One kind of message.
pub trait Message: Serialize + DeserializeOwned {
    /// The most bytes it takes.
    const MOST: usize;

    /// Whether what it says can be, beyond its form.
    fn check(&self) -> Result<(), Refusal>;
}

#[derive(Deserialize)]
struct Head {
    v: u64,
}

/// A message as bytes.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Into memory nothing fails that these types can hold.
    ciborium::into_writer(message, &mut bytes).unwrap_or_default();
    bytes
}

/// A message from bytes of whatever origin.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, Refusal> {
    if bytes.len() > M::MOST {
        return Err(Refusal::TooBig { bytes: bytes.len(), most: M::MOST });
    }
    let Head { v } = whole(bytes)?;
    if v != VERSION {
        return Err(Refusal::Version(v));
    }
    let message: M = whole(bytes)?;
    message.check()?;
    Ok(message)
}

/// How deep messages are nested at most; theirs are four.
const DEPTH: usize = 16;

fn whole<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, Refusal> {
    use ciborium::de::Error;

    let read = ciborium::de::from_reader_with_recursion_limit(&mut bytes, DEPTH);
    let message = read.map_err(|error| match error {
        Error::Io(_) => Refusal::malformed("it ends too early"),
        Error::Syntax(at) => Refusal::malformed(format!("no CBOR from byte {at} on")),
        Error::Semantic(_, what) => Refusal::malformed(shortened(&what)),
        Error::RecursionLimitExceeded => Refusal::malformed("it is nested too deeply"),
    })?;
    match bytes {
        [] => Ok(message),
        more => Err(Refusal::malformed(format!("{} bytes too many", more.len()))),
    }
}

/// Foreign words, harmless for a terminal and short.
pub fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// Numbers that something is to be done with.
fn finite(what: &str, values: &[f64]) -> Result<(), Refusal> {
    if values.len() > MOST_VALUES {
        return Err(Refusal::malformed(format!("{} {what}", values.len())));
    }
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(Refusal::malformed(format!("{what} that are no numbers"))),
    }
}

fn text(what: &str, text: &str) -> Result<(), Refusal> {
    match text.len() <= MOST_TEXT && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(Refusal::malformed(format!("{what} that cannot be shown"))),
    }
}

fn name(name: &str) -> Result<(), Refusal> {
    crate::key::check(name).map_err(|error| Refusal::malformed(shortened(&error.to_string())))
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), Refusal> {
    match count <= most {
        true => Ok(()),
        false => Err(Refusal::malformed(format!("{count} {what}, where {most} are the most"))),
    }
}

#[cfg(test)]
mod tests;
