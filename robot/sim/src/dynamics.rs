//! How an arm moves under its own weight and speed: rigid links, no motors yet.
//!
//! Speeds and forces are spatial vectors about the world's origin, along its axes, so that those of
//! different links add up as they are.

use nalgebra::{Isometry3, Matrix3, SMatrix, Vector3};

use crate::model::{JOINTS, Link, Model};

/// A number for each joint.
pub type Joints = [f64; JOINTS];
/// What it takes to speed the joints up.
pub type Mass = SMatrix<f64, JOINTS, JOINTS>;

/// Downwards, in metres per second squared.
pub const GRAVITY: f64 = 9.81;

/// A turning and the moving of the world's origin with it; or a torque about it and a force.
#[derive(Clone, Copy, Debug, Default)]
struct Spatial {
    turn: Vector3<f64>,
    along: Vector3<f64>,
}

impl Spatial {
    fn dot(&self, other: &Self) -> f64 {
        self.turn.dot(&other.turn) + self.along.dot(&other.along)
    }

    fn plus(&self, other: &Self, times: f64) -> Self {
        Self { turn: self.turn + other.turn * times, along: self.along + other.along * times }
    }

    /// How a motion that goes along with this one changes.
    fn carries(&self, motion: &Self) -> Self {
        Self {
            turn: self.turn.cross(&motion.turn),
            along: self.turn.cross(&motion.along) + self.along.cross(&motion.turn),
        }
    }

    /// How a force that goes along with this motion changes.
    fn drags(&self, force: &Self) -> Self {
        Self {
            turn: self.turn.cross(&force.turn) + self.along.cross(&force.along),
            along: self.turn.cross(&force.along),
        }
    }
}

/// What a body opposes to being sped up, about the world's origin.
#[derive(Clone, Copy, Debug)]
struct Inertia {
    mass: f64,
    /// Mass times the place of its centre.
    first: Vector3<f64>,
    second: Matrix3<f64>,
}

impl Inertia {
    fn of(link: &Link, place: &Isometry3<f64>) -> Self {
        let centre = (place * nalgebra::Point3::from(link.centre)).coords;
        let turn = place.rotation.to_rotation_matrix();
        let cross = centre.cross_matrix();
        Self {
            mass: link.mass,
            first: centre * link.mass,
            second: turn * link.inertia * turn.inverse() - cross * cross * link.mass,
        }
    }

    fn with(&self, other: &Self) -> Self {
        Self {
            mass: self.mass + other.mass,
            first: self.first + other.first,
            second: self.second + other.second,
        }
    }

    /// The momentum of a motion, or the force of a motion's change.
    fn times(&self, motion: &Spatial) -> Spatial {
        Spatial {
            turn: self.second * motion.turn + self.first.cross(&motion.along),
            along: motion.along * self.mass + motion.turn.cross(&self.first),
        }
    }
}

/// Where an arm is at some angles, and what moves how.
#[derive(Clone, Debug)]
pub struct Pose {
    /// Where each link is, in the world.
    pub links: [Isometry3<f64>; JOINTS],
    axes: [Spatial; JOINTS],
    inertias: [Inertia; JOINTS],
}

impl Pose {
    /// The arm on its base at these angles.
    pub fn new(model: &Model, base: &Isometry3<f64>, angles: &Joints) -> Self {
        let nothing = Inertia { mass: 0.0, first: Vector3::zeros(), second: Matrix3::zeros() };
        let mut pose = Self {
            links: [*base; JOINTS],
            axes: [Spatial::default(); JOINTS],
            inertias: [nothing; JOINTS],
        };
        let mut at = *base;
        for (joint, angle) in angles.iter().enumerate() {
            let (step, axis) = model.joint(joint, *angle);
            at *= step;
            let turn = at.rotation * axis.into_inner();
            pose.links[joint] = at;
            pose.axes[joint] = Spatial { turn, along: at.translation.vector.cross(&turn) };
            pose.inertias[joint] = Inertia::of(&model.links[joint], &at);
        }
        pose
    }

    /// How fast a point that is fixed to this link moves, for each joint's speed.
    pub fn point(&self, link: usize, point: &Vector3<f64>) -> [Vector3<f64>; JOINTS] {
        let mut moves = [Vector3::zeros(); JOINTS];
        for (of, axis) in moves.iter_mut().zip(&self.axes).take(link + 1) {
            *of = axis.along + axis.turn.cross(point);
        }
        moves
    }

    /// How fast this link turns, for each joint's speed.
    pub fn turning(&self, link: usize) -> [Vector3<f64>; JOINTS] {
        let mut turns = [Vector3::zeros(); JOINTS];
        for (of, axis) in turns.iter_mut().zip(&self.axes).take(link + 1) {
            *of = axis.turn;
        }
        turns
    }

    /// The joints' mass.
    pub fn mass(&self) -> Mass {
        let mut mass = Mass::zeros();
        let mut outer: Option<Inertia> = None;
        for joint in (0..JOINTS).rev() {
            let own = &self.inertias[joint];
            let all = outer.map_or(*own, |outer| outer.with(own));
            let force = all.times(&self.axes[joint]);
            for before in 0..=joint {
                let share = self.axes[before].dot(&force);
                mass[(joint, before)] = share;
                mass[(before, joint)] = share;
            }
            outer = Some(all);
        }
        mass
    }

    /// The torques that it takes at these speeds to change them so, against the weight.
    pub fn torques(&self, speeds: &Joints, changes: &Joints) -> Joints {
        let mut motion = Spatial::default();
        // A base that is pushed upwards feels what gravity does.
        let mut change = Spatial { along: Vector3::z() * GRAVITY, ..Spatial::default() };
        let mut forces = [Spatial::default(); JOINTS];
        for joint in 0..JOINTS {
            let axis = &self.axes[joint];
            let own = Spatial::default().plus(axis, speeds[joint]);
            change = change.plus(axis, changes[joint]).plus(&motion.carries(&own), 1.0);
            motion = motion.plus(&own, 1.0);
            let inertia = &self.inertias[joint];
            let momentum = inertia.times(&motion);
            forces[joint] = inertia.times(&change).plus(&motion.drags(&momentum), 1.0);
        }
        let mut torques = [0.0; JOINTS];
        let mut outer = Spatial::default();
        for joint in (0..JOINTS).rev() {
            outer = outer.plus(&forces[joint], 1.0);
            torques[joint] = self.axes[joint].dot(&outer);
        }
        torques
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Torques and masses by pinocchio; `make.py` beside the file made them.
    fn golden() -> serde_json::Value {
        serde_json::from_str(include_str!("../tests/golden/so101_dynamics.json")).unwrap()
    }

    fn joints(value: &serde_json::Value) -> Joints {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn torques_and_masses_are_pinocchios() {
        let model = Model::so101().unwrap();
        let golden = golden();
        let samples = golden["samples"].as_array().unwrap();
        assert!(samples.len() >= 40);
        let mut masses = 0;
        for sample in samples {
            let pose = Pose::new(&model, &Isometry3::identity(), &joints(&sample["q"]));
            let near = |ours: Joints, theirs: Joints| {
                let off = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(off < 1e-6, "{ours:?} {theirs:?}");
            };
            let (speeds, changes) = (joints(&sample["v"]), joints(&sample["a"]));
            near(pose.torques(&speeds, &changes), joints(&sample["tau_rnea"]));
            near(pose.torques(&[0.0; JOINTS], &[0.0; JOINTS]), joints(&sample["tau_gravity"]));
            if let Some(rows) = sample["M"].as_array() {
                let ours = pose.mass();
                for (at, row) in rows.iter().enumerate() {
                    near(std::array::from_fn(|joint| ours[(at, joint)]), joints(row));
                }
                masses += 1;
            }
        }
        assert!(masses >= 10);
    }
}
