//! What a camera saw in an episode: whether its image ever stood still, and its statistics.

use super::finding::{Code, Findings};
use super::rows::Rows;
use super::{Scene, joints};
use crate::image::{Image, PixelFormat};
use crate::schema::Feature;
use crate::stats::{Stats, image};

/// Blocks that an image is divided into along each side before it is compared.
const BLOCKS: usize = 16;
/// How much the brightness of a block may differ, of 255, and the image still counts as the same:
/// less than the noise of any lens that light falls through, more than a codec adds to a still.
const SAME: f32 = 0.25;
/// Fewer images than this say nothing about standing still.
const FEWEST: u64 = 3;

/// Looks on while the images of an episode go by.
pub struct Watch {
    camera: String,
    /// Frames that count for the statistics, and whether every image comes by.
    sampled: Option<Vec<u64>>,
    digests: Vec<(u64, image::Digest)>,
    images: u64,
    still: Option<Still>,
    runs: Vec<Still>,
}

/// A run of images that are the same.
#[derive(Clone, Debug)]
struct Still {
    blocks: Vec<f32>,
    first: u64,
    last: u64,
    images: u64,
}

/// What came of it.
pub struct Watched {
    /// The camera.
    pub camera: String,
    /// How many images came by.
    pub images: u64,
    /// First and last frame of each time that the image stood still.
    pub still: Vec<(u64, u64)>,
    /// The statistics, where every image came by.
    pub stats: Option<Stats>,
}

impl Watch {
    /// Begins an episode of so many frames.
    pub fn new(scene: &Scene<'_>, camera: &str, frames: u64) -> Self {
        let whole = scene.options.sample.is_none();
        Self {
            camera: camera.to_owned(),
            sampled: whole.then(|| image::sampled(frames)),
            digests: Vec::new(),
            images: 0,
            still: None,
            runs: Vec::new(),
        }
    }

    /// Looks at the image of a frame; frames come in order.
    pub fn look(&mut self, frame: u64, image: &Image) {
        self.images += 1;
        if self.sampled.as_ref().is_some_and(|sampled| sampled.binary_search(&frame).is_ok()) {
            self.digests.push((frame, image::Digest::of(image)));
        }
        let blocks = blocks(image);
        match &mut self.still {
            Some(still) if same(&still.blocks, &blocks) => {
                still.last = frame;
                still.images += 1;
            }
            _ => {
                let next = Still { blocks, first: frame, last: frame, images: 1 };
                self.runs.extend(self.still.replace(next));
            }
        }
    }

    /// Ends the episode, which turned out to have so many frames.
    pub fn finish(mut self, feature: &Feature, frames: u64) -> Watched {
        self.runs.extend(self.still.take());
        let runs = self.runs.iter().filter(|run| run.images >= FEWEST);
        let still = runs.map(|run| (run.first, run.last)).collect();
        let whole = self.sampled.as_ref().is_some_and(|s| s.len() == self.digests.len());
        let find = |frame: u64| {
            let at = self.digests.binary_search_by_key(&frame, |(known, _)| *known);
            at.map(|at| self.digests[at].1.clone())
        };
        let stats = if whole { image::of(feature, frames, find).ok().flatten() } else { None };
        Watched { camera: self.camera, images: self.images, still, stats }
    }
}

/// Which of an episode's images are looked at.
pub fn chosen(scene: &Scene<'_>, frames: u64, frame: u64) -> bool {
    let Some(sample) = scene.options.sample else { return true };
    if sample >= frames {
        return true;
    }
    // Evenly spread, the first always: frame k·frames/sample for each k below the sample.
    let k = (u128::from(frame) * u128::from(sample)).div_ceil(u128::from(frames.max(1)));
    sample > 0
        && k < u128::from(sample)
        && k * u128::from(frames) / u128::from(sample) == u128::from(frame)
}

/// The mean brightness of each block.
fn blocks(image: &Image) -> Vec<f32> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = image.pixels();
    let bright = |at: usize| match image.format() {
        PixelFormat::I420 => f32::from(pixels[at]),
        PixelFormat::Rgb8 => {
            pixels[at * 3..at * 3 + 3].iter().map(|v| f32::from(*v)).sum::<f32>() / 3.0
        }
        // Depth goes to some 4000 mm; a step is then about one of 255.
        PixelFormat::Gray16 => {
            f32::from(u16::from_le_bytes([pixels[at * 2], pixels[at * 2 + 1]])) / 16.0
        }
    };
    let mut sums = vec![(0.0_f32, 0_u32); BLOCKS * BLOCKS];
    for y in 0..height {
        let row = y * BLOCKS / height * BLOCKS;
        for x in 0..width {
            let (sum, count) = &mut sums[row + x * BLOCKS / width];
            *sum += bright(y * width + x);
            *count += 1;
        }
    }
    sums.into_iter().map(|(sum, count)| sum / count.max(1) as f32).collect()
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME)
}

/// Whether the camera stood still while joints moved.
pub fn check(scene: &Scene<'_>, rows: &Rows<'_>, watched: &Watched, findings: &mut Findings) {
    let longest = watched.still.iter().filter(|(first, last)| {
        let seconds = (last - first) as f64 / f64::from(scene.info.fps);
        seconds >= scene.options.frozen_s && joints::moved(scene, rows, *first, *last)
    });
    if let Some((first, last)) = longest.max_by_key(|(first, last)| last - first) {
        let place = format!("{}, {}", rows.place(), watched.camera);
        let message = format!(
            "the image stays the same from frame {first} to {last} ({:.1} s) while joints move",
            (last - first) as f64 / f64::from(scene.info.fps)
        );
        findings.add(Code::FrozenCamera, place, message);
    }
}
