//! Scripted experts: how a task is done by one who knows where everything is.
//!
//! A plan is made once, at the beginning, of places for the gripper; inverse kinematics turns them into
//! joints, and what the arm's weight takes from each motor is added, as a hand on a leader would.

use std::sync::Arc;

use nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3};
use sinew_teleop::kinematics::{Solver, Tolerance};

use crate::dynamics::{Joints, Pose};
use crate::error::Error;
use crate::model::{JOINTS, Model};
use crate::motor::Gear;
use crate::task::{Goal, Judge, Task, ThingRow};
use crate::world::World;

/// Above things, so that the open jaws pass, in metres.
const CLEAR: f64 = 0.055;
/// Between the fixed jaw and what it will touch.
const BESIDE: f64 = 0.008;
/// How wide the jaws are open, in radians.
const OPEN: f64 = 0.9;
/// How far beyond the first touch the gripper is told to close.
const SQUEEZE: f64 = 0.10;
/// How far apart the fingers push, in metres.
const APART: f64 = 0.022;
/// How low the fingers go to grasp.
const LOW: f64 = 0.010;
/// The sides of a thing, in quarter turns, that with the least turn of the wrist first.
const SIDES: [f64; 4] = [0.0, -1.0, 1.0, 2.0];
/// Newton metres per radian of a servo as LeRobot sets it: gain 16, 0.166 of full duty per radian each.
const STIFF: f64 = 0.166 * 16.0 * Gear::STS3215.strength * VOLTS;
const VOLTS: f64 = 7.4;

/// A plan, and how far it has got.
pub struct Expert {
    model: Arc<Model>,
    way: Vec<(f64, Joints)>,
}

/// Who plans.
struct Planner<'a> {
    task: &'a Task,
    world: &'a World,
    judge: &'a Judge,
    solver: Solver,
    /// Beginning with where the joints are.
    way: Vec<(f64, Joints)>,
    sole: f64,
}

impl Expert {
    /// A plan for this task in a world as it stands, with the marks that the judge knows.
    pub fn new(task: &Task, world: &World, judge: &Judge) -> Result<Self, Error> {
        let model = Arc::clone(&world.setup().model);
        let angles = *world.joints();
        let tolerance = Tolerance { place: 5e-4, turn: 0.05 };
        let mut planner = Planner {
            task,
            world,
            judge,
            solver: Solver::new(model.tip.clone(), tolerance).with_soft_turn(0.005),
            way: vec![(0.0, angles)],
            sole: model.sole,
        };
        planner.plan();
        Ok(Self { model, way: planner.way })
    }

    /// What to tell the arm at this time since the beginning.
    pub fn act(&self, seconds: f64) -> Joints {
        let joints = self.at(seconds);
        let weight = Pose::new(&self.model, &Isometry3::identity(), &joints)
            .torques(&[0.0; JOINTS], &[0.0; JOINTS]);
        let mut told: Joints = std::array::from_fn(|of| joints[of] + weight[of] / STIFF);
        // The gripper's weight is nothing beside its grip.
        let ([.., gripper], [.., planned]) = (&mut told, joints);
        *gripper = planned;
        self.model.values(&told)
    }

    /// Where the joints are to be.
    fn at(&self, seconds: f64) -> Joints {
        let mut left = seconds.max(0.0);
        let mut from = self.way.first().map_or([0.0; JOINTS], |(_, joints)| *joints);
        for (takes, to) in &self.way {
            if left < *takes {
                let part = left / takes;
                let part = part * part * (3.0 - 2.0 * part);
                return std::array::from_fn(|of| from[of] + (to[of] - from[of]) * part);
            }
            left -= takes;
            from = *to;
        }
        from
    }
}

impl Planner<'_> {
    fn plan(&mut self) {
        let task = self.task;
        let thing = |name: &str| task.things.iter().find(|row| row.name == name);
        match &task.goal {
            Goal::Lifted { thing: name, above, .. } => {
                let Some(row) = thing(name) else { return };
                if let Some(grasp) = self.grasp(row) {
                    self.to(&grasp, above + 0.012, Some(closed(row)), 0.9);
                }
                self.rest(task.seconds);
            }
            Goal::Placed { thing: name, mark, .. } => {
                let (Some(row), Some(mark)) = (thing(name), self.judge.mark(mark)) else { return };
                if let Some(grasp) = self.grasp(row) {
                    let over = Grasp { middle: mark, ..grasp };
                    self.to(&grasp, CLEAR + 0.01, Some(closed(row)), 0.9);
                    self.to(&over, CLEAR + 0.01, Some(closed(row)), 1.3);
                    self.to(&over, LOW + 0.002, Some(closed(row)), 0.9);
                    self.rest(0.2);
                    self.jaw(OPEN, 0.5);
                    self.to(&over, CLEAR + 0.02, Some(OPEN), 0.8);
                }
                self.rest(task.seconds);
            }
            Goal::Pushed { thing: name, mark, .. } => {
                if let (Some(row), Some(mark)) = (thing(name), self.judge.mark(mark)) {
                    self.push(row, mark);
                }
                self.rest(task.seconds);
            }
            Goal::Reached { mark, .. } => {
                if let Some(mark) = self.judge.mark(mark) {
                    self.reach(mark);
                }
                self.rest(task.seconds);
            }
        }
    }

    /// Grasps a thing; how it was grasped.
    fn grasp(&mut self, row: &ThingRow) -> Option<Grasp> {
        let place = self.world.thing(&row.name)?.place;
        // Of the four sides always the one that looks the same way, as long as it can be reached: what is
        // done changes little where the thing lies a little otherwise.
        let quarter = std::f64::consts::FRAC_PI_2;
        let turned = place.rotation.euler_angles().2;
        let turned = turned - (turned / quarter).round() * quarter;
        let grasp = SIDES.iter().find_map(|side| {
            let yaw = turned + side * quarter;
            let grasp = Grasp { middle: place.translation.vector, yaw, half: row.half[0] };
            self.solve(&grasp.gripper(LOW))?;
            self.solve(&grasp.gripper(CLEAR))?;
            Some(grasp)
        })?;
        self.to(&grasp, CLEAR, Some(OPEN), 1.3);
        self.to(&grasp, LOW, Some(OPEN), 0.9);
        self.rest(0.15);
        self.jaw(closed(row), 0.5);
        self.rest(0.25);
        Some(grasp)
    }

    /// Pushes a thing along the line to a mark.
    fn push(&mut self, row: &ThingRow, mark: Vector3<f64>) {
        let Some(free) = self.world.thing(&row.name) else { return };
        let place = free.place;
        let from = place.translation.vector;
        let way = (mark - from).xy();
        let (length, way) = (way.norm(), way.normalize());
        let along = Vector3::new(way.x, way.y, 0.0);
        // The jaws stand across the way, a little apart: pushed at two points, nothing turns away.
        let yaw = way.y.atan2(way.x) + std::f64::consts::FRAC_PI_2;
        let behind = row.half[0] + 0.012;
        let at = |far: f64, up: f64| {
            let middle = from + along * (far - behind);
            let half = APART / 2.0 - BESIDE;
            let hand = Grasp { middle: Vector3::new(middle.x, middle.y, 0.0), yaw, half };
            (hand, up)
        };
        let low = 0.012;
        for (far, up, takes) in [(-0.015, CLEAR + 0.02, 1.3), (-0.015, low, 0.9)] {
            let (hand, up) = at(far, up);
            self.to(&hand, up, Some(jaws_at(APART)), takes);
        }
        let mut far: f64 = -0.015;
        while far < length {
            far = (far + 0.01).min(length);
            let (hand, up) = at(far, low);
            self.to(&hand, up, Some(jaws_at(APART)), 0.16);
        }
    }

    /// Brings the tip to a place, pointing down as far as the arm can.
    fn reach(&mut self, mark: Vector3<f64>) {
        let hand = Grasp { middle: mark, yaw: mark.y.atan2(mark.x), half: -BESIDE };
        self.to(&hand, mark.z, None, 1.5);
    }

    /// The joints at which the gripper is there, wherever the arm has to stand for that.
    fn solve(&self, gripper: &Isometry3<f64>) -> Option<Joints> {
        let from = self.way.last()?.1;
        let goal = Isometry3::translation(0.0, 0.0, -self.sole) * gripper;
        let solved = self.solver.solve(from.get(..5)?, &goal);
        let mut joints = from;
        joints.iter_mut().zip(solved.angles).take(5).for_each(|(joint, angle)| *joint = angle);
        (solved.place_off < 0.003).then_some(joints)
    }

    /// Goes on so that the fingers' tips are at this height.
    fn to(&mut self, grasp: &Grasp, height: f64, jaw: Option<f64>, takes: f64) {
        let Some(mut joints) = self.solve(&grasp.gripper(height)) else { return };
        if let (Some(gripper), Some(jaw)) = (joints.last_mut(), jaw) {
            *gripper = jaw;
        }
        self.way.push((takes, joints));
    }

    fn jaw(&mut self, angle: f64, takes: f64) {
        let Some((_, mut joints)) = self.way.last().copied() else { return };
        if let Some(gripper) = joints.last_mut() {
            *gripper = angle;
        }
        self.way.push((takes, joints));
    }

    fn rest(&mut self, takes: f64) {
        if let Some((_, joints)) = self.way.last().copied() {
            self.way.push((takes, joints));
        }
    }
}

/// How a thing is held: where it is, which way the jaw closes, and how wide it is.
#[derive(Clone, Copy, Debug)]
struct Grasp {
    middle: Vector3<f64>,
    /// From the fixed jaw to the one that moves, about the vertical.
    yaw: f64,
    half: f64,
}

impl Grasp {
    /// Where the gripper's tip is for it, pointing down.
    fn gripper(&self, height: f64) -> Isometry3<f64> {
        let across = Vector3::new(self.yaw.cos(), self.yaw.sin(), 0.0);
        let tip = self.middle.xy() - across.xy() * (self.half + BESIDE);
        let (x, z) = (-across, -Vector3::z());
        let axes = Matrix3::from_columns(&[x, z.cross(&x), z]);
        let turn = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes));
        Isometry3::from_parts(Translation3::new(tip.x, tip.y, height), turn)
    }
}

/// The gripper's angle for holding a thing.
fn closed(row: &ThingRow) -> f64 {
    jaws_at(row.half[0] * 2.0) - SQUEEZE
}

/// The gripper's angle at which its jaws are so far apart: 15.8 mm at zero, and 79 mm more per radian.
fn jaws_at(metres: f64) -> f64 {
    (metres - 0.0158) / 0.079
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{Env, FPS};

    /// How many of so many seeds an expert achieves, and which it does not.
    fn tries(name: &str, seeds: std::ops::Range<u64>) -> Vec<u64> {
        let mut env = Env::new(Task::find(name).unwrap()).unwrap();
        let mut failed = Vec::new();
        for seed in seeds {
            env.reset(seed).unwrap();
            let expert = env.expert().unwrap();
            let mut tick = 0;
            let verdict = loop {
                let step = env.step(&expert.act(f64::from(tick) / f64::from(FPS))).unwrap();
                tick += 1;
                if step.over {
                    break step.verdict;
                }
            };
            if !verdict.achieved {
                failed.push(seed);
            }
        }
        failed
    }

    #[test]
    fn experts_achieve_their_tasks() {
        for name in Task::names() {
            let failed = tries(name, 0..20);
            assert!(failed.len() <= 1, "{name}: failed with seeds {failed:?}");
        }
    }
}
