//! The system's FFmpeg, for what the built-in codecs do not do. It sees coded pictures one by one;
//! the files stay ours.

mod decode;
mod encode;
mod graphics;

pub use decode::{SystemDecoder, has_h264};
pub use encode::{Coded, SystemEncoder, has_encoder};

use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{Error, log};

/// Keeps FFmpeg from printing: what goes wrong comes back as an error.
fn hush() {
    log::set_level(log::Level::Quiet);
}

/// Whether a codec only wants more, or has handed out its last.
fn is_pause(error: &Error) -> bool {
    matches!(error, Error::Eof | Error::Other { errno: EAGAIN })
}
