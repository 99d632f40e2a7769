//! AV1's open bitstream units: taken apart in what an encoder hands out.

/// A sequence header, a unit that says what follows is coded for.
const SEQUENCE_HEADER: u8 = 1;
/// A unit that says where a picture begins, which MP4 says by itself.
#[cfg(feature = "ffmpeg")]
const DELIMITER: u8 = 2;

/// The next unit: its kind, its bytes, and what comes after.
fn next(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let first = *bytes.first()?;
    let (has_extension, has_size) = (first & 4 != 0, first & 2 != 0);
    let mut at = 1 + usize::from(has_extension);
    let mut size = bytes.len().checked_sub(at)?;
    if has_size {
        size = 0;
        for shift in 0..8 {
            let byte = *bytes.get(at)?;
            at += 1;
            size |= usize::from(byte & 0x7f) << (7 * shift);
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    let (unit, rest) = bytes.split_at_checked(at.checked_add(size)?)?;
    Some((first >> 3 & 15, unit, rest))
}

/// The units of a picture without those that MP4 does not want; none when they make no sense.
#[cfg(feature = "ffmpeg")]
pub fn without_delimiters(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let (kind, unit, rest) = next(bytes)?;
        if kind != DELIMITER {
            kept.extend_from_slice(unit);
        }
        bytes = rest;
    }
    Some(kept)
}

/// The sequence header among these units, which may come in the body of an `av1C` box.
pub fn sequence_header(setup: &[u8]) -> Option<&[u8]> {
    let mut bytes = if setup.first() == Some(&0x81) { setup.get(4..)? } else { setup };
    loop {
        let (kind, unit, rest) = next(bytes)?;
        if kind == SEQUENCE_HEADER {
            return Some(unit);
        }
        bytes = rest;
    }
}

/// The body of an `av1C` box for pictures of 8 bits, 4:2:0.
#[cfg(feature = "ffmpeg")]
pub fn configuration(header: &[u8]) -> Option<Vec<u8>> {
    // The unit's own head: a byte, and its size in one or more.
    let size = header.get(1..)?.iter().position(|byte| byte & 0x80 == 0)?;
    let body = header.get(size + 2..)?;
    let bit = |at: usize| body.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    let bits =
        |at: usize, count: usize| (at..at + count).fold(0, |all, at| all << 1 | u8::from(bit(at)));
    let profile = bits(0, 3);
    // The level comes at once in a reduced header, else after flags, the count of operating points
    // and which layers the first of them has; a header with timing leaves it at the highest.
    let (level, tier) = match (bit(4), bit(5)) {
        (true, _) => (bits(5, 5), 0),
        (false, true) => (31, 0),
        (false, false) => {
            let level = bits(24, 5);
            (level, if level > 7 { bits(29, 1) } else { 0 })
        }
    };
    let mut config = vec![0x81, profile << 5 | level, tier << 7 | 0x0c, 0];
    config.extend_from_slice(header);
    Some(config)
}
