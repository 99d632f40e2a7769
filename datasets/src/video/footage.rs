//! What a finished video holds, looked at without decoding: which parts can be copied out of it, how
//! large they are, and what they can be joined with.

use std::path::{Path, PathBuf};

use super::VideoInfo;
use super::concat::{between, inside};
use super::mp4::read::track;
use super::mp4::{Track, same_coding};
use super::records::Records;
use super::recover;
use super::source::FileSource;
use crate::error::Result;

/// The tables of one video file.
#[derive(Clone, Debug)]
pub struct Footage {
    path: PathBuf,
    track: Track,
    /// What it says of how it was encoded here.
    made: Option<Records>,
}

/// A part that can be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How many frames it has.
    pub frames: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// Whether it is all that the file has.
    pub whole: bool,
}

impl Footage {
    /// Reads a file's tables.
    pub fn open(path: &Path) -> Result<Self> {
        let track = track(&mut FileSource::open(path)?, path)?;
        let made = recover::records(path)?;
        Ok(Self { path: path.to_owned(), track, made })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the video says about itself.
    pub fn info(&self) -> VideoInfo {
        match &self.made {
            Some(made) => made.describe(self.track.info()),
            None => self.track.info(),
        }
    }

    /// The part from one time up to another; the text says why it cannot be copied by itself.
    pub fn part(&self, from_s: f64, to_s: f64) -> Result<Extent, String> {
        let samples = between(&self.track, from_s, to_s)?;
        Ok(Extent {
            frames: samples.len() as u64,
            bytes: samples.iter().map(|sample| u64::from(sample.size)).sum(),
            whole: samples.len() == self.track.samples.len(),
        })
    }

    /// How many frames are shown from one time up to another, wherever they can be decoded from.
    pub fn frames(&self, from_s: f64, to_s: f64) -> u64 {
        let samples = self.track.samples.iter();
        samples.filter(|sample| inside(&self.track, sample, from_s, to_s)).count() as u64
    }

    /// Whether the two can be joined into one file.
    pub fn joins(&self, other: &Self) -> bool {
        same_coding(&self.track, &other.track)
    }
}
