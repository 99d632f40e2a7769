//! A map of what things look like from afar: the nearest of them above each point of a plane.

use nalgebra::{Isometry3, Point3};

use super::camera::{Camera, Form};
use super::outline::Spans;
use super::solid::Solids;
use crate::scene::Thing;

/// What rises less above the table than this casts no shadow on it, in metres.
pub const FLAT: f64 = 0.005;

/// How near the things are to a plane far away that looks along z of a frame of its own.
#[derive(Clone, Debug)]
pub struct Map {
    /// The frame: x along the columns, y along the rows, z away.
    frame: Isometry3<f64>,
    /// The side of a cell, in metres.
    pub cell: f64,
    origin: [f64; 2],
    /// Cells from left to right.
    pub width: usize,
    /// Cells from top to bottom.
    pub height: usize,
    /// Minus the least z of any thing in a cell; far below where there is none.
    pub near: Vec<f32>,
    points: Vec<Point3<f64>>,
    outline: Vec<[f32; 2]>,
    spans: Spans,
}

/// Where there is nothing.
pub const NOTHING: f32 = -1e9;

/// Where the points of a picture are on a map, and how near: `forms / (1 / z) + base`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnMap {
    pub forms: [Form; 3],
    pub base: [f32; 3],
}

impl Map {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            frame: Isometry3::identity(),
            cell: 1.0,
            origin: [0.0; 2],
            width: 0,
            height: 0,
            near: Vec::new(),
            points: Vec::new(),
            outline: Vec::new(),
            spans: Spans::default(),
        }
    }

    /// Draws those things that rise above the table, and leaves so many cells free around them.
    ///
    /// Cells keep their places while things move, so that shadows do not tremble, and are doubled
    /// until no side has more than `most`.
    pub fn draw(
        &mut self,
        things: &[Thing],
        solids: &Solids,
        frame: Isometry3<f64>,
        (cell, margin, most): (f64, usize, usize),
    ) {
        (self.frame, self.cell) = (frame, cell);
        let mut low = [f64::INFINITY; 2];
        let mut high = [f64::NEG_INFINITY; 2];
        for thing in things.iter().filter(|thing| rises(thing, solids)) {
            self.place(thing, solids);
            for point in &self.points {
                low = [low[0].min(point.x), low[1].min(point.y)];
                high = [high[0].max(point.x), high[1].max(point.y)];
            }
        }
        self.near.clear();
        (self.width, self.height) = (0, 0);
        let extent = (high[0] - low[0]).max(high[1] - low[1]);
        if !(extent.is_finite() && extent < 1e6) {
            return;
        }
        while extent / self.cell + (2 * margin + 2) as f64 > most as f64 {
            self.cell *= 2.0;
        }
        let cells = |at: f64| (at / self.cell).floor();
        let size = |axis: usize| (cells(high[axis]) - cells(low[axis])) as usize + 2 * margin + 2;
        let first = |axis: usize| (cells(low[axis]) - margin as f64) * self.cell;
        (self.width, self.height, self.origin) = (size(0), size(1), [first(0), first(1)]);
        self.near.resize(self.width * self.height, NOTHING);
        for thing in things.iter().filter(|thing| rises(thing, solids)) {
            self.cast(thing, solids);
        }
    }

    /// The corners of a thing in this frame.
    fn place(&mut self, thing: &Thing, solids: &Solids) {
        let (solid, stretch) = solids.of(thing.shape);
        let place = self.frame.inv_mul(&thing.place);
        let corner =
            |corner: &Point3<f64>| place * Point3::from(corner.coords.component_mul(&stretch));
        self.points.clear();
        self.points.extend(solid.corners.iter().map(corner));
    }

    fn cast(&mut self, thing: &Thing, solids: &Solids) {
        self.place(thing, solids);
        let (solid, _) = solids.of(thing.shape);
        let turn = self.frame.rotation.inverse() * thing.place.rotation;
        for side in &solid.sides {
            let normal = turn * side.normal;
            let Some(first) = side.corners.first().and_then(|corner| self.points.get(*corner))
            else {
                continue;
            };
            // One that is turned away or stands on its edge hides nothing that others do not.
            let turned_here = normal.z < -1e-4;
            if !turned_here {
                continue;
            }
            let (origin, cell) = (self.origin, self.cell);
            let corners = side.corners.iter().filter_map(|corner| self.points.get(*corner));
            let on_map = |point: &Point3<f64>| {
                [((point.x - origin[0]) / cell) as f32, ((point.y - origin[1]) / cell) as f32]
            };
            self.outline.clear();
            self.outline.extend(corners.map(on_map));
            let slope = [normal.x / normal.z, normal.y / normal.z];
            let at = slope[0] * (origin[0] - first.x) + slope[1] * (origin[1] - first.y) - first.z;
            let form = Form::new(slope[0] * cell, slope[1] * cell, at);
            let (width, near) = (self.width, &mut self.near);
            self.spans.fill(&self.outline, [0.0; 2], (width, 0..self.height), |row, span| {
                let at = form.row(row as f32);
                let Some(cells) = near.get_mut(row * width + span.start..row * width + span.end)
                else {
                    return;
                };
                for (column, cell) in span.zip(cells) {
                    *cell = cell.max(form.x * column as f32 + at);
                }
            });
        }
    }

    /// Where what a camera sees is on this map.
    pub fn seen_by(&self, camera: &Camera) -> OnMap {
        let place = self.frame.inv_mul(&camera.place);
        let turn = place.rotation.to_rotation_matrix();
        let row = |axis: usize| turn.matrix().row(axis).transpose();
        let at = place.translation.vector;
        OnMap {
            forms: [
                camera.form(row(0) / self.cell),
                camera.form(row(1) / self.cell),
                camera.form(-row(2)),
            ],
            base: [
                ((at.x - self.origin[0]) / self.cell) as f32,
                ((at.y - self.origin[1]) / self.cell) as f32,
                -at.z as f32,
            ],
        }
    }

    /// A direction of the world on this map, in cells and in nearness.
    pub fn along(&self, direction: nalgebra::Vector3<f64>) -> [f32; 3] {
        let turned = self.frame.rotation.inverse() * direction;
        [(turned.x / self.cell) as f32, (turned.y / self.cell) as f32, -turned.z as f32]
    }
}

/// Whether a thing stands out of the table.
fn rises(thing: &Thing, solids: &Solids) -> bool {
    let (solid, stretch) = solids.of(thing.shape);
    let up = thing.place.rotation.inverse() * nalgebra::Vector3::z();
    let up = up.component_mul(&stretch);
    let highest = solid.corners.iter().map(|corner| corner.coords.dot(&up)).fold(0.0, f64::max);
    thing.place.translation.z + highest > FLAT
}
