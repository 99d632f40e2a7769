//! What tells one board from another of its kind.

use static_cell::ConstStaticCell;

/// The chip's own number in hexadecimal: a port keeps its name wherever it is plugged in.
pub fn serial(number: [u8; 8]) -> &'static str {
    static TEXT: ConstStaticCell<[u8; 16]> = ConstStaticCell::new([0; 16]);
    let text = TEXT.take();
    for (pair, byte) in text.chunks_exact_mut(2).zip(number) {
        for (place, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *place = nibble + if nibble < 10 { b'0' } else { b'A' - 10 };
        }
    }
    core::str::from_utf8(text).unwrap_or_default()
}
