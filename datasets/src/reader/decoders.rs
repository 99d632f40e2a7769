//! The videos that were looked at last, kept open so that a look nearby is cheap.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::image::Image;
use crate::source::Source;
use crate::video::VideoReader;

/// How many videos stay open: enough for a few cameras in a few episodes at once.
const OPEN: usize = 12;

/// The videos that nobody looks at just now, the one looked at last behind the others. Whoever looks
/// at one takes it out, so that threads wait neither for each other's decoding nor for a server.
#[derive(Default)]
pub struct Decoders {
    idle: Mutex<VecDeque<VideoReader>>,
}

impl Decoders {
    /// The frame of a video at this time.
    pub fn frame(
        &self,
        source: &Source,
        path: &Path,
        time_s: f64,
        tolerance_s: f64,
    ) -> Result<Image> {
        let known = {
            let mut idle = self.idle();
            let at = idle.iter().rposition(|video| video.path() == path);
            at.and_then(|at| idle.remove(at))
        };
        let mut video = match known {
            Some(video) => video,
            None => source.video(path)?,
        };
        let frame = video.frame_at(time_s, tolerance_s);
        let mut idle = self.idle();
        idle.push_back(video);
        if idle.len() > OPEN {
            idle.pop_front();
        }
        frame
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<VideoReader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
