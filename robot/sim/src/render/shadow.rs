//! Where the lamp does not reach, and where things stand so close to the table that little light
//! comes between.

use nalgebra::{Isometry3, Point3, Vector3};

use super::camera::{Camera, looking};
use super::map::{Map, NOTHING, OnMap};
use super::solid::Solids;
use crate::scene::Scene;

/// The side of a cell, the cells around it all, and the most on a side, of the lamp's map.
const LAMP: (f64, usize, usize) = (0.0025, 4, 512);
/// The same of the map of the table.
const TABLE: (f64, usize, usize) = (0.005, 12, 256);
/// How many cells share a range of nearness.
const BLOCK: usize = 8;
/// The height at which a thing darkens the table below it e times less than one that stands on it.
const REACH: f32 = 0.022;
/// How far what is looked up lies before its own face, in cells: a face does not shade itself.
const LIFT: f64 = 1.6;

/// The shadows of one scene.
#[derive(Clone, Debug)]
pub struct Shadows {
    lamp: Map,
    /// The least and greatest nearness that a look into a block can meet.
    blocks: Vec<[f32; 2]>,
    table: Map,
    close: Vec<f32>,
    spare: Vec<f32>,
    /// The picture on the lamp's map.
    pub lit: OnMap,
    /// The picture on the map of the table.
    pub near_table: OnMap,
}

impl Shadows {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self {
            lamp: Map::new(),
            blocks: Vec::new(),
            table: Map::new(),
            close: Vec::new(),
            spare: Vec::new(),
            lit: OnMap::default(),
            near_table: OnMap::default(),
        }
    }

    /// Casts those of a scene, for one camera.
    pub fn cast(&mut self, scene: &Scene, solids: &Solids, camera: &Camera) {
        let towards = Vector3::from(scene.room.lamp.towards);
        let down = looking(Point3::origin() + towards, Point3::origin());
        // Only the direction counts: the origin stays that of the world, so that cells keep their places.
        let frame = Isometry3::from_parts(nalgebra::Translation3::identity(), down.rotation);
        self.lamp.draw(&scene.things, solids, frame, LAMP);
        self.range();
        // From below: x and y as the table's own, and z away from it.
        self.table.draw(&scene.things, solids, Isometry3::identity(), TABLE);
        self.soften();
        self.lit = self.lamp.seen_by(camera);
        self.near_table = self.table.seen_by(camera);
    }

    /// How far a face with this normal is lifted on the lamp's map.
    pub fn lift(&self, normal: Vector3<f64>) -> [f32; 3] {
        self.lamp.along(normal * (LIFT * self.lamp.cell))
    }

    fn range(&mut self) {
        let (width, height) = (self.lamp.width, self.lamp.height);
        self.blocks.clear();
        for top in (0..height).step_by(BLOCK) {
            for left in (0..width).step_by(BLOCK) {
                let (mut least, mut most) = (f32::INFINITY, NOTHING);
                for row in top.saturating_sub(1)..(top + BLOCK + 2).min(height) {
                    let from = row * width + left.saturating_sub(1);
                    let to = row * width + (left + BLOCK + 2).min(width);
                    for near in self.lamp.near.get(from..to).unwrap_or_default() {
                        (least, most) = (least.min(*near), most.max(*near));
                    }
                }
                self.blocks.push([least, most]);
            }
        }
    }

    /// Between which coordinates of its map the lamp can be hidden.
    pub fn lamp_reach(&self) -> [(f32, f32); 2] {
        [(1.0, self.lamp.width as f32 - 3.0), (1.0, self.lamp.height as f32 - 3.0)]
    }

    /// Between which coordinates of its map the table can be covered.
    pub fn table_reach(&self) -> [(f32, f32); 2] {
        [(0.0, self.table.width as f32 - 1.0), (0.0, self.table.height as f32 - 1.0)]
    }

    /// The share of the lamp's light, from 0 to 1, at a place of its map.
    pub fn light(&self, [s, t, near]: [f32; 3]) -> f32 {
        let (width, height) = (self.lamp.width, self.lamp.height);
        // The margin holds nothing, and is as wide as a look.
        if !(s >= 1.0 && t >= 1.0 && s < width as f32 - 3.0 && t < height as f32 - 3.0) {
            return 1.0;
        }
        let (column, row) = (s as usize, t as usize);
        let block = row / BLOCK * width.div_ceil(BLOCK) + column / BLOCK;
        match self.blocks.get(block) {
            Some([_, most]) if *most <= near => return 1.0,
            Some([least, _]) if *least > near => return 0.0,
            _ => {}
        }
        // Three cells by three, the outermost as far as they are covered.
        let (right, down) = (s - column as f32, t - row as f32);
        let weights = [1.0 - down, 1.0, 1.0, down];
        let mut sum = 0.0;
        for (row, weight) in (row - 1..).zip(weights) {
            let from = row * width + column - 1;
            if let Some(&[a, b, c, d]) = self.lamp.near.get(from..from + 4) {
                let lit = |other: f32| f32::from(u8::from(other <= near));
                let across = lit(a) * (1.0 - right) + lit(b) + lit(c) + lit(d) * right;
                sum += across * weight;
            }
        }
        sum / 9.0
    }

    /// How close things are above the table, from 0 to 1, twice averaged over its surroundings.
    fn soften(&mut self) {
        let close = |near: &f32| if *near > NOTHING { (near.min(0.0) / REACH).exp() } else { 0.0 };
        self.close.clear();
        self.close.extend(self.table.near.iter().map(close));
        self.spare.resize(self.close.len(), 0.0);
        let (width, height) = (self.table.width, self.table.height);
        for _ in 0..2 {
            average(&self.close, &mut self.spare, (width, height));
            average(&self.spare, &mut self.close, (height, width));
        }
    }

    /// How close things are above a place of the table, from 0 to 1.
    pub fn close(&self, [s, t, _]: [f32; 3]) -> f32 {
        let (width, height) = (self.table.width, self.table.height);
        if !(s >= 0.0 && t >= 0.0 && s < width as f32 - 1.0 && t < height as f32 - 1.0) {
            return 0.0;
        }
        let (column, row) = (s as usize, t as usize);
        let (right, down) = (s - column as f32, t - row as f32);
        let at = |row: usize| match self.close.get(row * width + column..row * width + column + 2) {
            Some(&[a, b]) => a + (b - a) * right,
            _ => 0.0,
        };
        at(row) + (at(row + 1) - at(row)) * down
    }
}

/// Averages each cell with the two on either side of it in its row, and turns rows into columns.
fn average(from: &[f32], to: &mut [f32], (width, height): (usize, usize)) {
    for (row, cells) in from.chunks_exact(width.max(1)).enumerate() {
        // The margin holds nothing, and nothing comes out of it.
        for (column, five) in cells.windows(5).enumerate() {
            if let Some(cell) = to.get_mut((column + 2) * height + row) {
                *cell = five.iter().sum::<f32>() / 5.0;
            }
        }
    }
}
