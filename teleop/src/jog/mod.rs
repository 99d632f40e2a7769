//! An arm that is told how fast to move instead of where to be: by a keyboard, a gamepad, or whatever
//! else has a way to say forward and up.
//!
//! ```text
//!  keys, sticks ── wish ─▶ queue ─▶ slew ─▶ tool (its joints follow) or joints ─▶ values
//!                                              ▲
//!                    where the follower stands ┘  at the begin, and as a leash
//! ```
//! It begins where the follower stands. Wishes that are not said again come to an end by themselves, so
//! that an arm stands still whose hand is gone. What is asked for never runs away from a follower that
//! cannot get there. Nothing is allocated, and nobody is waited for.

mod pull;
mod tool;
mod wish;

use sinew_drivers::arm::{Follower, Observation, Reach};
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{Error, Nanos};

use pull::Chase;
pub use pull::{PULLED, Pull};
pub use tool::Space;
use tool::Tool;
pub use wish::{Ear, LASTS, Rates, SPEEDS, Stick, WAYS, Way, Wish, stick};
use wish::{heeded, slew};

use crate::kinematics::{Chain, IN_DEGREES, MOST_JOINTS};
use crate::source::{Lead, Source};

/// What is moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moved {
    /// The tip, in straight lines within this space.
    Tip(Space),
    /// Each joint for itself.
    Joints,
}

/// Why an arm cannot be moved so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JogError {
    /// Where its tip is cannot be known.
    #[error("where the tip of {arm} is cannot be told; it can for {}", IN_DEGREES.join(", "))]
    NoKinematics {
        /// Its type.
        arm: String,
    },
}

/// A joint turns no faster than this, in degrees per second.
const FASTEST: f64 = 120.0;

/// How far what is asked of a joint may be from where it stands, in degrees: beyond that it waits.
const LEASH: f64 = 15.0;

/// And of a gripper, in shares of its range: enough for a firm grip.
const GRIP: f64 = 0.3;

/// A tick that took longer counts as one of so long.
const LONGEST: Nanos = 100 * MILLI;

/// A joint whose reading is older than this does not say where it stands.
const STALE: Nanos = 200 * MILLI;

/// One of the follower's joints.
#[derive(Clone, Copy, Debug)]
struct Axis {
    /// In its units.
    range: (f64, f64),
    /// Of one unit.
    degrees: f64,
    kind: Kind,
}

/// What moves a joint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its place among the joints beside the gripper.
    Joint(u8),
    /// It is the gripper.
    Gripper,
    /// There are more joints before it than any arm here has.
    Still,
}

impl Kind {
    fn joint(self) -> Option<usize> {
        if let Self::Joint(joint) = self { Some(usize::from(joint)) } else { None }
    }
}

impl Axis {
    /// How far it may be asked to be from where it stands, in its units.
    fn leash(&self) -> f64 {
        match self.kind {
            Kind::Gripper => GRIP * (self.range.1 - self.range.0),
            Kind::Joint(_) | Kind::Still => LEASH / self.degrees.abs(),
        }
    }

    /// Whether going from `asked` to `goal` leads it farther from where it stands than it may be.
    fn strays(&self, there: f64, asked: f64, goal: f64) -> bool {
        let off = (goal - there).abs();
        off > self.leash() && off > (asked - there).abs()
    }
}

/// What is moved by wishes.
pub struct Jog {
    ear: Ear,
    rates: Rates,
    axes: Vec<Axis>,
    tool: Option<Tool>,
    chase: Chase,
    there: Vec<f64>,
    last: Option<Nanos>,
    lead: Lead,
}

impl Jog {
    /// Lets whoever has the stick move this follower.
    pub fn new(follower: &dyn Follower, moved: Moved) -> Result<(Stick, Self), JogError> {
        let spec = follower.spec();
        let tool = match moved {
            Moved::Joints => None,
            Moved::Tip(space) => {
                let chain = Chain::in_degrees(&spec.name);
                let none = || JogError::NoKinematics { arm: spec.name.clone() };
                Some(Tool::new(chain.ok_or_else(none)?, space))
            }
        };
        let mut joints = 0..MOST_JOINTS as u8;
        let axes = spec.joints.iter().zip(follower.reaches());
        let axes = axes.map(|(joint, &Reach { range, degrees, .. })| {
            let kind = match joint.name.ends_with("gripper") {
                true => Kind::Gripper,
                false => joints.next().map_or(Kind::Still, Kind::Joint),
            };
            Axis { range, degrees, kind }
        });
        let (stick, ear) = stick();
        let jog = Self {
            ear,
            rates: [0.0; WAYS],
            axes: axes.collect(),
            tool,
            chase: Chase::default(),
            there: vec![0.0; spec.value_count()],
            last: None,
            lead: Lead::new(spec.value_count()),
        };
        Ok((stick, jog))
    }

    /// Takes where the follower stands for what is asked of it.
    fn join(&mut self) {
        let values = self.lead.values.iter_mut().zip(&self.there).zip(&self.axes);
        for ((value, there), axis) in values {
            *value = there.max(axis.range.0).min(axis.range.1);
        }
        let Some(tool) = &mut self.tool else {
            self.lead.age = 0;
            return;
        };
        let mut angles = [0.0; MOST_JOINTS];
        let mut ranges = [(0.0, 0.0); MOST_JOINTS];
        for (axis, value) in self.axes.iter().zip(&self.lead.values) {
            let Some(joint) = axis.kind.joint() else { continue };
            let radians = |value: f64| (value * axis.degrees).to_radians();
            let (one, other) = (radians(axis.range.0), radians(axis.range.1));
            (angles[joint], ranges[joint]) = (radians(*value), (one.min(other), one.max(other)));
        }
        tool.stand(angles, &ranges);
        self.lead.age = 0;
    }

    /// Moves what is asked for on for so long.
    fn go_on(&mut self, seconds: f64) {
        let Self { rates, axes, tool, chase, there, lead, .. } = self;
        let values = &mut lead.values;
        if let Some(tool) = tool {
            let value = |axis: &Axis, angles: &[f64; MOST_JOINTS]| {
                axis.kind.joint().map(|joint| angles[joint].to_degrees() / axis.degrees)
            };
            let most = (FASTEST * seconds).to_radians();
            let went = tool.go(rates, seconds, most, |angles| {
                axes.iter().zip(values.iter()).zip(there.iter()).all(|((axis, asked), there)| {
                    value(axis, angles).is_none_or(|goal| !axis.strays(*there, *asked, goal))
                })
            });
            chase.went(&went);
            for (axis, asked) in axes.iter().zip(values.iter_mut()) {
                *asked = value(axis, tool.angles()).unwrap_or(*asked);
            }
        }
        for ((axis, asked), there) in axes.iter().zip(values.iter_mut()).zip(there.iter()) {
            let rate = match axis.kind {
                Kind::Joint(_) if tool.is_some() => 0.0,
                Kind::Joint(joint) => rates[Way::Joint(joint).place()] / axis.degrees,
                Kind::Gripper => rates[Way::Open.place()] * (axis.range.1 - axis.range.0),
                Kind::Still => 0.0,
            };
            if rate == 0.0 {
                continue;
            }
            let goal = (*asked + rate * seconds).max(axis.range.0).min(axis.range.1);
            if !axis.strays(*there, *asked, goal) {
                *asked = goal;
            }
        }
        let drive = [Way::DriveAhead, Way::DriveLeft, Way::DriveTurn];
        for (speed, way) in values.iter_mut().skip(axes.len()).zip(drive) {
            *speed = rates[way.place()];
        }
    }
}

impl Source for Jog {
    fn configure(&mut self) -> Result<(), Error> {
        // Somebody may have moved it since it was looked at.
        (self.last, self.rates) = (None, [0.0; WAYS]);
        self.lead.age = Nanos::MAX;
        Ok(())
    }

    fn read(&mut self, now: Nanos) -> Result<&Lead, Error> {
        let mut wanted = self.ear.rates(now);
        if let Some(pull) = self.ear.pull(now) {
            self.chase.rates(pull, &mut wanted);
            wanted = heeded(&wanted);
        }
        if self.lead.age == 0 {
            let span = self.last.map_or(0, |last| now - last).clamp(0, LONGEST);
            let seconds = span as f64 / SECOND as f64;
            slew(&mut self.rates, &wanted, seconds);
            self.go_on(seconds);
        }
        self.last = Some(now);
        Ok(&self.lead)
    }

    fn lead(&self) -> &Lead {
        &self.lead
    }

    fn see(&mut self, seen: &Observation) {
        for (there, value) in self.there.iter_mut().zip(&seen.values) {
            *there = *value;
        }
        let joints = seen.ages.iter().take(self.axes.len());
        if self.lead.age != 0 && joints.into_iter().all(|age| *age <= STALE) {
            self.join();
        }
    }
}

#[cfg(test)]
mod tests;
