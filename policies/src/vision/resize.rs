//! Resizing as torchvision does it to tensors: triangles as wide as a new pixel, in 32 bits, along
//! the rows first.

/// One direction: from which pixels a new one is made, and with what weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    places: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq)]
struct Place {
    first: usize,
    weights: Vec<f32>,
}

impl Axis {
    /// From so many pixels to so many.
    pub(super) fn new(from: usize, to: usize) -> Self {
        let scale = from as f32 / to as f32;
        // Where an image grows the triangle is as wide as an old pixel.
        let reach = scale.max(1.0);
        let place = |at: usize| {
            let centre = scale * (at as f32 + 0.5);
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(from);
            let weigh =
                |pixel: usize| (1.0 - ((pixel as f32 - centre + 0.5) / reach).abs()).max(0.0);
            let mut weights: Vec<f32> = (first..end).map(weigh).collect();
            let all: f32 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= all);
            Place { first, weights }
        };
        Self { places: (0..to).map(place).collect() }
    }

    /// How many pixels it makes.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }
}

/// Every row of an image made longer or shorter.
pub(super) fn along(image: &[f32], rows: usize, axis: &Axis, channels: usize) -> Vec<f32> {
    let width = image.len() / rows;
    let mut made = vec![0.0; rows * axis.places() * channels];
    for (from, to) in image.chunks_exact(width).zip(made.chunks_exact_mut(axis.places() * channels))
    {
        for (place, to) in axis.places.iter().zip(to.chunks_exact_mut(channels)) {
            let pixels = from[place.first * channels..].chunks_exact(channels);
            for (pixel, weight) in pixels.zip(&place.weights) {
                to.iter_mut().zip(pixel).for_each(|(to, from)| *to += from * weight);
            }
        }
    }
    made
}

/// Every column of an image, of so many pixels a row, made longer or shorter.
pub(super) fn down(image: &[f32], axis: &Axis, width: usize, channels: usize) -> Vec<f32> {
    let row = width * channels;
    let mut made = vec![0.0; axis.places() * row];
    for (place, to) in axis.places.iter().zip(made.chunks_exact_mut(row)) {
        for (from, weight) in image[place.first * row..].chunks_exact(row).zip(&place.weights) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from * weight);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Axis, along, down};

    proptest! {
        #[test]
        fn an_even_image_stays_even(from in 1_usize..70, to in 1_usize..70, value in -3.0_f32..3.0) {
            let axis = Axis::new(from, to);
            let image = vec![value; from * 2 * 3];
            for made in [along(&image, 2, &axis, 3), down(&image, &axis, 2, 3)] {
                prop_assert_eq!(made.len(), to * 2 * 3);
                for pixel in made {
                    prop_assert!((pixel - value).abs() < 1e-5);
                }
            }
        }

        #[test]
        fn as_many_pixels_are_the_same_pixels(image in proptest::collection::vec(-1.0_f32..1.0, 1..50)) {
            let axis = Axis::new(image.len(), image.len());
            prop_assert_eq!(&along(&image, 1, &axis, 1), &image);
            prop_assert_eq!(&down(&image, &axis, 1, 1), &image);
        }
    }
}
