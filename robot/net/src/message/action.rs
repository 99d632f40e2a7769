//! Where an arm is to go.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{MOST_ARMS, Message, Refusal, VERSION, at_most, finite};

/// How many bytes of a signature go along with a message.
pub const SIGNATURE: usize = 16;

/// What one message to an arm says; signed beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// The version.
    pub v: u64,
    /// The lease under which it is said.
    pub lease: u64,
    /// Its number, greater than every one before of this lease.
    pub n: u64,
    /// Which arm of a pair.
    pub arm: u64,
    /// The instant it is meant for, on the host's clock, in nanoseconds.
    pub at: i64,
    /// A value for each of the arm's; none only says that somebody is there.
    pub values: Vec<f64>,
}

impl Action {
    /// A message that moves nothing, and says that its holder is there.
    pub fn heartbeat(lease: u64, n: u64) -> Self {
        Self { v: VERSION, lease, n, arm: 0, at: 0, values: Vec::new() }
    }
}

impl Message for Action {
    const MOST: usize = 2048;

    fn check(&self) -> Result<(), Refusal> {
        at_most("arms", usize::try_from(self.arm).unwrap_or(usize::MAX), MOST_ARMS - 1)?;
        finite("values", &self.values)
    }
}

/// What a lease's messages are signed with; only its holder and the host know it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(#[serde(with = "serde_bytes")] [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A new one that nobody can guess.
    pub fn new() -> Result<Self, crate::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| crate::Error::System {
            what: "random numbers",
            why: error.to_string(),
        })?;
        Ok(Self(bytes))
    }

    /// The signature of a message.
    pub fn sign(&self, payload: &[u8]) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        let whole = self.mac(payload).map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        signature.iter_mut().zip(whole).for_each(|(place, byte)| *place = byte);
        signature
    }

    /// Whether this is the message's signature; takes as long whatever is wrong with it.
    pub fn signed(&self, payload: &[u8], signature: &[u8]) -> bool {
        let fits = signature.len() == SIGNATURE;
        fits && self.mac(payload).is_some_and(|mac| mac.verify_truncated_left(signature).is_ok())
    }

    fn mac(&self, payload: &[u8]) -> Option<Hmac<Sha256>> {
        // Keys of every length are taken.
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).ok()?;
        mac.update(payload);
        Some(mac)
    }
}
