//! Who touches whom: where, which way, how deep.

use nalgebra::{Isometry3, Point3, Vector3};
use parry3d_f64::math::{Pose as Place, Rotation, Vector};
use parry3d_f64::query::ContactManifold;
use parry3d_f64::query::details::contact_manifold_cuboid_cuboid;
use parry3d_f64::shape::Cuboid;

/// What a box belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// What never moves: the table, the arm's foot.
    Ground,
    /// A link of the arm, counted from the first that moves.
    Link(usize),
    /// A thing on the table.
    Thing(usize),
}

/// How a surface gives way and how it holds on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grip {
    /// What part of the pressure it takes before it slides.
    pub slide: f64,
    /// The same against turning on the spot, times metres.
    pub turn: f64,
    /// How long it takes to give a dent back, in seconds.
    pub softness: f64,
    /// Whose softness and friction counts where two touch: the greater's; of equals, the rougher
    /// friction and the mean softness.
    pub rank: u8,
}

/// A box that can touch.
#[derive(Clone, Copy, Debug)]
pub struct Solid {
    /// What it belongs to.
    pub owner: Owner,
    /// Half its sides.
    pub half: [f64; 3],
    /// Where it is in its owner.
    pub at: Isometry3<f64>,
    /// Its surface.
    pub grip: Grip,
}

impl Solid {
    /// As far from its centre as any of it reaches.
    fn reach(&self) -> f64 {
        Vector3::from(self.half).norm()
    }
}

/// One point at which two touch.
#[derive(Clone, Copy, Debug)]
pub struct Touch {
    /// Who pushes.
    pub from: Owner,
    /// Who is pushed.
    pub to: Owner,
    /// Which pair of solids, and which of their points: the same while they stay together.
    pub key: (u16, u16, u8),
    /// Where, in the world.
    pub at: Vector3<f64>,
    /// Which way the second is pushed.
    pub normal: Vector3<f64>,
    /// How far apart they are: below zero.
    pub gap: f64,
    /// Their common surface.
    pub grip: Grip,
}

impl Grip {
    /// What two surfaces do together.
    fn with(&self, other: &Self) -> Self {
        match self.rank.cmp(&other.rank) {
            std::cmp::Ordering::Greater => *self,
            std::cmp::Ordering::Less => *other,
            std::cmp::Ordering::Equal => Self {
                slide: self.slide.max(other.slide),
                turn: self.turn.max(other.turn),
                softness: self.softness.midpoint(other.softness),
                rank: self.rank,
            },
        }
    }
}

/// Finds touches; keeps its memory from one time to the next, and nothing else.
#[derive(Clone, Default)]
pub struct Feeler {
    manifold: ContactManifold<(), ()>,
    places: Vec<Isometry3<f64>>,
}

impl Feeler {
    /// All touches of things with each other, the arm and the table, and of the arm with the table.
    pub fn feel(
        &mut self,
        solids: &[Solid],
        place: impl Fn(Owner) -> Isometry3<f64>,
        table: &Grip,
        into: &mut Vec<Touch>,
    ) {
        into.clear();
        self.places.clear();
        self.places.extend(solids.iter().map(|solid| place(solid.owner) * solid.at));
        let placed = || solids.iter().zip(&self.places).zip(0u16..);
        for ((solid, at), number) in placed() {
            if solid.owner != Owner::Ground && at.translation.z < solid.reach() {
                on_table((solid, at, number), table, into);
            }
        }
        for ((thing, at), number) in placed() {
            let Owner::Thing(own) = thing.owner else { continue };
            for ((other, there), second) in placed() {
                // Of two things, each pair once.
                if matches!(other.owner, Owner::Thing(of) if of <= own) {
                    continue;
                }
                let far = (at.translation.vector - there.translation.vector).norm();
                if far < thing.reach() + other.reach() {
                    let pair = [(other, there, second), (thing, at, number)];
                    between(&mut self.manifold, pair, into);
                }
            }
        }
    }
}

/// Points closer than this, in metres, are one.
const SAME: f64 = 1e-4;

/// A solid, where it is, and its number.
type Placed<'a> = (&'a Solid, &'a Isometry3<f64>, u16);

fn on_table((solid, at, number): Placed<'_>, table: &Grip, into: &mut Vec<Touch>) {
    let [x, y, z] = solid.half;
    let grip = solid.grip.with(table);
    for corner in 0..8u8 {
        let side = |bit: u8, half: f64| if corner & bit == 0 { -half } else { half };
        let point = at * Point3::new(side(1, x), side(2, y), side(4, z));
        if point.z < 0.0 {
            into.push(Touch {
                from: Owner::Ground,
                to: solid.owner,
                key: (u16::MAX, number, corner),
                at: Vector3::new(point.x, point.y, point.z / 2.0),
                normal: Vector3::z(),
                gap: point.z,
                grip,
            });
        }
    }
}

fn between(
    manifold: &mut ContactManifold<(), ()>,
    [(one, at, first), (other, there, second)]: [Placed<'_>; 2],
    into: &mut Vec<Touch>,
) {
    // Nothing of an earlier time: a world that is put back goes on as it did.
    manifold.clear();
    let shape = |solid: &Solid| Cuboid::new(Vector::from(solid.half));
    let between = to_place(at).inverse() * to_place(there);
    contact_manifold_cuboid_cuboid(&between, &shape(one), &shape(other), 0.0, manifold);
    let normal = at.rotation * Vector3::from(manifold.local_n1.to_array());
    let grip = one.grip.with(&other.grip);
    let before = into.len();
    for (point, number) in manifold.points.iter().zip(0u8..) {
        let surface = at * Point3::from(point.local_p1.to_array());
        let middle = surface.coords + normal * (point.dist / 2.0);
        // Where corner lies on corner, it is found from both sides.
        let found = into.iter().skip(before).any(|touch| (touch.at - middle).norm() < SAME);
        if point.dist >= 0.0 || found {
            continue;
        }
        into.push(Touch {
            from: one.owner,
            to: other.owner,
            key: (first, second, number),
            at: middle,
            normal,
            gap: point.dist,
            grip,
        });
    }
}

fn to_place(of: &Isometry3<f64>) -> Place {
    let turn = of.rotation.coords;
    Place::from_parts(
        Vector::from(<[f64; 3]>::from(of.translation.vector)),
        Rotation::from_xyzw(turn.x, turn.y, turn.z, turn.w),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRIP: Grip = Grip { slide: 1.0, turn: 0.01, softness: 0.01, rank: 0 };

    fn cube(owner: Owner) -> Solid {
        Solid { owner, half: [0.015; 3], at: Isometry3::identity(), grip: GRIP }
    }

    fn touches(solids: &[Solid], places: &[Isometry3<f64>]) -> Vec<Touch> {
        let mut into = Vec::new();
        let place = |owner: Owner| match owner {
            Owner::Thing(of) => places[of],
            Owner::Link(_) | Owner::Ground => Isometry3::identity(),
        };
        Feeler::default().feel(solids, place, &GRIP, &mut into);
        into
    }

    #[test]
    fn a_cube_lies_on_four_corners() {
        let found = touches(&[cube(Owner::Thing(0))], &[Isometry3::translation(0.1, 0.2, 0.0149)]);
        assert_eq!(found.len(), 4);
        for touch in &found {
            assert!((touch.gap + 1e-4).abs() < 1e-12 && touch.normal == Vector3::z());
            assert!((touch.at.x - 0.1).abs() < 0.0151 && touch.to == Owner::Thing(0));
        }
        assert!(
            touches(&[cube(Owner::Thing(0))], &[Isometry3::translation(0.0, 0.0, 0.016)])
                .is_empty()
        );
    }

    #[test]
    fn two_cubes_push_each_other_apart_and_one_pair_is_found_once() {
        let solids = [cube(Owner::Thing(0)), cube(Owner::Thing(1))];
        let apart =
            |x: f64| [Isometry3::translation(0.0, 0.0, 1.0), Isometry3::translation(x, 0.0, 1.0)];
        let found = touches(&solids, &apart(0.029));
        assert_eq!(found.len(), 4);
        for touch in &found {
            let ways = match (touch.from, touch.to) {
                (Owner::Thing(0), Owner::Thing(1)) => 1.0,
                (Owner::Thing(1), Owner::Thing(0)) => -1.0,
                other => panic!("{other:?}"),
            };
            assert!((touch.normal.x - ways).abs() < 1e-9, "{touch:?}");
            assert!((touch.gap + 1e-3).abs() < 1e-9 && (touch.at.x - 0.0145).abs() < 1e-9);
        }
        assert!(touches(&solids, &apart(0.031)).is_empty());
    }

    #[test]
    fn the_surface_of_higher_rank_decides() {
        let finger = Grip { slide: 0.3, turn: 0.0, softness: 0.02, rank: 1 };
        assert_eq!(finger.with(&GRIP), finger);
        assert_eq!(GRIP.with(&finger), finger);
        let soft = Grip { softness: 0.03, slide: 0.2, ..GRIP };
        assert_eq!(GRIP.with(&soft), Grip { softness: 0.02, ..GRIP });
    }
}
