//! The H.264 encoder: one picture in, one slice out, nothing held back.

use openh264::OpenH264API;
use openh264::encoder::{
    Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, QpRange, RateControlMode,
    UsageType, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264_sys2::{ENCODER_OPTION_TRACE_LEVEL, WELS_LOG_QUIET};

use super::nal::{Nal, without_start_code};

/// How coarse the pictures are: as close to what LeRobot stores as this scale allows.
///
/// A moving textured scene of 640x480 (brightness only; SVT-AV1 as LeRobot runs it):
///
/// | | bytes per frame | PSNR | SSIM |
/// |-|-|-|-|
/// | SVT-AV1, crf 30, preset 12 | 16 932 | 40.4 dB | 0.925 |
/// | 21 | 22 545 | 40.7 dB | 0.930 |
/// | 22 | 18 948 | 40.1 dB | 0.920 |
/// | 23 | 13 170 | 39.1 dB | 0.895 |
const QP: u8 = 22;

/// A keyframe every second frame, as LeRobot has it: any frame is at most one other away.
const KEYFRAME_EVERY: u32 = 2;

/// A picture's planes as the encoder takes them: I420, or one of 16 bits where steps of depth are
/// coded; no gaps, even sides.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// All planes, one after the other.
    pub bytes: &'a [u8],
}

impl Planes<'_> {
    fn luma(&self) -> usize {
        self.width as usize * self.height as usize
    }
}

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.width as usize, self.height as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let width = self.width as usize;
        (width, width / 2, width / 2)
    }

    fn y(&self) -> &[u8] {
        &self.bytes[..self.luma()]
    }

    fn u(&self) -> &[u8] {
        &self.bytes[self.luma()..self.luma() / 4 * 5]
    }

    fn v(&self) -> &[u8] {
        &self.bytes[self.luma() / 4 * 5..]
    }
}

/// One coded picture.
#[derive(Clone, Debug, Default)]
pub struct Coded {
    /// The parameter sets that came with it, without start codes.
    pub sps: Vec<u8>,
    /// As above.
    pub pps: Vec<u8>,
    /// The slice, without start code.
    pub slice: Vec<u8>,
    /// Whether decoding can begin here.
    pub keyframe: bool,
}

/// Keeps the encoder from printing that it cannot hold a bit rate, which nobody asks of it.
///
/// The wrapper does so, too, but only after the encoder has begun and has printed it.
fn hush(encoder: &mut Encoder) {
    let mut level = WELS_LOG_QUIET;
    // SAFETY: the option may be set before the encoder begins, and is a C int that is copied. What
    // comes back says only that it is known.
    unsafe {
        encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast());
    }
}

/// An encoder for pictures of one size.
pub struct H264Encoder {
    encoder: Encoder,
    coded: Coded,
}

impl H264Encoder {
    /// An encoder for this many pictures per second.
    pub fn new(fps: u32) -> Result<Self, openh264::Error> {
        // Rate control with one value to choose from is the constant quality that is wanted: with
        // rate control off, the encoder ignores the range and takes 26.
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .max_frame_rate(FrameRate::from_hz(fps as f32))
            .rate_control_mode(RateControlMode::Quality)
            .qp(QpRange::new(QP, QP))
            .intra_frame_period(IntraFramePeriod::from_num_frames(KEYFRAME_EVERY))
            .complexity(Complexity::Low)
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .num_threads(1)
            .vui(VuiConfig::bt601());
        let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config)?;
        hush(&mut encoder);
        Ok(Self { encoder, coded: Coded::default() })
    }

    /// Encodes one picture, which must be as large as those before it.
    pub fn encode(&mut self, planes: Planes<'_>) -> Result<&Coded, String> {
        let stream = self.encoder.encode(&planes).map_err(|error| error.to_string())?;
        let coded = &mut self.coded;
        coded.slice.clear();
        for layer in (0..stream.num_layers()).filter_map(|index| stream.layer(index)) {
            for unit in (0..layer.nal_count()).filter_map(|index| layer.nal_unit(index)) {
                let unit = without_start_code(unit);
                match unit.first().copied().and_then(Nal::of) {
                    Some(Nal::Sps) => unit.clone_into(&mut coded.sps),
                    Some(Nal::Pps) => unit.clone_into(&mut coded.pps),
                    Some(kind @ (Nal::Picture | Nal::Keyframe)) if coded.slice.is_empty() => {
                        coded.keyframe = kind == Nal::Keyframe;
                        unit.clone_into(&mut coded.slice);
                    }
                    Some(Nal::Remark) => {}
                    _ => return Err("the encoder made more than one slice".into()),
                }
            }
        }
        if coded.slice.is_empty() {
            return Err("the encoder left out a frame".into());
        }
        Ok(coded)
    }
}
