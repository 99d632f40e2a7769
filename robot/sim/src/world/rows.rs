//! What may push in a step: friction in the joints, their stops, and four rows for each touch.

use nalgebra::Vector3;

use super::{Heavy, Setup, State};
use crate::dynamics::{Joints, Pose};
use crate::model::JOINTS;
use crate::solver::{Bound, Row, Six, dot};
use crate::touch::{Owner, Touch};

/// How much stiffer friction is than pressure, so that nothing creeps.
const HOLDS: f64 = 10.0;
/// The softness of stops and friction in joints.
const SOFTNESS: f64 = 0.02;
/// How much of a row is rigid where nothing is pressed in, and where a millimetre is.
const RIGID: (f64, f64) = (0.9, 0.95);
const DENT: f64 = 0.001;

/// What rows are made from.
pub struct Laying<'a> {
    pub world: &'a Setup,
    pub state: &'a State,
    pub speeds: &'a [Six],
    pub inertias: &'a [Vector3<f64>],
    pub pose: &'a Pose,
    pub mass: &'a Heavy,
    pub touches: &'a [Touch],
    pub dt: f64,
}

/// How joints speed up under these torques.
pub fn sped_up(mass: &Heavy, torques: Joints) -> Joints {
    mass.solve(&nalgebra::SVector::from(torques)).into()
}

/// All rows: two for each joint, four for each touch, in their order.
pub fn lay(from: Laying<'_>, rows: &mut Vec<Row>) {
    rows.clear();
    for (joint, range) in from.world.model.ranges().into_iter().enumerate() {
        rows.push(from.rub(joint));
        rows.push(from.stop(joint, range));
    }
    for touch in from.touches {
        from.touch(touch, rows);
    }
}

/// How rigid a row is that is pressed in so far.
fn rigid(dent: f64) -> f64 {
    let (low, high) = RIGID;
    let part = (dent.abs() / DENT).min(1.0);
    let part = if part <= 0.5 { 2.0 * part * part } else { 1.0 - 2.0 * (1.0 - part).powi(2) };
    low + part * (high - low)
}

impl Laying<'_> {
    fn softness(&self, of: f64) -> f64 {
        of.max(2.0 * self.dt)
    }

    /// What its speed should change by, so that a gap below zero closes without swinging.
    fn aim(&self, row: &mut Row, gap: f64, softness: f64) {
        let (_, most) = RIGID;
        let softness = self.softness(softness);
        let rigid = rigid(gap);
        let speed = row.speed(&self.state.speeds, self.speeds);
        let stiff = rigid / (most * softness).powi(2);
        row.aim = -2.0 / (most * softness) * speed - stiff * gap;
        row.give = (1.0 - rigid) / rigid * row.own;
    }

    /// What a newton does through this row.
    fn weigh(&self, row: &mut Row) {
        row.moves = sped_up(self.mass, row.joints);
        row.own = dot(&row.joints, &row.moves);
        for (thing, moved) in row.things.iter().zip(&mut row.pushes) {
            let Some((thing, way)) = thing else { continue };
            let (Some(free), Some(loose), Some(inertia)) = (
                self.state.things.get(*thing),
                self.world.things.get(*thing),
                self.inertias.get(*thing),
            ) else {
                continue;
            };
            let [x, y, z, turn_x, turn_y, turn_z] = *way;
            let along = Vector3::new(x, y, z) / loose.mass;
            let turn = Vector3::new(turn_x, turn_y, turn_z);
            let turn = free.place.rotation.inverse_transform_vector(&turn);
            let turn = free.place.rotation * turn.component_div(inertia);
            *moved = [along.x, along.y, along.z, turn.x, turn.y, turn.z];
            row.own += dot(way, moved);
        }
    }

    fn joint_row(&self, joint: usize, way: f64, bound: Bound) -> Row {
        let mut row = Row::new(bound);
        if let Some(place) = row.joints.get_mut(joint) {
            *place = way;
        }
        self.weigh(&mut row);
        row
    }

    fn rub(&self, joint: usize) -> Row {
        let friction = self.world.motors[joint].friction();
        let mut row = self.joint_row(joint, 1.0, Bound::Both(friction));
        self.aim(&mut row, 0.0, SOFTNESS);
        row.force = self.state.joint_forces[joint][0];
        row
    }

    fn stop(&self, joint: usize, (low, high): (f64, f64)) -> Row {
        let angle = self.state.angles[joint];
        let (way, gap) =
            if angle < low.midpoint(high) { (1.0, angle - low) } else { (-1.0, high - angle) };
        if gap >= 0.0 {
            // Far from it, nothing pushes.
            let mut row = Row::new(Bound::Both(0.0));
            row.give = 1.0;
            return row;
        }
        let mut row = self.joint_row(joint, way, Bound::Away);
        self.aim(&mut row, gap, SOFTNESS);
        row.force = self.state.joint_forces[joint][1];
        row
    }

    fn touch(&self, touch: &Touch, rows: &mut Vec<Row>) {
        let kept = self.state.touch_forces.iter().find(|(key, _)| *key == touch.key);
        let kept = kept.map_or([0.0; 4], |(_, forces)| *forces);
        let normal = touch.normal;
        let across = if normal.x.abs() < 0.5 { Vector3::x() } else { Vector3::y() };
        let across = normal.cross(&across).normalize();
        let ways = [normal, across, normal.cross(&across)];
        let mut softness = 0.0;
        for (number, force) in kept.into_iter().enumerate() {
            let bound = match number {
                0 => Bound::Away,
                1 => Bound::Friction(3),
                _ => Bound::Follows,
            };
            let mut row = Row::new(bound);
            let way = ways.get(number);
            for (owner, sign, place) in [(touch.from, -1.0, 0), (touch.to, 1.0, 1)] {
                self.couple(&mut row, owner, sign, place, way, touch);
            }
            self.weigh(&mut row);
            row.force = force;
            match number {
                0 => {
                    self.aim(&mut row, touch.gap, touch.grip.softness);
                    softness = row.give;
                }
                _ => {
                    self.aim(&mut row, 0.0, touch.grip.softness);
                    let turns = number == 3;
                    row.friction = if turns { touch.grip.turn } else { touch.grip.slide };
                    let ratio = touch.grip.slide / row.friction;
                    row.give = softness / HOLDS * ratio * ratio;
                }
            }
            rows.push(row);
        }
    }

    /// How fast a touch changes with what one of the two does: along a way, or turning on the spot.
    fn couple(
        &self,
        row: &mut Row,
        owner: Owner,
        sign: f64,
        place: usize,
        way: Option<&Vector3<f64>>,
        touch: &Touch,
    ) {
        match owner {
            Owner::Ground => {}
            Owner::Link(link) => {
                let (moves, way) = match way {
                    Some(way) => (self.pose.point(link, &touch.at), way),
                    None => (self.pose.turning(link), &touch.normal),
                };
                for (joint, moved) in row.joints.iter_mut().zip(&moves).take(JOINTS) {
                    *joint += sign * moved.dot(way);
                }
            }
            Owner::Thing(thing) => {
                let Some(free) = self.state.things.get(thing) else { return };
                let (along, turn) = match way {
                    Some(way) => {
                        let arm = touch.at - free.place.translation.vector;
                        (*way, arm.cross(way))
                    }
                    None => (Vector3::zeros(), touch.normal),
                };
                let (along, turn) = (along * sign, turn * sign);
                if let Some(of) = row.things.get_mut(place) {
                    *of = Some((thing, [along.x, along.y, along.z, turn.x, turn.y, turn.z]));
                }
            }
        }
    }
}
