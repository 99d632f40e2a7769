//! Where a robot is, and what it was told.

use serde::{Deserialize, Serialize};
use sinew_drivers::stop::Cause;

use super::{Message, Refusal, finite};

/// Whether somebody drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nobody holds the lease.
    Free,
    /// Somebody holds it, and nothing is under torque yet.
    Held,
    /// Its holder drives.
    Driven,
    /// It stopped while somebody drove: a new lease is needed.
    Stopped,
}

/// One tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The version.
    pub v: u64,
    /// Which tick, counted from 0.
    pub n: u64,
    /// When the joints were read: the middle of it, on the host's clock, in nanoseconds.
    pub at: i64,
    /// From the first byte of that to the last one, in nanoseconds.
    pub spread: i64,
    /// Where each joint is, arm after arm.
    pub values: Vec<f64>,
    /// How old each value was then, in nanoseconds; less than a tick where it was read in this one.
    pub ages: Vec<i64>,
    /// What was sent last, behind all limits.
    pub sent: Vec<f64>,
    /// When.
    pub sent_at: i64,
    /// The lease that is held; 0 for none.
    pub lease: u64,
    /// The number of the newest action that was carried out.
    pub done: u64,
    /// Whether somebody drives.
    pub mode: Mode,
    /// Why it stopped, if it did.
    pub cause: Option<Cause>,
}

impl Message for State {
    const MOST: usize = 8 << 10;

    fn check(&self) -> Result<(), Refusal> {
        finite("values", &self.values)?;
        finite("values", &self.sent)?;
        if self.ages.len() != self.values.len() {
            return Err(Refusal::malformed("not an age for every value"));
        }
        match self.spread >= 0 && self.ages.iter().all(|age| *age >= 0) {
            true => Ok(()),
            false => Err(Refusal::malformed("spans of less than nothing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{VERSION, decode, encode};
    use super::*;

    #[test]
    fn spans_of_less_than_nothing_are_refused() {
        let state = State {
            v: VERSION,
            n: 1,
            at: i64::MIN,
            spread: 0,
            values: vec![1.0; 2],
            ages: vec![0, i64::MAX],
            sent: vec![1.0; 2],
            sent_at: 9,
            lease: 7,
            done: 3,
            mode: Mode::Driven,
            cause: None,
        };
        assert_eq!(decode::<State>(&encode(&state)).unwrap(), state);
        for wrong in [
            State { spread: -1, ..state.clone() },
            State { ages: vec![0, -1], ..state.clone() },
            State { ages: vec![i64::MIN, 0], ..state.clone() },
        ] {
            assert_eq!(decode::<State>(&encode(&wrong)).unwrap_err().word(), "malformed");
        }
    }
}
