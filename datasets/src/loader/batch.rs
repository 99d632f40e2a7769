//! Frames put together for a training step: each feature one block of numbers.

use crate::frame::Value;
use crate::image::{Image, PixelFormat};
use crate::reader::{Item, Series};
use crate::{Error, Result};

/// One feature of all frames of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Numbers as 32-bit floats, in shape `[frames, steps, width]`.
    Numbers {
        /// Every frame's after the other.
        values: Vec<f32>,
        /// Steps in time.
        steps: usize,
        /// Numbers per step.
        width: usize,
    },
    /// Colour images, a byte per channel, in shape `[frames, steps, 3, height, width]`.
    Images {
        /// Every image's red, green and blue planes.
        pixels: Vec<u8>,
        /// Steps in time.
        steps: usize,
        /// Pixels from top to bottom.
        height: usize,
        /// Pixels from left to right.
        width: usize,
    },
    /// Depth in millimetres, in shape `[frames, steps, height, width]`.
    Depths {
        /// Every image's pixels, 0 where there is no reading.
        millimetres: Vec<u16>,
        /// Steps in time.
        steps: usize,
        /// Pixels from top to bottom.
        height: usize,
        /// Pixels from left to right.
        width: usize,
    },
    /// A text per frame.
    Texts(Vec<String>),
}

/// Some frames, put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The numbers of the frames in the dataset.
    pub indices: Vec<u64>,
    /// What is done in each.
    pub tasks: Vec<String>,
    /// Every feature by name.
    pub features: Vec<(String, Block)>,
    /// Of features with neighbours: which lie outside the episode, in shape `[frames, steps]`.
    pub padded: Vec<(String, Vec<bool>)>,
}

impl Batch {
    /// The block of a feature.
    pub fn get(&self, name: &str) -> Option<&Block> {
        self.features.iter().find(|(known, _)| known == name).map(|(_, block)| block)
    }

    /// Puts items of one view together.
    pub fn of(items: &[Item]) -> Result<Self> {
        let Some(first) = items.first() else {
            return Err(Error::Refused { what: "a batch needs at least one frame".into() });
        };
        let mut features = Vec::new();
        for (at, (name, _)) in first.features.iter().enumerate() {
            let all = items.iter().map(|item| &item.features[at].1);
            let uneven = || Error::Feature {
                feature: name.clone(),
                what: "has not the same shape in every frame of a batch".into(),
            };
            let steps = first.padded.iter().find(|(known, _)| known == name);
            let steps = steps.map_or(1, |(_, outside)| outside.len().max(1));
            features
                .push((name.clone(), block(&all.collect::<Vec<_>>(), steps).ok_or_else(uneven)?));
        }
        let padded = first.padded.iter().enumerate().map(|(at, (name, _))| {
            let all = items.iter().flat_map(|item| item.padded[at].1.iter().copied());
            (name.clone(), all.collect())
        });
        Ok(Self {
            indices: items.iter().map(|item| item.index).collect(),
            tasks: items.iter().map(|item| item.task.clone()).collect(),
            padded: padded.collect(),
            features,
        })
    }
}

fn block(all: &[&Series], steps: usize) -> Option<Block> {
    match all.first()? {
        Series::Values(Value::Text(_)) => {
            let text = |series: &&Series| match series {
                Series::Values(Value::Text(text)) => Some(text.clone()),
                _ => None,
            };
            all.iter().map(text).collect::<Option<_>>().map(Block::Texts)
        }
        Series::Values(first) => {
            let mut values = Vec::with_capacity(first.len() * all.len());
            for series in all {
                match series {
                    Series::Values(Value::F32(some)) if some.len() == first.len() => {
                        values.extend(some)
                    }
                    Series::Values(some) if some.len() == first.len() => {
                        values.extend(some.numbers().iter().map(|number| *number as f32));
                    }
                    _ => return None,
                }
            }
            Some(Block::Numbers { values, steps, width: first.len() / steps })
        }
        Series::Images(first) => {
            let like = first.first()?;
            let mut images: Vec<&Image> = Vec::with_capacity(all.len() * first.len());
            for series in all {
                let Series::Images(some) = series else { return None };
                images.extend(some);
            }
            let is_depth = |image: &Image| image.format() == PixelFormat::Gray16;
            let form = |image: &Image| (image.height(), image.width(), is_depth(image));
            if images.iter().any(|image| form(image) != form(like)) {
                return None;
            }
            let (height, width) = (like.height() as usize, like.width() as usize);
            let (steps, count) = (first.len(), images.len() * height * width);
            if is_depth(like) {
                let mut millimetres = Vec::with_capacity(count);
                for image in images {
                    let pixels = image.pixels().as_chunks().0.iter();
                    millimetres.extend(pixels.map(|two| u16::from_le_bytes(*two)));
                }
                return Some(Block::Depths { millimetres, steps, height, width });
            }
            let mut pixels = Vec::with_capacity(count * 3);
            images.iter().for_each(|image| planes(image, &mut pixels));
            Some(Block::Images { pixels, steps, height, width })
        }
    }
}

/// Appends an image's red, then green, then blue plane.
fn planes(image: &Image, out: &mut Vec<u8>) {
    let rgb = image.to_rgb();
    (0..3).for_each(|channel| out.extend(rgb.pixels().iter().skip(channel).step_by(3)));
}
