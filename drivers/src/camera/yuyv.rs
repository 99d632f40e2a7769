//! Pictures as cameras send them that do not compress: brightness of each pixel, colour of each two.

use bytes::Bytes;

use super::{Layout, Picture};

/// The picture in red, green and blue, as ITU-R BT.601 has it and in the whole numbers of OpenCV, so that
/// pixels are those that LeRobot sees. `line` is how many bytes a row takes; the text says what is wrong.
pub fn decode(bytes: &[u8], width: u32, height: u32, line: u32) -> Result<Picture, String> {
    let (wide, high) = (width as usize * 2, height as usize);
    let line = wide.max(line as usize);
    if wide == 0 || !wide.is_multiple_of(4) || high == 0 {
        return Err(format!("pictures of {width}x{height} are not sent as they are"));
    }
    if bytes.len() < line * (high - 1) + wide {
        return Err("a damaged picture (its pixels are not all there)".to_owned());
    }
    let mut pixels = Vec::with_capacity(Layout::Rgb8.len(width, height));
    for row in bytes.chunks(line).take(high) {
        let (pairs, _padding) = row.get(..wide).unwrap_or(row).as_chunks();
        for &[first, blue, second, red] in pairs {
            pixels.extend(rgb(first, blue, red));
            pixels.extend(rgb(second, blue, red));
        }
    }
    Ok(Picture { width, height, layout: Layout::Rgb8, pixels: Bytes::from(pixels) })
}

/// One pixel, computed in parts of 2⁻²⁰.
fn rgb(brightness: u8, blue: u8, red: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 19;
    let bright = (i32::from(brightness) - 16).max(0) * 1_220_542;
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let parts = [1_673_527 * red, -852_492 * red - 409_993 * blue, 2_116_026 * blue];
    parts.map(|part| ((bright + part + HALF) >> 20).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_those_that_opencv_makes() {
        // cv2.cvtColor(numpy.array(FROM, "uint8").reshape(2, 4, 2), cv2.COLOR_YUV2RGB_YUYV), OpenCV 4.13.
        let from = [16, 128, 235, 128, 0, 0, 255, 255, 81, 90, 81, 240, 145, 54, 145, 34];
        let made = [
            0, 0, 0, 255, 255, 255, 203, 0, 0, 255, 225, 20, //
            254, 0, 0, 254, 0, 0, 0, 255, 1, 0, 255, 1,
        ];
        assert_eq!(decode(&from, 4, 2, 8).unwrap().pixels[..], made);
        // Rows may be longer than their pixels.
        let (above, below) = from.split_at(8);
        let padded = [above, &[9; 4], below].concat();
        assert_eq!(decode(&padded, 4, 2, 12).unwrap().pixels[..], made);
        assert!(decode(&padded[..19], 4, 2, 12).is_err());
        assert!(decode(&from, 3, 2, 8).is_err());
        assert!(decode(&[], 0, 0, 0).is_err());
    }

    proptest::proptest! {
        #[test]
        fn bytes_are_a_picture_of_its_size_or_an_error(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            width in 0u32..20,
            height in 0u32..8,
            line in 0u32..50,
        ) {
            if let Ok(picture) = decode(&bytes, width, height, line) {
                proptest::prop_assert_eq!(picture.pixels.len() as u32, width * height * 3);
            }
        }
    }
}
