//! What lies around the pictures of a video while it grows: what is known before the first one, and how
//! it is closed behind the last.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use super::mp4::entry::SampleEntry;
use super::mp4::write::{boxed, ftyp, moov};
use super::mp4::{Sample, Track};
use super::write::Written;
use super::{Codec, VideoInfo};
use crate::durable::File;
use crate::error::{Error, Result};

/// Ticks per frame: LeRobot's 15360 per second at 30 frames.
pub const TICKS: u32 = 512;

/// The last two boxes' heads before the first picture while the video grows: `mdat` goes on to the end
/// of the file, and the empty box before it is the room for its size when that is large.
pub const OPEN: &[u8; 16] = b"\0\0\0\x08free\0\0\0\0mdat";

/// What is known of a video before its first frame, kept in a box that players skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
}

impl Header {
    /// How many bytes come before the first unit.
    pub const LEN: usize = 32 + 28 + 16;
    const MARK: &[u8; 8] = b"sinew  1";

    /// Refuses what H.264 as written here cannot hold.
    pub fn new(width: u32, height: u32, fps: u32) -> Result<Self> {
        let (long, short) = (width.max(height), width.min(height));
        let even = width.is_multiple_of(2) && height.is_multiple_of(2);
        if !even || !(16..=2160).contains(&short) || long > 3840 {
            let what = format!(
                "{width}x{height} cannot be stored as video: both sides must be even, from 16x16 to 3840x2160"
            );
            return Err(Error::Refused { what });
        }
        if !(1..=1000).contains(&fps) {
            return Err(Error::Refused {
                what: format!("{fps} frames per second are not from 1 to 1000"),
            });
        }
        Ok(Self { width, height, fps })
    }

    /// Everything before the first unit.
    pub fn bytes(&self) -> Vec<u8> {
        let [width, height, fps] = [self.width, self.height, self.fps].map(u32::to_be_bytes);
        let mut bytes = ftyp(false);
        bytes.extend(boxed(b"free", &[Self::MARK, &fps, &width, &height]));
        bytes.extend(OPEN);
        bytes
    }

    /// Reads it back.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let note = bytes.get(40..60)?;
        let (mark, numbers) = note.split_at_checked(8)?;
        let number = |at: usize| numbers.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let header = Self::new(number(4)?, number(8)?, number(0)?).ok()?;
        let known = mark == Self::MARK && header.bytes().get(..60) == bytes.get(..60);
        known.then_some(header)
    }

    /// The sample of the unit at this offset.
    pub fn sample(&self, index: usize, at: u64, size: u32, keyframe: bool) -> Sample {
        let pts = index as i64 * i64::from(TICKS);
        Sample { offset: at, size: size.saturating_add(4), duration: TICKS, pts, keyframe }
    }

    /// The sample entry with these parameter sets.
    pub fn entry(&self, sps: &[u8], pps: &[u8]) -> Option<SampleEntry> {
        SampleEntry::h264(self.width as u16, self.height as u16, sps, pps)
    }

    /// What a video says about itself that has no frames.
    pub fn no_frames(&self) -> VideoInfo {
        VideoInfo {
            codec: Codec::H264,
            pix_fmt: "yuv420p".into(),
            width: self.width,
            height: self.height,
            fps: f64::from(self.fps),
            frames: 0,
            duration_s: 0.0,
            has_audio: false,
            settings: serde_json::Map::new(),
        }
    }

    /// The track of these samples.
    pub fn track(&self, entry: SampleEntry, samples: Vec<Sample>) -> Track {
        Track { entry, timescale: self.fps * TICKS, samples, has_audio: false }
    }
}

/// Where the units end at the latest, as far as the last two boxes' heads before them say: a finished
/// `mdat` has its size, small or large.
pub fn end_of(heads: &[u8], body: u64) -> Option<u64> {
    let number = |at: usize, count: usize| {
        let digits = heads.get(at..at + count)?.iter();
        Some(digits.fold(0_u64, |all, byte| all << 8 | u64::from(*byte)))
    };
    if heads.get(4..8)? == b"mdat" {
        return (body - 16).checked_add(number(8, 8)?);
    }
    match number(8, 4)? {
        0 => None,
        size => (body - 8).checked_add(size),
    }
}

/// Writes the `moov` box where the pictures end, and only then says in `mdat` where that is: a kill
/// in between leaves a file that can still be recovered. A power cut may keep the second without the
/// first; a file that was not waited for is therefore recovered by its checksums.
///
/// The pictures lie within the range, all together or with something between them.
pub fn seal(
    file: &mut File,
    path: &Path,
    (body, end): (u64, u64),
    track: &Track,
    apart: bool,
) -> Result<Written> {
    let first = track.samples.first().map_or(end, |sample| sample.offset);
    let moov = moov(track, if apart { None } else { Some(first) });
    let mut sized = Vec::with_capacity(16);
    match u32::try_from(end - (body - 8)) {
        Ok(size) => {
            sized.extend(boxed(b"free", &[]));
            sized.extend(size.to_be_bytes());
            sized.extend(b"mdat");
        }
        Err(_) => {
            sized.extend(b"\0\0\0\x01mdat");
            sized.extend((end - (body - 16)).to_be_bytes());
        }
    }
    (|| {
        file.seek(SeekFrom::Start(end))?;
        file.write_all(&moov)?;
        file.set_len(end + moov.len() as u64)?;
        file.seek(SeekFrom::Start(body - 16))?;
        file.write_all(&sized)?;
        file.sync()
    })()
    .map_err(Error::io("cannot write", path))?;
    let frames = track.samples.len() as u64;
    Ok(Written { frames, bytes: end + moov.len() as u64, info: track.info() })
}
