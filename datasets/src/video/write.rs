//! A video that grows on disk frame by frame.
//!
//! ```text
//! ftyp │ free: time scale and size │ free │ mdat: SPS, PPS, slice, slice, … │ moov (at the end)
//! ```
//!
//! Each unit in `mdat` has its length before it, so that a file cut anywhere can be walked and
//! finished by [`recover`](super::recover()). Until then the `mdat` box says that it goes on to
//! the end of the file; the empty box before it is the room for its size when that is large.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::color::rgb_to_i420;
use super::encode::Planes;
use super::encoder::Encoder;
#[cfg(feature = "ffmpeg")]
use super::ffmpeg::Coded as Picture;
use super::mp4::entry::SampleEntry;
use super::mp4::write::{boxed, ftyp, moov};
use super::mp4::{Sample, Track};
#[cfg(feature = "ffmpeg")]
use super::records::Records;
use super::{Codec, Coding, VideoInfo};
use crate::durable::File;
use crate::error::{Error, Result};
use crate::image::{Image, PixelFormat};

/// Ticks per frame: LeRobot's 15360 per second at 30 frames.
pub const TICKS: u32 = 512;

/// A file that has been written to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// How many frames it has.
    pub frames: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// What it says about itself.
    pub info: VideoInfo,
}

/// Writes one video.
pub struct VideoWriter {
    path: PathBuf,
    file: BufWriter<File>,
    encoder: Encoder,
    header: Header,
    entry: Option<SampleEntry>,
    samples: Vec<Sample>,
    /// Where the first unit or picture begins.
    body: u64,
    /// Where the next byte goes.
    at: u64,
    last: Last,
    sums: Vec<u32>,
    converted: Vec<u8>,
}

/// The picture that came last, for [`VideoWriter::repeat`].
enum Last {
    None,
    Converted,
    Shared(Bytes),
}

impl VideoWriter {
    /// Begins a video of this size and rate; a file that is there already is overwritten.
    pub fn create(path: &Path, width: u32, height: u32, fps: u32) -> Result<Self> {
        Self::create_with(path, width, height, fps, &Coding::default())
    }

    /// As [`VideoWriter::create`], encoded as asked for.
    pub fn create_with(
        path: &Path,
        width: u32,
        height: u32,
        fps: u32,
        coding: &Coding,
    ) -> Result<Self> {
        let header = Header::new(width, height, fps)?;
        let video = |what| Error::Video { what, path: path.to_owned() };
        let encoder = Encoder::new(coding, header).map_err(video)?;
        let file = File::create(path).map_err(Error::io("cannot create", path))?;
        let mut file = BufWriter::with_capacity(1 << 18, file);
        let bytes = encoder.start(header);
        file.write_all(&bytes)
            .and_then(|()| file.flush())
            .map_err(Error::io("cannot write", path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            encoder,
            header,
            entry: None,
            samples: Vec::new(),
            body: bytes.len() as u64,
            at: bytes.len() as u64,
            last: Last::None,
            sums: Vec::new(),
            converted: Vec::new(),
        })
    }

    /// Adds an image, of the video's size and with colour.
    pub fn push(&mut self, image: &Image) -> Result<()> {
        let (width, height) = (image.width(), image.height());
        if (width, height) != (self.header.width, self.header.height) {
            let what = format!(
                "an image of {width}x{height} does not fit into a video of {}x{}: {}",
                self.header.width,
                self.header.height,
                self.path.display()
            );
            return Err(Error::Refused { what });
        }
        self.last = match image.format() {
            PixelFormat::I420 => Last::Shared(image.pixels().clone()),
            PixelFormat::Rgb8 => {
                self.converted.resize(PixelFormat::I420.len(width, height), 0);
                rgb_to_i420(image.pixels(), width, height, &mut self.converted);
                Last::Converted
            }
            PixelFormat::Gray16 => {
                return Err(Error::Refused {
                    what: "depth images cannot be stored as video".into(),
                });
            }
        };
        self.encode()
    }

    /// Adds the last image again, which costs few bytes.
    pub fn repeat(&mut self) -> Result<()> {
        match self.last {
            Last::None => Err(Error::Refused { what: "there is no frame to repeat".into() }),
            _ => self.encode(),
        }
    }

    /// How many frames are written so far: all that were added, but for those an encoder still has.
    pub fn frames(&self) -> u64 {
        self.samples.len() as u64
    }

    /// The checksums of the frames written since this was asked last, of their bytes as they lie in
    /// the file, for [`recover_checked`](super::recover_checked).
    pub fn take_sums(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.sums)
    }

    /// Writes what the encoder still has. No frame can be added after that.
    pub fn drain(&mut self) -> Result<()> {
        match &mut self.encoder {
            Encoder::BuiltIn(_) => Ok(()),
            #[cfg(feature = "ffmpeg")]
            Encoder::System(system) => {
                let coded = system.0.end();
                let coded = coded.map_err(|what| Error::Video { what, path: self.path.clone() })?;
                coded.iter().try_for_each(|picture| self.record(picture))
            }
        }
    }

    /// Hands everything to the system, so that it outlives this process.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("cannot write", &self.path))
    }

    /// Ends the video and waits until it is on the disk.
    pub fn finish(mut self) -> Result<Written> {
        self.drain()?;
        self.flush()?;
        let (path, file, range) = (&self.path, self.file.get_mut(), (self.body, self.at));
        #[cfg(feature = "ffmpeg")]
        if let Encoder::System(system) = &self.encoder
            && !self.samples.is_empty()
        {
            let track = system.1.track(self.samples);
            let mut written = seal(file, path, range, &track, true)?;
            written.info = system.1.describe(written.info);
            return Ok(written);
        }
        let Some(entry) = self.entry else {
            return Err(Error::Refused {
                what: format!("there are no frames in {}", path.display()),
            });
        };
        let track = self.header.track(entry, self.samples);
        seal(file, path, range, &track, false)
    }

    fn encode(&mut self) -> Result<()> {
        let bytes = match &self.last {
            Last::Shared(bytes) => bytes,
            _ => self.converted.as_slice(),
        };
        let planes = Planes { width: self.header.width, height: self.header.height, bytes };
        let video = |what| Error::Video { what, path: self.path.clone() };
        let coded = match &mut self.encoder {
            Encoder::BuiltIn(encoder) => encoder.encode(planes).map_err(video)?,
            #[cfg(feature = "ffmpeg")]
            Encoder::System(system) => {
                let coded = system.0.send(planes).map_err(video)?;
                return coded.iter().try_for_each(|picture| self.record(picture));
            }
        };
        let mut sum = crc32fast::Hasher::new();
        let mut write = |unit: &[u8]| -> Result<Sample> {
            let size = u32::try_from(unit.len()).unwrap_or(u32::MAX);
            sum.update(&size.to_be_bytes());
            sum.update(unit);
            let written = self.file.write_all(&size.to_be_bytes());
            written
                .and_then(|()| self.file.write_all(unit))
                .map_err(Error::io("cannot write", &self.path))?;
            let sample = self.header.sample(self.samples.len(), self.at, size, coded.keyframe);
            self.at += u64::from(sample.size);
            Ok(sample)
        };
        if self.entry.is_none() {
            let entry = self.header.entry(&coded.sps, &coded.pps);
            self.entry = Some(entry.ok_or_else(|| video("the encoder gave no parameters".into()))?);
            write(&coded.sps)?;
            write(&coded.pps)?;
        }
        let sample = write(&coded.slice)?;
        self.samples.push(sample);
        self.sums.push(sum.finalize());
        Ok(())
    }

    /// Writes a picture with its length before it.
    #[cfg(feature = "ffmpeg")]
    fn record(&mut self, picture: &Picture) -> Result<()> {
        let size = u32::try_from(picture.bytes.len()).unwrap_or(u32::MAX);
        let length = Records::length(size, picture.keyframe);
        let mut sum = crc32fast::Hasher::new();
        for bytes in [&length[..], &picture.bytes] {
            sum.update(bytes);
            self.file.write_all(bytes).map_err(Error::io("cannot write", &self.path))?;
        }
        self.samples.push(Records::sample(self.samples.len(), self.at, length));
        self.at += 4 + u64::from(size);
        self.sums.push(sum.finalize());
        Ok(())
    }
}

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
        bytes.extend(boxed(b"free", &[]));
        bytes.extend(b"\0\0\0\0mdat");
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
