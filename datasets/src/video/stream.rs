//! Coded pictures outside their file, as decoders take them one by one: for whoever shows a video
//! without coding it anew.

use std::path::{Path, PathBuf};

use super::Codec;
use super::concat::between;
use super::mp4::read::{bytes, track};
use super::mp4::{Sample, Track};
use super::nal::with_start_codes;
use super::obu;
use super::source::FileSource;
use crate::error::{Error, Result};

/// One coded picture that a decoder can take by itself, after those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// H.264's units with start codes, or AV1's units; with all that a decoder has to know first
    /// where it can begin.
    pub bytes: Vec<u8>,
    /// Whether decoding can begin here.
    pub keyframe: bool,
}

/// The coded pictures of a part of a video, in the order in which they are shown.
#[derive(Debug)]
pub struct Stream {
    path: PathBuf,
    source: FileSource,
    codec: Codec,
    setup: Setup,
    samples: std::vec::IntoIter<Sample>,
}

/// What MP4 keeps apart from the pictures.
#[derive(Debug)]
enum Setup {
    /// How many bytes the length before each unit has, and the parameter sets with start codes.
    H264(usize, Vec<u8>),
    /// The sequence header.
    Av1(Vec<u8>),
}

impl Stream {
    /// The pictures from one time up to another. Refused where they cannot be taken by themselves,
    /// or are not shown in the order in which they are decoded.
    pub fn open(path: &Path, from_s: f64, to_s: f64) -> Result<Self> {
        let mut source = FileSource::open(path)?;
        let track = track(&mut source, path)?;
        let refuse = |what: String| Error::Refused { what: format!("{what}: {}", path.display()) };
        let setup = Setup::of(&track).ok_or_else(|| {
            refuse(format!("{} video cannot be taken out of its file", track.entry.codec.name()))
        })?;
        let samples = between(&track, from_s, to_s).map_err(refuse)?.to_vec();
        if !samples.is_sorted_by_key(|sample| sample.pts) {
            return Err(refuse("pictures are not shown in the order of the file".into()));
        }
        let (path, codec) = (path.to_owned(), track.entry.codec);
        Ok(Self { path, source, codec, setup, samples: samples.into_iter() })
    }

    /// How the pictures are coded: H.264 or AV1.
    pub fn codec(&self) -> &Codec {
        &self.codec
    }

    fn read(&mut self, sample: Sample) -> Result<Coded> {
        let end = sample.offset.saturating_add(u64::from(sample.size));
        let raw = bytes(&mut self.source, &self.path, sample.offset, end)?;
        let coded = self.setup.complete(&raw, sample.keyframe);
        let wrong = || Error::malformed(&self.path, "mdat", "a picture does not make sense");
        Ok(Coded { bytes: coded.ok_or_else(wrong)?, keyframe: sample.keyframe })
    }
}

impl Iterator for Stream {
    type Item = Result<Coded>;

    fn next(&mut self) -> Option<Result<Coded>> {
        let sample = self.samples.next()?;
        Some(self.read(sample))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.samples.size_hint()
    }
}

impl ExactSizeIterator for Stream {}

impl Setup {
    fn of(track: &Track) -> Option<Self> {
        match track.entry.codec {
            Codec::H264 => {
                let (length_bytes, sets) = track.entry.h264_setup()?;
                Some(Self::H264(length_bytes, sets))
            }
            Codec::Av1 => Some(Self::Av1(obu::sequence_header(&track.entry.config)?.to_vec())),
            Codec::Hevc | Codec::Other(_) => None,
        }
    }

    /// A picture with what it lacks.
    fn complete(&self, raw: &[u8], keyframe: bool) -> Option<Vec<u8>> {
        let mut coded = Vec::with_capacity(raw.len() + 64);
        match self {
            Self::H264(length_bytes, sets) => {
                if keyframe {
                    coded.extend(sets);
                }
                with_start_codes(raw, *length_bytes, &mut coded)?;
            }
            Self::Av1(header) => {
                if keyframe && obu::sequence_header(raw).is_none() {
                    coded.extend(header);
                }
                coded.extend(raw);
            }
        }
        Some(coded)
    }
}
