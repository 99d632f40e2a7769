//! MuJoCo in the place of our own physics: the same arm, motors, table and things, moved by the library
//! that the user has installed.
//!
//! How everything stands is kept where our own physics keeps it; before each step it is handed over, and
//! fetched back afterwards, so that a world is looked at, put back and copied all the same. Motors are
//! ours: what they do in a step goes in as torque, damping and armature, but for the play of their gears.

mod words;

use std::fmt;

use mujoco_rs::wrappers::{MjData, MjModel};
use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion, Vector3};

use crate::error::Error;
use crate::model::JOINTS;
use crate::motor::Effort;
use crate::world::{Setup, State};

/// Numbers of a free body's place: where, and turned how.
const PLACE: usize = 7;
/// And of its speed.
const SPEED: usize = 6;

/// A world of MuJoCo's.
pub struct Engine {
    data: MjData<Box<MjModel>>,
    /// What is changed for the next step, and then takes the place of the one that is in use.
    spare: Option<Box<MjModel>>,
}

impl Engine {
    /// Tells MuJoCo what there is.
    pub fn new(setup: &Setup) -> Result<Self, Error> {
        let refused = |what: String| Error::Data { file: "MuJoCo".to_owned(), what };
        let model = MjModel::from_xml_string(&words::mjcf(setup));
        let model = Box::new(model.map_err(|error| refused(error.to_string()))?);
        let spare = Some(model.clone());
        let data = MjData::try_new(model).map_err(|error| refused(error.to_string()))?;
        Ok(Self { data, spare })
    }

    /// Lets so many seconds pass, in which the motors do this.
    pub fn step(&mut self, state: &mut State, efforts: &[Effort; JOINTS], dt: f64) {
        let Some(mut model) = self.spare.take() else { return };
        model.opt_mut().timestep = dt;
        for (joint, effort) in efforts.iter().enumerate() {
            model.dof_damping_mut()[joint] = effort.drag;
            model.dof_armature_mut()[joint] = effort.armature;
            self.data.qfrc_applied_mut()[joint] = effort.torque;
        }
        // Both are copies of one.
        self.spare = Some(self.data.swap_model(model));
        self.hand_over(state);
        self.data.step();
        self.fetch(state);
    }

    fn hand_over(&mut self, state: &State) {
        self.data.qpos_mut()[..JOINTS].copy_from_slice(&state.angles);
        self.data.qvel_mut()[..JOINTS].copy_from_slice(&state.speeds);
        let places = self.data.qpos_mut()[JOINTS..].chunks_exact_mut(PLACE);
        for (thing, into) in state.things.iter().zip(places) {
            let turn = thing.place.rotation.quaternion();
            into[..3].copy_from_slice(thing.place.translation.vector.as_slice());
            into[3..].copy_from_slice(&[turn.w, turn.i, turn.j, turn.k]);
        }
        let speeds = self.data.qvel_mut()[JOINTS..].chunks_exact_mut(SPEED);
        for (thing, into) in state.things.iter().zip(speeds) {
            // What a body turns by is said in its own axes.
            let turning = thing.place.rotation.inverse_transform_vector(&thing.turning);
            into[..3].copy_from_slice(thing.moving.as_slice());
            into[3..].copy_from_slice(turning.as_slice());
        }
        let warm = self.data.qacc_warmstart_mut();
        match state.warm.len() == warm.len() {
            true => warm.copy_from_slice(&state.warm),
            false => warm.fill(0.0),
        }
    }

    fn fetch(&self, state: &mut State) {
        let (places, speeds) = (self.data.qpos(), self.data.qvel());
        state.angles.copy_from_slice(&places[..JOINTS]);
        state.speeds.copy_from_slice(&speeds[..JOINTS]);
        let places = places[JOINTS..].chunks_exact(PLACE);
        let speeds = speeds[JOINTS..].chunks_exact(SPEED);
        for (thing, (place, speed)) in state.things.iter_mut().zip(places.zip(speeds)) {
            let turn = Quaternion::new(place[3], place[4], place[5], place[6]);
            thing.place = Isometry3::from_parts(
                Translation3::new(place[0], place[1], place[2]),
                UnitQuaternion::from_quaternion(turn),
            );
            thing.moving = Vector3::from_column_slice(&speed[..3]);
            thing.turning = thing.place.rotation * Vector3::from_column_slice(&speed[3..]);
        }
        state.warm.clear();
        state.warm.extend_from_slice(self.data.qacc_warmstart());
        state.steps += 1;
    }
}

impl Clone for Engine {
    fn clone(&self) -> Self {
        // All that goes on from step to step is in the state.
        let model = || Box::new(self.data.model().clone());
        Self { data: MjData::new(model()), spare: Some(model()) }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MuJoCo")
    }
}
