//! Whatever a loop drives: an arm on a bus of this machine, or one that another machine drives for it.

use sinew_core::joint::Units;

use super::{Arm, ArmCounts, Notice, Observation, Sent};
use crate::Error;
use crate::bus::BusCounts;
use crate::spec::ArmSpec;
use crate::stop::{Cause, StopPolicy, StopReport};
use crate::telemetry::Health;

/// How far a joint goes, and how that is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// The unit of its value.
    pub units: Units,
    /// How many degrees one unit is.
    pub degrees: f64,
    /// From where to where it goes, in its units.
    pub range: (f64, f64),
    /// How far from where it is a goal may be, in its units, if that is limited.
    pub max_step: Option<f64>,
}

/// An arm as a loop sees it. Lives in the control thread: a tick allocates nothing, and waits for
/// nothing but the arm's own bus.
///
/// Goals leave for the motors only through an [`Arm`], which has the limits. One that stands on another
/// machine keeps to that: what commands it here only asks, an [`Arm`] there applies its limits to what
/// it is asked, and [`Follower::sent`] is what that one says it really sent.
pub trait Follower: Send {
    /// What it is.
    fn spec(&self) -> &ArmSpec;

    /// How far each joint goes, in the order of the values.
    fn reaches(&self) -> &[Reach];

    /// Lets it answer as it will once it is ready; it does not move, and holds nothing by it.
    fn prepare(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Makes it ready, and puts it under torque where it stands.
    fn configure(&mut self) -> Result<(), Error>;

    /// Goes on after a stop, under torque where it stands. A wish to stop stays one.
    fn resume(&mut self) -> Result<(), Error>;

    /// Where it is, once every tick; an error means that it was stopped, or cannot be reached.
    fn observe(&mut self) -> Result<&Observation, Error>;

    /// The latest observation.
    fn observation(&self) -> &Observation;

    /// Sends it where `values` say, as far as its limits allow.
    fn command(&mut self, values: &[f64]) -> Result<&Sent, Error>;

    /// What was really sent last.
    fn sent(&self) -> &Sent;

    /// Leaves it in its stop state, if it has not stopped itself, and says how that went.
    fn end(&mut self) -> StopReport;

    /// Takes its torque off, whatever its own stop state is; where that cannot be asked for, it is left
    /// in its own.
    fn let_go(&mut self) -> StopReport {
        self.end()
    }

    /// Why it takes no commands, if it is stopped.
    fn stopped(&self) -> Option<Cause>;

    /// What else there is to say of how it ended, for people to read.
    fn last_words(&self) -> Option<&str> {
        None
    }

    /// What was odd so far, as far as that is known here.
    fn notices(&self) -> &[Notice] {
        &[]
    }

    /// What has happened to it.
    fn counts(&self) -> ArmCounts;

    /// What has happened on its bus, as far as that is known here.
    fn bus_counts(&self) -> BusCounts;

    /// The health of every servo, joints first, then wheels, as far as that is known here.
    fn health(&self) -> &[Health] {
        &[]
    }
}

impl Follower for Arm {
    fn spec(&self) -> &ArmSpec {
        Self::spec(self)
    }

    fn reaches(&self) -> &[Reach] {
        Self::reaches(self)
    }

    fn prepare(&mut self) -> Result<(), Error> {
        Self::prepare(self)
    }

    fn configure(&mut self) -> Result<(), Error> {
        Self::configure(self)
    }

    fn resume(&mut self) -> Result<(), Error> {
        self.go_on()
    }

    fn observe(&mut self) -> Result<&Observation, Error> {
        Self::observe(self)
    }

    fn observation(&self) -> &Observation {
        Self::observation(self)
    }

    fn command(&mut self, values: &[f64]) -> Result<&Sent, Error> {
        Self::command(self, values)
    }

    fn sent(&self) -> &Sent {
        Self::sent(self)
    }

    fn end(&mut self) -> StopReport {
        Self::end(self)
    }

    fn let_go(&mut self) -> StopReport {
        Self::stop(self, StopPolicy::Limp)
    }

    fn stopped(&self) -> Option<Cause> {
        Self::stopped(self)
    }

    fn notices(&self) -> &[Notice] {
        Self::notices(self)
    }

    fn counts(&self) -> ArmCounts {
        Self::counts(self)
    }

    fn bus_counts(&self) -> BusCounts {
        Self::bus_counts(self)
    }

    fn health(&self) -> &[Health] {
        Self::health(self)
    }
}
