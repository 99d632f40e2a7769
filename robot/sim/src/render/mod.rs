//! Pictures of a scene: a rasteriser of our own, without GPU or window.
//!
//! ```text
//! things ─▶ flat faces ─▶ samples: how near, which face ─▶ runs of one face ─▶ pixels, depth
//!    └──▶ maps of what the lamp and the table see of them ──▶ shadows ──┘
//! ```
//! ```
//! use nalgebra::Point3;
//! use sinew_sim::render::{Camera, Canvas, Painter};
//! use sinew_sim::scene::Scene;
//!
//! let scene = Scene::default();
//! let camera = Camera::with_view(640, 480, 0.8)
//!     .look_at(Point3::new(0.6, 0.4, 0.4), Point3::new(0.2, 0.0, 0.05));
//! let (mut painter, mut canvas) = (Painter::new(), Canvas::new());
//! painter.paint(&scene, &camera, &mut canvas);
//! assert_eq!(canvas.pixels.len(), 640 * 480 * 3);
//! ```
//! A [`Lens`] makes such a picture worse, as real cameras do; [`Looks`] make scenes and cameras vary by
//! a seed.
//!
//! The same scene and camera give the same bytes, always. A painter and a canvas that are used again
//! allocate nothing for pictures of the same size.

mod camera;
mod face;
mod lens;
mod looks;
mod map;
mod outline;
mod shade;
mod shadow;
mod solid;

pub use camera::{Camera, NEAR, looking};
pub use lens::Lens;
pub use looks::Looks;

use face::{Faces, Samples};
use shade::{Backdrop, Run, Shader};
use shadow::Shadows;
use solid::Solids;

use crate::scene::Scene;

/// What is painted on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Canvas {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Red, green and blue, a byte each, row by row.
    pub pixels: Vec<u8>,
    /// Metres ahead of the camera for each pixel, 0 where nothing is; only where they are asked for.
    pub depth: Option<Vec<f32>>,
}

impl Canvas {
    /// One without depth, that takes its size from the first picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// One with depth.
    pub fn with_depth() -> Self {
        Self { depth: Some(Vec::new()), ..Self::default() }
    }

    /// The depth as whole millimetres, 0 where nothing is; 65.535 metres stand for all beyond.
    pub fn millimetres(&self) -> impl Iterator<Item = u16> + '_ {
        self.depth.iter().flatten().map(|metres| (metres * 1000.0).round() as u16)
    }
}

/// How many samples a pixel is the mean of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Smooth {
    /// One: edges are steps.
    None,
    /// Four: edges are smooth.
    #[default]
    Four,
}

impl Smooth {
    /// Where the samples are, from the middle of the pixel: no two in one row or column, so that
    /// edges along either are as smooth as they can be.
    fn offsets(self) -> &'static [[f32; 2]] {
        match self {
            Self::None => &[[0.0, 0.0]],
            Self::Four => &[[-0.125, -0.375], [0.375, -0.125], [-0.375, 0.125], [0.125, 0.375]],
        }
    }
}

/// How many rows are drawn at once: few enough for their samples to stay in a core's own cache.
const BAND: usize = 16;

/// Stands for pixels in which several faces are seen.
const SEVERAL: u32 = u32::MAX;

/// What paints scenes.
#[derive(Clone, Debug)]
pub struct Painter {
    smooth: Smooth,
    solids: Solids,
    shadows: Shadows,
    faces: Faces,
    samples: Samples,
    shader: Shader,
    /// Of one row: the face that is seen in a pixel.
    alone: Vec<u32>,
}

impl Default for Painter {
    fn default() -> Self {
        Self::new()
    }
}

impl Painter {
    /// One that paints smooth edges.
    pub fn new() -> Self {
        Self::with(Smooth::default())
    }

    /// One that takes so many samples.
    pub fn with(smooth: Smooth) -> Self {
        Self {
            smooth,
            solids: Solids::new(),
            shadows: Shadows::new(),
            faces: Faces::default(),
            samples: Samples::default(),
            shader: Shader::default(),
            alone: Vec::new(),
        }
    }

    /// Paints what a camera sees of a scene.
    pub fn paint(&mut self, scene: &Scene, camera: &Camera, canvas: &mut Canvas) {
        let (width, height) = (camera.width as usize, camera.height as usize);
        (canvas.width, canvas.height) = (camera.width, camera.height);
        canvas.pixels.resize(width * height * 3, 0);
        if let Some(depth) = &mut canvas.depth {
            depth.resize(width * height, 0.0);
        }
        if width == 0 || height == 0 {
            return;
        }
        self.shadows.cast(scene, &self.solids, camera);
        self.faces.find(scene, camera, &self.solids, &self.shadows);
        self.shader.widen(width);
        let backdrop = Backdrop::new(&scene.room, camera);
        let offsets = self.smooth.offsets();
        for top in (0..height).step_by(BAND) {
            let rows = top..(top + BAND).min(height);
            self.samples.clear(width, rows.clone(), offsets.len());
            self.faces.draw(&mut self.samples, offsets);
            for row in rows {
                self.find_alone(row);
                let pixels = row * width * 3..(row + 1) * width * 3;
                if let Some(pixels) = canvas.pixels.get_mut(pixels) {
                    self.resolve(row, &backdrop, pixels);
                }
                let depth = canvas.depth.as_mut();
                if let Some(depth) =
                    depth.and_then(|depth| depth.get_mut(row * width..(row + 1) * width))
                {
                    self.measure(row, depth);
                }
            }
        }
    }

    /// Where the samples of a row begin.
    fn begin(&self, row: usize) -> usize {
        (row - self.samples.rows.start) * self.smooth.offsets().len() * self.samples.width
    }

    /// Finds which pixels of a row show one face only.
    fn find_alone(&mut self, row: usize) {
        let (width, each) = (self.samples.width, self.smooth.offsets().len());
        let from = self.begin(row);
        let rows = self.samples.who.get(from..from + each * width).unwrap_or_default();
        let (first, rest) = rows.split_at(width.min(rows.len()));
        self.alone.clear();
        self.alone.extend_from_slice(first);
        for other in rest.chunks_exact(width) {
            for (alone, other) in self.alone.iter_mut().zip(other) {
                *alone = if *alone == *other { *alone } else { SEVERAL };
            }
        }
    }

    fn resolve(&mut self, row: usize, backdrop: &Backdrop, pixels: &mut [u8]) {
        let mut column = 0;
        while let Some(&who) = self.alone.get(column) {
            let rest = self.alone.iter().skip(column);
            let count = rest.take_while(|other| **other == who).count();
            let to = column + count;
            if let Some(pixels) = pixels.get_mut(column * 3..to * 3) {
                if who == SEVERAL {
                    for (at, pixel) in (column..).zip(pixels.chunks_exact_mut(3)) {
                        self.blend(row, at, backdrop, pixel);
                    }
                } else {
                    self.run(who, (row, column..to), [0.0; 2], backdrop, pixels);
                }
            }
            column = to;
        }
    }

    /// Paints a run of one face, or of none, so far from the middles of its pixels.
    fn run(
        &mut self,
        who: u32,
        (row, columns): (usize, std::ops::Range<usize>),
        [right, down]: [f32; 2],
        backdrop: &Backdrop,
        pixels: &mut [u8],
    ) {
        let Some(columns) = self.samples.columns.get(columns) else { return };
        let run = Run { columns, right, row: row as f32 + down };
        match self.faces.all.get((who as usize).wrapping_sub(1)) {
            Some(face) => self.shader.face(face, run, &self.shadows, pixels),
            None => self.shader.backdrop(backdrop, run, pixels),
        }
    }

    /// The mean of a pixel's samples; each face in it is painted once.
    fn blend(&mut self, row: usize, column: usize, backdrop: &Backdrop, pixel: &mut [u8]) {
        let offsets = self.smooth.offsets();
        let (width, each) = (self.samples.width, offsets.len());
        let first = self.begin(row) + column;
        let mut seen = [0; 4];
        for (n, seen) in seen.iter_mut().enumerate().take(each) {
            *seen = self.samples.who.get(first + n * width).copied().unwrap_or(0);
        }
        let seen = seen.get(..each).unwrap_or_default();
        let mut sum = [0; 3];
        for (n, (who, offset)) in seen.iter().zip(offsets).enumerate() {
            if seen.iter().take(n).any(|before| before == who) {
                continue;
            }
            let many = seen.iter().filter(|other| *other == who).count();
            let mut colour = [0; 3];
            self.run(*who, (row, column..column + 1), *offset, backdrop, &mut colour);
            for (sum, colour) in sum.iter_mut().zip(colour) {
                *sum += usize::from(colour) * many;
            }
        }
        for (pixel, sum) in pixel.iter_mut().zip(sum) {
            *pixel = ((sum + each / 2) / each) as u8;
        }
    }

    /// The depth of a row: at the middle of a pixel where it shows one face, else of a sample of it.
    fn measure(&mut self, row: usize, depth: &mut [f32]) {
        let near = self.samples.near.get(self.begin(row)..).unwrap_or_default();
        let columns = self.alone.iter().zip(&self.samples.columns);
        for ((depth, (who, column)), near) in depth.iter_mut().zip(columns).zip(near) {
            let face = self.faces.all.get((*who as usize).wrapping_sub(1));
            let near = face.map_or(*near, |face| face.near.value(*column, row as f32));
            *depth = if near > 0.0 { 1.0 / near } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests;
