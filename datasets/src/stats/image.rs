//! Statistics of a camera: of each frame what they need is kept while recording, and once the length
//! is known, the frames that LeRobot would sample are added up.

use super::Stats;
use super::bins::quantiles;
use crate::image::{Image, PixelFormat};
use crate::schema::Feature;

/// What the statistics need of one frame's sampled pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// How often each brightness occurs in each channel.
    Colour(Box<[[u32; 256]; 3]>),
    /// Each depth, in millimetres: there are too many to count them.
    Depth(Vec<u16>),
}

/// Images smaller than this on both sides are looked at whole.
const WHOLE_BELOW: u32 = 300;
/// Larger ones are thinned to about this many pixels along the longer side.
const THINNED_TO: u32 = 150;

impl Digest {
    const COLOUR_BYTES: usize = 3 * 256 * 4;

    /// How many bytes [`Digest::to_bytes`] gives of a frame of this camera.
    pub fn bytes_of(camera: &Feature) -> usize {
        match camera.image_size() {
            Some((width, height)) if camera.is_depth() => {
                let stride = Self::stride(width, height);
                2 * (width as usize).div_ceil(stride) * (height as usize).div_ceil(stride)
            }
            _ => Self::COLOUR_BYTES,
        }
    }

    /// Every how manieth pixel and row is looked at.
    pub fn stride(width: u32, height: u32) -> usize {
        match width.max(height) {
            side if side < WHOLE_BELOW => 1,
            side => (side / THINNED_TO) as usize,
        }
    }

    /// Looks at the sampled pixels of an image.
    pub fn of(image: &Image) -> Self {
        let stride = Self::stride(image.width(), image.height());
        let width = image.width() as usize;
        if image.format() == PixelFormat::Gray16 {
            let rows = image.pixels().chunks_exact(width * 2).step_by(stride);
            let pixels = rows.flat_map(|row| row.as_chunks::<2>().0.iter().step_by(stride));
            return Self::Depth(pixels.map(|pixel| u16::from_le_bytes(*pixel)).collect());
        }
        let image = image.to_rgb();
        let mut all = Box::new([[0_u32; 256]; 3]);
        for row in image.pixels().chunks_exact(width * 3).step_by(stride) {
            for pixel in row.as_chunks::<3>().0.iter().step_by(stride) {
                for (counts, value) in all.iter_mut().zip(pixel) {
                    counts[usize::from(*value)] += 1;
                }
            }
        }
        Self::Colour(all)
    }

    /// It as bytes, for the file beside a running episode.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Colour(counts) => {
                counts.iter().flatten().flat_map(|count| count.to_le_bytes()).collect()
            }
            Self::Depth(pixels) => pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect(),
        }
    }

    /// Reads it back.
    pub fn from_bytes(camera: &Feature, bytes: &[u8]) -> Self {
        if camera.is_depth() {
            let pixels = bytes.as_chunks::<2>().0.iter();
            return Self::Depth(pixels.map(|pixel| u16::from_le_bytes(*pixel)).collect());
        }
        let mut all = Box::new([[0; 256]; 3]);
        let counts = bytes.as_chunks::<4>().0.iter().map(|count| u32::from_le_bytes(*count));
        all.iter_mut().flatten().zip(counts).for_each(|(place, count)| *place = count);
        Self::Colour(all)
    }
}

/// Which frames of an episode LeRobot looks at.
pub fn sampled(length: u64) -> Vec<u64> {
    let least = length.min(100);
    let wanted = ((length as f64).powf(0.75) as u64).min(10_000).max(least);
    if wanted < 2 {
        return (0..wanted).collect();
    }
    let step = (length - 1) as f64 / (wanted - 1) as f64;
    let place = |n: u64| {
        if n + 1 == wanted { length - 1 } else { (n as f64 * step).round_ties_even() as u64 }
    };
    (0..wanted).map(place).collect()
}

/// The statistics of a camera's episode of so many frames, each of which is asked for. None without
/// any, or where a frame is not of the camera's kind.
pub fn of<E>(
    camera: &Feature,
    frames: u64,
    mut digest: impl FnMut(u64) -> Result<Digest, E>,
) -> Result<Option<Stats>, E> {
    let sampled = sampled(frames);
    let channels = if camera.is_depth() { vec![vec![0; 1 << 16]] } else { vec![vec![0; 256]; 3] };
    let mut totals: Vec<Vec<u64>> = channels;
    for frame in &sampled {
        match (digest(*frame)?, &mut totals[..]) {
            (Digest::Colour(counts), totals @ [_, _, _]) => {
                for (total, count) in totals.iter_mut().flatten().zip(counts.iter().flatten()) {
                    *total += u64::from(*count);
                }
            }
            (Digest::Depth(pixels), [total]) => {
                pixels.iter().for_each(|pixel| total[usize::from(*pixel)] += 1);
            }
            _ => return Ok(None),
        }
    }
    Ok(of_totals(camera, &totals, sampled.len() as u64))
}

/// Colours are of 1, depth is of the camera's own unit.
fn of_totals(camera: &Feature, totals: &[Vec<u64>], count: u64) -> Option<Stats> {
    let channels: Option<Vec<Channel>> = totals.iter().map(|total| channel(total)).collect();
    let channels = channels?;
    let (depth, unit) = (camera.is_depth(), camera.depth_unit());
    let scaled = |pick: fn(&Channel) -> f32| -> Vec<f64> {
        let scaled = |value: f32| match depth {
            true => f64::from(value) * unit,
            false => f64::from(value / 255.0),
        };
        channels.iter().map(|channel| scaled(pick(channel))).collect()
    };
    let quantile = |at: usize| {
        let scaled = |value: f64| if depth { value * unit } else { value / 255.0 };
        channels.iter().map(|channel| scaled(channel.quantiles[at])).collect()
    };
    Some(Stats {
        of_image: true,
        min: scaled(|channel| channel.min),
        max: scaled(|channel| channel.max),
        mean: scaled(|channel| channel.mean),
        std: scaled(|channel| channel.std),
        count,
        quantiles: Some([quantile(0), quantile(1), quantile(2), quantile(3), quantile(4)]),
    })
}

struct Channel {
    min: f32,
    max: f32,
    mean: f32,
    std: f32,
    quantiles: [f64; 5],
}

fn channel(counts: &[u64]) -> Option<Channel> {
    let present = || (0..=u16::MAX).zip(counts).filter(|(_, count)| **count > 0);
    let (min, max) = (f32::from(present().next()?.0), f32::from(present().next_back()?.0));
    let count: u64 = counts.iter().sum();
    let moment = |power: i32| {
        let terms = counts.iter().enumerate();
        terms.map(|(value, count)| (value as f64).powi(power) * *count as f64).sum::<f64>()
            / count as f64
    };
    let (mean, squares) = (moment(1), moment(2));
    let mut through = vec![0_u64];
    through.extend(counts.iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    }));
    let last = counts.len() as f64;
    // How many values are smaller than an edge: those up to the whole number before it.
    let below = |edge: f64| through[edge.ceil().clamp(0.0, last) as usize];
    let up_to = |edge: f64| through[(edge.floor() + 1.0).clamp(0.0, last) as usize];
    Some(Channel {
        min,
        max,
        mean: mean as f32,
        std: (squares - mean * mean).max(0.0).sqrt() as f32,
        quantiles: quantiles(min, max, count, below, up_to),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Dtype;

    #[test]
    fn the_sampled_frames_are_lerobots() {
        assert_eq!(sampled(0), Vec::<u64>::new());
        assert_eq!(sampled(1), [0]);
        assert_eq!(sampled(40), (0..40).collect::<Vec<_>>());
        let some = sampled(1000);
        // numpy: np.round(np.linspace(0, 999, 177))
        assert_eq!((some.len(), some[1], some[88], some[176]), (177, 6, 500, 999));
    }

    #[test]
    fn a_large_image_is_thinned_as_lerobot_does() {
        assert_eq!(Digest::stride(640, 480), 4);
        assert_eq!(Digest::stride(299, 200), 1);
        assert_eq!(Digest::stride(480, 640), 4);
    }

    #[test]
    fn depth_keeps_its_unit_and_colours_are_of_one() {
        let depth = |value: u16| {
            let pixels: Vec<u8> = (0..16).flat_map(|n| (value + n).to_le_bytes()).collect();
            Image::new(4, 4, PixelFormat::Gray16, pixels).unwrap()
        };
        let mut camera = Feature::depth(Dtype::Video, 4, 4);
        let digest = |frame: u64| {
            let digest = Digest::of(&depth(1000 * frame as u16));
            let bytes = digest.to_bytes();
            assert_eq!(bytes.len(), Digest::bytes_of(&Feature::depth(Dtype::Image, 4, 4)));
            Ok::<_, ()>(digest)
        };
        let stats = of(&camera, 3, digest).unwrap().unwrap();
        assert_eq!(
            (stats.min[0], stats.max[0], stats.mean[0], stats.count),
            (0.0, 2015.0, 1007.5, 3)
        );
        // numpy: np.std of the same
        assert!((stats.std[0] - 816.509_6).abs() < 1e-3, "{stats:?}");
        let metres = serde_json::json!({ "is_depth_map": true, "depth_unit": "m" });
        camera.extra.insert("info".into(), metres);
        assert_eq!(of(&camera, 3, digest).unwrap().unwrap().max, [2.015]);
        assert_eq!(of(&Feature::camera(Dtype::Video, 4, 4), 3, digest), Ok(None));
        let large = Feature::depth(Dtype::Image, 641, 479);
        assert_eq!(Digest::bytes_of(&large), 2 * 161 * 120);
    }
}
