//! What there is to be seen, and where it is: what the world hands to its cameras.

use nalgebra::Isometry3;

/// The outline of a thing, about its own origin, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A box.
    Box {
        /// Half its sides.
        half: [f64; 3],
    },
    /// A cylinder along z.
    Cylinder {
        /// Its radius.
        radius: f64,
        /// Half its length.
        half_length: f64,
    },
}

/// What a thing looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surface {
    /// Red, green and blue, from 0 to 1, as they would stand in a picture under full light.
    pub colour: [f32; 3],
    /// A second colour, and the side of the squares in which the two alternate, in metres.
    pub checker: Option<([f32; 3], f32)>,
}

/// One thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    /// Its outline.
    pub shape: Shape,
    /// What it looks like.
    pub surface: Surface,
    /// Where it is, in the world: x ahead of the arm, y to its left, z up; the table is at z = 0.
    pub place: Isometry3<f64>,
}

/// Everything there is to be seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// The things.
    pub things: Vec<Thing>,
}
