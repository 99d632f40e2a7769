//! The arm on its table, and what lies there: one step after the other.

mod rows;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

use crate::dynamics::{GRAVITY, Joints, Mass, Pose};
use crate::error::Error;
use crate::model::{JOINTS, Model};
use crate::motor::{Effort, Gear, Motor, Order};
use crate::physics::Physics;
use crate::scene::{Scene, Shape, Surface, Thing};
use crate::solver::{self, Row, Six};
use crate::touch::{Feeler, Grip, Owner, Solid, Touch};

pub use state::{Free, State};

/// A box that lies on the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Loose {
    /// What it is called.
    pub name: String,
    /// Half its sides, in metres.
    pub half: [f64; 3],
    /// In kilograms.
    pub mass: f64,
    /// What part of the pressure it takes before it slides.
    pub friction: f64,
    /// What it looks like.
    pub surface: Surface,
    /// Where it is at first.
    pub place: Isometry3<f64>,
}

/// What a world begins with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The arm.
    pub model: Arc<Model>,
    /// What turns each of its joints.
    pub motors: [Motor; JOINTS],
    /// Where each joint is at first.
    pub angles: Joints,
    /// What lies on the table.
    pub things: Vec<Loose>,
    /// What is only seen: the table's top, marks on it.
    pub seen: Vec<Thing>,
    /// Without it nothing touches anything: for comparisons.
    pub touching: bool,
    /// What part of the pressure it takes before a finger slides.
    pub finger_friction: f64,
}

impl Setup {
    /// An arm as on the table, and nothing else.
    pub fn new(model: Arc<Model>) -> Self {
        Self {
            model,
            motors: [Motor::Gear(Gear::STS3215); JOINTS],
            angles: [0.0; JOINTS],
            things: Vec::new(),
            seen: Vec::new(),
            touching: true,
            finger_friction: 1.0,
        }
    }
}

/// How surfaces are, as in MuJoCo's defaults but for the fingers' and things' hardness.
const TABLE: Grip = Grip { slide: 1.0, turn: 0.005, softness: 0.02, rank: 0 };
const PRINT: Grip = Grip { slide: 0.6, turn: 0.005, softness: 0.02, rank: 0 };
const FINGER: Grip = Grip { slide: 1.0, turn: 0.01, softness: 0.01, rank: 1 };
const LOOSE: Grip = Grip { slide: 1.0, turn: 0.01, softness: 0.01, rank: 0 };

/// A world.
#[derive(Clone)]
pub struct World {
    setup: Setup,
    #[cfg(feature = "mujoco")]
    engine: Option<crate::mujoco::Engine>,
    base: Isometry3<f64>,
    solids: Vec<Solid>,
    inertias: Vec<Vector3<f64>>,
    state: State,
    // What a step works with; kept so that none allocates.
    feeler: Feeler,
    touches: Vec<Touch>,
    rows: Vec<Row>,
    changes: Vec<Six>,
    speeds: Vec<Six>,
}

impl World {
    /// A world at its beginning, that these physics move.
    pub fn by(physics: Physics, setup: Setup) -> Result<Self, Error> {
        match physics {
            Physics::Own => Ok(Self::new(setup)),
            #[cfg(feature = "mujoco")]
            Physics::Mujoco => {
                let mut setup = setup;
                setup.motors.iter_mut().for_each(Motor::without_play);
                let engine = crate::mujoco::Engine::new(&setup)?;
                Ok(Self { engine: Some(engine), ..Self::new(setup) })
            }
            #[cfg(not(feature = "mujoco"))]
            Physics::Mujoco => Err(Error::NotBuiltIn),
        }
    }

    /// A world at its beginning, that our own physics move.
    pub fn new(setup: Setup) -> Self {
        let solids = if setup.touching { solids(&setup) } else { Vec::new() };
        let inertia = |thing: &Loose| {
            let [x, y, z] = thing.half.map(|half| half * half);
            Vector3::new(y + z, x + z, x + y) * (thing.mass / 3.0)
        };
        Self {
            base: Isometry3::translation(0.0, 0.0, setup.model.sole),
            solids,
            inertias: setup.things.iter().map(inertia).collect(),
            state: State::new(&setup),
            setup,
            #[cfg(feature = "mujoco")]
            engine: None,
            feeler: Feeler::default(),
            touches: Vec::new(),
            rows: Vec::new(),
            changes: Vec::new(),
            speeds: Vec::new(),
        }
    }

    /// What it began with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// How everything stands; what follows depends on this and the orders alone.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Puts everything as it stood.
    pub fn restore(&mut self, state: &State) {
        self.state.clone_from(state);
        // Those were of another time.
        self.touches.clear();
    }

    /// Where each joint is, in radians.
    pub fn joints(&self) -> &Joints {
        &self.state.angles
    }

    /// How fast each turns.
    pub fn speeds(&self) -> &Joints {
        &self.state.speeds
    }

    /// Where a thing is.
    pub fn thing(&self, name: &str) -> Option<&Free> {
        let at = self.setup.things.iter().position(|thing| thing.name == name)?;
        self.state.things.get(at)
    }

    /// Puts a thing somewhere at once, standing.
    pub fn put(&mut self, name: &str, place: Isometry3<f64>) {
        let at = self.setup.things.iter().position(|thing| thing.name == name);
        if let Some(thing) = at.and_then(|at| self.state.things.get_mut(at)) {
            *thing = Free { place, moving: Vector3::zeros(), turning: Vector3::zeros() };
        }
    }

    /// Where each link of the arm is.
    pub fn links(&self) -> [Isometry3<f64>; JOINTS] {
        self.pose().links
    }

    /// Tells a motor what to do from now on; what is no number turns it off.
    pub fn order(&mut self, joint: usize, order: Order) {
        let sound = match order {
            Order::Off => true,
            Order::Volts(value) | Order::Goal(value) => value.is_finite(),
        };
        if let Some(place) = self.state.orders.get_mut(joint) {
            *place = if sound { order } else { Order::Off };
        }
    }

    /// Takes a joint by hand and holds it at an angle, or lets go.
    pub fn hand(&mut self, joint: usize, angle: Option<f64>) {
        if let Some(place) = self.state.hands.get_mut(joint) {
            *place = angle.filter(|angle| angle.is_finite());
        }
    }

    /// Puts a joint somewhere at once, standing.
    pub fn place(&mut self, joint: usize, angle: f64) {
        self.state.place(joint, angle);
    }

    /// Who touches whom, as the last step found it.
    pub fn touches(&self) -> &[Touch] {
        &self.touches
    }

    fn pose(&self) -> Pose {
        Pose::new(&self.setup.model, &self.base, &self.state.angles)
    }

    /// Lets so many seconds pass; 0.002 is what everything is tuned for.
    pub fn step(&mut self, dt: f64) {
        let pose = self.pose();
        self.feel(&pose);
        let efforts = self.efforts(dt);
        #[cfg(feature = "mujoco")]
        if let Some(engine) = &mut self.engine {
            engine.step(&mut self.state, &efforts, dt);
            return self.follow(&efforts, dt);
        }
        let mass = heavy(&pose, &efforts, dt);
        let Some(mass) = mass.cholesky() else { return };
        let mut joints = self.free_joints(&pose, &efforts, &mass);
        self.free_things();
        rows::lay(
            rows::Laying {
                world: &self.setup,
                state: &self.state,
                speeds: &self.speeds,
                inertias: &self.inertias,
                pose: &pose,
                mass: &mass,
                touches: &self.touches,
                dt,
            },
            &mut self.rows,
        );
        solver::solve(&mut self.rows, &mut joints, &mut self.changes);
        self.state.remember(&self.rows, &self.touches);
        self.advance(&joints, &efforts, dt);
    }

    fn feel(&mut self, pose: &Pose) {
        let things = &self.state.things;
        let place = |owner: Owner| match owner {
            Owner::Ground => Isometry3::identity(),
            Owner::Link(of) => pose.links.get(of).copied().unwrap_or_default(),
            Owner::Thing(of) => things.get(of).map(|thing| thing.place).unwrap_or_default(),
        };
        self.feeler.feel(&self.solids, place, &TABLE, &mut self.touches);
    }

    fn efforts(&self, dt: f64) -> [Effort; JOINTS] {
        let state = &self.state;
        std::array::from_fn(|joint| {
            let turned = (state.angles[joint], state.speeds[joint]);
            let (order, hand) = (state.orders[joint], state.hands[joint]);
            self.setup.motors[joint].effort(order, &state.rotors[joint], turned, hand, dt)
        })
    }

    /// How the joints would speed up if nothing touched and nothing rubbed.
    fn free_joints(&self, pose: &Pose, efforts: &[Effort; JOINTS], mass: &Heavy) -> Joints {
        let weight = pose.torques(&self.state.speeds, &[0.0; JOINTS]);
        let force = std::array::from_fn(|joint| {
            let effort = &efforts[joint];
            effort.torque - effort.drag * self.state.speeds[joint] - weight[joint]
        });
        rows::sped_up(mass, force)
    }

    fn free_things(&mut self) {
        self.changes.clear();
        self.speeds.clear();
        for (thing, inertia) in self.state.things.iter().zip(&self.inertias) {
            // What turns about no axis of its own tumbles.
            let turn = thing.place.rotation.inverse_transform_vector(&thing.turning);
            let tumble = -turn.cross(&turn.component_mul(inertia)).component_div(inertia);
            let tumble = thing.place.rotation * tumble;
            self.changes.push([0.0, 0.0, -GRAVITY, tumble.x, tumble.y, tumble.z]);
            self.speeds.push(thing.speed());
        }
    }

    fn advance(&mut self, changes: &Joints, efforts: &[Effort; JOINTS], dt: f64) {
        let state = &mut self.state;
        let joints = state.angles.iter_mut().zip(&mut state.speeds);
        for ((angle, speed), change) in joints.zip(changes) {
            *speed += change * dt;
            *angle += *speed * dt;
        }
        for (thing, change) in state.things.iter_mut().zip(&self.changes) {
            let [x, y, z, turn_x, turn_y, turn_z] = change.map(|of| of * dt);
            thing.moving += Vector3::new(x, y, z);
            thing.turning += Vector3::new(turn_x, turn_y, turn_z);
            thing.place.translation.vector += thing.moving * dt;
            thing.place.rotation = UnitQuaternion::new(thing.turning * dt) * thing.place.rotation;
            thing.place.rotation.renormalize();
        }
        state.steps += 1;
        self.follow(efforts, dt);
    }

    /// Lets the motors' rotors follow, once the joints' speeds are known.
    fn follow(&mut self, efforts: &[Effort; JOINTS], dt: f64) {
        let State { angles, speeds, rotors, .. } = &mut self.state;
        let joints = angles.iter().zip(&*speeds).zip(rotors);
        let motors = self.setup.motors.iter().zip(efforts);
        for (((angle, speed), rotor), (motor, effort)) in joints.zip(motors) {
            motor.follow(rotor, effort, (*angle, *speed), dt);
        }
    }

    /// Puts everything that is to be seen into a scene, and says where the arm's links are.
    pub fn scene(&self, into: &mut Scene) -> [Isometry3<f64>; JOINTS] {
        let things = &mut into.things;
        things.clear();
        things.extend(self.setup.seen.iter().cloned());
        let pose = self.pose();
        let model = &self.setup.model;
        let links = model.links.iter().zip(&pose.links);
        for (link, place) in std::iter::once((&model.base, &self.base)).chain(links) {
            things.extend(link.pieces.iter().map(|piece| Thing {
                shape: piece.shape,
                surface: Surface { colour: piece.colour, checker: None },
                place: place * piece.at,
            }));
        }
        for (thing, free) in self.setup.things.iter().zip(&self.state.things) {
            things.push(Thing {
                shape: Shape::Box { half: thing.half },
                surface: thing.surface,
                place: free.place,
            });
        }
        pose.links
    }
}

/// What it takes to speed joints up, with their motors, ready to be divided by.
type Heavy = nalgebra::Cholesky<f64, nalgebra::Const<JOINTS>>;

/// With what motors add: their rotors, and the part of their torques that depends on the speed after
/// the step.
fn heavy(pose: &Pose, efforts: &[Effort; JOINTS], dt: f64) -> Mass {
    let mut mass = pose.mass();
    for (joint, effort) in efforts.iter().enumerate() {
        mass[(joint, joint)] += effort.armature + effort.drag * dt;
    }
    mass
}

/// Everything that can touch.
fn solids(setup: &Setup) -> Vec<Solid> {
    let mut solids = Vec::new();
    let base = Isometry3::translation(0.0, 0.0, setup.model.sole);
    for piece in &setup.model.base.pieces {
        let Shape::Box { half } = piece.shape else { continue };
        solids.push(Solid { owner: Owner::Ground, half, at: base * piece.at, grip: PRINT });
    }
    for (link, number) in setup.model.links.iter().zip(0..) {
        for piece in &link.pieces {
            // A cylinder is seen only: those of the arm lie within boxes.
            let Shape::Box { half } = piece.shape else { continue };
            let finger = Grip { slide: setup.finger_friction, ..FINGER };
            let grip = if piece.finger { finger } else { PRINT };
            let at = Isometry3::from_parts(piece.at, UnitQuaternion::identity());
            solids.push(Solid { owner: Owner::Link(number), half, at, grip });
        }
    }
    for (thing, number) in setup.things.iter().zip(0..) {
        let grip = Grip { slide: thing.friction, ..LOOSE };
        let at = Isometry3::from_parts(Translation3::identity(), UnitQuaternion::identity());
        solids.push(Solid { owner: Owner::Thing(number), half: thing.half, at, grip });
    }
    solids
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World({} after {} steps)", self.setup.model.name, self.state.steps)
    }
}
