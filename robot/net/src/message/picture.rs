//! What goes beside a camera's picture, which is a JPEG file.

use serde::{Deserialize, Serialize};
use sinew_drivers::camera::Moment;

use super::describe::MOST_PIXELS;
use super::{Message, Refusal, text};

/// Which picture it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureHead {
    /// The version.
    pub v: u64,
    /// Its number, counted from 1.
    pub n: u64,
    /// When it was taken, on the host's clock, in nanoseconds.
    pub at: i64,
    /// Which moment of its making that is.
    pub moment: String,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl PictureHead {
    /// The most bytes of a picture itself.
    pub const MOST_JPEG: usize = 8 << 20;
}

impl Message for PictureHead {
    const MOST: usize = 512;

    fn check(&self) -> Result<(), Refusal> {
        text("words", &self.moment)?;
        let fits = |size: u32| (1..=MOST_PIXELS).contains(&size);
        match fits(self.width) && fits(self.height) {
            true => Ok(()),
            false => Err(Refusal::malformed("a picture of a size that cannot be")),
        }
    }
}

/// The moment of a word; what is unknown was only seen to arrive.
pub fn moment(word: &str) -> Moment {
    let known = [Moment::Exposure, Moment::End, Moment::Arrival, Moment::Doubted];
    known.into_iter().find(|moment| moment.name() == word).unwrap_or(Moment::Arrival)
}
