//! Flat faces as a camera sees them: how near they are at each pixel, and what colours they take.

use std::ops::Range;

use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3, Vector4};

use super::camera::{Camera, Form, NEAR};
use super::map::FLAT;
use super::outline::{Spans, clip};
use super::shadow::Shadows;
use super::solid::{Across, Side, Solids};
use crate::scene::{Room, Scene, Thing};

/// Red, green and blue.
pub type Colour = [f32; 3];

/// What lies across a face: a place of the thing is `form / (1 / z) + base`.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// One colour.
    Plain,
    /// Squares of side 1.
    Squares {
        /// Where in them, along either side.
        forms: [Form; 2],
        /// The same at the camera.
        base: [f32; 2],
    },
    /// From the first colour at 0 to the second at 1.
    Fade {
        /// How far.
        form: Form,
        /// The same at the camera.
        base: f32,
    },
}

/// One face.
#[derive(Clone, Copy, Debug)]
pub struct Face {
    /// 1 / z.
    pub near: Form,
    /// The first colour and the second, each where the lamp does not reach and where it does.
    pub colours: [[Colour; 2]; 2],
    /// Where which colour is.
    pub pattern: Pattern,
    /// How far it is lifted on the lamp's map; nothing for one turned away from the lamp.
    pub lift: Option<[f32; 3]>,
    /// Whether it lies on the table or is it.
    pub ground: bool,
}

/// The samples of some rows of a picture: how near what is seen there is, and which face it is.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// How many columns.
    pub width: usize,
    /// Which rows of pixels.
    pub rows: Range<usize>,
    /// 1 / z, or 0 where nothing is, row by row; the rows of one pixel after each other.
    pub near: Vec<f32>,
    /// The number of a face, counted from 1, or 0.
    pub who: Vec<u32>,
    /// The numbers of the columns.
    pub columns: Vec<f32>,
}

impl Samples {
    /// Makes room for so many columns and rows of empty samples.
    pub fn clear(&mut self, width: usize, rows: Range<usize>, each: usize) {
        let all = width * rows.len() * each;
        (self.width, self.rows) = (width, rows);
        self.near.clear();
        self.near.resize(all, 0.0);
        self.who.clear();
        self.who.resize(all, 0);
        if self.columns.len() != width {
            self.columns.clear();
            self.columns.extend((0..width).map(|column| column as f32));
        }
    }
}

/// Faces, and what draws them into samples.
#[derive(Clone, Debug, Default)]
pub struct Faces {
    /// The faces that are seen.
    pub all: Vec<Face>,
    /// The corners of their outlines in the picture, and where each outline ends.
    seen: Vec<[f32; 2]>,
    ends: Vec<usize>,
    points: Vec<Point3<f64>>,
    outline: Vec<Point3<f64>>,
    spare: Vec<Point3<f64>>,
    spans: Spans,
}

impl Faces {
    /// Finds all that a camera sees of a scene.
    pub fn find(&mut self, scene: &Scene, camera: &Camera, solids: &Solids, shadows: &Shadows) {
        self.all.clear();
        self.seen.clear();
        self.ends.clear();
        let planes = bounds(camera);
        for thing in &scene.things {
            let (solid, stretch) = solids.of(thing.shape);
            let place = camera.place.inv_mul(&thing.place);
            let corner =
                |corner: &Point3<f64>| place * Point3::from(corner.coords.component_mul(&stretch));
            self.points.clear();
            self.points.extend(solid.corners.iter().map(corner));
            for side in &solid.sides {
                let Some(near) = self.look(side, place.rotation, camera, &planes) else { continue };
                self.ends.push(self.seen.len());
                self.all.push(dress(thing, side, (place, stretch), near, (scene, camera, shadows)));
            }
        }
    }

    /// Draws them into the rows of some samples, one at each offset from a pixel's middle.
    pub fn draw(&mut self, samples: &mut Samples, offsets: &[[f32; 2]]) {
        let Samples { width, rows, near, who, columns } = samples;
        let mut first = 0;
        for ((face, end), number) in self.all.iter().zip(&self.ends).zip(1..) {
            let outline = self.seen.get(first..*end).unwrap_or_default();
            first = *end;
            let form = face.near;
            for (n, offset) in offsets.iter().enumerate() {
                self.spans.fill(outline, *offset, (*width, rows.clone()), |row, span| {
                    let at = form.row(row as f32 + offset[1]) + form.x * offset[0];
                    let first = ((row - rows.start) * offsets.len() + n) * *width;
                    let (from, to) = (first + span.start, first + span.end);
                    let (Some(near), Some(who), Some(columns)) =
                        (near.get_mut(from..to), who.get_mut(from..to), columns.get(span))
                    else {
                        return;
                    };
                    for ((near, who), column) in near.iter_mut().zip(who).zip(columns) {
                        let new = form.x * column + at;
                        let closer = new > *near;
                        *near = if closer { new } else { *near };
                        *who = if closer { number } else { *who };
                    }
                });
            }
        }
    }

    /// The outline of a side in the picture, and how near it is; nothing if it is not to be seen.
    fn look(
        &mut self,
        side: &Side,
        turn: UnitQuaternion<f64>,
        camera: &Camera,
        planes: &[Vector4<f64>; 5],
    ) -> Option<Form> {
        let normal = turn * side.normal;
        let distance = normal.dot(&self.points.get(*side.corners.first()?)?.coords);
        // It is turned away, or seen exactly along itself; or it is nowhere.
        let turned_here = distance < -1e-9;
        if !turned_here {
            return None;
        }
        self.outline.clear();
        self.outline.extend(side.corners.iter().filter_map(|corner| self.points.get(*corner)));
        for plane in planes {
            clip(&mut self.outline, *plane, &mut self.spare);
        }
        let pixel = |point: &Point3<f64>| {
            let [u, v] = [camera.fx * point.x / point.z, camera.fy * point.y / point.z];
            [(u + camera.cx) as f32, (v + camera.cy) as f32]
        };
        self.seen.extend(self.outline.iter().map(pixel));
        (!self.outline.is_empty()).then(|| camera.form(normal / distance))
    }
}

/// The half-spaces of what a camera can see, with a pixel to spare on each side.
fn bounds(camera: &Camera) -> [Vector4<f64>; 5] {
    let (width, height) = (f64::from(camera.width), f64::from(camera.height));
    [
        Vector4::new(0.0, 0.0, 1.0, -NEAR),
        Vector4::new(camera.fx, 0.0, camera.cx + 1.0, 0.0),
        Vector4::new(-camera.fx, 0.0, width - camera.cx, 0.0),
        Vector4::new(0.0, camera.fy, camera.cy + 1.0, 0.0),
        Vector4::new(0.0, -camera.fy, height - camera.cy, 0.0),
    ]
}

/// What a side looks like, once it is known to be seen.
fn dress(
    thing: &Thing,
    side: &Side,
    (place, stretch): (Isometry3<f64>, Vector3<f64>),
    near: Form,
    (scene, camera, shadows): (&Scene, &Camera, &Shadows),
) -> Face {
    let room = &scene.room;
    let surface = &thing.surface;
    let normal = thing.place.rotation * side.normal;
    let shade = |colour: Colour, normal: Vector3<f64>| shaded(colour, normal, room);
    let first = shade(surface.colour, normal);
    let plain = (Pattern::Plain, [first, first]);
    // Where a ray from the camera is in the thing: its rotation, and the camera's own place.
    let turn = place.rotation.to_rotation_matrix();
    let camera_at = place.inverse_transform_point(&Point3::origin());
    let axis = |axis: Vector3<f64>| (camera.form(turn * axis), camera_at.coords.dot(&axis) as f32);
    let (pattern, colours) = match (side.across, surface.checker) {
        (Across::Axes(a, b), Some((second, size))) if size > 0.0 => {
            let along = |number: usize| axis(Vector3::ith(number, 1.0 / f64::from(size)));
            let ((fa, ba), (fb, bb)) = (along(a), along(b));
            let pattern = Pattern::Squares { forms: [fa, fb], base: [ba, bb] };
            (pattern, [first, shade(second, normal)])
        }
        (Across::Axes(..), _) => plain,
        (Across::Round(from, to), _) => {
            let chord = to - from;
            let (form, base) = axis(chord / (chord.norm_squared() * stretch.x));
            let base = base - (from.dot(&chord) / chord.norm_squared()) as f32;
            let edge = |normal| shade(surface.colour, thing.place.rotation * normal);
            (Pattern::Fade { form, base }, [edge(from), edge(to)])
        }
    };
    let middle = thing.place * Point3::from(side.normal.component_mul(&stretch));
    let reached = |[dark, lit]: &[Colour; 2]| dark != lit;
    Face {
        near,
        colours,
        pattern,
        lift: colours.iter().any(reached).then(|| shadows.lift(normal)),
        ground: normal.z > 0.99 && middle.z.abs() < FLAT,
    }
}

/// A colour where the lamp does not reach and where it does, on a face that looks this way.
///
/// Light adds up as it is; how bright a picture is grows with its 2.2th root.
fn shaded(colour: Colour, normal: Vector3<f64>, room: &Room) -> [Colour; 2] {
    let facing = |towards: [f64; 3]| {
        let towards = Vector3::from(towards).try_normalize(1e-9).unwrap_or_else(Vector3::z);
        normal.dot(&towards).max(0.0) as f32
    };
    let (lamp, window) = (facing(room.lamp.towards), facing(room.window.towards));
    // More comes from above than from the table.
    let above = 0.8 + 0.2 * normal.z as f32;
    let mut both = [colour; 2];
    for channel in 0..3 {
        let dark = room.around[channel] * above + room.window.strength[channel] * window;
        let lit = dark + room.lamp.strength[channel] * lamp;
        for (colour, light) in both.iter_mut().zip([dark, lit]) {
            colour[channel] *= light.max(0.0).powf(1.0 / 2.2);
        }
    }
    both
}
