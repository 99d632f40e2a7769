//! A box that an arm's tip does not leave, whoever drives it.
//!
//! ```text
//!  goal ─▶ on the way there from the last one, where does the tip leave the box? ─▶ the goal before that
//! ```
//! The joints are held on their way where the tip would leave; a gripper goes on. Once the way is free
//! again they catch up no faster than an arm is brought anywhere: nothing jumps.

use sinew_drivers::Nanos;
use sinew_drivers::arm::Follower;
use sinew_drivers::clock::SECOND;

use crate::jog::{JogError, Space};
use crate::kinematics::{Chain, MOST_JOINTS};
use crate::ramp::PAUSE;

/// How fast a joint catches up after it was held, in degrees per second.
const CATCH_UP: f64 = 90.0;

/// On the way to a goal the tip is looked at whenever a joint has turned so far, in degrees.
const LOOK_EVERY: f64 = 2.0;

/// But not more often.
const LOOKS: u32 = 64;

/// How often the last bit of a way is halved to find where the tip leaves.
const HALVINGS: u32 = 8;

/// So much outside, in metres, is rounding.
const NOTHING: f64 = 1e-9;

/// A box, and an arm that keeps to it.
pub struct Workspace {
    chain: Chain,
    space: Space,
    /// Of each of the chain's joints, its place among the values and the degrees of a unit.
    joints: Vec<(usize, f64)>,
    /// How far from where it is each of them may be sent, in its units, if the arm limits that.
    steps: Vec<Option<f64>>,
    goal: Vec<f64>,
    last: Option<Nanos>,
    /// Whether the joints are behind what is asked of them.
    behind: bool,
    held: u64,
}

impl Workspace {
    /// Keeps the tip of this arm in a box.
    pub fn new(arm: &dyn Follower, space: Space) -> Result<Self, JogError> {
        let spec = arm.spec();
        let none = || JogError::NoKinematics { arm: spec.name.clone() };
        let chain = Chain::in_degrees(&spec.name).ok_or_else(none)?;
        let joints = spec.joints.iter().zip(arm.reaches()).enumerate();
        let joints = joints.filter(|(_, (joint, _))| !joint.name.ends_with("gripper"));
        let joints = joints.take(chain.joints().len());
        let (steps, joints) =
            joints.map(|(place, (_, reach))| (reach.max_step, (place, reach.degrees))).unzip();
        let goal = vec![0.0; spec.value_count()];
        Ok(Self { chain, space, joints, steps, goal, last: None, behind: false, held: 0 })
    }

    /// Where the tip is at these values, in metres ahead, left and up of the base.
    pub fn tip(&self, values: &[f64]) -> [f64; 3] {
        let mut angles = [0.0; MOST_JOINTS];
        for (angle, (place, degrees)) in angles.iter_mut().zip(&self.joints) {
            *angle = values.get(*place).map_or(0.0, |value| (value * degrees).to_radians());
        }
        self.chain.pose(&angles).translation.vector.into()
    }

    /// How far outside the box the tip is at these values, in metres.
    pub fn outside(&self, values: &[f64]) -> f64 {
        let Space { least, most } = &self.space;
        let axes = self.tip(values).into_iter().zip(least.iter().zip(most));
        let off = axes.map(|(place, (least, most))| (least - place).max(place - most).max(0.0));
        // What is no number is nowhere inside.
        if values.iter().any(|value| !value.is_finite()) {
            return f64::INFINITY;
        }
        off.map(|off| off * off).sum::<f64>().sqrt()
    }

    /// The goal for now, of an arm that is there and is asked to be elsewhere.
    pub fn keep(&mut self, now: Nanos, there: &[f64], asked: &[f64]) -> &[f64] {
        let since = self.last.replace(now).map(|last| now - last);
        let since = since.filter(|since| *since <= PAUSE);
        if since.is_none() {
            // Nobody knows what was meanwhile: it begins where the arm is.
            self.goal.copy_from_slice(there);
            self.behind = false;
        }
        let mut from = [0.0; MOST_JOINTS];
        let mut way = [0.0; MOST_JOINTS];
        let mut widest: f64 = 0.0;
        // All joints go the same part of their ways: one that the arm stopped before the others would
        // lead the tip beside the way that is looked at.
        let mut part: f64 = 1.0;
        let joints = self.joints.iter().zip(&self.steps);
        for ((from, way), ((place, degrees), step)) in from.iter_mut().zip(&mut way).zip(joints) {
            let (Some(goal), Some(asked)) = (self.goal.get(*place), asked.get(*place)) else {
                continue;
            };
            (*from, *way) = (*goal, asked - goal);
            widest = widest.max((*way * degrees).abs());
            if let (Some(step), Some(there), true) = (step, there.get(*place), *way != 0.0) {
                let room = step - (goal - there) * way.signum();
                part = part.min((room / way.abs()).max(0.0));
            }
        }
        self.goal.copy_from_slice(asked);
        let most = since.unwrap_or(0) as f64 / SECOND as f64 * CATCH_UP;
        let far = if self.behind && widest > most { part.min(most / widest) } else { part };
        let free = self.free(&from, &way, far, widest);
        self.held += u64::from(free < far);
        self.behind = free < part;
        self.go(&from, &way, free);
        &self.goal
    }

    /// Tells it what was really sent: the arm's own limits may stop a joint before the others, and the
    /// next way begins where that led.
    pub fn sent(&mut self, values: &[f64]) {
        if values.len() == self.goal.len() {
            self.goal.copy_from_slice(values);
        }
    }

    /// In how many ticks the box held the arm.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// The part of a way, up to `far`, on which the tip stays inside, or no farther outside than it is.
    fn free(&mut self, from: &[f64], way: &[f64], far: f64, widest: f64) -> f64 {
        self.go(from, way, 0.0);
        let allowed = self.outside(&self.goal) + NOTHING;
        if !allowed.is_finite() {
            return 0.0;
        }
        let looks = (widest * far / LOOK_EVERY).ceil().clamp(1.0, f64::from(LOOKS)) as u32;
        let mut inside = 0.0;
        for look in 1..=looks {
            let mut beyond = far * f64::from(look) / f64::from(looks);
            if self.is_free(from, way, beyond, allowed) {
                inside = beyond;
                continue;
            }
            for _ in 0..HALVINGS {
                let middle = f64::midpoint(inside, beyond);
                match self.is_free(from, way, middle, allowed) {
                    true => inside = middle,
                    false => beyond = middle,
                }
            }
            return inside;
        }
        far
    }

    fn is_free(&mut self, from: &[f64], way: &[f64], share: f64, allowed: f64) -> bool {
        self.go(from, way, share);
        self.outside(&self.goal) <= allowed
    }

    /// Takes this part of a way.
    fn go(&mut self, from: &[f64], way: &[f64], share: f64) {
        for ((place, _), (from, way)) in self.joints.iter().zip(from.iter().zip(way)) {
            if let Some(goal) = self.goal.get_mut(*place) {
                // Nothing of a way that is no number is nothing.
                *goal = if share > 0.0 { from + share * way } else { *from };
            }
        }
    }
}

#[cfg(test)]
mod tests;
