//! Pictures as JPEG files, for whoever takes no others.

use jpeg_encoder::{ColorType, Encoder};
use sinew_datasets::Image;
use sinew_datasets::image::PixelFormat;

/// A picture as a JPEG file of this quality, or why it cannot be one.
pub fn jpeg(image: &Image, quality: u8) -> Result<Vec<u8>, String> {
    coded(image, quality, ColorType::Rgb)
}

/// The same as LeRobot's servers make it, which hand red, green and blue to OpenCV's encoder: that takes the
/// first for blue, so that red and blue are exchanged in the file.
#[cfg(feature = "sim")]
pub fn exchanged(image: &Image, quality: u8) -> Result<Vec<u8>, String> {
    coded(image, quality, ColorType::Bgr)
}

fn coded(image: &Image, quality: u8, colors: ColorType) -> Result<Vec<u8>, String> {
    let rgb = image.to_rgb();
    if rgb.format() != PixelFormat::Rgb8 {
        return Err("depth has no colours".into());
    }
    let side = |side: u32| u16::try_from(side).map_err(|error| error.to_string());
    let (width, height) = (side(rgb.width())?, side(rgb.height())?);
    let mut file = Vec::new();
    Encoder::new(&mut file, quality)
        .encode(rgb.pixels(), width, height, colors)
        .map_err(|error| error.to_string())?;
    Ok(file)
}
