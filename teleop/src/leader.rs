//! A leader arm: somebody moves it by hand, and another arm follows.

use sinew_core::joint::Units;
use sinew_drivers::arm::{Arm, ArmCounts, Follower};
use sinew_drivers::bus::BusCounts;
use sinew_drivers::clock::SECOND;
use sinew_drivers::spec::{ArmSpec, JointSpec};
use sinew_drivers::stop::{StopPolicy, StopReport};
use sinew_drivers::{Error, Nanos};

use crate::ramp::{PAUSE, Ramp};
use crate::source::{Lead, Source};

/// Why a leader cannot lead this arm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaderError {
    /// The follower has a joint that the leader has not.
    #[error("{leader} has no joint {joint}, which {follower} needs")]
    NoSuchJoint {
        /// The leader's type.
        leader: String,
        /// The follower's type.
        follower: String,
        /// The joint.
        joint: String,
    },
    /// A joint is told in other units on either side.
    #[error(
        "{joint} is told in {leader} by the leader and in {follower} by the follower: set `use_degrees` alike"
    )]
    Units {
        /// The joint.
        joint: String,
        /// The leader's unit.
        leader: &'static str,
        /// The follower's unit.
        follower: &'static str,
    },
}

/// A leader arm and whom it leads.
pub struct Leader {
    arm: Arm,
    /// For each of the follower's joints, its place among the leader's.
    places: Vec<usize>,
    lead: Lead,
    /// Where it is to be while it moves by itself, and the way there.
    target: Vec<f64>,
    way: Ramp,
    /// Since when it could be there.
    due: Option<Nanos>,
    /// Since when a joint that is to come under torque has not answered.
    missed: Option<Nanos>,
    /// Whether it ever moved by itself.
    moved: bool,
}

/// How long it takes a leader to come to its follower, at least, as with LeRobot.
const COMES: Nanos = 2 * SECOND;

/// How near it is then, in its joints' units: the follower makes up for the rest.
const NEAR: f64 = 3.0;

/// How long it is waited for beyond its time.
const PATIENCE: Nanos = SECOND;

impl Leader {
    /// Lets `arm` lead `follower`.
    pub fn new(arm: Arm, follower: &dyn Follower) -> Result<Self, LeaderError> {
        let places = follower
            .spec()
            .joints
            .iter()
            .enumerate()
            .map(|(index, joint)| place(&arm, follower, index, joint))
            .collect::<Result<Vec<_>, _>>()?;
        let values = arm.spec().value_count();
        Ok(Self {
            lead: Lead::new(follower.spec().value_count()),
            target: vec![0.0; values],
            way: Ramp::lasting(values, COMES),
            due: None,
            missed: None,
            moved: false,
            arm,
            places,
        })
    }

    /// A tick of the way to where the follower is.
    fn come(&mut self, now: Nanos, there: &[f64]) -> Result<bool, Error> {
        self.moved = true;
        self.target.copy_from_slice(&self.arm.observe()?.values);
        for (place, there) in self.places.iter().zip(there) {
            if let Some(target) = self.target.get_mut(*place) {
                *target = *there;
            }
        }
        if !self.brace(now)? {
            self.way.again();
            self.due = None;
            return Ok(false);
        }
        let stands = &self.arm.observation().values;
        let off = stands.iter().zip(&self.target).map(|(stands, to)| (stands - to).abs());
        let near = off.fold(0.0, f64::max) <= NEAR;
        let goal = self.way.toward(now, stands, &self.target);
        self.arm.command(goal)?;
        if !self.way.is_over(now) {
            return Ok(false);
        }
        let due = *self.due.get_or_insert(now);
        Ok(near || now - due >= PATIENCE)
    }

    /// Puts one more joint under torque; an answer or two may be lost on the way.
    fn brace(&mut self, now: Nanos) -> Result<bool, Error> {
        match self.arm.brace() {
            Ok(all) => {
                self.missed = None;
                Ok(all)
            }
            Err(Error::NoAnswer { .. } | Error::Corrupt { .. })
                if now - *self.missed.get_or_insert(now) < PATIENCE =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl Source for Leader {
    /// A joint that did not answer keeps its newest good value, and the age says so.
    fn read(&mut self, _now: Nanos) -> Result<&Lead, Error> {
        let seen = self.arm.observe()?;
        self.lead.age = 0;
        for (value, place) in self.lead.values.iter_mut().zip(&self.places) {
            if let (Some(seen), Some(age)) = (seen.values.get(*place), seen.ages.get(*place)) {
                *value = *seen;
                self.lead.age = self.lead.age.max(*age);
            }
        }
        Ok(&self.lead)
    }

    fn lead(&self) -> &Lead {
        &self.lead
    }

    fn meet(&mut self, now: Nanos, there: &[f64]) -> Result<bool, Error> {
        let came = self.come(now, there);
        match &came {
            Err(Error::Stopped { cause }) if cause.is_wish() => {}
            // Whatever it was, also of a port that is gone nobody knows how it is when it is back.
            Err(_) => self.arm.let_go(),
            Ok(_) => {}
        }
        came
    }

    fn let_go(&mut self) {
        if self.arm.is_braced() {
            self.arm.let_go();
        }
    }

    fn give_way(&mut self) -> Result<bool, Error> {
        (self.due, self.missed) = (None, None);
        self.way.again();
        self.arm.release()
    }

    fn stiff(&self) -> Vec<String> {
        self.arm.braced().map(str::to_owned).collect()
    }

    fn end(&mut self) -> Option<StopReport> {
        // A port that is back by now gets its stop here.
        self.arm.settle(0);
        match self.arm.is_braced() {
            true => Some(self.arm.stop(StopPolicy::Limp)),
            // It may have stopped by itself.
            false => self.arm.stop_report().filter(|_| self.moved).cloned(),
        }
    }

    fn silent(&self) -> Vec<String> {
        let spec = self.arm.spec();
        let joints = spec.joints.iter().zip(&self.arm.observation().ages);
        let silent = joints.filter(|(_, age)| **age > PAUSE);
        silent
            .map(|(joint, _)| format!("{} (id {}) of {}", joint.name, joint.id, spec.name))
            .collect()
    }

    fn prepare(&mut self) -> Result<(), Error> {
        self.arm.prepare()
    }

    fn configure(&mut self) -> Result<(), Error> {
        self.arm.configure()
    }

    fn bus_counts(&self) -> BusCounts {
        self.arm.bus_counts()
    }

    fn arm_counts(&self) -> ArmCounts {
        self.arm.counts()
    }
}

/// The leader's joint for one of the follower's.
fn place(
    arm: &Arm,
    follower: &dyn Follower,
    index: usize,
    joint: &JointSpec,
) -> Result<usize, LeaderError> {
    let place = counterpart(arm.spec(), &joint.name).ok_or_else(|| LeaderError::NoSuchJoint {
        leader: arm.spec().name.clone(),
        follower: follower.spec().name.clone(),
        joint: joint.name.clone(),
    })?;
    let theirs = arm.reaches().get(place).map(|reach| reach.units);
    let ours = follower.reaches().get(index).map(|reach| reach.units);
    match (theirs, ours) {
        (Some(theirs), Some(ours)) if theirs != ours => Err(LeaderError::Units {
            joint: joint.name.clone(),
            leader: unit(theirs),
            follower: unit(ours),
        }),
        _ => Ok(place),
    }
}

/// Whether an arm of this type has a joint for each of the follower's.
pub fn fits(leader: &ArmSpec, follower: &ArmSpec) -> bool {
    follower.joints.iter().all(|joint| counterpart(leader, &joint.name).is_some())
}

/// The joint of this name, which on an arm that rides on a base begins with `arm_`.
fn counterpart(leader: &ArmSpec, name: &str) -> Option<usize> {
    let bare = name.strip_prefix("arm_").unwrap_or(name);
    leader.joint(name).or_else(|| leader.joint(bare)).map(|(place, _)| place)
}

fn unit(units: Units) -> &'static str {
    match units {
        Units::Degrees => "degrees",
        Units::RangeM100 => "-100..100",
        Units::Range0To100 => "0..100",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_core::calibration::Calibration;
    use sinew_drivers::arm::{ArmOptions, OnMismatch};
    use sinew_drivers::clock::MILLI;
    use sinew_drivers::sim::{self, VirtualBus};
    use sinew_drivers::{Bus, Clock};

    fn arm(name: &str, use_degrees: Option<bool>) -> (VirtualBus, Arm) {
        let spec = ArmSpec::builtin(name).unwrap();
        let world = VirtualBus::new(sim::arm::devices(&spec), Clock::virtual_time(), 2);
        let row = |id| Calibration {
            id,
            drive_mode: 0,
            homing_offset: 0,
            range_min: 500,
            range_max: 3500,
        };
        let calibration: Vec<_> =
            spec.servos().map(|(name, id, _)| (name.to_owned(), row(id))).collect();
        let on_mismatch = OnMismatch::Write;
        let options = ArmOptions { use_degrees, on_mismatch, ..ArmOptions::default() };
        let bus = Bus::new(world.wire(), spec.series.protocol);
        let mut arm = Arm::connect(spec, bus, &calibration, options).unwrap();
        arm.configure().unwrap();
        (world, arm)
    }

    #[test]
    fn a_follower_goes_where_the_leader_is_moved() {
        let (hand, leader) = arm("so101_leader", None);
        let (world, mut follower) = arm("so101_follower", None);
        assert!(hand.servos().iter().all(|servo| !servo.torque), "a leader is limp");
        let mut leader = Leader::new(leader, &follower).unwrap();
        for tick in 0..100 {
            hand.clock().sleep(20 * MILLI);
            world.clock().sleep(20 * MILLI);
            hand.hand(1, Some(2000.0 + f64::from(tick) * 5.0));
            let values = leader.read(0).unwrap().values.clone();
            follower.observe().unwrap();
            follower.command(&values).unwrap();
        }
        world.clock().sleep(500 * MILLI);
        let there = world.servo(1).unwrap().position;
        assert!((there - 2495).abs() < 40, "{there}");
    }

    #[test]
    fn a_base_stands_still_and_its_arm_is_led_by_an_arm_without() {
        let (hand, leader) = arm("so101_leader", None);
        let (_world, follower) = arm("lekiwi", None);
        let mut leader = Leader::new(leader, &follower).unwrap();
        hand.clock().sleep(20 * MILLI);
        let lead = leader.read(0).unwrap();
        assert_eq!(lead.values.len(), 9);
        assert_eq!(lead.values[6..], [0.0; 3]);
    }

    #[test]
    fn arms_that_do_not_fit_are_told_apart() {
        let (_hand, leader) = arm("so101_leader", Some(false));
        let (_world, follower) = arm("so101_follower", None);
        let refused = Leader::new(leader, &follower).err();
        assert!(
            matches!(refused, Some(LeaderError::Units { joint, .. }) if joint == "shoulder_pan")
        );
    }
}
