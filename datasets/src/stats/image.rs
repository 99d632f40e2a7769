//! Statistics of a camera: a histogram of each frame is kept while recording, and once the length is
//! known, the frames that LeRobot would sample are added up.

use super::Stats;
use super::bins::quantiles;
use crate::image::{Image, PixelFormat};

/// How often each brightness occurs in each channel of one frame's sampled pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram([[u32; 256]; 3]);

/// Images smaller than this on both sides are looked at whole.
const WHOLE_BELOW: u32 = 300;
/// Larger ones are thinned to about this many pixels along the longer side.
const THINNED_TO: u32 = 150;

impl Default for Histogram {
    fn default() -> Self {
        Self([[0; 256]; 3])
    }
}

impl Histogram {
    /// How many bytes [`Histogram::to_bytes`] gives.
    pub const BYTES: usize = 3 * 256 * 4;

    /// Every how manieth pixel and row is looked at.
    pub fn stride(width: u32, height: u32) -> usize {
        match width.max(height) {
            side if side < WHOLE_BELOW => 1,
            side => (side / THINNED_TO) as usize,
        }
    }

    /// Counts the sampled pixels of a colour image; a depth image counts nothing.
    pub fn of(image: &Image) -> Self {
        let mut histogram = Self::default();
        if image.format() == PixelFormat::Gray16 {
            return histogram;
        }
        let image = image.to_rgb();
        let stride = Self::stride(image.width(), image.height());
        for row in image.pixels().chunks_exact(image.width() as usize * 3).step_by(stride) {
            for pixel in row.as_chunks::<3>().0.iter().step_by(stride) {
                for (counts, value) in histogram.0.iter_mut().zip(pixel) {
                    counts[usize::from(*value)] += 1;
                }
            }
        }
        histogram
    }

    /// The counts as bytes, for the file beside a running episode.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flatten().flat_map(|count| count.to_le_bytes()).collect()
    }

    /// Adds counts from their bytes.
    fn add(totals: &mut [[u64; 256]; 3], bytes: &[u8]) {
        let counts = bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
        for (total, count) in totals.iter_mut().flatten().zip(counts) {
            *total += u64::from(count);
        }
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

/// The statistics of the frames whose histograms (as bytes) are given. None without any.
pub fn of<E>(
    frames: u64,
    mut histogram: impl FnMut(u64) -> Result<[u8; Histogram::BYTES], E>,
) -> Result<Option<Stats>, E> {
    let sampled = sampled(frames);
    let mut totals = [[0_u64; 256]; 3];
    for frame in &sampled {
        Histogram::add(&mut totals, &histogram(*frame)?);
    }
    Ok(of_totals(&totals, sampled.len() as u64))
}

fn of_totals(totals: &[[u64; 256]; 3], count: u64) -> Option<Stats> {
    let channels: Option<Vec<Channel>> = totals.iter().map(channel).collect();
    let channels = channels?;
    let scaled = |pick: fn(&Channel) -> f32| -> Vec<f64> {
        channels.iter().map(|channel| f64::from(pick(channel) / 255.0)).collect()
    };
    let quantile = |at: usize| channels.iter().map(|c| c.quantiles[at] / 255.0).collect();
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

fn channel(counts: &[u64; 256]) -> Option<Channel> {
    let present = || (0_u16..256).filter(|value| counts[usize::from(*value)] > 0);
    let (min, max) = (f32::from(present().next()?), f32::from(present().next_back()?));
    let count: u64 = counts.iter().sum();
    let moment = |power: i32| {
        let terms = counts.iter().enumerate();
        terms.map(|(value, count)| (value as f64).powi(power) * *count as f64).sum::<f64>()
            / count as f64
    };
    let (mean, squares) = (moment(1), moment(2));
    let mut through = [0_u64; 257];
    for value in 0..256 {
        through[value + 1] = through[value] + counts[value];
    }
    // How many values are smaller than an edge: those up to the whole number before it.
    let below = |edge: f64| through[edge.ceil().clamp(0.0, 256.0) as usize];
    let up_to = |edge: f64| through[(edge.floor() + 1.0).clamp(0.0, 256.0) as usize];
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
        assert_eq!(Histogram::stride(640, 480), 4);
        assert_eq!(Histogram::stride(299, 200), 1);
        assert_eq!(Histogram::stride(480, 640), 4);
    }
}
