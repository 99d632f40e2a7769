//! What a camera gives: pixels, and the instant they stand for.

use bytes::Bytes;

use crate::Nanos;

/// How the pixels of a picture lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Red, green, blue, a byte each, row by row.
    Rgb8,
    /// A plane of brightness, then two of colour at half width and height (rounded up).
    I420,
}

impl Layout {
    /// How many bytes a picture of this size takes.
    pub fn len(self, width: u32, height: u32) -> usize {
        let (width, height) = (width as usize, height as usize);
        match self {
            Self::Rgb8 => width * height * 3,
            Self::I420 => width * height + 2 * width.div_ceil(2) * height.div_ceil(2),
        }
    }
}

/// What a camera saw.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// How they lie in memory.
    pub layout: Layout,
    /// The pixels, shared and never copied.
    pub pixels: Bytes,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{} {:?})", self.width, self.height, self.layout)
    }
}

/// Which moment the instant of a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The light began to be gathered, as the driver stamped it; or the picture was made here then.
    Exposure,
    /// The last of it reached the driver, as the driver stamped it: exposure and reading out lie
    /// before.
    End,
    /// It was taken from the driver or the network: nobody says when it was made.
    Arrival,
    /// The same, because the instant that the driver gave cannot be.
    Doubted,
}

impl Moment {
    /// The word for it in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exposure => "exposure",
            Self::End => "end",
            Self::Arrival => "arrival",
            Self::Doubted => "doubted",
        }
    }
}

/// A picture as a source gives it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// When it was taken, on the clock of the source.
    pub at: Nanos,
    /// Which moment of its making that is.
    pub moment: Moment,
    /// What was seen.
    pub picture: Picture,
}

/// One picture of a running camera, and when it was taken.
#[derive(Clone, Debug)]
pub struct Shot {
    /// Which one it is, counted from 1 since the camera was started.
    pub number: u64,
    /// When it was taken, on the clock of the camera's owner.
    pub at: Nanos,
    /// Which moment of its making that is.
    pub moment: Moment,
    /// What was seen.
    pub picture: Picture,
}
