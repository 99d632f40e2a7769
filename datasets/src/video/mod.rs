//! Camera video in MP4 files: written frame by frame, cut, joined, and read back by time.
//!
//! ```text
//! Image ─ color ─ encode ─ write ─▶ one growing file per episode ─ concat ─▶ a dataset's file
//!                                        └─ recover (after a kill)              │
//! Image ◀─ decode ◀─ read (moov first, then only the samples needed) ◀──────────┘
//! ```
//!
//! What is written is H.264 with a keyframe every second frame, unless a [`Coding`] says otherwise. What is read is H.264 and AV1, 8
//! bits, 4:2:0, to the last bit as PyAV reads it; the colours are taken for BT.601, limited range.
//! With the feature `ffmpeg`, the system's FFmpeg reads everything else, and depth is written and read in
//! the steps of a [`depth::Scale`].

mod coding;
mod color;
mod concat;
mod decode;
mod encode;
mod encoder;
#[cfg(feature = "ffmpeg")]
mod ffmpeg;
mod footage;
mod header;
mod mp4;
mod nal;
mod obu;
mod read;
mod records;
mod recover;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod write;

use serde_json::{Map, Value};

use crate::depth;
use crate::schema::Feature;

pub use coding::Coding;
pub use color::{i420_to_rgb, rgb_to_i420};
pub use concat::{concat, cut};
pub use footage::{Extent, Footage};
pub use read::VideoReader;
pub use recover::{recover, recover_checked, salvage, whole_frames};
pub use source::ReadAt;
pub use stream::{Coded, Stream};
pub use write::{VideoWriter, Written};

/// How the pictures of a video are coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264, also called AVC.
    H264,
    /// AV1, LeRobot's default.
    Av1,
    /// H.265, also called HEVC.
    Hevc,
    /// Anything else, by its name or its four letters in the file.
    Other(String),
}

impl Codec {
    /// The name that LeRobot's info gives it.
    pub fn name(&self) -> &str {
        match self {
            Self::H264 => "h264",
            Self::Av1 => "av1",
            Self::Hevc => "hevc",
            Self::Other(name) => name,
        }
    }
}

/// What a video says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoInfo {
    /// How its pictures are coded.
    pub codec: Codec,
    /// FFmpeg's name for how its pixels lie, `yuv420p` for everything written here.
    pub pix_fmt: String,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Frames per second, on average.
    pub fps: f64,
    /// How many frames there are.
    pub frames: u64,
    /// How long it lasts, the last frame included.
    pub duration_s: f64,
    /// Whether there is sound beside it.
    pub has_audio: bool,
    /// What info.json says of how it was encoded, where that is known.
    pub settings: Map<String, Value>,
}

impl VideoInfo {
    /// What info.json says of videos that were encoded here, in LeRobot's words and as true.
    pub fn to_json(&self) -> Map<String, Value> {
        let depth = self.pix_fmt == depth::PIX_FMT;
        let entries = [
            ("video.height", Value::from(self.height)),
            ("video.width", Value::from(self.width)),
            ("video.codec", Value::from(self.codec.name())),
            ("video.pix_fmt", Value::from(self.pix_fmt.clone())),
            ("video.fps", Value::from(self.fps.round() as u64)),
            ("video.channels", Value::from(if depth { 1 } else { 3 })),
            ("has_audio", Value::from(self.has_audio)),
            ("is_depth_map", Value::from(depth)),
        ];
        let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
        let settings = match self.settings.is_empty() {
            true if depth => Map::new(),
            true => Coding::default().to_json(),
            false => self.settings.clone(),
        };
        entries.chain(settings).collect()
    }

    /// The same of a camera, with what only info.json knows of its depth.
    pub fn describe(&self, camera: &Feature) -> Map<String, Value> {
        let mut said = self.to_json();
        if let (true, Some(Value::Object(known))) = (camera.is_depth(), camera.extra.get("info")) {
            let scale = depth::Scale::default().to_json();
            let of_depth =
                |key: &str| matches!(key, "is_depth_map" | "depth_unit") || scale.contains_key(key);
            let kept = known.iter().filter(|(key, _)| of_depth(key));
            said.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
        }
        said
    }
}
