//! What stands between a scene and the picture a real camera makes of it: glass, and a sensor.

use fastrand::Rng;

use super::Canvas;

/// How a camera falls short of a perfect one. All of it is off by default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// How much more light than it should it takes; 1 is right.
    pub exposure: f32,
    /// How much grey values lie apart, about the middle one; 1 is right.
    pub contrast: f32,
    /// How far a point is spread to each side, in pixels.
    pub blur: u32,
    /// The standard deviation of its noise, in grey values of 255.
    pub noise: f32,
    /// What its noise follows from.
    pub seed: u64,
}

impl Default for Lens {
    fn default() -> Self {
        Self { exposure: 1.0, contrast: 1.0, blur: 0, noise: 0.0, seed: 0 }
    }
}

/// The four bytes of a number have this standard deviation of their sum: each has (256² - 1) / 12.
const SPREAD: f32 = 147.8;

impl Lens {
    /// Makes a picture what it is through this lens: the one of this number in its recording, whose
    /// noise is its own. Depth stays what it is.
    pub fn apply(&self, canvas: &mut Canvas, number: u64) {
        for _ in 0..2 {
            self.spread(canvas);
        }
        if *self == (Self { blur: self.blur, seed: self.seed, ..Self::default() }) {
            return;
        }
        let mut grey = [0.0_f32; 256];
        for (value, grey) in grey.iter_mut().enumerate() {
            // As light adds up, not as grey values do.
            let light = value as f32 / 255.0 * self.exposure.max(0.0).powf(1.0 / 2.2);
            *grey = ((light - 0.5) * self.contrast + 0.5) * 255.0 + 0.5;
        }
        let mut random = Rng::with_seed(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let scale = self.noise / SPREAD;
        for pair in canvas.pixels.chunks_mut(2) {
            let mut bits = if scale > 0.0 { random.u64(..) } else { 0 };
            for value in pair {
                // The sum of four evenly spread numbers is nearly normal.
                let sum: u32 = (bits as u32).to_le_bytes().into_iter().map(u32::from).sum();
                let noise = if scale > 0.0 { (sum as f32 - 510.0) * scale } else { 0.0 };
                *value = (grey[usize::from(*value)] + noise) as u8;
                bits >>= 32;
            }
        }
    }

    /// Takes the mean over a square about each pixel; twice, that is nearly round.
    fn spread(&self, canvas: &mut Canvas) {
        let (width, height) = (canvas.width as usize, canvas.height as usize);
        let reach = self.blur as usize;
        if reach == 0 || width == 0 || height == 0 {
            return;
        }
        let mut line = Vec::with_capacity(width.max(height));
        for channel in 0..3 {
            for row in 0..height {
                average(
                    &mut canvas.pixels,
                    (row * width * 3 + channel, 3, width),
                    reach,
                    &mut line,
                );
            }
            for column in 0..width {
                let at = (column * 3 + channel, 3 * width, height);
                average(&mut canvas.pixels, at, reach, &mut line);
            }
        }
    }
}

/// The mean over `reach` to either side along a line of so many values so far apart; what lies
/// beyond its ends is as the ends are.
fn average(
    values: &mut [u8],
    (first, step, count): (usize, usize, usize),
    reach: usize,
    line: &mut Vec<u8>,
) {
    line.clear();
    line.extend(values.iter().skip(first).step_by(step).take(count));
    let at = |place: usize| {
        let place = place.saturating_sub(reach).min(count.saturating_sub(1));
        line.get(place).map_or(0, |value| usize::from(*value))
    };
    let wide = 2 * reach + 1;
    let mut sum: usize = (0..wide).map(at).sum();
    for (place, value) in values.iter_mut().skip(first).step_by(step).take(count).enumerate() {
        *value = ((sum + reach) / wide) as u8;
        sum = sum + at(place + wide) - at(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(value: u8) -> Canvas {
        let (width, height) = (64, 48);
        Canvas { width, height, pixels: vec![value; 64 * 48 * 3], depth: None }
    }

    fn through(lens: Lens, number: u64) -> Canvas {
        let mut canvas = grey(100);
        lens.apply(&mut canvas, number);
        canvas
    }

    #[test]
    fn a_perfect_lens_changes_nothing() {
        assert_eq!(through(Lens::default(), 3), grey(100));
    }

    #[test]
    fn noise_is_as_wide_as_asked_its_own_in_each_picture_and_the_same_again() {
        let lens = Lens { noise: 5.0, seed: 7, ..Lens::default() };
        let canvas = through(lens, 1);
        let off: Vec<f64> = canvas.pixels.iter().map(|value| f64::from(*value) - 100.0).collect();
        let mean = off.iter().sum::<f64>() / off.len() as f64;
        let spread = (off.iter().map(|off| off * off).sum::<f64>() / off.len() as f64).sqrt();
        assert!(mean.abs() < 0.2 && (spread - 5.0).abs() < 0.2, "{mean} {spread}");
        assert_eq!(through(lens, 1), canvas);
        assert_ne!(through(lens, 2), canvas);
        assert_ne!(through(Lens { seed: 8, ..lens }, 1), canvas);
    }

    #[test]
    fn more_light_is_brighter_and_never_runs_over() {
        assert!(through(Lens { exposure: 1.5, ..Lens::default() }, 0).pixels[0] > 110);
        assert_eq!(through(Lens { exposure: 1e9, ..Lens::default() }, 0), grey(255));
        assert_eq!(through(Lens { exposure: -1.0, ..Lens::default() }, 0), grey(0));
        assert!(through(Lens { contrast: 2.0, ..Lens::default() }, 0).pixels[0] < 80);
    }

    #[test]
    fn blur_spreads_a_point_evenly_and_leaves_an_even_picture_alone() {
        let lens = Lens { blur: 2, ..Lens::default() };
        assert_eq!(through(lens, 0), grey(100));
        let mut canvas = grey(0);
        let at = |column: usize, row: usize| (row * 64 + column) * 3;
        for row in 19..22 {
            for column in 29..32 {
                canvas.pixels[at(column, row)] = 255;
            }
        }
        lens.apply(&mut canvas, 0);
        let value = |column, row| canvas.pixels[at(column, row)];
        assert!(value(30, 20) > value(32, 20) && value(32, 20) > value(34, 20));
        assert_eq!((value(27, 20), value(30, 17)), (value(33, 20), value(30, 23)));
        assert_eq!((value(30, 20 + 6), canvas.pixels[at(30, 20) + 1]), (0, 0));
    }
}
