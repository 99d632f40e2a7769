//! The tip of an arm moved in straight lines, its tool kept as it is turned.
//!
//! The tip has a goal that goes where it is wanted to go; every tick its joints follow. What they cannot
//! do leaves the goal where it is: the end of the reach or of a joint's range, a pose near which joints
//! would have to be faster than they may, the walls of the space that is allowed.

use std::f64::consts::TAU;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

use super::pull::PULLED;
use super::wish::{Rates, Way};
use crate::kinematics::{Chain, MOST_JOINTS, Solver, Tolerance};

/// A box that the tip stays in, in metres, in the base's axes: ahead, left, up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Space {
    /// The least of each.
    pub least: [f64; 3],
    /// The greatest.
    pub most: [f64; 3],
}

impl Default for Space {
    /// Above the table that the arm stands on, but for what a calibration may be off.
    fn default() -> Self {
        Self { least: [-1.0, -1.0, -0.02], most: [1.0; 3] }
    }
}

/// The farthest a tip goes in one tick, in metres: LeRobot's `max_ee_step_m`.
const FARTHEST: f64 = 0.05;

/// How far the joints may leave the tip from its goal, in metres.
const NEAR: f64 = 5e-4;

/// And how far from how much the tool is to point up or down, in radians, which the joints can always
/// keep.
const TRUE: f64 = 0.02;

/// What a radian's turn weighs, in metres: five joints cannot bring a tip anywhere turned as it was, and
/// the place comes first.
const SOFT: f64 = 0.02;

/// How near a singular pose, where the arm is stretched, the joints may come, in metres per radian: from
/// that pose itself they would not find back.
const ROOM: f64 = 0.012;

/// How far the tool may be turned away from its goal, in radians. Where the joints cannot keep it, the
/// goal follows.
const AWAY: f64 = 0.05;

/// Which part of what is wanted is tried, one after the other: all of it, less, and each way alone.
const TRIES: [(f64, Option<usize>); 9] = [
    (1.0, None),
    (0.3, None),
    (0.05, None),
    (1.0, Some(0)),
    (1.0, Some(1)),
    (1.0, Some(2)),
    (1.0, Some(3)),
    (1.0, Some(4)),
    (1.0, Some(5)),
];

/// The tip and its goal.
#[derive(Clone, Debug)]
pub struct Tool {
    solver: Solver,
    /// The joints' ranges as the chain has them.
    known: [(f64, f64); MOST_JOINTS],
    /// The space that is asked for, and that with where it began.
    allowed: Space,
    space: Space,
    goal: Isometry3<f64>,
    angles: [f64; MOST_JOINTS],
    /// How far they are from a singular pose.
    room: f64,
    /// 1 where turning about the second joint's axis lowers the tool, otherwise -1.
    lowers: f64,
}

impl Tool {
    /// A tip that stays in this space.
    pub fn new(chain: Chain, space: Space) -> Self {
        let (_, jacobian) = chain.pose_and_jacobian(&[]);
        let lowers = if jacobian[(4, 1)] >= 0.0 { 1.0 } else { -1.0 };
        let tolerance = Tolerance { place: 1e-5, turn: 2e-4 };
        let solver = Solver::new(chain, tolerance).with_soft_turn(SOFT);
        let (goal, angles) = (Isometry3::identity(), [0.0; MOST_JOINTS]);
        let mut known = [(0.0, 0.0); MOST_JOINTS];
        known.iter_mut().zip(solver.chain().joints()).for_each(|(known, of)| *known = of.range);
        Self { solver, known, allowed: space, space, goal, angles, room: 0.0, lowers }
    }

    /// Its joints stand here, in radians, and keep to these ranges. Where the tip or a joint is beyond
    /// what is allowed, that reaches so far from now on: nothing jumps there.
    pub fn stand(&mut self, angles: [f64; MOST_JOINTS], ranges: &[(f64, f64); MOST_JOINTS]) {
        self.angles = angles;
        let wide = angles.iter().zip(ranges).zip(self.known);
        let wide = wide.map(|((angle, (low, high)), known)| {
            // A joint without stops has cables all the same.
            let endless = high - low > TAU * 0.95;
            let (low, high) = if endless { known } else { (*low, *high) };
            (angle.min(low), angle.max(high))
        });
        self.solver.chain_mut().set_ranges(wide);
        self.goal = self.solver.chain().pose(&angles);
        self.room = self.solver.chain().room(&angles);
        self.space = self.allowed;
        for (axis, place) in self.goal.translation.vector.iter().enumerate() {
            self.space.least[axis] = self.space.least[axis].min(*place);
            self.space.most[axis] = self.space.most[axis].max(*place);
        }
    }

    /// The joints' angles.
    pub fn angles(&self) -> &[f64; MOST_JOINTS] {
        &self.angles
    }

    /// Goes where it is wanted for so long, each joint by no more than `most` radians, and only where
    /// `allowed` agrees to the angles. Answers how far it went each way, in metres and degrees.
    pub fn go(
        &mut self,
        rates: &Rates,
        seconds: f64,
        most: f64,
        mut allowed: impl FnMut(&[f64; MOST_JOINTS]) -> bool,
    ) -> [f64; PULLED] {
        let ways = [Way::Forward, Way::Left, Way::Up, Way::Roll, Way::Tilt, Way::Swing];
        let wanted = ways.map(|way| rates[way.place()] * seconds);
        if wanted.iter().all(|part| *part == 0.0) {
            return wanted;
        }
        let single = wanted.iter().filter(|part| **part != 0.0).count() == 1;
        for (share, only) in TRIES {
            let mut part = wanted.map(|part| part * share);
            if let Some(only) = only {
                let keep = part[only];
                part = [0.0; PULLED];
                part[only] = keep;
                if keep == 0.0 || single {
                    continue;
                }
            }
            let goal = self.moved(part);
            let solved = self.solver.follow(&self.angles, &goal, most);
            let there = self.solver.chain().pose(&solved.angles);
            let points = |pose: &Isometry3<f64>| (pose.rotation * Vector3::z()).z.clamp(-1.0, 1.0);
            let tilted = points(&there).asin() - points(&goal).asin();
            let reached = solved.place_off <= NEAR && tilted.abs() <= TRUE;
            let room = self.solver.chain().room(&solved.angles);
            let free = room >= ROOM || room >= self.room;
            if !reached || !free || !allowed(&solved.angles) {
                continue;
            }
            (self.angles, self.room) = (solved.angles, room);
            let off = (goal.rotation * there.rotation.inverse()).scaled_axis();
            let kept = if off.norm() > AWAY { AWAY / off.norm() } else { 1.0 };
            let turned = UnitQuaternion::from_scaled_axis(off * kept) * there.rotation;
            // Walls may have shortened the way.
            let way = goal.translation.vector - self.goal.translation.vector;
            part.iter_mut().zip(way.iter()).for_each(|(part, way)| *part = *way);
            self.goal = Isometry3::from_parts(goal.translation, turned);
            return part;
        }
        [0.0; PULLED]
    }

    /// The goal after going so far: metres ahead, left and up, degrees of roll, tilt and swing.
    fn moved(&self, part: [f64; PULLED]) -> Isometry3<f64> {
        let [ahead, left, up, roll, tilt, swing] = part;
        let mut way = Vector3::new(ahead, left, up);
        let far = way.norm();
        if far > FARTHEST {
            way *= FARTHEST / far;
        }
        let mut place = self.goal.translation.vector + way;
        for axis in 0..3 {
            place[axis] = place[axis].max(self.space.least[axis]).min(self.space.most[axis]);
        }
        let mut turn = Vector3::z() * swing.to_radians();
        if roll != 0.0 {
            turn += self.goal.rotation * Vector3::z() * roll.to_radians();
        }
        if tilt != 0.0 {
            // The arm's other joints turn about one horizontal line, whichever way it looks.
            let (_, jacobian) = self.solver.chain().pose_and_jacobian(&self.angles);
            let line = Vector3::new(jacobian[(3, 1)], jacobian[(4, 1)], jacobian[(5, 1)]);
            turn -= line * (self.lowers * tilt.to_radians());
        }
        let rotation = UnitQuaternion::from_scaled_axis(turn) * self.goal.rotation;
        Isometry3::from_parts(Translation3::from(place), rotation)
    }
}
