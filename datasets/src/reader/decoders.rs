//! The videos that were looked at last, kept open so that a look nearby is cheap.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Result;
use crate::image::Image;
use crate::video::VideoReader;

/// How many videos stay open: enough for a few cameras in a few episodes at once.
const OPEN: usize = 12;

/// The videos that are open, the one looked at last behind the others.
#[derive(Default)]
pub struct Decoders {
    open: Mutex<VecDeque<(PathBuf, Arc<Mutex<VideoReader>>)>>,
}

impl Decoders {
    /// The frame of a video at this time.
    pub fn frame(&self, path: &Path, time_s: f64, tolerance_s: f64) -> Result<Image> {
        let video = self.video(path)?;
        // Two frames of one video wait for each other, frames of different videos do not.
        let mut video = video.lock().unwrap_or_else(PoisonError::into_inner);
        video.frame_at(time_s, tolerance_s)
    }

    fn video(&self, path: &Path) -> Result<Arc<Mutex<VideoReader>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.iter().position(|(known, _)| known == path);
        let entry = match known.and_then(|at| open.remove(at)) {
            Some(entry) => entry,
            None => (path.to_owned(), Arc::new(Mutex::new(VideoReader::open(path)?))),
        };
        let video = Arc::clone(&entry.1);
        open.push_back(entry);
        if open.len() > OPEN {
            open.pop_front();
        }
        Ok(video)
    }
}
