//! JPEG pictures, as cameras send them, to pixels.
//!
//! To red, green and blue, although a video's encoder takes planes: LeRobot computes a dataset's
//! statistics on these pixels, and by way of planes their means are off by some thousandths.

use bytes::Bytes;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Layout, Picture};

/// The largest JPEG that is taken from a camera, in bytes.
pub const LARGEST: usize = 16 << 20;

/// How wide and how high the picture is.
pub fn size(jpeg: &[u8]) -> Option<(u32, u32)> {
    let mut decoder = JpegDecoder::new(ZCursor::new(jpeg));
    decoder.decode_headers().ok()?;
    decoder.info().map(|info| (u32::from(info.width), u32::from(info.height)))
}

/// The picture, which has to be of this size; the text says what is wrong.
pub fn decode(jpeg: &[u8], width: u32, height: u32) -> Result<Picture, String> {
    let options = DecoderOptions::default()
        .set_max_width(8192)
        .set_max_height(8192)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let damaged = |error: zune_jpeg::errors::DecodeErrors| format!("a damaged picture ({error:?})");
    decoder.decode_headers().map_err(damaged)?;
    let is = decoder.info().map(|info| (u32::from(info.width), u32::from(info.height)));
    let (is_wide, is_high) = is.ok_or("a picture without a size")?;
    if (is_wide, is_high) != (width, height) {
        return Err(format!(
            "its pictures are {is_wide}x{is_high}, not {width}x{height}: put @{is_wide}x{is_high} \
             behind it"
        ));
    }
    let pixels = decoder.decode().map_err(damaged)?;
    if pixels.len() != Layout::Rgb8.len(width, height) {
        return Err("a damaged picture (its pixels are not all there)".to_owned());
    }
    Ok(Picture { width, height, layout: Layout::Rgb8, pixels: Bytes::from(pixels) })
}

/// A picture from a program that hands red, green and blue to OpenCV's encoder, as LeRobot's servers do:
/// the encoder takes the first for blue, so the file has red and blue exchanged.
pub fn decode_exchanged(jpeg: &[u8], width: u32, height: u32) -> Result<Picture, String> {
    let Picture { width, height, layout, pixels } = decode(jpeg, width, height)?;
    let mut pixels = Vec::from(pixels);
    pixels.chunks_exact_mut(3).for_each(|pixel| pixel.reverse());
    Ok(Picture { width, height, layout, pixels: pixels.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jpeg_encoder::{ColorType, Encoder};

    /// A JPEG of one grey.
    fn grey(width: u16, height: u16, grey: u8) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let pixels = vec![grey; usize::from(width) * usize::from(height)];
        Encoder::new(&mut jpeg, 90).encode(&pixels, width, height, ColorType::Luma).unwrap();
        jpeg
    }

    #[test]
    fn pixels_come_out_and_another_size_is_told() {
        let jpeg = grey(32, 16, 200);
        let picture = decode(&jpeg, 32, 16).unwrap();
        assert!(picture.pixels.iter().all(|pixel| pixel.abs_diff(200) <= 2));
        let refused = decode(&jpeg, 640, 480).unwrap_err();
        assert!(refused.contains("32x16") && refused.contains("640x480"), "{refused}");
    }

    #[test]
    fn what_opencv_took_for_blue_is_red_again() {
        let mut jpeg = Vec::new();
        let orange = [200, 120, 10].repeat(32 * 16);
        Encoder::new(&mut jpeg, 95).encode(&orange, 32, 16, ColorType::Bgr).unwrap();
        let picture = decode_exchanged(&jpeg, 32, 16).unwrap();
        for (pixel, sent) in picture.pixels.iter().zip(&orange) {
            assert!(pixel.abs_diff(*sent) <= 4, "{:?}", &picture.pixels[..3]);
        }
        assert!(decode_exchanged(&jpeg, 16, 16).is_err());
    }

    proptest::proptest! {
        #[test]
        fn bytes_are_a_picture_of_its_size_or_an_error(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            at in 0usize..600,
        ) {
            let mut jpeg = grey(32, 16, 90);
            let at = at.min(jpeg.len());
            let end = (at + bytes.len()).min(jpeg.len());
            jpeg.splice(at..end, bytes.iter().copied());
            for jpeg in [&jpeg, &bytes] {
                if let Ok(picture) = decode(jpeg, 32, 16) {
                    proptest::prop_assert_eq!(picture.pixels.len(), 32 * 16 * 3);
                }
            }
        }
    }

    #[test]
    fn damage_is_an_error_or_a_picture_and_never_worse() {
        let jpeg = grey(32, 16, 90);
        for cut in 0..jpeg.len() {
            if let Ok(picture) = decode(&jpeg[..cut], 32, 16) {
                assert_eq!(picture.pixels.len(), 32 * 16 * 3);
            }
            let mut flipped = jpeg.clone();
            flipped[cut] ^= 0xFF;
            if let Ok(picture) = decode(&flipped, 32, 16) {
                assert_eq!(picture.pixels.len(), 32 * 16 * 3);
            }
        }
    }
}
