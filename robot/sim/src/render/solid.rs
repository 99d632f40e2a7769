//! Shapes as flat faces: two solids, made once, which every shape is a stretched copy of.

use nalgebra::{Point3, Vector3};

use crate::scene::Shape;

/// How many flat faces stand for the round one of a cylinder.
pub const SIDES: usize = 32;

/// What a face's own pattern runs along, in the coordinates of its thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Across {
    /// Two axes of the thing, by number: a flat face, on which squares may lie.
    Axes(usize, usize),
    /// From one edge of a strip of a round side to the other, whose outward directions are these.
    Round(Vector3<f64>, Vector3<f64>),
}

/// One flat face, turned counter-clockwise for whoever sees it from outside.
#[derive(Clone, Debug)]
pub struct Side {
    /// Which corners it has.
    pub corners: Vec<usize>,
    /// Outwards.
    pub normal: Vector3<f64>,
    /// What lies across it.
    pub across: Across,
}

/// Corners and faces of something of size one.
#[derive(Clone, Debug)]
pub struct Solid {
    /// The corners.
    pub corners: Vec<Point3<f64>>,
    /// The faces.
    pub sides: Vec<Side>,
}

impl Solid {
    /// A cube from -1 to 1.
    pub fn cube() -> Self {
        let sign = |number: usize, bit: usize| if number >> bit & 1 == 1 { 1.0 } else { -1.0 };
        let corners = (0..8).map(|n| Point3::new(sign(n, 0), sign(n, 1), sign(n, 2))).collect();
        let mut sides = Vec::new();
        for axis in 0..3 {
            let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
            // Counter-clockwise about the axis, seen from its tip.
            let ring = [0, 1 << a, 1 << a | 1 << b, 1 << b];
            let mut normal = Vector3::zeros();
            normal[axis] = 1.0;
            let across = Across::Axes(a, b);
            let near = ring.iter().map(|corner| corner | 1 << axis).collect();
            sides.push(Side { corners: near, normal, across });
            let far = ring.iter().rev().copied().collect();
            sides.push(Side { corners: far, normal: -normal, across });
        }
        Self { corners, sides }
    }

    /// A cylinder along z of radius 1, from -1 to 1.
    pub fn cylinder() -> Self {
        let round = |step: usize| {
            let angle = std::f64::consts::TAU * (step % SIDES) as f64 / SIDES as f64;
            Vector3::new(angle.cos(), angle.sin(), 0.0)
        };
        let at = |step: usize, z: f64| Point3::from(round(step) + Vector3::z() * z);
        let corners =
            (0..SIDES).map(|n| at(n, -1.0)).chain((0..SIDES).map(|n| at(n, 1.0))).collect();
        let strip = |n: usize| {
            let next = (n + 1) % SIDES;
            Side {
                corners: vec![n, next, next + SIDES, n + SIDES],
                normal: (round(n) + round(next)).normalize(),
                across: Across::Round(round(n), round(next)),
            }
        };
        let mut sides: Vec<Side> = (0..SIDES).map(strip).collect();
        let across = Across::Axes(0, 1);
        sides.push(Side { corners: (SIDES..2 * SIDES).collect(), normal: Vector3::z(), across });
        sides.push(Side { corners: (0..SIDES).rev().collect(), normal: -Vector3::z(), across });
        Self { corners, sides }
    }
}

/// Both solids.
#[derive(Clone, Debug)]
pub struct Solids {
    cube: Solid,
    cylinder: Solid,
}

impl Solids {
    /// Makes them.
    pub fn new() -> Self {
        Self { cube: Solid::cube(), cylinder: Solid::cylinder() }
    }

    /// The solid of a shape, and how far it is stretched along each axis.
    pub fn of(&self, shape: Shape) -> (&Solid, Vector3<f64>) {
        match shape {
            Shape::Box { half } => (&self.cube, half.into()),
            Shape::Cylinder { radius, half_length } => {
                (&self.cylinder, Vector3::new(radius, radius, half_length))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_face_is_flat_turns_the_right_way_and_looks_outwards() {
        for solid in [Solid::cube(), Solid::cylinder()] {
            for side in &solid.sides {
                let corner = |n: usize| solid.corners[side.corners[n % side.corners.len()]];
                for n in 0..side.corners.len() {
                    let (before, after) =
                        (corner(n + 1) - corner(n), corner(n + 2) - corner(n + 1));
                    assert!(before.cross(&after).dot(&side.normal) > 1e-3, "{side:?}");
                    let out = (corner(n) - corner(0)).dot(&side.normal);
                    assert!(out.abs() < 1e-12 && corner(n).coords.dot(&side.normal) > 0.9);
                }
            }
        }
    }

    #[test]
    fn a_solid_is_closed() {
        for solid in [Solid::cube(), Solid::cylinder()] {
            let edges = |side: &Side| {
                let next = side.corners.iter().cycle().skip(1).copied();
                side.corners.iter().copied().zip(next).collect::<Vec<_>>()
            };
            let all: Vec<_> = solid.sides.iter().flat_map(edges).collect();
            assert!(all.iter().all(|(a, b)| all.contains(&(*b, *a))));
        }
    }
}
