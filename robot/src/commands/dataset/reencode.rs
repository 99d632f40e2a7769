//! `sinew dataset reencode`

use clap::Args;
use sinew_datasets::edit;
use sinew_datasets::video::Coding;

use super::edit::Edit;
use super::lists::Names;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Encode videos anew, by default as H.264, which decodes quickly and everywhere
///
/// Example: sinew dataset reencode me/pick --out me/pick_h264
#[derive(Debug, Args)]
pub struct Reencode {
    #[command(flatten)]
    edit: Edit,
    /// Only these cameras, as a,b or "['a', 'b']"
    #[arg(long, value_name = "NAMES")]
    camera: Option<Names>,
    /// The encoder: openh264, which is built in; auto, the first in hardware that works here; and
    /// with the feature ffmpeg h264, hevc, libsvtav1, libaom-av1, h264_nvenc and others
    #[arg(
        long,
        value_name = "NAME",
        default_value = "openh264",
        alias = "operation.rgb_encoder.vcodec"
    )]
    vcodec: String,
    /// How coarse pictures may be, 0 is finest (FFmpeg's encoders: 30)
    #[arg(long, value_name = "N", alias = "operation.rgb_encoder.crf")]
    crf: Option<u32>,
    /// Frames from one keyframe to the next (FFmpeg's encoders: 2)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), alias = "operation.rgb_encoder.g")]
    g: Option<u32>,
    /// Time for quality, in the encoder's words (libsvtav1: 12)
    #[arg(long, value_name = "NAME", alias = "operation.rgb_encoder.preset")]
    preset: Option<String>,
}

impl Reencode {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let mut coding = Coding::named(&self.vcodec)?;
        coding.set(self.crf, self.g, self.preset)?;
        let cameras = self.camera.map(|names| names.0).unwrap_or_default();
        self.edit.run(report, |from, to, watch| edit::reencode(from, &cameras, &coding, to, watch))
    }
}
