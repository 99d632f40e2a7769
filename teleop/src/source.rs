//! What says, tick by tick, where a follower is to go.

use sinew_drivers::arm::{ArmCounts, Observation};
use sinew_drivers::bus::BusCounts;
use sinew_drivers::stop::StopReport;
use sinew_drivers::{Error, Nanos};

/// What a source says in one tick, in the follower's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Lead {
    /// A value for each of the follower's; a base that nobody leads is told to stand still.
    pub values: Vec<f64>,
    /// How old the oldest of them is.
    pub age: Nanos,
}

impl Lead {
    /// Nothing said yet, for a follower of so many values.
    pub fn new(values: usize) -> Self {
        Self { values: vec![0.0; values], age: Nanos::MAX }
    }
}

/// A leader arm, a recorded episode, a policy: anything that drives a follower. Lives in the control
/// thread, so that nothing here waits for anything but its own bus.
pub trait Source: Send {
    /// Where it wants the follower in the tick that begins now.
    fn read(&mut self, now: Nanos) -> Result<&Lead, Error>;

    /// What it said last.
    fn lead(&self) -> &Lead;

    /// Shows it, every tick, where the follower stands: what goes on from there needs to know.
    fn see(&mut self, _seen: &Observation) {}

    /// Tells it, once, that the follower is where it asked for: what has a course of its own begins
    /// it now.
    fn begin(&mut self, _now: Nanos) {}

    /// Whether a person leads just now who has taken over from a program.
    fn corrects(&self) -> bool {
        false
    }

    /// Is brought to where the follower is, a tick of the way with each call, so that a person can take it
    /// there. Answers whether it is there; what cannot move by itself is wherever it is.
    fn meet(&mut self, _now: Nanos, _there: &[f64]) -> Result<bool, Error> {
        Ok(true)
    }

    /// Lets go of what it holds by itself, at once and without waiting for an answer.
    fn let_go(&mut self) {}

    /// Gives way to a person's hand again, a tick of that with each call, for as long as that takes.
    /// Answers whether it does; only somebody's wish to stop is an error.
    fn give_way(&mut self) -> Result<bool, Error> {
        Ok(true)
    }

    /// The joints that have not confirmed that they give way.
    fn stiff(&self) -> Vec<String> {
        Vec::new()
    }

    /// Ends whatever it does by itself, waits until that is sure, and says how it went if it did
    /// something.
    fn end(&mut self) -> Option<StopReport> {
        None
    }

    /// Which of its joints nobody has heard of for so long that nothing is asked for any more.
    fn silent(&self) -> Vec<String> {
        Vec::new()
    }

    /// Lets what it has answer as it will once it is ready; nothing moves.
    fn prepare(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Makes it ready before the first tick.
    fn configure(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// What has happened on its bus, if it has one.
    fn bus_counts(&self) -> BusCounts {
        BusCounts::default()
    }

    /// What has happened to it, if it is an arm.
    fn arm_counts(&self) -> ArmCounts {
        ArmCounts::default()
    }
}
