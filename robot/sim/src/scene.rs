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

/// A lamp so far away that all of its light comes from one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// From the things to the lamp, of any length but none.
    pub towards: [f64; 3],
    /// How much red, green and blue it gives to what faces it. All light together makes about 1.
    pub strength: [f32; 3],
}

/// The room around the things: its light, and what is seen where nothing is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// The lamp that casts shadows.
    pub lamp: Light,
    /// Light from elsewhere, without shadows.
    pub window: Light,
    /// Light from all sides.
    pub around: [f32; 3],
    /// The colour of the walls.
    pub wall: [f32; 3],
    /// The colour of the floor.
    pub floor: [f32; 3],
}

impl Default for Room {
    /// A bright room: a warm lamp above at the arm's left, a cool window at its right.
    fn default() -> Self {
        Self {
            lamp: Light { towards: [0.25, 0.55, 1.0], strength: [0.74, 0.71, 0.66] },
            window: Light { towards: [0.7, -0.6, 0.45], strength: [0.24, 0.26, 0.30] },
            around: [0.34, 0.345, 0.36],
            wall: [0.80, 0.82, 0.84],
            floor: [0.68, 0.66, 0.63],
        }
    }
}

/// Everything there is to be seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// The things.
    pub things: Vec<Thing>,
    /// Where they are.
    pub room: Room,
}
