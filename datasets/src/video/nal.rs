//! H.264's NAL units: told apart in what an encoder hands out.

/// What a NAL unit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nal {
    /// A picture, or a slice of one, that needs the pictures before it.
    Picture,
    /// A picture, or a slice of one, at which decoding can begin.
    Keyframe,
    /// A sequence parameter set.
    Sps,
    /// A picture parameter set.
    Pps,
    /// Something about the stream that decoding does not need.
    Remark,
}

impl Nal {
    /// What the unit's first byte says; none when no encoder used here makes such a unit.
    pub fn of(first: u8) -> Option<Self> {
        if first & 0x80 != 0 {
            return None;
        }
        match first & 0x1f {
            1 => Some(Self::Picture),
            5 => Some(Self::Keyframe),
            6 | 9 => Some(Self::Remark),
            7 => Some(Self::Sps),
            8 => Some(Self::Pps),
            _ => None,
        }
    }
}

/// The unit without the start code before it.
pub fn without_start_code(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().take_while(|byte| **byte == 0).count();
    match unit.get(zeros) {
        Some(1) if zeros >= 2 => &unit[zeros + 1..],
        _ => unit,
    }
}

/// Puts start codes where lengths were; none when a length goes beyond the end.
pub fn with_start_codes(sample: &[u8], length_bytes: usize, into: &mut Vec<u8>) -> Option<()> {
    let mut rest = sample;
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(length_bytes)?;
        let length = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        let (unit, after) = after.split_at_checked(length)?;
        into.extend([0, 0, 0, 1]);
        into.extend(unit);
        rest = after;
    }
    Some(())
}

/// The units between start codes.
#[cfg(feature = "ffmpeg")]
pub fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        loop {
            let start = rest.windows(3).position(|three| three == [0, 0, 1])? + 3;
            let body = rest.get(start..)?;
            let end = body.windows(3).position(|three| three[..2] == [0, 0] && three[2] < 2);
            let (unit, after) = body.split_at_checked(end.unwrap_or(body.len()))?;
            rest = after;
            // Zeros after a unit belong to none.
            let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
            let unit = unit.get(..unit.len() - zeros)?;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// The units of a picture with their lengths before them, but those whose first byte is unwanted.
#[cfg(feature = "ffmpeg")]
pub fn with_lengths(stream: &[u8], unwanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut sample = Vec::with_capacity(stream.len() + 16);
    for unit in units(stream).filter(|unit| !unwanted(unit[0])) {
        sample.extend(u32::try_from(unit.len()).unwrap_or(u32::MAX).to_be_bytes());
        sample.extend_from_slice(unit);
    }
    sample
}
