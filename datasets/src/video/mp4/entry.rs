//! The sample entry: which codec, how large the pictures, and the codec's own configuration.

use super::super::Codec;
use super::boxes::{Fields, boxes};
use super::codec_of;

/// A codec with its configuration, and the entry as it stood in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleEntry {
    /// The codec.
    pub codec: Codec,
    /// Pixels from left to right.
    pub width: u16,
    /// Pixels from top to bottom.
    pub height: u16,
    /// The body of `avcC`, `av1C`, `hvcC` or `vpcC`; empty for other codecs.
    pub config: Vec<u8>,
    /// The whole entry, byte for byte, header included.
    pub bytes: Vec<u8>,
}

/// A video's sample entry before its inner boxes: 8 bytes of header and 78 of fields.
pub const FIELDS: usize = 86;

impl SampleEntry {
    /// Reads the only or first entry of an `stsd` body.
    pub fn read(stsd: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(stsd);
        fields.take(8)?;
        let entries = fields.rest();
        let first = boxes(entries).next()?;
        let bytes = entries.get(..first.body.len() + 8)?;
        let mut fields = Fields::new(first.body);
        fields.take(24)?;
        let (width, height) = (fields.u16()?, fields.u16()?);
        let inner = bytes.get(FIELDS..)?;
        let config = boxes(inner)
            .find(|inner| matches!(&inner.kind, b"avcC" | b"av1C" | b"hvcC" | b"vpcC"))
            .map(|found| found.body.to_vec())
            .unwrap_or_default();
        Some(Self { codec: codec_of(first.kind), width, height, config, bytes: bytes.to_vec() })
    }

    /// How many bytes the length before each NAL unit has, and the parameter sets with start codes.
    pub fn h264_setup(&self) -> Option<(usize, Vec<u8>)> {
        let mut fields = Fields::new(&self.config);
        fields.take(4)?;
        let length_bytes = usize::from(fields.u8()? & 3) + 1;
        let mut sets = Vec::new();
        for mask in [0x1f, 0xff] {
            for _ in 0..fields.u8()? & mask {
                let len = usize::from(fields.u16()?);
                sets.extend([0, 0, 0, 1]);
                sets.extend(fields.take(len)?);
            }
        }
        Some((length_bytes, sets))
    }

    /// What an MPEG-4 decoder has to know before the first picture, out of the descriptors in `esds`.
    #[cfg(feature = "ffmpeg")]
    pub fn mpeg4_setup(&self) -> Option<&[u8]> {
        let esds = boxes(self.bytes.get(FIELDS..)?).find(|inner| inner.kind == *b"esds")?;
        let mut fields = Fields::new(esds.body);
        fields.take(4)?;
        // The stream's descriptor, in it the decoder's, in it the decoder's own; each with the fields
        // that come before the next.
        for (wanted, skipped) in [(3, 3), (4, 13)] {
            descriptor(&mut fields, wanted)?;
            fields.take(skipped)?;
        }
        let length = descriptor(&mut fields, 5)?;
        fields.take(length)
    }

    /// FFmpeg's name for how the pixels lie.
    pub fn pix_fmt(&self) -> String {
        let (subsampling, bits) = self.sampling().unwrap_or(("420", 8));
        match (subsampling, bits) {
            ("gray", 8) => "gray".into(),
            ("gray", bits) => format!("gray{bits}le"),
            (subsampling, 8) => format!("yuv{subsampling}p"),
            (subsampling, bits) => format!("yuv{subsampling}p{bits}le"),
        }
    }

    /// How colour is sampled, and how many bits a value has.
    fn sampling(&self) -> Option<(&'static str, u8)> {
        const CHROMA: [&str; 4] = ["gray", "420", "422", "444"];
        match self.codec {
            Codec::H264 => {
                let profile = *self.config.get(1)?;
                if !matches!(profile, 100 | 110 | 122 | 244) {
                    return Some(("420", 8));
                }
                // The sets, then chroma format and bit depth.
                let mut fields = Fields::new(self.config.get(5..)?);
                for mask in [0x1f, 0xff] {
                    for _ in 0..fields.u8()? & mask {
                        let len = usize::from(fields.u16()?);
                        fields.take(len)?;
                    }
                }
                let chroma = fields.u8()? & 3;
                Some((CHROMA[usize::from(chroma)], (fields.u8()? & 7) + 8))
            }
            Codec::Hevc => {
                let chroma = *self.config.get(16)? & 3;
                Some((CHROMA[usize::from(chroma)], (*self.config.get(17)? & 7) + 8))
            }
            Codec::Av1 => {
                let flags = *self.config.get(2)?;
                let bits = match (flags & 0x40 != 0, flags & 0x20 != 0) {
                    (false, _) => 8,
                    (true, false) => 10,
                    (true, true) => 12,
                };
                let sampling = match (flags & 0x10 != 0, flags & 8 != 0, flags & 4 != 0) {
                    (true, ..) => "gray",
                    (_, true, true) => "420",
                    (_, true, false) => "422",
                    _ => "444",
                };
                Some((sampling, bits))
            }
            Codec::Other(ref name) if name == "vp9" => {
                let flags = *self.config.get(6)?;
                let chroma = ["420", "420", "422", "444"][usize::from(flags >> 1 & 3)];
                Some((chroma, flags >> 4))
            }
            Codec::Other(_) => None,
        }
    }
}

/// Reads the head of a descriptor of this kind; gives how long it is.
#[cfg(feature = "ffmpeg")]
fn descriptor(fields: &mut Fields<'_>, kind: u8) -> Option<usize> {
    (fields.u8()? == kind).then_some(())?;
    let mut length = 0;
    for _ in 0..4 {
        let byte = fields.u8()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}
