//! Depth in TIFF files in memory: how LeRobot keeps it in datasets without video.

use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::{Image, PixelFormat};

/// The depth in a TIFF file: whole numbers are millimetres, others metres, as LeRobot has it.
pub fn decode(file: &[u8]) -> Result<Image, String> {
    let mut limits = Limits::default();
    // No file unpacks to more than the largest image.
    limits.decoding_buffer_size = 1 << 29;
    limits.intermediate_buffer_size = 1 << 29;
    let decoder = Decoder::new(Cursor::new(file)).map_err(|error| error.to_string())?;
    let mut decoder = decoder.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(|error| error.to_string())?;
    let values = match decoder.read_image().map_err(|error| error.to_string())? {
        DecodingResult::U16(values) => values,
        // What is no number, or negative, is no reading; what is too far is as far as can be said.
        DecodingResult::F32(metres) => metres.iter().map(|m| (m * 1000.0).round() as u16).collect(),
        _ => return Err("a depth image has 16 bits or 32-bit floats".into()),
    };
    let pixels: Vec<u8> = values.into_iter().flat_map(u16::to_le_bytes).collect();
    Image::new(width, height, PixelFormat::Gray16, pixels)
        .ok_or_else(|| "the image is not of one channel, or too large".into())
}

#[cfg(test)]
mod tests {
    use tiff::encoder::{TiffEncoder, colortype};

    use super::*;

    #[test]
    fn millimetres_stay_and_metres_become_millimetres() {
        let depth = [0_u16, 1, 1234, 65_535, 9, 8];
        let mut file = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut file).unwrap();
        encoder.write_image::<colortype::Gray16>(3, 2, &depth).unwrap();
        let image = super::super::decode(file.get_ref()).unwrap();
        assert_eq!((image.width(), image.height()), (3, 2));
        let pixels: Vec<u8> = depth.into_iter().flat_map(u16::to_le_bytes).collect();
        assert_eq!(image.pixels()[..], pixels);

        let metres = [0.0, 1.2346, f32::NAN, -1.0, f32::INFINITY, 65.534_6];
        let mut file = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut file).unwrap();
        encoder.write_image::<colortype::Gray32Float>(3, 2, &metres).unwrap();
        let image = decode(file.get_ref()).unwrap();
        let pixels: Vec<u8> =
            [0_u16, 1235, 0, 0, 65_535, 65_535].into_iter().flat_map(u16::to_le_bytes).collect();
        assert_eq!(image.pixels()[..], pixels);
    }

    #[test]
    fn what_is_no_depth_is_an_error() {
        assert!(decode(b"").is_err());
        assert!(decode(b"II*\0\x08\0\0\0").is_err());
        let mut file = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut file).unwrap();
        encoder.write_image::<colortype::RGB8>(1, 1, &[1, 2, 3]).unwrap();
        let error = decode(file.get_ref()).unwrap_err();
        assert!(error.contains("16 bits"), "{error}");
    }
}
