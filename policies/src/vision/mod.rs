//! Images between a camera and a network: brought to a size, and their middle cut out.

mod resize;

use crate::config::{Common, DiffusionConfig, TdmpcConfig, VqBetConfig};
use crate::error::{Error, Result};
use resize::Axis;

/// How a network frames its images: resized first where it says so, then the middle of that.
#[derive(Clone, Debug, PartialEq)]
pub struct Framing {
    /// How many numbers a pixel has.
    pub channels: usize,
    /// Height and width of a camera's image.
    pub from: [usize; 2],
    crop: [usize; 2],
    /// Down the columns and along the rows, where the image is resized at all.
    axes: Option<[Axis; 2]>,
}

impl Framing {
    /// From a camera's image to what the network takes.
    #[must_use]
    pub fn new(
        channels: usize,
        from: [usize; 2],
        resize: Option<[usize; 2]>,
        crop: Option<[usize; 2]>,
    ) -> Self {
        let whole = resize.unwrap_or(from);
        let axes = resize.filter(|to| *to != from);
        let axes = axes.map(|to| [Axis::new(from[0], to[0]), Axis::new(from[1], to[1])]);
        let crop = crop.unwrap_or(whole);
        Self { channels, from, crop: [crop[0].min(whole[0]), crop[1].min(whole[1])], axes }
    }

    /// Height and width of what the network takes.
    #[must_use]
    pub fn size(&self) -> [usize; 2] {
        self.crop
    }

    /// Whether what the network takes is anything else than the camera's image.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.axes.is_some() || self.crop != self.from
    }

    /// Frames an image, channels last; both ends must be as large as they say.
    pub fn frame(&self, image: &[f32], framed: &mut [f32]) -> Result<()> {
        let numbers = |[height, width]: [usize; 2]| height * width * self.channels;
        if image.len() != numbers(self.from) || framed.len() != numbers(self.crop) {
            let [height, width] = self.from;
            let what = format!(
                "{} numbers, and {height}x{width} pixels of {} are taken",
                image.len(),
                self.channels
            );
            return Err(Error::Input { feature: "an image".to_owned(), what });
        }
        match &self.axes {
            None => self.cut(image, self.from, framed),
            Some([down, along]) => {
                let wide = resize::along(image, self.from[0], along, self.channels);
                let whole = resize::down(&wide, down, along.places(), self.channels);
                self.cut(&whole, [down.places(), along.places()], framed);
            }
        }
        Ok(())
    }

    /// The middle, where a half pixel goes to the even side, as Python rounds.
    fn cut(&self, image: &[f32], [height, width]: [usize; 2], framed: &mut [f32]) {
        let edge = |whole: usize, part: usize| {
            let over = whole - part;
            over / 2 + usize::from(over % 4 == 3)
        };
        let (top, left) = (edge(height, self.crop[0]), edge(width, self.crop[1]));
        let row = self.crop[1] * self.channels;
        for (y, framed) in framed.chunks_exact_mut(row).enumerate() {
            let from = ((top + y) * width + left) * self.channels;
            framed.copy_from_slice(&image[from..from + row]);
        }
    }
}

impl DiffusionConfig {
    /// How the network frames its images, which are all of one size.
    #[must_use]
    pub fn framing(&self) -> Framing {
        framing(&self.common, self.resize_shape, self.crop_shape)
    }
}

impl VqBetConfig {
    /// How the network frames its images.
    #[must_use]
    pub fn framing(&self) -> Framing {
        framing(&self.common, None, self.crop_shape)
    }
}

impl TdmpcConfig {
    /// How the network frames its image: not at all.
    #[must_use]
    pub fn framing(&self) -> Framing {
        framing(&self.common, None, None)
    }
}

fn framing(common: &Common, resize: Option<[usize; 2]>, crop: Option<[usize; 2]>) -> Framing {
    let image = common.images().next().and_then(|(_, feature)| feature.image());
    let [channels, height, width] = image.unwrap_or_default();
    Framing::new(channels, [height, width], resize, crop)
}
