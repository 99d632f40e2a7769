//! What happened to a robot, and how it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Message, Refusal, at_most, text};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody took the lease.
    LeaseTaken,
    /// Somebody took it from somebody.
    LeaseTakenOver,
    /// Somebody asked for it and did not get it.
    LeaseRefused,
    /// Its holder gave it back.
    LeaseReleased,
    /// Its holder was silent for too long.
    LeaseLost,
    /// The arm is under torque and follows its holder.
    Driven,
    /// The arm stopped.
    Stopped,
    /// Messages were refused.
    Refused,
    /// The host came, or goes.
    Host,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The version.
    pub v: u64,
    /// What.
    pub kind: Kind,
    /// When, in nanoseconds since 1970.
    pub wall: i64,
    /// By whom.
    pub who: String,
    /// In words.
    pub text: String,
}

impl Message for Event {
    const MOST: usize = 8 << 10;

    fn check(&self) -> Result<(), Refusal> {
        text("names", &self.who)?;
        text("words", &self.text)
    }
}

/// How a robot is, once a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// The version.
    pub v: u64,
    /// Ticks so far.
    pub ticks: u64,
    /// Those of them that were late.
    pub late: u64,
    /// Answers of motors that did not come.
    pub lost: u64,
    /// Actions carried out.
    pub actions: u64,
    /// By how much actions are held back, so that they are evenly spaced, in milliseconds.
    pub held_back_ms: f64,
    /// Messages that were refused, by their kind.
    pub refused: BTreeMap<String, u64>,
    /// Volts, motor by motor, where they are known.
    pub volts: Vec<Option<f32>>,
    /// Degrees Celsius, motor by motor, where they are known.
    pub celsius: Vec<Option<f32>>,
    /// Who drives it.
    pub holder: Option<String>,
}

impl Message for Health {
    const MOST: usize = 16 << 10;

    fn check(&self) -> Result<(), Refusal> {
        at_most("kinds of refusals", self.refused.len(), 64)?;
        at_most("motors", self.volts.len().max(self.celsius.len()), 2 * super::MOST_VALUES)?;
        for word in self.refused.keys().chain(&self.holder) {
            text("words", word)?;
        }
        Ok(())
    }
}
