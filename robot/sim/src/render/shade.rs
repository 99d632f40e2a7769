//! Colours for a run of pixels of one face.
//!
//! Each step goes over the whole run before the next begins, so that all but the looks into maps are
//! plain arithmetic on rows of numbers, which a compiler does several at once.

use std::ops::Range;

use super::camera::{Camera, Form};
use super::face::{Face, Pattern};
use super::map::OnMap;
use super::shadow::Shadows;
use crate::scene::Room;

/// How much of its light the table loses where something stands on it.
const LOSS: f32 = 0.55;

/// Adding it leaves the nearest whole number in the lowest bits.
const WHOLE: f32 = 12_582_912.0;

/// The walls and the floor, as far as a camera sees them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backdrop {
    up: Form,
    ahead: [Form; 2],
    wall: [f32; 3],
    floor: [f32; 3],
}

impl Backdrop {
    /// Of a room.
    pub fn new(room: &Room, camera: &Camera) -> Self {
        let turn = camera.place.rotation.to_rotation_matrix();
        let row = |axis: usize| camera.form(turn.matrix().row(axis).transpose());
        Self { up: row(2), ahead: [row(0), row(1)], wall: room.wall, floor: room.floor }
    }
}

/// Where the pixels of a run are.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Their columns.
    pub columns: &'a [f32],
    /// Where in the first of them, from its middle.
    pub right: f32,
    /// Their row, or where in it.
    pub row: f32,
}

impl Run<'_> {
    /// A form along this run: per column, and at column 0.
    fn form(&self, form: Form) -> (f32, f32) {
        (form.x, form.row(self.row) + form.x * self.right)
    }
}

/// Numbers per pixel of a run.
#[derive(Clone, Debug, Default)]
pub struct Shader {
    /// Metres ahead.
    far: Vec<f32>,
    /// How much of the second colour.
    second: Vec<f32>,
    /// How much of the lamp's light.
    lit: Vec<f32>,
    /// How much of all light.
    open: Vec<f32>,
    /// One colour, a byte each.
    planes: [Vec<u8>; 3],
}

impl Shader {
    /// Makes room for rows of so many pixels.
    pub fn widen(&mut self, width: usize) {
        for row in [&mut self.far, &mut self.second, &mut self.lit, &mut self.open] {
            row.resize(width, 0.0);
        }
        self.planes.iter_mut().for_each(|plane| plane.resize(width, 0));
    }

    /// Paints a run of one face.
    pub fn face(&mut self, face: &Face, run: Run<'_>, shadows: &Shadows, out: &mut [u8]) {
        let count = run.columns.len();
        let (Some(far), Some(second), Some(lit), Some(open)) = (
            self.far.get_mut(..count),
            self.second.get_mut(..count),
            self.lit.get_mut(..count),
            self.open.get_mut(..count),
        ) else {
            return;
        };
        let (step, at) = run.form(face.near);
        for (far, column) in far.iter_mut().zip(run.columns) {
            *far = 1.0 / (step * column + at);
        }
        let varied = pattern(face, run, far, second);
        let part_lit = lamp(face, run, far, shadows, lit);
        let part_open = table(face, run, far, shadows, open);
        // What is the same all along is still a row: choosing within the loop would make it slow.
        for (changes, row, all) in
            [(varied, &mut *second, 0.0), (part_lit, &mut *lit, 1.0), (part_open, &mut *open, 1.0)]
        {
            if !changes {
                row.fill(all);
            }
        }
        let [[dark, bright], [other_dark, other_bright]] = face.colours;
        let full = if face.lift.is_some() { bright } else { dark };
        for channel in 0..3 {
            let Some(plane) = self.planes[channel].get_mut(..count) else { return };
            let grey = |value: f32| (value.clamp(0.0, 1.0) * 255.0 + WHOLE).to_bits() as u8;
            let (a, b) = (dark[channel], full[channel]);
            if !varied && !part_lit && !part_open {
                plane.fill(grey(b));
                continue;
            }
            let over = [other_dark[channel] - a, other_bright[channel] - bright[channel]];
            let over = if face.lift.is_some() { over } else { [over[0]; 2] };
            let rows = second.iter().zip(lit.iter()).zip(open.iter());
            for (out, ((second, lit), open)) in plane.iter_mut().zip(rows) {
                let (dark, bright) = (a + over[0] * second, b + over[1] * second);
                *out = grey((dark + (bright - dark) * lit) * open);
            }
        }
        self.pack(count, out);
    }

    /// Paints a run in which nothing is.
    pub fn backdrop(&mut self, drop: &Backdrop, run: Run<'_>, out: &mut [u8]) {
        let count = run.columns.len();
        let Some(second) = self.second.get_mut(..count) else { return };
        let (up, [x, y]) = (run.form(drop.up), drop.ahead.map(|form| run.form(form)));
        for (second, column) in second.iter_mut().zip(run.columns) {
            let [up, x, y] = [up, x, y].map(|(step, at)| step * column + at);
            let steep = up / (up * up + x * x + y * y).sqrt();
            // The wall begins below the eye, and is brighter higher up.
            let share = ((steep + 0.32) * 6.0).clamp(0.0, 1.0);
            *second = share * share * (3.0 - 2.0 * share) * (0.94 + 0.12 * steep);
        }
        for channel in 0..3 {
            let Some(plane) = self.planes[channel].get_mut(..count) else { return };
            let (floor, wall) = (drop.floor[channel], drop.wall[channel]);
            for (out, share) in plane.iter_mut().zip(second.iter()) {
                let value = floor + (wall - floor) * share;
                *out = (value.clamp(0.0, 1.0) * 255.0 + WHOLE).to_bits() as u8;
            }
        }
        self.pack(count, out);
    }

    /// Three planes into pixels.
    fn pack(&self, count: usize, out: &mut [u8]) {
        let [red, green, blue] = &self.planes;
        let planes = red.iter().zip(green).zip(blue).take(count);
        for (pixel, ((red, green), blue)) in out.chunks_exact_mut(3).zip(planes) {
            pixel.copy_from_slice(&[*red, *green, *blue]);
        }
    }
}

/// How much of the second colour each pixel has; says whether there is any.
fn pattern(face: &Face, run: Run<'_>, far: &[f32], second: &mut [f32]) -> bool {
    let (step, _) = run.form(face.near);
    match face.pattern {
        Pattern::Plain => return false,
        Pattern::Fade { form, base } => {
            let (along, at) = run.form(form);
            for ((second, far), column) in second.iter_mut().zip(far).zip(run.columns) {
                *second = ((along * column + at) * far + base).clamp(0.0, 1.0);
            }
        }
        Pattern::Squares { forms, base } => {
            let [(u_step, u_at), (v_step, v_at)] = forms.map(|form| run.form(form));
            let down = face.near.y;
            for ((second, far), column) in second.iter_mut().zip(far).zip(run.columns) {
                // Where this pixel is, and how far it reaches along and down: the derivatives.
                let (u, v) = ((u_step * column + u_at) * far, (v_step * column + v_at) * far);
                let reach = |here: f32, form: Form| {
                    let right = (form.x - here * step) * far;
                    let below = (form.y - here * down) * far;
                    right.abs().max(below.abs()).clamp(1e-4, 1e4)
                };
                let (u_reach, v_reach) = (reach(u, forms[0]), reach(v, forms[1]));
                let squares = mean(u + base[0], u_reach) * mean(v + base[1], v_reach);
                *second = 0.5 - 0.5 * squares;
            }
        }
    }
    true
}

/// The mean over `reach` about `at` of what is 1 from 0 to 1, -1 from 1 to 2, and so on.
fn mean(at: f32, reach: f32) -> f32 {
    // Its integral goes up and down; half a turn off, the nearest whole number is 0.
    let integral = |at: f32| {
        let turns = at.clamp(-1e6, 1e6) * 0.5;
        (turns - ((turns + WHOLE) - WHOLE)).abs() * 2.0
    };
    (integral(at + reach * 0.5) - integral(at - reach * 0.5)) / reach
}

/// Where the run is on a map: per column and at column 0, for each of its coordinates.
fn on_map(map: &OnMap, run: Run<'_>) -> [(f32, f32, f32); 3] {
    let [a, b, c] = map.forms.map(|form| run.form(form));
    [(a.0, a.1, map.base[0]), (b.0, b.1, map.base[1]), (c.0, c.1, map.base[2])]
}

/// The pixels of a run that lie within `least` and `most` on a map, as far as one coordinate tells.
///
/// A coordinate is `(step * column + start) * far + base`, and `1 / far` grows evenly along a run, so
/// it is beyond a bound where a form is negative: on one side of one place.
fn within(
    pixels: Range<usize>,
    (run, near): (Run<'_>, (f32, f32)),
    (step, start, base): (f32, f32, f32),
    (least, most): (f32, f32),
) -> Range<usize> {
    let (mut from, mut to) = (pixels.start as f32, pixels.end as f32);
    let first = run.columns.first().copied().unwrap_or_default();
    for (sign, bound) in [(1.0, least), (-1.0, most)] {
        let slope = sign * (step + (base - bound) * near.0);
        let at = sign * (start + (base - bound) * near.1) + slope * first;
        // A pixel more on either side makes up for rounding.
        if slope > 0.0 {
            from = from.max(-at / slope - 1.0);
        } else if slope < 0.0 {
            to = to.min(-at / slope + 2.0);
        } else if at < 0.0 {
            to = from;
        }
    }
    let from = (from as usize).min(pixels.end);
    from..(to as usize).clamp(from, pixels.end)
}

/// How much of the lamp's light each pixel gets; says whether any gets less than all.
fn lamp(face: &Face, run: Run<'_>, far: &[f32], shadows: &Shadows, lit: &mut [f32]) -> bool {
    let Some(lift) = face.lift else { return false };
    let mut coordinates = on_map(&shadows.lit, run);
    coordinates.iter_mut().zip(lift).for_each(|((_, _, base), lift)| *base += lift);
    let near = (run, run.form(face.near));
    let [s, t] = shadows.lamp_reach();
    let pixels = within(0..far.len(), near, coordinates[0], s);
    let pixels = within(pixels, near, coordinates[1], t);
    look(pixels, run, far, coordinates, lit, |at| shadows.light(at))
}

/// How open the table is above each pixel; says whether it is covered anywhere.
fn table(face: &Face, run: Run<'_>, far: &[f32], shadows: &Shadows, open: &mut [f32]) -> bool {
    if !face.ground {
        return false;
    }
    let coordinates = on_map(&shadows.near_table, run);
    let near = (run, run.form(face.near));
    let [s, t] = shadows.table_reach();
    let pixels = within(0..far.len(), near, coordinates[0], s);
    let pixels = within(pixels, near, coordinates[1], t);
    look(pixels, run, far, coordinates, open, |at| 1.0 - LOSS * shadows.close(at))
}

/// Looks some pixels of a run up on a map, and takes 1 for the others; says whether any is less.
fn look(
    pixels: Range<usize>,
    run: Run<'_>,
    far: &[f32],
    coordinates: [(f32, f32, f32); 3],
    out: &mut [f32],
    value: impl Fn([f32; 3]) -> f32,
) -> bool {
    if pixels.is_empty() {
        return false;
    }
    out.fill(1.0);
    let mut least = 1.0_f32;
    let (from, count) = (pixels.start, pixels.len());
    let rows = out.iter_mut().zip(far).zip(run.columns).skip(from).take(count);
    for ((out, far), column) in rows {
        *out = value(coordinates.map(|(step, start, base)| (step * column + start) * far + base));
        least = least.min(*out);
    }
    least < 1.0
}
