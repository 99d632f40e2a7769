//! What bytes look like on one wire: ten bits each, and what becomes of two speakers at once.

/// The bits of `bytes` in the order in which they travel: start, eight data, stop.
fn bits(bytes: &[u8]) -> impl Iterator<Item = bool> {
    bytes.iter().flat_map(|byte| {
        let byte = *byte;
        (0..10).map(move |bit| match bit {
            0 => false,
            9 => true,
            data => byte >> (data - 1) & 1 == 1,
        })
    })
}

/// What a listener hears when `first` and `second` speak at once, `second` so many bits later: the
/// line is low as soon as one of them pulls it down.
pub(super) fn collide(first: &[u8], second: &[u8], late_bits: usize) -> Vec<u8> {
    let mut line: Vec<bool> = bits(first).collect();
    for (at, bit) in bits(second).enumerate() {
        match line.get_mut(at + late_bits) {
            Some(level) => *level &= bit,
            None => {
                line.resize(at + late_bits, true);
                line.push(bit);
            }
        }
    }
    listen(&line)
}

/// Finds bytes in line levels: a low level starts one, wrong stop bits are not told.
fn listen(line: &[bool]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len() / 10);
    let mut at = 0;
    while at < line.len() {
        if line.get(at).copied().unwrap_or(true) {
            at += 1;
            continue;
        }
        let byte = (0..8).fold(0, |byte, bit| {
            let high = line.get(at + 1 + bit).copied().unwrap_or(true);
            byte | u8::from(high) << bit
        });
        bytes.push(byte);
        at += 10;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_speaker_is_heard_as_sent_and_equal_speakers_in_step_too() {
        let bytes = [0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC];
        assert_eq!(collide(&bytes, &[], 0), bytes);
        assert_eq!(collide(&bytes, &bytes, 0), bytes);
    }

    #[test]
    fn two_speakers_out_of_step_are_garbled() {
        let bytes = [0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC];
        assert_ne!(collide(&bytes, &bytes, 3), bytes);
        assert_ne!(collide(&bytes, &[0xFF, 0xFF, 0x01, 0x02, 0x20, 0xDC], 0), bytes);
    }
}
