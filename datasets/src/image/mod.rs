//! One camera image: pixels in a shared buffer that is never copied on its way through the house.

pub mod png;
mod tiff;

use bytes::Bytes;

/// How the pixels of an image lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Red, green, blue, a byte each, row by row.
    Rgb8,
    /// A plane of brightness, then two of colour at half width and half height (rounded up),
    /// BT.601, limited range: what cameras that speak JPEG and what video codecs hold.
    I420,
    /// One 16-bit little-endian value per pixel: depth in millimetres, 0 where there is no reading.
    /// What a video holds of it are the steps of a [`Scale`](crate::depth::Scale).
    Gray16,
}

impl PixelFormat {
    /// How many bytes an image of this size takes.
    pub fn len(self, width: u32, height: u32) -> usize {
        let (width, height) = (width as usize, height as usize);
        match self {
            Self::Rgb8 => width * height * 3,
            Self::I420 => width * height + 2 * width.div_ceil(2) * height.div_ceil(2),
            Self::Gray16 => width * height * 2,
        }
    }
}

/// One camera image.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    format: PixelFormat,
    pixels: Bytes,
}

impl Image {
    /// The largest side of an image: what no camera or file that makes sense goes beyond.
    pub const MAX_SIDE: u32 = 16_384;

    /// An image of these pixels; none when the buffer's size does not fit.
    pub fn new(
        width: u32,
        height: u32,
        format: PixelFormat,
        pixels: impl Into<Bytes>,
    ) -> Option<Self> {
        let pixels = pixels.into();
        let sides = 1..=Self::MAX_SIDE;
        let fits = sides.contains(&width)
            && sides.contains(&height)
            && pixels.len() == format.len(width, height);
        fits.then_some(Self { width, height, format, pixels })
    }

    /// Pixels from left to right.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// How the pixels lie in memory.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The image in red, green and blue; a depth image stays what it is.
    pub fn to_rgb(&self) -> Self {
        if self.format != PixelFormat::I420 {
            return self.clone();
        }
        let rgb = crate::video::i420_to_rgb(&self.pixels, self.width, self.height);
        Self { format: PixelFormat::Rgb8, pixels: rgb.into(), ..*self }
    }

    /// The pixels, laid out as [`Image::format`] says.
    pub fn pixels(&self) -> &Bytes {
        &self.pixels
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}x{} {:?})", self.width, self.height, self.format)
    }
}

/// The image in a file of a data table: a PNG, or a TIFF where LeRobot keeps depth.
pub fn decode(file: &[u8]) -> Result<Image, String> {
    match file {
        [b'I', b'I', ..] | [b'M', b'M', ..] => {
            tiff::decode(file).map_err(|what| format!("not a TIFF image: {what}"))
        }
        _ => png::decode(file).map_err(|what| format!("not a PNG image: {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_the_bytes_its_size_says() {
        assert!(Image::new(3, 3, PixelFormat::I420, vec![0; 9 + 8]).is_some());
        assert!(Image::new(3, 3, PixelFormat::Rgb8, vec![0; 26]).is_none());
        assert!(Image::new(0, 3, PixelFormat::Rgb8, vec![]).is_none());
        assert!(Image::new(u32::MAX, u32::MAX, PixelFormat::Rgb8, vec![]).is_none());
    }
}
