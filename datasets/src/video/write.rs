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
use super::header::{Header, OPEN, seal};
use super::mp4::Sample;
use super::mp4::entry::SampleEntry;
#[cfg(feature = "ffmpeg")]
use super::records::Records;
use super::recover::{CutOff, Head, whole};
use super::{Coding, VideoInfo};
use crate::durable::File;
use crate::error::{Error, Result};
use crate::image::{Image, PixelFormat};

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
    /// Whether its images are steps of depth.
    depth: bool,
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
            depth: coding.scale().is_some(),
        })
    }

    /// Goes on with a video of this size and rate that was cut off, behind its whole frames: those up
    /// to the first that does not have its checksum, as in
    /// [`recover_checked`](super::recover_checked). What lies behind them is gone.
    pub fn resume(
        path: &Path,
        (width, height, fps): (u32, u32, u32),
        coding: &Coding,
        sums: &[u32],
    ) -> Result<Self> {
        let asked = Header::new(width, height, fps)?;
        let CutOff { mut file, head, samples, body, end } = match whole(path, sums)? {
            Some(found) if !found.samples.is_empty() => found,
            _ => return Self::create_with(path, width, height, fps, coding),
        };
        let video = |what| Error::Video { what, path: path.to_owned() };
        let encoder = Encoder::new(coding, asked).map_err(video)?;
        let (header, entry) = match head {
            Head::Units { header, entry } => (header, entry),
            Head::Pictures(records) => (records.header, Some(records.entry)),
        };
        if header != asked || entry != Some(encoder.entry(asked).map_err(video)?) {
            let what = "the video began with another encoder than this one; recover it with the \
                        build that recorded it";
            return Err(video(what.into()));
        }
        (|| {
            file.set_len(end)?;
            file.seek(SeekFrom::Start(body - OPEN.len() as u64))?;
            file.write_all(OPEN)?;
            file.seek(SeekFrom::Start(end)).map(|_at| ())
        })()
        .map_err(Error::io("cannot write", path))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 18, file),
            encoder,
            header,
            entry,
            samples,
            body,
            at: end,
            last: Last::None,
            sums: Vec::new(),
            converted: Vec::new(),
            depth: coding.scale().is_some(),
        })
    }

    /// Adds an image, of the video's size: with colour, or of the steps of depth where the coding has
    /// a scale.
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
            PixelFormat::Gray16 if self.depth => Last::Shared(image.pixels().clone()),
            PixelFormat::I420 if !self.depth => Last::Shared(image.pixels().clone()),
            PixelFormat::Rgb8 if !self.depth => {
                self.converted.resize(PixelFormat::I420.len(width, height), 0);
                rgb_to_i420(image.pixels(), width, height, &mut self.converted);
                Last::Converted
            }
            format => {
                let kept = if self.depth { "depth" } else { "colours" };
                let what = format!("a video of {kept} cannot take a {format:?} image");
                return Err(Error::Refused { what });
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
