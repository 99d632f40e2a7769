//! The few MP4 boxes that a video of one track needs, read and written.
//!
//! Both directions are written here rather than taken from a crate. muxide 0.5 keeps every sample
//! in memory until the end, so a recording would grow without bound and a kill would lose all of
//! it. re_mp4 0.5 lists as many samples as a box claims, and does not keep the codec's
//! configuration byte for byte, which copying a stream needs.

pub mod boxes;
pub mod entry;
mod made;
pub mod read;
pub mod samples;
pub mod write;

use super::{Codec, VideoInfo};

/// One coded picture in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Where its bytes begin.
    pub offset: u64,
    /// How many bytes it has.
    pub size: u32,
    /// How long until the next is decoded.
    pub duration: u32,
    /// When it is shown, in the track's time scale.
    pub pts: i64,
    /// Whether decoding can begin here.
    pub keyframe: bool,
}

/// The video track of a file: everything but the coded pictures themselves.
#[derive(Clone, Debug)]
pub struct Track {
    /// The codec and its configuration.
    pub entry: entry::SampleEntry,
    /// Ticks per second.
    pub timescale: u32,
    /// The pictures in the order in which they are decoded.
    pub samples: Vec<Sample>,
    /// Whether the file has sound beside it.
    pub has_audio: bool,
}

impl Track {
    /// How long the track lasts, in its time scale.
    pub fn duration(&self) -> u64 {
        self.samples.iter().map(|sample| u64::from(sample.duration)).sum()
    }

    /// Ticks as seconds.
    pub fn seconds(&self, ticks: i64) -> f64 {
        ticks as f64 / f64::from(self.timescale)
    }

    /// What the track says about itself.
    pub fn info(&self) -> VideoInfo {
        let frames = self.samples.len() as u64;
        let duration_s = self.duration() as f64 / f64::from(self.timescale);
        VideoInfo {
            codec: self.entry.codec.clone(),
            pix_fmt: self.entry.pix_fmt(),
            width: u32::from(self.entry.width),
            height: u32::from(self.entry.height),
            fps: if duration_s > 0.0 { frames as f64 / duration_s } else { 0.0 },
            frames,
            duration_s,
            has_audio: self.has_audio,
            settings: serde_json::Map::new(),
        }
    }
}

/// Whether one decoder can go through both.
pub fn same_coding(a: &Track, b: &Track) -> bool {
    a.entry.codec == b.entry.codec
        && a.entry.width == b.entry.width
        && a.entry.height == b.entry.height
        && a.entry.config == b.entry.config
        && a.timescale == b.timescale
}

/// The four letters of a codec's sample entry.
pub fn codec_of(kind: [u8; 4]) -> Codec {
    match &kind {
        b"avc1" | b"avc3" => Codec::H264,
        b"av01" => Codec::Av1,
        b"hvc1" | b"hev1" => Codec::Hevc,
        b"vp09" => Codec::Other("vp9".into()),
        b"mp4v" => Codec::Other("mpeg4".into()),
        other => Codec::Other(String::from_utf8_lossy(other).into_owned()),
    }
}
