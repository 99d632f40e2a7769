//! Who may drive.

use serde::{Deserialize, Serialize};
use sinew_drivers::stop::StopReport;

use super::{MOST_ARMS, Message, Refusal, Secret, at_most, text};

/// What is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// The lease.
    Take,
    /// Torque, with the arm where it stands; what is said from then on is followed.
    Drive,
    /// To give the lease back; the arm stops as its host is set.
    Release,
    /// That the arm stops, whoever drives it; as its host is set, or limp.
    Stop,
}

/// A question about the lease; drive and release are signed beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The version.
    pub v: u64,
    /// What is wished for.
    pub op: Op,
    /// Who wishes it, for people to read.
    pub who: String,
    /// The lease under which it is said; 0 before there is one.
    pub lease: u64,
    /// Its number, greater than every one before of this lease.
    pub n: u64,
    /// Whether a lease that somebody holds is to be taken from them.
    pub take_over: bool,
    /// Whether an arm that is to stop is to be limp, however its host leaves it otherwise.
    #[serde(default)]
    pub limp: bool,
}

impl Message for Ask {
    const MOST: usize = 4 << 10;

    fn check(&self) -> Result<(), Refusal> {
        text("names", &self.who)
    }
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Its number.
    pub lease: u64,
    /// What its messages are signed with.
    pub secret: Secret,
    /// After how much silence it ends, in milliseconds.
    pub watchdog_ms: u64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The version.
    pub v: u64,
    /// Why not, if it was refused.
    pub refused: Option<String>,
    /// The lease that was asked for.
    pub granted: Option<Granted>,
    /// How each arm was left, if it was to stop.
    pub stopped: Vec<StopReport>,
}

impl Message for Reply {
    const MOST: usize = 64 << 10;

    fn check(&self) -> Result<(), Refusal> {
        at_most("arms", self.stopped.len(), MOST_ARMS)?;
        for report in &self.stopped {
            text("words", &report.arm)?;
            at_most("motors", report.motors.len(), 256)?;
            for motor in &report.motors {
                text("names", &motor.name)?;
            }
        }
        self.refused.iter().try_for_each(|words| text("words", words))
    }
}
