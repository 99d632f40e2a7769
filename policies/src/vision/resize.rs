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
