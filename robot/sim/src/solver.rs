//! The forces of contacts, joint stops and friction: each row says in which direction something may
//! push, how it should change speed, and how far it gives way.
//!
//! The convex formulation with soft constraints that MuJoCo documents (Todorov, 2014): a row's force `f`
//! makes `J a + R f` equal to the change of speed that is aimed at, within what the row can push. Solved
//! row by row until nothing changes, from the forces of the step before.

use crate::model::JOINTS;

/// Speeds or forces of a thing: along, then turning.
pub type Six = [f64; 6];

/// What a row can push.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Both ways, up to this.
    Both(f64),
    /// One way only.
    Away,
    /// The first of this many rows behind a [`Bound::Away`], that hold together no more than friction
    /// times its force; each counts against its own friction.
    Friction(usize),
    /// One of the others.
    Follows,
}

/// A direction in which something pushes.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// How its speed depends on the joints'.
    pub joints: [f64; JOINTS],
    /// And on those of up to two things.
    pub things: [Option<(usize, Six)>; 2],
    /// What it changes per newton: the joints' and the things' speeds.
    pub moves: [f64; JOINTS],
    /// As `things`.
    pub pushes: [Six; 2],
    /// The change of speed it aims at.
    pub aim: f64,
    /// How far it gives way under a newton.
    pub give: f64,
    /// How its own speed changes per newton.
    pub own: f64,
    /// The friction of a row that holds.
    pub friction: f64,
    /// What it can push.
    pub bound: Bound,
    /// What it pushes.
    pub force: f64,
}

impl Row {
    /// A row of nothing.
    pub fn new(bound: Bound) -> Self {
        Self {
            joints: [0.0; JOINTS],
            things: [None; 2],
            moves: [0.0; JOINTS],
            pushes: [[0.0; 6]; 2],
            aim: 0.0,
            give: 0.0,
            own: 0.0,
            friction: 0.0,
            bound,
            force: 0.0,
        }
    }

    /// Its speed, or the change of it, at these of the joints and the things.
    pub fn speed(&self, joints: &[f64; JOINTS], things: &[Six]) -> f64 {
        let mut sum = dot(&self.joints, joints);
        for (thing, of) in self.things.iter().flatten() {
            sum += things.get(*thing).map_or(0.0, |speed| dot(of, speed));
        }
        sum
    }

    /// What it adds when its force changes by this.
    fn push(&self, by: f64, joints: &mut [f64; JOINTS], things: &mut [Six]) {
        for (joint, moves) in joints.iter_mut().zip(&self.moves) {
            *joint += moves * by;
        }
        for (thing, pushes) in self.things.iter().zip(&self.pushes) {
            let Some((thing, _)) = thing else { continue };
            let Some(thing) = things.get_mut(*thing) else { continue };
            for (of, pushed) in thing.iter_mut().zip(pushes) {
                *of += pushed * by;
            }
        }
    }

    /// The force at which it would get what it aims at, alone.
    fn wanted(&self, joints: &[f64; JOINTS], things: &[Six]) -> f64 {
        let off = self.speed(joints, things) - self.aim + self.give * self.force;
        self.force - off / (self.own + self.give)
    }

    fn set(&mut self, force: f64, joints: &mut [f64; JOINTS], things: &mut [Six]) -> f64 {
        let by = force - self.force;
        if by != 0.0 {
            self.push(by, joints, things);
            self.force = force;
        }
        (by * self.own).abs()
    }
}

/// The sum of the products.
pub fn dot<const N: usize>(one: &[f64; N], other: &[f64; N]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// Rounds at most.
const ROUNDS: usize = 100;
/// Speeds that change less than this in a round, in metres or radians per square second, are found.
const ENOUGH: f64 = 1e-3;

/// Finds the forces of all rows, from those that they have, and adds what they do to how joints and
/// things speed up.
pub fn solve(rows: &mut [Row], joints: &mut [f64; JOINTS], things: &mut [Six]) {
    for row in rows.iter() {
        row.push(row.force, joints, things);
    }
    for _ in 0..ROUNDS {
        let mut most: f64 = 0.0;
        let mut at = 0;
        let mut pressure = 0.0;
        while let Some(row) = rows.get_mut(at) {
            match row.bound {
                Bound::Both(limit) => {
                    let force = row.wanted(joints, things).clamp(-limit, limit);
                    most = most.max(row.set(force, joints, things));
                }
                Bound::Away => {
                    let force = row.wanted(joints, things).max(0.0);
                    most = most.max(row.set(force, joints, things));
                    pressure = force;
                }
                Bound::Friction(count) => {
                    let group = rows.get_mut(at..at + count).unwrap_or_default();
                    most = most.max(hold(group, pressure, joints, things));
                }
                Bound::Follows => {}
            }
            at += 1;
        }
        if most < ENOUGH {
            break;
        }
    }
}

/// Each row as it wants, then all back to what friction allows.
fn hold(group: &mut [Row], pressure: f64, joints: &mut [f64; JOINTS], things: &mut [Six]) -> f64 {
    let mut before = [0.0; 3];
    let mut square = 0.0;
    for (row, before) in group.iter_mut().zip(&mut before) {
        *before = row.force;
        let force = row.wanted(joints, things);
        row.set(force, joints, things);
        square += (row.force / row.friction).powi(2);
    }
    if square > pressure * pressure {
        let share = if pressure > 0.0 { pressure / square.sqrt() } else { 0.0 };
        for row in group.iter_mut() {
            let force = row.force * share;
            row.set(force, joints, things);
        }
    }
    let changes =
        group.iter().zip(before).map(|(row, before)| (row.force - before).abs() * row.own);
    changes.fold(0.0, f64::max)
}
