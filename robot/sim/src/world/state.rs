//! How a world stands: all that what follows depends on, and nothing that can be reckoned from it.

use nalgebra::{Isometry3, Vector3};

use super::Setup;
use crate::dynamics::Joints;
use crate::model::JOINTS;
use crate::motor::{Order, Rotor};
use crate::solver::{Row, Six};
use crate::touch::Touch;

/// How a loose thing stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Free {
    /// Where it is.
    pub place: Isometry3<f64>,
    /// How fast it moves, in metres per second.
    pub moving: Vector3<f64>,
    /// How fast it turns, in radians per second.
    pub turning: Vector3<f64>,
}

/// How everything stands.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Steps since the beginning.
    pub steps: u64,
    /// The joints' angles.
    pub angles: Joints,
    /// And speeds.
    pub speeds: Joints,
    /// What the motors are told.
    pub orders: [Order; JOINTS],
    /// Joints held by hand, and where.
    pub hands: [Option<f64>; JOINTS],
    /// The things.
    pub things: Vec<Free>,
    /// What MuJoCo's search begins with.
    #[cfg(feature = "mujoco")]
    pub(crate) warm: Vec<f64>,
    pub(super) rotors: [Rotor; JOINTS],
    /// The forces of the step before, with which the next search begins.
    pub(super) joint_forces: [[f64; 2]; JOINTS],
    pub(super) touch_forces: Vec<((u16, u16, u8), [f64; 4])>,
}

impl Free {
    /// Both speeds.
    pub(super) fn speed(&self) -> Six {
        let (along, turn) = (self.moving, self.turning);
        [along.x, along.y, along.z, turn.x, turn.y, turn.z]
    }
}

impl State {
    pub(super) fn new(setup: &Setup) -> Self {
        let still = |place| Free { place, moving: Vector3::zeros(), turning: Vector3::zeros() };
        Self {
            steps: 0,
            angles: setup.angles,
            speeds: [0.0; JOINTS],
            orders: [Order::Off; JOINTS],
            hands: [None; JOINTS],
            things: setup.things.iter().map(|thing| still(thing.place)).collect(),
            #[cfg(feature = "mujoco")]
            warm: Vec::new(),
            rotors: setup.angles.map(|angle| Rotor { angle, speed: 0.0 }),
            joint_forces: [[0.0; 2]; JOINTS],
            touch_forces: Vec::new(),
        }
    }

    pub(super) fn place(&mut self, joint: usize, angle: f64) {
        if let (Some(place), Some(speed), Some(rotor)) =
            (self.angles.get_mut(joint), self.speeds.get_mut(joint), self.rotors.get_mut(joint))
            && angle.is_finite()
        {
            (*place, *speed, *rotor) = (angle, 0.0, Rotor { angle, speed: 0.0 });
        }
    }

    /// Keeps the forces that were found.
    pub(super) fn remember(&mut self, rows: &[Row], touches: &[Touch]) {
        let (joints, rest) = rows.split_at(rows.len().min(2 * JOINTS));
        for (kept, pair) in self.joint_forces.iter_mut().zip(joints.chunks_exact(2)) {
            for (kept, row) in kept.iter_mut().zip(pair) {
                *kept = row.force;
            }
        }
        self.touch_forces.clear();
        for (touch, rows) in touches.iter().zip(rest.chunks_exact(4)) {
            let mut forces = [0.0; 4];
            for (force, row) in forces.iter_mut().zip(rows) {
                *force = row.force;
            }
            self.touch_forces.push((touch.key, forces));
        }
    }
}
