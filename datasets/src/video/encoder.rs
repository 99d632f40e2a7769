//! The encoders side by side.

use super::Coding;
use super::encode::{H264Encoder, Planes};
#[cfg(feature = "ffmpeg")]
use super::ffmpeg::SystemEncoder;
use super::header::Header;
use super::mp4::entry::SampleEntry;
#[cfg(feature = "ffmpeg")]
use super::records::Records;
use crate::image::PixelFormat;

/// What encodes, and with it how the file lies on the disk.
pub enum Encoder {
    /// H.264, which lies there unit by unit.
    BuiltIn(Box<H264Encoder>),
    /// Anything of FFmpeg's, which lies there picture by picture.
    #[cfg(feature = "ffmpeg")]
    System(Box<(SystemEncoder, Records)>),
}

impl Encoder {
    /// The encoder that is asked for.
    pub fn new(coding: &Coding, header: Header) -> Result<Self, String> {
        #[cfg(feature = "ffmpeg")]
        if coding.encoder().is_some() {
            let Header { width, height, fps } = header;
            let encoder = SystemEncoder::new(coding, width, height, fps)?;
            let entry = encoder.entry().ok_or("the encoder gave no parameters")?;
            let records = Records { header, entry, settings: coding.to_json() };
            return Ok(Self::System(Box::new((encoder, records))));
        }
        match coding.encoder() {
            Some(name) => Err(format!("{name} is not in this build")),
            None => H264Encoder::new(header.fps)
                .map(|encoder| Self::BuiltIn(Box::new(encoder)))
                .map_err(|error| error.to_string()),
        }
    }

    /// The sample entry of a file with its pictures.
    pub fn entry(&self, header: Header) -> Result<SampleEntry, String> {
        match self {
            Self::BuiltIn(_) => {
                // It says so with its first picture only, which is not to be this one's.
                let Header { width, height, fps } = header;
                let mut other = H264Encoder::new(fps).map_err(|error| error.to_string())?;
                let black = vec![0; PixelFormat::I420.len(width, height)];
                let coded = other.encode(Planes { width, height, bytes: &black })?;
                let entry = header.entry(&coded.sps, &coded.pps);
                entry.ok_or_else(|| "the encoder gave no parameters".into())
            }
            #[cfg(feature = "ffmpeg")]
            Self::System(system) => Ok(system.1.entry.clone()),
        }
    }

    /// Everything before the first unit or picture.
    pub fn start(&self, header: Header) -> Vec<u8> {
        match self {
            Self::BuiltIn(_) => header.bytes(),
            #[cfg(feature = "ffmpeg")]
            Self::System(system) => system.1.bytes(),
        }
    }
}
