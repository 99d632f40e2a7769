//! Between RGB and I420: BT.601, limited range, in fixed point.

use crate::image::PixelFormat;

#[cfg(target_arch = "x86_64")]
mod wide;

/// Converts rows of red, green and blue into three planes.
///
/// Slices of the wrong size are converted as far as they go.
pub fn rgb_to_i420(rgb: &[u8], width: u32, height: u32, out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just said that it has these instructions.
        return unsafe { wide::rgb_to_i420(rgb, width, height, out) };
    }
    to_planes(rgb, width, height, out);
}

#[inline(always)]
fn to_planes(rgb: &[u8], width: u32, height: u32, out: &mut [u8]) {
    let (width, height) = (width as usize, height as usize);
    let (half, rows) = (width.div_ceil(2), height.div_ceil(2));
    let (luma, chroma) = out.split_at_mut((width * height).min(out.len()));
    let (blue, red) = chroma.split_at_mut((half * rows).min(chroma.len()));
    if width == 0 {
        return;
    }
    let pairs = rgb.chunks(width * 6).zip(luma.chunks_mut(width * 2));
    let planes = blue.chunks_mut(half).zip(red.chunks_mut(half));
    for ((pixels, luma), (blue, red)) in pairs.zip(planes) {
        for (pixel, y) in pixels.as_chunks::<3>().0.iter().zip(luma.iter_mut()) {
            *y = brightness(pixel);
        }
        let (upper, lower) = pixels.split_at((width * 3).min(pixels.len()));
        let lower = if lower.len() == upper.len() { lower } else { upper };
        colour(upper, lower, blue, red);
    }
}

#[inline(always)]
fn brightness(pixel: &[u8; 3]) -> u8 {
    let [r, g, b] = pixel.map(i32::from);
    ((8414 * r + 16519 * g + 3208 * b + (33 << 14)) >> 15) as u8
}

/// The colour of each square of four pixels: that of their sum.
#[inline(always)]
fn colour(upper: &[u8], lower: &[u8], blue: &mut [u8], red: &mut [u8]) {
    let four = upper.as_chunks::<6>().0.iter().zip(lower.as_chunks::<6>().0);
    let whole = upper.len() / 6;
    for ((a, c), (u, v)) in four.zip(blue.iter_mut().zip(red.iter_mut())) {
        let sum = |at: usize| {
            i32::from(a[at]) + i32::from(a[at + 3]) + i32::from(c[at]) + i32::from(c[at + 3])
        };
        (*u, *v) = differences(sum(0), sum(1), sum(2));
    }
    // The last column of an odd width stands for two.
    let last = |at: usize| {
        let upper = upper.get(whole * 6 + at).copied().map_or(0, i32::from);
        let lower = lower.get(whole * 6 + at).copied().map_or(0, i32::from);
        2 * (upper + lower)
    };
    if upper.len() % 6 == 3
        && let (Some(u), Some(v)) = (blue.get_mut(whole), red.get_mut(whole))
    {
        (*u, *v) = differences(last(0), last(1), last(2));
    }
}

/// The colour differences of four pixels' sums.
#[inline(always)]
fn differences(r: i32, g: i32, b: i32) -> (u8, u8) {
    let u = (-4857 * r - 9535 * g + 14392 * b + (257 << 16)) >> 17;
    let v = (14392 * r - 12052 * g - 2340 * b + (257 << 16)) >> 17;
    (u as u8, v as u8)
}

/// Converts three planes into rows of red, green and blue.
///
/// Equal to the last bit to what swscale, and so PyAV and LeRobot, makes of even heights on x86: a
/// colour stands for its whole square of four pixels, and products lose their lower 16 bits each.
/// A slice of the wrong size is converted as far as it goes.
pub fn i420_to_rgb(planes: &[u8], width: u32, height: u32) -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        return to_pixels(planes, width, height, |luma, blue, red, out| {
            // SAFETY: the processor has just said that it has these instructions.
            unsafe { wide::to_row(luma, blue, red, out) }
        });
    }
    to_pixels(planes, width, height, to_row)
}

#[inline(always)]
fn to_pixels(
    planes: &[u8],
    width: u32,
    height: u32,
    to_row: impl Fn(&[u8], &[u8], &[u8], &mut [[u8; 3]]),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(PixelFormat::Rgb8.len(width, height));
    let (width, height) = (width as usize, height as usize);
    let (half, rows) = (width.div_ceil(2), height.div_ceil(2));
    let (luma, chroma) = planes.split_at((width * height).min(planes.len()));
    let (blue, red) = chroma.split_at((half * rows).min(chroma.len()));
    if width == 0 {
        return out;
    }
    for (luma, (blue, red)) in luma.chunks(width * 2).zip(blue.chunks(half).zip(red.chunks(half))) {
        for luma in luma.chunks_exact(width) {
            // Row by row behind each other: an image that begins as zeros is written twice.
            let begun = out.len();
            out.resize(begun + width * 3, 0);
            let row = out.get_mut(begun..).unwrap_or_default();
            to_row(luma, blue, red, row.as_chunks_mut().0);
        }
    }
    out
}

/// One row: of each colour two pixels beside each other.
#[inline(always)]
fn to_row(luma: &[u8], blue: &[u8], red: &[u8], out: &mut [[u8; 3]]) {
    let pixels = out.chunks_mut(2).zip(luma.chunks(2));
    for ((pixels, luma), (u, v)) in pixels.zip(blue.iter().zip(red)) {
        let (u, v) = (8 * i16::from(*u) - 1024, 8 * i16::from(*v) - 1024);
        let colour = [high(v, 13_075), high(u, -3209) + high(v, -6660), high(u, 16_525)];
        for (pixel, y) in pixels.iter_mut().zip(luma) {
            let y = high(8 * i16::from(*y) - 128, 9539);
            *pixel = colour.map(|colour| (y + colour).clamp(0, 255) as u8);
        }
    }
}

/// The upper half of a product.
#[inline(always)]
fn high(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b)) >> 16) as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wide_instructions_make_the_same_colours(
            width in 1u32..140,
            height in 1u32..9,
            seed: u64,
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut bytes = |length: usize| (0..length).map(|_| random.u8(..)).collect::<Vec<_>>();
            let (pixels, planes) = (
                bytes(PixelFormat::Rgb8.len(width, height)),
                bytes(PixelFormat::I420.len(width, height)),
            );
            let mut plain = vec![0; planes.len()];
            let mut wide = plain.clone();
            to_planes(&pixels, width, height, &mut plain);
            rgb_to_i420(&pixels, width, height, &mut wide);
            prop_assert_eq!(plain, wide);
            let plain = to_pixels(&planes, width, height, to_row);
            prop_assert_eq!(plain.len(), pixels.len());
            prop_assert_eq!(plain, i420_to_rgb(&planes, width, height));
        }
    }
}
