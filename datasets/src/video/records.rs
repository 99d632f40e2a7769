//! How a video that FFmpeg encodes lies on the disk while it grows.
//!
//! ```text
//! ftyp │ free: time scale, size │ free: what info.json says, sample entry │ free │ mdat: length,
//! picture, length, picture, … │ moov (at the end)
//! ```
//!
//! The length before each picture is no part of it: AV1 has none, and what players read stays as the
//! encoder made it. Its highest bit marks a keyframe.

use std::io::Read;

use serde_json::{Map, Value};

use super::header::{Header, OPEN, TICKS};
use super::mp4::boxes::{Fields, boxes};
use super::mp4::entry::SampleEntry;
use super::mp4::write::{boxed, ftyp};
use super::mp4::{Sample, Track};
use super::{Codec, VideoInfo};

const MARK: &[u8; 8] = b"sinew  2";

/// The bit of a length that marks a keyframe.
const KEYFRAME: u32 = 1 << 31;

/// The second note has some hundred bytes.
const LONGEST_NOTE: u32 = 1 << 16;

/// What is known of such a video before its first picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// Size and rate.
    pub header: Header,
    /// The codec and its configuration.
    pub entry: SampleEntry,
    /// What info.json says of how it was encoded.
    pub settings: Map<String, Value>,
}

impl Records {
    /// Everything before the first picture.
    pub fn bytes(&self) -> Vec<u8> {
        let Header { width, height, fps } = self.header;
        let [width, height, fps] = [width, height, fps].map(u32::to_be_bytes);
        let said = Value::Object(self.settings.clone()).to_string();
        let length = u32::try_from(said.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = ftyp(self.entry.codec == Codec::Av1);
        bytes.extend(boxed(b"free", &[MARK, &fps, &width, &height]));
        bytes.extend(boxed(b"free", &[&length, said.as_bytes(), &self.entry.bytes]));
        bytes.extend(OPEN);
        bytes
    }

    /// Reads it back from the beginning of a file; none when it is no such file. Gives the bytes of
    /// the last two boxes' heads, too, which tell where the pictures end.
    pub fn read(file: &mut impl Read) -> Option<(Self, [u8; 16])> {
        let mut start = [0; 68];
        file.read_exact(&mut start).ok()?;
        let mut fields = Fields::new(start.get(40..)?);
        (&fields.array()? == MARK).then_some(())?;
        let (fps, width, height) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let header = Header::new(width, height, fps).ok()?;
        let size = fields.u32()?.checked_sub(8).filter(|size| *size <= LONGEST_NOTE)?;
        let mut note = vec![0; size as usize];
        file.read_exact(&mut note).ok()?;
        let mut fields = Fields::new(&note);
        let length = fields.u32()? as usize;
        let settings = serde_json::from_slice(fields.take(length)?).ok()?;
        boxes(fields.rest()).next()?;
        let entry = SampleEntry::read(&[&[0; 8], fields.rest()].concat())?;
        let mut heads = [0; 16];
        file.read_exact(&mut heads).ok()?;
        Some((Self { header, entry, settings }, heads))
    }

    /// The length before a picture.
    #[cfg(feature = "ffmpeg")]
    pub fn length(size: u32, keyframe: bool) -> [u8; 4] {
        (size | if keyframe { KEYFRAME } else { 0 }).to_be_bytes()
    }

    /// The sample whose length stands at this offset.
    pub fn sample(index: usize, at: u64, length: [u8; 4]) -> Sample {
        let length = u32::from_be_bytes(length);
        Sample {
            offset: at + 4,
            size: length & !KEYFRAME,
            duration: TICKS,
            pts: index as i64 * i64::from(TICKS),
            keyframe: length & KEYFRAME != 0,
        }
    }

    /// The track of these samples.
    pub fn track(&self, samples: Vec<Sample>) -> Track {
        self.header.track(self.entry.clone(), samples)
    }

    /// What a video says about itself that is encoded so.
    pub fn describe(&self, info: VideoInfo) -> VideoInfo {
        VideoInfo { fps: f64::from(self.header.fps), settings: self.settings.clone(), ..info }
    }
}
