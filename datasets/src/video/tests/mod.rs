//! What is written is read back, whatever happens in between.

mod concat;
#[cfg(feature = "ffmpeg")]
mod ffmpeg;
mod malformed;
mod peer;
mod recover;
mod round_trip;
mod stream;

use std::path::Path;

use crate::image::{Image, PixelFormat};
use crate::video::{VideoReader, VideoWriter, rgb_to_i420};

/// A picture with gradients and a moving square, different for every `n`.
pub fn picture(n: u64, width: u32, height: u32) -> Image {
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    let n = n as u32;
    for y in 0..height {
        for x in 0..width {
            let square = (x + width - (n * 3) % width) % width < 16 && y % 32 < 16;
            let base = [x * 255 / width, y * 255 / height, (n * 5) % 256];
            rgb.extend(if square { [230, 60, 40] } else { base.map(|value| value as u8) });
        }
    }
    Image::new(width, height, PixelFormat::Rgb8, rgb).unwrap()
}

/// Writes pictures `from..to` without ending the file.
pub fn begin(path: &Path, from: u64, to: u64) -> VideoWriter {
    let mut writer = VideoWriter::create(path, 64, 48, 30).unwrap();
    for n in from..to {
        writer.push(&picture(n, 64, 48)).unwrap();
    }
    writer
}

/// Likeness in decibels of a decoded image and the picture `n`.
pub fn likeness(image: &Image, n: u64) -> f64 {
    let picture = picture(n, image.width(), image.height());
    let mut planes = vec![0; image.pixels().len()];
    rgb_to_i420(picture.pixels(), image.width(), image.height(), &mut planes);
    let squares = planes.iter().zip(image.pixels().iter()).map(|(a, b)| {
        let difference = f64::from(*a) - f64::from(*b);
        difference * difference
    });
    10.0 * (255.0f64 * 255.0 * planes.len() as f64 / squares.sum::<f64>().max(1e-9)).log10()
}

/// Checks that the reader's frame `at` is the picture `n` and no neighbour of it.
pub fn shows(reader: &mut VideoReader, at: u64, n: u64) {
    let image = reader.frame(at).unwrap();
    let here = likeness(&image, n);
    assert!(here > 30.0, "frame {at} against picture {n}: {here} dB");
    assert!(here > likeness(&image, n + 1) && (n == 0 || here > likeness(&image, n - 1)));
}
