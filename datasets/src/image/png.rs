//! Images as PNG files in memory: how datasets without video keep them.

use super::{Image, PixelFormat};

/// What an image file may unpack to: more than any camera gives.
const MOST_BYTES: usize = 1 << 29;

/// The image as a PNG file. Colour only: an I420 image has to be turned into RGB first.
pub fn encode(image: &Image) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, image.width(), image.height());
    let swapped;
    let pixels: &[u8] = match image.format() {
        PixelFormat::Rgb8 => {
            encoder.set_color(png::ColorType::Rgb);
            image.pixels()
        }
        PixelFormat::Gray16 => {
            encoder.set_color(png::ColorType::Grayscale);
            encoder.set_depth(png::BitDepth::Sixteen);
            swapped = swap_bytes(image.pixels());
            &swapped
        }
        PixelFormat::I420 => return Err("a planar image has to be turned into RGB first".into()),
    };
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer.write_image_data(pixels).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(out)
}

/// The image in a PNG file: colour as RGB, 16-bit grey as depth.
pub fn decode(file: &[u8]) -> Result<Image, String> {
    let mut decoder = png::Decoder::new_with_limits(
        std::io::Cursor::new(file),
        png::Limits { bytes: MOST_BYTES },
    );
    let header = decoder.read_header_info().map_err(|error| error.to_string())?;
    let deep = header.bit_depth == png::BitDepth::Sixteen
        && header.color_type == png::ColorType::Grayscale;
    decoder.set_transformations(if deep {
        png::Transformations::IDENTITY
    } else {
        png::Transformations::normalize_to_color8()
    });
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let size = reader.output_buffer_size().filter(|size| *size <= MOST_BYTES);
    let mut pixels = vec![0; size.ok_or("the image is too large")?];
    let frame = reader.next_frame(&mut pixels).map_err(|error| error.to_string())?;
    pixels.truncate(frame.buffer_size());
    let (format, pixels) = match (deep, frame.color_type) {
        (true, _) => (PixelFormat::Gray16, swap_bytes(&pixels)),
        (_, png::ColorType::Rgb) => (PixelFormat::Rgb8, pixels),
        (_, png::ColorType::Rgba) => (
            PixelFormat::Rgb8,
            pixels.as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]).collect(),
        ),
        (_, png::ColorType::Grayscale) => {
            (PixelFormat::Rgb8, pixels.iter().flat_map(|p| [*p; 3]).collect())
        }
        (_, png::ColorType::GrayscaleAlpha) => {
            (PixelFormat::Rgb8, pixels.as_chunks::<2>().0.iter().flat_map(|p| [p[0]; 3]).collect())
        }
        (_, png::ColorType::Indexed) => return Err("the palette was not unpacked".into()),
    };
    Image::new(frame.width, frame.height, format, pixels)
        .ok_or_else(|| "the image is too large".into())
}

/// PNG keeps 16 bits with the high byte first.
fn swap_bytes(pixels: &[u8]) -> Vec<u8> {
    pixels.as_chunks::<2>().0.iter().flat_map(|pair| [pair[1], pair[0]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_and_depth_come_back_as_they_went_in() {
        let pixels: Vec<u8> = (0..5 * 3 * 3_u32).map(|n| (n * 7) as u8).collect();
        let colour = Image::new(5, 3, PixelFormat::Rgb8, pixels).unwrap();
        assert_eq!(decode(&encode(&colour).unwrap()).unwrap(), colour);
        let pixels: Vec<u8> = (0..30_u8).collect();
        let depth = Image::new(5, 3, PixelFormat::Gray16, pixels).unwrap();
        assert_eq!(decode(&encode(&depth).unwrap()).unwrap(), depth);
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        assert!(decode(b"").is_err());
        assert!(decode(b"\x89PNG\r\n\x1a\n and then nothing").is_err());
    }
}
