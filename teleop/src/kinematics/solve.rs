//! Which joints bring the tip to a pose: damped least squares within the joints' ranges.
//!
//! The damping follows the error (Sugihara, "Solvability-unconcerned inverse kinematics by the
//! Levenberg-Marquardt method", 2011): far from the goal, and wherever the goal cannot be reached,
//! steps stay bounded, near singular poses as well; close to it they are Newton's.

use nalgebra::{Isometry3, Matrix6, Vector6};

use super::{Chain, Jacobian, MOST_JOINTS};

/// How exact a solution has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// In metres.
    pub place: f64,
    /// In radians.
    pub turn: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { place: 1e-5, turn: 1e-4 }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Solved {
    /// Angles, one for each of the chain's joints; the rest is zero.
    pub angles: [f64; MOST_JOINTS],
    /// How far the tip is from the pose, in metres.
    pub place_off: f64,
    /// And turned away from it, in radians.
    pub turn_off: f64,
    /// Whether both are within the tolerance.
    pub reached: bool,
}

/// A turn of one radian weighs as much as so many metres.
const ARM: f64 = 0.1;

/// Steps from one beginning.
const STEPS: usize = 80;

/// Steps that lead hardly nearer, until another beginning is tried; and when all were tried in vain.
const PATIENCE: [u32; 2] = [3, 12];

/// Beginnings that are tried where the first does not lead there.
const BEGINNINGS: u32 = 100;

/// No joint turns by more than this in one step, in radians.
const STRIDE: f64 = 0.8;

/// Added to the damping, so that a singular pose is no division by zero.
const LEAST: f64 = 1e-10;

/// Solves for one chain.
#[derive(Clone, Debug)]
pub struct Solver {
    chain: Chain,
    tolerance: Tolerance,
    /// What metres and radians weigh.
    scale: Vector6<f64>,
}

type Angles = [f64; MOST_JOINTS];

impl Solver {
    /// A solver for this chain.
    pub fn new(chain: Chain, tolerance: Tolerance) -> Self {
        Self { chain, tolerance, scale: Vector6::new(1.0, 1.0, 1.0, ARM, ARM, ARM) }
    }

    /// The same, but a turn of one radian weighs only as much as so many metres: where the joints cannot
    /// do both, the tip is where it is to be.
    pub fn with_soft_turn(mut self, metres: f64) -> Self {
        self.scale = Vector6::new(1.0, 1.0, 1.0, metres, metres, metres);
        self
    }

    /// Its chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Its chain, to give it other ranges.
    pub fn chain_mut(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// The angles that bring the tip to `goal`, sought from `from` and then from elsewhere: the arm may
    /// stand quite otherwise there. Where there are none, the nearest that was found.
    pub fn solve(&self, from: &[f64], goal: &Isometry3<f64>) -> Solved {
        let mut best = self.descend(self.within(from), goal, f64::INFINITY, PATIENCE[0]);
        for patience in PATIENCE {
            for at in 1..=BEGINNINGS {
                if best.reached {
                    return best;
                }
                let found = self.descend(self.beginning(at), goal, f64::INFINITY, patience);
                if found.reached || self.weight(&found) < self.weight(&best) {
                    best = found;
                }
            }
        }
        best
    }

    /// The angles that bring the tip nearer to `goal` from where the joints are, each by no more than
    /// `most` radians: for a goal that moves, such as a hand's. The arm never changes to another way of
    /// standing.
    pub fn follow(&self, from: &[f64], goal: &Isometry3<f64>, most: f64) -> Solved {
        self.descend(self.within(from), goal, most, PATIENCE[0])
    }

    /// Goes downhill from these angles, each joint by no more than `most` in all.
    fn descend(&self, from: Angles, goal: &Isometry3<f64>, most: f64, patience: u32) -> Solved {
        let mut angles = from;
        let (pose, mut jacobian) = self.chain.pose_and_jacobian(&angles);
        let mut error = error(&pose, goal);
        let (mut caution, mut idle) = (1.0, 0);
        for _ in 0..STEPS {
            if self.reaches(&error) {
                break;
            }
            let tried =
                self.walk(&angles, self.step(&angles, &jacobian, &error, caution), from, most);
            let (pose, there) = self.chain.pose_and_jacobian(&tried);
            let off = self::error(&pose, goal);
            let (before, now) = (self.weigh(&error), self.weigh(&off));
            if now >= before {
                // It went too far for how the tip really moves.
                caution *= 10.0;
                idle += 2;
            } else {
                caution = (caution * 0.2_f64).max(1e-6);
                idle = if now > before * 0.9 { idle + 1 } else { 0 };
                (angles, jacobian, error) = (tried, there, off);
            }
            if idle > patience {
                break;
            }
        }
        let (place_off, turn_off) =
            (error.fixed_rows::<3>(0).norm(), error.fixed_rows::<3>(3).norm());
        Solved { angles, place_off, turn_off, reached: self.reaches(&error) }
    }

    /// Where a step leads that keeps to the ranges, to the longest stride and near the beginning.
    fn walk(&self, angles: &Angles, step: Angles, from: Angles, most: f64) -> Angles {
        let longest = step.iter().fold(0.0, |longest: f64, part| longest.max(part.abs()));
        let share = if longest > STRIDE { STRIDE / longest } else { 1.0 };
        let mut there = *angles;
        let joints = self.chain.joints.iter().zip(from);
        for ((angle, part), (joint, from)) in there.iter_mut().zip(step).zip(joints) {
            let (low, high) = joint.range;
            let near = (*angle + share * part).clamp(from - most, from + most);
            *angle = near.max(low).min(high);
        }
        there
    }

    /// One step of damped least squares. A joint that stands at the end of its range and would have to
    /// go beyond is left out, and the others do without it.
    fn step(
        &self,
        angles: &Angles,
        jacobian: &Jacobian,
        error: &Vector6<f64>,
        caution: f64,
    ) -> Angles {
        let mut jacobian = *jacobian;
        jacobian.column_iter_mut().for_each(|mut column| column.component_mul_assign(&self.scale));
        let error = error.component_mul(&self.scale);
        let damping = caution * error.norm_squared() + LEAST;
        let mut step = [0.0; MOST_JOINTS];
        // With every pass at least one joint more is left out.
        for _ in 0..self.chain.joints.len() {
            let square: Matrix6<f64> =
                jacobian * jacobian.transpose() + Matrix6::identity() * damping;
            let Some(inverse) = square.cholesky() else { return step };
            let wanted = jacobian.transpose() * inverse.solve(&error);
            let mut stuck = false;
            for (at, joint) in self.chain.joints.iter().enumerate() {
                let (angle, part) = (angles[at], wanted[at]);
                let beyond = (angle <= joint.range.0 && part < 0.0)
                    || (angle >= joint.range.1 && part > 0.0);
                if beyond {
                    jacobian.column_mut(at).fill(0.0);
                    stuck = true;
                }
                step[at] = if beyond { 0.0 } else { part };
            }
            if !stuck {
                break;
            }
        }
        step
    }

    fn reaches(&self, error: &Vector6<f64>) -> bool {
        error.fixed_rows::<3>(0).norm() <= self.tolerance.place
            && error.fixed_rows::<3>(3).norm() <= self.tolerance.turn
    }

    fn weigh(&self, error: &Vector6<f64>) -> f64 {
        error.component_mul(&self.scale).norm()
    }

    fn weight(&self, solved: &Solved) -> f64 {
        solved.place_off + ARM * solved.turn_off
    }

    /// Angles within the joints' ranges; those that are missing or no numbers are in the middle.
    fn within(&self, angles: &[f64]) -> Angles {
        let mut within = [0.0; MOST_JOINTS];
        let angles = angles.iter().copied().chain(std::iter::repeat(f64::NAN));
        for ((place, joint), angle) in within.iter_mut().zip(&self.chain.joints).zip(angles) {
            let (low, high) = joint.range;
            *place = if angle.is_finite() { angle.max(low).min(high) } else { low.midpoint(high) };
        }
        within
    }

    /// Somewhere in the joints' ranges, spread evenly over them (the additive recurrence of the
    /// generalised golden ratio), the same every time.
    fn beginning(&self, at: u32) -> Angles {
        // The root of x⁹ = x + 1: eight joints at most.
        const RATIO: f64 = 1.085_070_245_491_450_8;
        let mut angles = [0.0; MOST_JOINTS];
        let mut power = 1.0;
        for (place, joint) in angles.iter_mut().zip(&self.chain.joints) {
            power /= RATIO;
            let share = (0.5 + power * f64::from(at)).fract();
            *place = joint.range.0 + share * (joint.range.1 - joint.range.0);
        }
        angles
    }
}

/// From a pose to a goal: the way, and the turn as an axis times its angle, in the base's axes.
fn error(pose: &Isometry3<f64>, goal: &Isometry3<f64>) -> Vector6<f64> {
    let way = goal.translation.vector - pose.translation.vector;
    let turn = (goal.rotation * pose.rotation.inverse()).scaled_axis();
    Vector6::new(way.x, way.y, way.z, turn.x, turn.y, turn.z)
}
