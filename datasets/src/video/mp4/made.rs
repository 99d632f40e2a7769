//! Sample entries for what is encoded here: a codec's configuration out of what its encoder says.

use super::super::Codec;
use super::entry::{FIELDS, SampleEntry};

impl SampleEntry {
    /// An entry for H.264 with these parameter sets.
    pub fn h264(width: u16, height: u16, sps: &[u8], pps: &[u8]) -> Option<Self> {
        let mut config = vec![1, *sps.get(1)?, *sps.get(2)?, *sps.get(3)?, 0xff, 0xe1];
        config.extend(u16::try_from(sps.len()).ok()?.to_be_bytes());
        config.extend(sps);
        config.push(1);
        config.extend(u16::try_from(pps.len()).ok()?.to_be_bytes());
        config.extend(pps);
        // The high profiles say here how colour is sampled, and how many bits a value has.
        if matches!(sps.get(1), Some(100)) {
            config.extend([0xfd, 0xf8, 0xf8, 0]);
        }
        Self::made(Codec::H264, (width, height), (b"avc1", b"avcC"), config)
    }

    /// An entry for HEVC with its video, sequence and picture parameter sets; what chroma it has, as its
    /// own number for that, and how many bits a value.
    #[cfg(feature = "ffmpeg")]
    pub fn hevc(
        width: u16,
        height: u16,
        sets: [&[u8]; 3],
        (chroma, bits): (u8, u8),
    ) -> Option<Self> {
        // Two bytes of head and one of counts, then profile, tier and level, as they stand here; a
        // byte 3 after two zeros is there only to part them.
        let mut plain: Vec<u8> = Vec::new();
        for byte in sets[1] {
            if *byte != 3 || !plain.ends_with(&[0, 0]) {
                plain.push(*byte);
            }
        }
        let counts = *plain.get(2)?;
        let layers = (counts >> 1 & 7) + 1;
        let mut config = vec![1];
        config.extend(plain.get(3..15)?);
        config.extend([
            0xf0,
            0,
            0xfc,
            0xfc | chroma,
            0xf8 | (bits - 8),
            0xf8 | (bits - 8),
            0,
            0,
            layers << 3 | (counts & 1) << 2 | 3,
            3,
        ]);
        for (kind, set) in (32..).zip(sets) {
            config.extend([0x80 | kind, 0, 1]);
            config.extend(u16::try_from(set.len()).ok()?.to_be_bytes());
            config.extend(set);
        }
        Self::made(Codec::Hevc, (width, height), (b"hvc1", b"hvcC"), config)
    }

    /// An entry for AV1 of 8 bits, 4:2:0, with its sequence header.
    #[cfg(feature = "ffmpeg")]
    pub fn av1(width: u16, height: u16, header: &[u8]) -> Option<Self> {
        let config = super::super::obu::configuration(header)?;
        Self::made(Codec::Av1, (width, height), (b"av01", b"av1C"), config)
    }

    fn made(
        codec: Codec,
        (width, height): (u16, u16),
        (kind, inner): (&[u8; 4], &[u8; 4]),
        config: Vec<u8>,
    ) -> Option<Self> {
        let mut bytes = Vec::with_capacity(FIELDS + 8 + config.len());
        bytes.extend(u32::try_from(FIELDS + 8 + config.len()).ok()?.to_be_bytes());
        bytes.extend(kind);
        bytes.extend(b"\0\0\0\0\0\0\0\x01");
        bytes.extend([0; 16]);
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        // 72 dots per inch twice, one frame per sample, no name, 24 bits deep, no colour table.
        bytes.extend([0, 0x48, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([0; 32]);
        bytes.extend([0, 0x18, 0xff, 0xff]);
        bytes.extend(u32::try_from(8 + config.len()).ok()?.to_be_bytes());
        bytes.extend(inner);
        bytes.extend(&config);
        Some(Self { codec, width, height, config, bytes })
    }
}
