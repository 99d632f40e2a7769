//! Stopping: what state an arm is left in, why, and how the wish to stop reaches its owner.
//!
//! Whoever owns an [`Arm`](crate::arm::Arm) gives it a [`StopFlag`]. Signals, panics of other
//! threads and other processes raise the flag; the arm looks at it every tick and stops itself.
//! Nothing but the arm writes to the bus, so a stop never collides with a command.

mod flag;
mod server;
mod signals;

pub use flag::{StopFlag, StopRequest};
pub use server::{Asked, StopServer, ask, socket_path};

use serde::{Deserialize, Serialize};

/// The state an arm is left in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StopPolicy {
    /// Under torque, where it is.
    Hold,
    /// Slowly to its rest pose, then limp.
    Park,
    /// Without torque; a raised arm falls.
    #[default]
    Limp,
}

impl StopPolicy {
    /// The word users type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Park => "park",
            Self::Limp => "limp",
        }
    }
}

impl std::fmt::Display for StopPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for StopPolicy {
    type Err = UnknownPolicy;

    fn from_str(word: &str) -> Result<Self, UnknownPolicy> {
        [Self::Hold, Self::Park, Self::Limp]
            .into_iter()
            .find(|policy| policy.name() == word)
            .ok_or_else(|| UnknownPolicy(word.to_owned()))
    }
}

/// A word that is no stop policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to stop; use hold, park or limp")]
pub struct UnknownPolicy(pub String);

/// Why an arm stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Cause {
    /// Its owner asked.
    Asked = 1,
    /// Ctrl-C.
    Interrupt = 2,
    /// SIGTERM.
    Terminate = 3,
    /// SIGHUP: the terminal is gone.
    Hangup = 4,
    /// A thread panicked.
    Panic = 5,
    /// `sinew stop` from another process.
    Remote = 6,
    /// Nobody commanded it for too long.
    DeadMan = 7,
    /// Its port went away.
    LostPort = 8,
    /// Its owner let go of it.
    Dropped = 9,
    /// Its motors could not be set up.
    Failed = 10,
    /// A joint could not be seen for too long.
    Blind = 11,
    /// The lease of whoever drove it from another machine ended.
    Lease = 12,
}

const CAUSES: [Cause; 12] = [
    Cause::Asked,
    Cause::Interrupt,
    Cause::Terminate,
    Cause::Hangup,
    Cause::Panic,
    Cause::Remote,
    Cause::DeadMan,
    Cause::LostPort,
    Cause::Dropped,
    Cause::Failed,
    Cause::Blind,
    Cause::Lease,
];

impl Cause {
    /// Whether somebody wished it, rather than something went wrong.
    pub const fn is_wish(self) -> bool {
        matches!(
            self,
            Self::Asked
                | Self::Interrupt
                | Self::Terminate
                | Self::Hangup
                | Self::Panic
                | Self::Remote
        )
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Asked => "asked to",
            Self::Interrupt => "interrupted",
            Self::Terminate => "told to terminate",
            Self::Hangup => "terminal gone",
            Self::Panic => "panic",
            Self::Remote => "asked by another process",
            Self::DeadMan => "no command for too long",
            Self::LostPort => "port lost",
            Self::Dropped => "let go of",
            Self::Failed => "its motors could not be set up",
            Self::Blind => "a joint could not be seen for too long",
            Self::Lease => "its lease ended",
        })
    }
}

/// The state one motor was left in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MotorStop {
    /// The servo.
    pub id: u8,
    /// The joint or wheel.
    pub name: String,
    /// Whether it is under torque, as it says itself; `None` if it does not answer.
    pub torque: Option<bool>,
    /// Whether it is in the state that was asked for.
    pub ok: bool,
}

/// How a stop went, motor by motor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReport {
    /// The arm's type: a follower and its leader may have motors of the same names and ids.
    pub arm: String,
    /// The state asked for.
    pub policy: StopPolicy,
    /// Why.
    pub cause: Cause,
    /// Every motor.
    pub motors: Vec<MotorStop>,
}

impl StopReport {
    /// Whether every motor confirmed.
    pub fn ok(&self) -> bool {
        self.motors.iter().all(|motor| motor.ok)
    }
}
