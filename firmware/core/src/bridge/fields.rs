//! Numbers in a message: fixed ones lowest byte first, and small ones in as few bytes as they need.

use crate::packet::Sink;

/// Reads fields from the front of a message; `None` where it ends too soon.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub fn f32(&mut self) -> Option<f32> {
        self.array().map(f32::from_le_bytes)
    }

    /// A number that is no number stands for none.
    pub fn maybe(&mut self) -> Option<Option<f32>> {
        self.f32().map(|number| (!number.is_nan()).then_some(number))
    }

    /// What [`put_small`] wrote.
    pub fn small(&mut self) -> Option<i32> {
        let mut folded = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            let part = u32::from(byte & 0x7F);
            if shift == 28 && part > 0x0F {
                return None;
            }
            folded |= part << shift;
            if byte & 0x80 == 0 {
                // One number has one spelling.
                let shortest = byte != 0 || shift == 0;
                return shortest.then_some((folded >> 1) as i32 ^ -((folded & 1) as i32));
            }
        }
        None
    }

    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }
}

/// Writes a number near zero, of either sign, in few bytes: seven bits a byte, sign in the lowest bit.
pub(super) fn put_small(sink: &mut Sink, number: i32) {
    let mut folded = ((number << 1) ^ (number >> 31)) as u32;
    while folded > 0x7F {
        sink.push((folded & 0x7F) as u8 | 0x80);
        folded >>= 7;
    }
    sink.push(folded as u8);
}

/// Writes a number, or that there is none.
pub(super) fn put_maybe(sink: &mut Sink, number: Option<f32>) {
    sink.extend(&number.unwrap_or(f32::NAN).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn small_numbers_come_back(number: i32) {
            let mut out = [0; 5];
            let mut sink = Sink::new(&mut out);
            put_small(&mut sink, number);
            let len = sink.finish().unwrap();
            let mut fields = Fields(&out[..len]);
            prop_assert_eq!(fields.small(), Some(number));
            prop_assert!(fields.0.is_empty());
        }

        #[test]
        fn what_is_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..7)) {
            let mut fields = Fields(&bytes);
            if let Some(number) = fields.small() {
                let read = bytes.len() - fields.0.len();
                let mut out = [0; 5];
                let mut sink = Sink::new(&mut out);
                put_small(&mut sink, number);
                let len = sink.finish().unwrap();
                prop_assert_eq!(&out[..len], &bytes[..read]);
            }
        }
    }

    #[test]
    fn a_position_takes_two_bytes() {
        let mut out = [0; 5];
        let mut sink = Sink::new(&mut out);
        put_small(&mut sink, 4095);
        assert_eq!(sink.finish(), Ok(2));
    }
}
