//! A robot on another machine, as if it were on this one.
//!
//! ```text
//!   state ─▶ newest ─────────────▶ observe ┐
//!   action ◀─ sender ◀─ goals ◀─── command ┴ arm, in the control thread: never waits
//!   camera ─▶ source, in the camera's own thread
//! ```
//! What it saw and when it saw that comes from there; only the instants are brought over onto this
//! machine's clock. What commands it here only asks: its limits, its watchdog and its stop are there.

mod arm;
mod camera;
mod lease;
mod link;

use std::sync::Arc;
use std::time::Duration;

use sinew_drivers::camera::Source;
use sinew_drivers::spec::ArmSpec;
use sinew_drivers::stop::StopFlag;
use sinew_drivers::{Clock, Error as DriverError};

pub use arm::RemoteArm;
use lease::Lease;
use link::Link;
pub use link::stop;

use crate::message::Description;
use crate::{Error, Network};

/// How long anybody may take to answer who has nothing to do for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long an arm may take to stop, parking included.
const STOPS: Duration = Duration::from_secs(40);

/// A robot that was found.
#[derive(Clone)]
pub struct Robot {
    link: Arc<Link>,
}

/// Who drives, and who may end that.
#[derive(Clone, Debug, Default)]
pub struct Driver {
    /// For people to read.
    pub who: String,
    /// Whether the lease is taken from somebody who has it.
    pub take_over: bool,
    /// What ends it here.
    pub stop_flag: Option<StopFlag>,
}

impl Robot {
    /// Looks for it, and from then on sees where it is.
    pub fn find(network: &Network, name: &str, clock: Clock) -> Result<Self, Error> {
        Ok(Self { link: Arc::new(Link::open(network, name, clock)?) })
    }

    /// What it is.
    pub fn description(&self) -> &Description {
        &self.link.description
    }

    /// Where it is, as a port of its arms.
    pub fn address(&self) -> &str {
        &self.link.address
    }

    /// Takes its lease, and with it its arms, which are of these types; nothing moves yet.
    pub fn take(&self, specs: Vec<ArmSpec>, driver: Driver) -> Result<Vec<RemoteArm>, Error> {
        let arms = &self.description().arms;
        let known = |(spec, arm): (&ArmSpec, &crate::message::ArmDescription)| {
            spec.value_names() == arm.values && spec.joints.len() == arm.reaches.len()
        };
        if specs.len() != arms.len() || !specs.iter().zip(arms).all(known) {
            let (name, kind) = (self.description().robot.clone(), self.description().kind.clone());
            return Err(Error::OtherArm { name, kind });
        }
        let (lease, queues) = Lease::take(&self.link, &driver)?;
        let mut first = 0;
        let arms = specs.into_iter().zip(arms).zip(queues).enumerate();
        let arms = arms.map(|(number, ((spec, arm), goals))| {
            let values = first..first + arm.values.len();
            first = values.end;
            RemoteArm::new(number, spec, arm, values, goals, &lease, driver.stop_flag.clone())
        });
        Ok(arms.collect())
    }

    /// Opens one of its cameras.
    pub fn camera(&self, name: &str) -> Result<Box<dyn Source>, DriverError> {
        Ok(Box::new(camera::RemoteCamera::open(&self.link, name)?))
    }
}
