//! What host and board say to each other, and how it travels.
//!
//! ```text
//! kind | number low, high | fields… | crc low, high        COBS-coded, then 00
//! ```
//! A zero byte is nowhere but at the end of a frame, so whoever joins in the middle is in step after
//! one frame. The crc is CRC-16 as on a Dynamixel wire, but starts at FFFF. Every reply carries its
//! request's number; what the board says unasked carries zero.

mod fields;
mod message;
mod observation;
mod plan;

pub use message::{Capability, Describe, Goals, Refusal, Reply, Request};
pub use observation::{Counts, JointSeen, Mode, Observation, Torque};
pub use plan::{Drive, Joint, Plan, Stop};

use crate::dynamixel::crc16;
use crate::packet::{EncodeError, Sink};

/// The version of the messages that this code speaks. A host leaves a board that says another one
/// alone; its first port is a plain adapter all the same.
pub const VERSION: u8 = 1;

/// The most servos a board looks after.
pub const MOST_JOINTS: usize = 16;

/// The most bytes for the bus that one message carries.
pub const MOST_THROUGH: usize = 240;

/// Room for the longest message: an observation of [`MOST_JOINTS`] servos.
pub const PAYLOAD_ROOM: usize = 420;

/// Room for the longest frame: a message, its crc, COBS's own bytes, and the zero.
pub const FRAME_ROOM: usize = PAYLOAD_ROOM + 6;

/// What a crc starts from, so that zeros before a message do not go unnoticed.
const CRC_START: u16 = 0xFFFF;

/// The longest run of bytes that one COBS code byte stands before.
const RUN: usize = 254;

/// Writes `payload` as a frame into `out` and returns its length.
pub fn frame(payload: &[u8], out: &mut [u8]) -> Result<usize, EncodeError> {
    if payload.len() > PAYLOAD_ROOM {
        return Err(EncodeError::TooLong { params: payload.len(), most: PAYLOAD_ROOM });
    }
    let crc = crc16(CRC_START, payload).to_le_bytes();
    let mut sink = Sink::new(out);
    let mut run = [0; RUN];
    let mut len = 0;
    let mut full = false;
    for &byte in payload.iter().chain(&crc) {
        full = false;
        if byte != 0
            && let Some(place) = run.get_mut(len)
        {
            *place = byte;
            len += 1;
        }
        if byte == 0 || len == RUN {
            // A code byte of 255 stands for a full run and no zero behind it.
            sink.push(u8::try_from(len + 1).unwrap_or(u8::MAX));
            sink.extend(run.get(..len).unwrap_or_default());
            full = byte != 0;
            len = 0;
        }
    }
    if !full {
        sink.push(u8::try_from(len + 1).unwrap_or(u8::MAX));
        sink.extend(run.get(..len).unwrap_or_default());
    }
    sink.push(0);
    sink.finish()
}

/// Finds frames in a stream that arrives in pieces of any size. Never allocates, never panics; what
/// is damaged or too long is dropped and counted.
#[derive(Clone, Debug)]
pub struct Framer {
    buffer: [u8; FRAME_ROOM],
    len: usize,
    /// The frame under way is longer than any that there is.
    overlong: bool,
    damaged: u32,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// An empty one.
    pub const fn new() -> Self {
        Self { buffer: [0; FRAME_ROOM], len: 0, overlong: false, damaged: 0 }
    }

    /// How many frames were no good.
    pub const fn damaged(&self) -> u32 {
        self.damaged
    }

    /// Forgets the bytes of an unfinished frame.
    pub fn reset(&mut self) {
        self.len = 0;
        self.overlong = false;
    }

    /// The next message, taking from `input` only what it needs. `None` means that `input` is used
    /// up and more bytes are wanted.
    pub fn next<'d>(&'d mut self, input: &mut &[u8]) -> Option<&'d [u8]> {
        loop {
            let (&byte, rest) = input.split_first()?;
            *input = rest;
            if byte != 0 {
                match self.buffer.get_mut(self.len) {
                    Some(place) => {
                        *place = byte;
                        self.len += 1;
                    }
                    None => self.overlong = true,
                }
                continue;
            }
            let len = core::mem::take(&mut self.len);
            let overlong = core::mem::take(&mut self.overlong);
            if len == 0 {
                // Zeros between frames are how a host gets in step.
                continue;
            }
            match decode(&mut self.buffer, len).filter(|_| !overlong) {
                Some(payload) => return self.buffer.get(..payload),
                None => self.damaged = self.damaged.wrapping_add(1),
            }
        }
    }
}

/// Takes the COBS coding off the first `len` bytes where they lie, and checks the crc. Returns how
/// long the message at the head is.
fn decode(buffer: &mut [u8], len: usize) -> Option<usize> {
    let (mut from, mut to) = (0, 0);
    while from < len {
        let code = usize::from(*buffer.get(from)?);
        from += 1;
        for _ in 1..code {
            if from >= len {
                return None;
            }
            let byte = *buffer.get(from)?;
            *buffer.get_mut(to)? = byte;
            from += 1;
            to += 1;
        }
        if code <= RUN && from < len {
            *buffer.get_mut(to)? = 0;
            to += 1;
        }
    }
    let (payload, crc) = buffer.get(..to)?.split_last_chunk::<2>()?;
    (crc16(CRC_START, payload) == u16::from_le_bytes(*crc)).then_some(payload.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn messages(framer: &mut Framer, stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for mut piece in stream.chunks(piece) {
            while let Some(message) = framer.next(&mut piece) {
                found.push(message.to_vec());
            }
        }
        found
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![3 => any::<u8>(), 2 => Just(0), 1 => Just(0xFF)];
        proptest::collection::vec(byte, 1..=PAYLOAD_ROOM)
    }

    proptest! {
        #[test]
        fn whatever_is_framed_is_found_among_noise(
            payloads in proptest::collection::vec(payload(), 1..4),
            noise in proptest::collection::vec(any::<u8>(), 0..40),
            piece in 1usize..70,
        ) {
            let mut stream = noise;
            stream.push(0);
            for payload in &payloads {
                let mut out = [0; FRAME_ROOM];
                let len = frame(payload, &mut out).unwrap();
                prop_assert!(!out[..len - 1].contains(&0) && out[len - 1] == 0);
                stream.extend(&out[..len]);
            }
            let found = messages(&mut Framer::new(), &stream, piece);
            prop_assert_eq!(&found[found.len() - payloads.len()..], &payloads[..]);
        }

        #[test]
        fn no_turned_bit_goes_unnoticed(payload in payload(), at: usize, bit in 0u8..8) {
            let mut out = [0; FRAME_ROOM];
            let len = frame(&payload, &mut out).unwrap();
            out[at % len] ^= 1u8 << bit;
            let found = messages(&mut Framer::new(), &out[..len], len);
            prop_assert!(found.iter().all(|found| *found != payload));
        }

        #[test]
        fn a_buffer_too_short_is_said_with_the_length_it_takes(payload in payload()) {
            let len = frame(&payload, &mut [0; FRAME_ROOM]).unwrap();
            let short = frame(&payload, &mut std::vec![0; len - 1]);
            prop_assert_eq!(short, Err(EncodeError::BufferTooSmall { needed: len, room: len - 1 }));
        }
    }

    #[test]
    fn a_frame_that_never_ends_costs_only_itself() {
        let mut framer = Framer::new();
        assert_eq!(framer.next(&mut &[7; 3 * FRAME_ROOM][..]), None);
        assert_eq!(framer.next(&mut &[0][..]), None);
        assert_eq!(framer.damaged(), 1);
        let mut out = [0; 8];
        let len = frame(&[1, 0, 2], &mut out).unwrap();
        assert_eq!(framer.next(&mut &out[..len]), Some(&[1, 0, 2][..]));
    }

    #[test]
    fn a_message_longer_than_any_is_refused() {
        let long = frame(&[1; PAYLOAD_ROOM + 1], &mut [0; 2 * FRAME_ROOM]);
        assert!(matches!(long, Err(EncodeError::TooLong { .. })), "{long:?}");
    }
}
