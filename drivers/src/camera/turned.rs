//! A camera that is mounted on its side or upside down: its pictures are turned.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Layout, Picture, Source, Taken};
use crate::Error;

/// By how much pictures are turned, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// As they are.
    #[default]
    None,
    /// What was on the left is at the top.
    Quarter,
    /// Upside down.
    Half,
    /// What was on the right is at the top.
    ThreeQuarters,
}

impl Turn {
    /// The size of a picture before it is turned to this size.
    pub fn before(self, (width, height): (u32, u32)) -> (u32, u32) {
        match self {
            Self::None | Self::Half => (width, height),
            Self::Quarter | Self::ThreeQuarters => (height, width),
        }
    }

    /// A picture of red, green and blue, turned.
    fn turn(self, picture: &Picture) -> Picture {
        let (wide, high) = (picture.width as usize, picture.height as usize);
        let (width, height) = self.before((picture.width, picture.height));
        let mut pixels = Vec::with_capacity(picture.pixels.len());
        for y in 0..height as usize {
            for x in 0..width as usize {
                let (column, row) = match self {
                    Self::None => (x, y),
                    Self::Quarter => (y, high - 1 - x),
                    Self::Half => (wide - 1 - x, high - 1 - y),
                    Self::ThreeQuarters => (wide - 1 - y, x),
                };
                let at = 3 * (row * wide + column);
                pixels.extend_from_slice(picture.pixels.get(at..at + 3).unwrap_or(&[0; 3]));
            }
        }
        Picture { width, height, layout: Layout::Rgb8, pixels: pixels.into() }
    }
}

/// A source whose pictures are turned.
pub struct Turned {
    source: Box<dyn Source>,
    turn: Turn,
    name: String,
}

impl Turned {
    /// Turns the pictures of a source.
    pub fn new(name: &str, source: Box<dyn Source>, turn: Turn) -> Self {
        Self { source, turn, name: name.to_owned() }
    }
}

impl Source for Turned {
    fn shoot(&mut self) -> Result<Taken, Error> {
        let taken = self.source.shoot()?;
        if taken.picture.layout != Layout::Rgb8 {
            let what = "its pictures cannot be turned: they are no red, green and blue".to_owned();
            return Err(Error::Camera { camera: self.name.clone(), what });
        }
        Ok(Taken { picture: self.turn.turn(&taken.picture), ..taken })
    }

    fn heed(&mut self, over: &Arc<AtomicBool>) {
        self.source.heed(over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_corner_comes_to_lie_where_it_belongs() {
        // 1 2 3
        // 4 5 6
        let pixels: Vec<u8> = (1..=6).flat_map(|number| [number; 3]).collect();
        let layout = Layout::Rgb8;
        let picture = Picture { width: 3, height: 2, layout, pixels: pixels.into() };
        for (turn, size, expected) in [
            (Turn::None, (3, 2), [1, 2, 3, 4, 5, 6]),
            (Turn::Quarter, (2, 3), [4, 1, 5, 2, 6, 3]),
            (Turn::Half, (3, 2), [6, 5, 4, 3, 2, 1]),
            (Turn::ThreeQuarters, (2, 3), [3, 6, 2, 5, 1, 4]),
        ] {
            let turned = turn.turn(&picture);
            let shown: Vec<u8> = turned.pixels.iter().step_by(3).copied().collect();
            assert_eq!(((turned.width, turned.height), &shown[..]), (size, &expected[..]));
            assert_eq!(turn.before(size), (3, 2));
        }
    }
}
