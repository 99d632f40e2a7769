//! What the cameras saw in an episode, as a strip of small pictures.

use super::base64;
use super::html::{Page, escape};
use crate::image::{Image, PixelFormat, png};
use crate::reader::Dataset;
use crate::tables::episodes::Episode;

/// How wide one picture is, in pixels.
const WIDTH: u32 = 150;
/// Between two pictures.
const GAP: u32 = 4;

/// A strip per camera.
pub fn cameras(page: &mut Page, dataset: &Dataset, episode: &Episode, pictures: u64) {
    for (name, _) in dataset.info().features.iter().filter(|(_, feature)| feature.is_camera()) {
        let pictures = pictures.min(episode.length);
        let last = episode.length.saturating_sub(1);
        let place = |n: u64| n * last / pictures.saturating_sub(1).max(1);
        let image = |n: u64| dataset.image(name, episode.from_index + place(n));
        let images: crate::Result<Vec<Image>> = (0..pictures).map(image).collect();
        let strip = images.map_err(|error| error.to_string()).and_then(|images| strip(&images));
        match strip {
            Ok(png) => page.raw(&format!(
                "<figure><img alt=\"{0}\" loading=\"lazy\" src=\"data:image/png;base64,{1}\">\
                 <figcaption>{0}</figcaption></figure>",
                escape(name),
                base64::encode(&png)
            )),
            Err(why) => page.note(&format!("{name}: no picture: {why}")),
        }
    }
}

/// The images small and side by side, as one PNG file.
fn strip(images: &[Image]) -> Result<Vec<u8>, String> {
    let first = images.first().ok_or("there is no frame")?;
    let width = WIDTH.min(first.width());
    let height = (u64::from(width) * u64::from(first.height()) / u64::from(first.width().max(1)))
        .clamp(1, u64::from(WIDTH) * 4) as u32;
    let count = u32::try_from(images.len()).map_err(|error| error.to_string())?;
    let total = count * (width + GAP) - GAP;
    let row = total as usize * 3;
    // Grey between the pictures fits light and dark.
    let mut pixels = vec![128_u8; row * height as usize];
    for (image, n) in images.iter().zip(0_u32..) {
        let small = shrink(image, width, height);
        let left = (n * (width + GAP)) as usize * 3;
        for (y, line) in small.chunks_exact(width as usize * 3).enumerate() {
            pixels[y * row + left..y * row + left + line.len()].copy_from_slice(line);
        }
    }
    let sheet = Image::new(total, height, PixelFormat::Rgb8, pixels).ok_or("it is too large")?;
    png::encode(&sheet)
}

/// The mean of the pixels that each small one stands for.
fn shrink(image: &Image, width: u32, height: u32) -> Vec<u8> {
    let rgb = image.to_rgb();
    let (full_width, full_height) = (rgb.width() as usize, rgb.height() as usize);
    let channels = |x: usize, y: usize| -> [u32; 3] {
        let at = y * full_width + x;
        match rgb.format() {
            // Depth up to 4 m as grey.
            PixelFormat::Gray16 => {
                let depth = u16::from_le_bytes([rgb.pixels()[at * 2], rgb.pixels()[at * 2 + 1]]);
                [u32::from(depth >> 4).min(255); 3]
            }
            _ => std::array::from_fn(|channel| u32::from(rgb.pixels()[at * 3 + channel])),
        }
    };
    let span = |n: u32, small: u32, full: usize| {
        let from = n as usize * full / small as usize;
        from..((n as usize + 1) * full / small as usize).max(from + 1).min(full)
    };
    let mut out = Vec::with_capacity((width * height) as usize * 3);
    for y in 0..height {
        for x in 0..width {
            let (mut sums, mut count) = ([0_u32; 3], 0);
            for row in span(y, height, full_height) {
                for column in span(x, width, full_width) {
                    let pixel = channels(column, row);
                    sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
                    count += 1;
                }
            }
            // Six bits a channel pack into half the bytes, and nobody sees it at this size.
            let coarse = |value: u8| value & 0xFC | value >> 6;
            out.extend(sums.map(|sum| coarse((sum / count.max(1)).min(255) as u8)));
        }
    }
    out
}
