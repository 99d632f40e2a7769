//! ZeroMQ's wire protocol, ZMTP 3.0 without security, as far as one socket and one peer need it.
//!
//! ```text
//! greeting     FF 00×8 7F  3 0  "NULL" 00×16  0  00×31                      64 bytes, either way
//! READY        04 length  5 "READY"  11 "Socket-Type"  0 0 0 4 "PUSH"       either way
//! frame        flags (1 more, 2 long, 4 command)  length (1 byte, or 8)  bytes
//! ```
//! Written out because the crate there is makes room for as many bytes as a foreign frame says it has.

mod line;

use std::io::{self, ErrorKind, Read, Write};

/// Bits of a frame's first byte.
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;
/// Commands are short words.
const LONGEST_COMMAND: u64 = 512;
/// The most commands before a message.
const MOST_COMMANDS: usize = 32;
/// The most frames of one message.
const MOST_FRAMES: usize = 32;

/// What a socket is to its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// Says the same to everybody who listens.
    Publish,
    /// Listens to what is said to everybody.
    Subscribe,
    /// Hands out.
    Push,
    /// Takes what is handed out.
    Pull,
}

impl Socket {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Publish => b"PUB",
            Self::Subscribe => b"SUB",
            Self::Push => b"PUSH",
            Self::Pull => b"PULL",
        }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// Shakes hands with a peer, on either side of a connection.
pub fn greet(stream: &mut (impl Read + Write), socket: Socket) -> io::Result<()> {
    let mut greeting = [0; 64];
    for (place, bytes) in [(0, &b"\xff"[..]), (9, b"\x7f"), (10, b"\x03"), (12, b"NULL")] {
        greeting.iter_mut().skip(place).zip(bytes).for_each(|(place, byte)| *place = *byte);
    }
    stream.write_all(&greeting)?;
    let mut theirs = [0; 64];
    stream.read_exact(&mut theirs)?;
    let known = |at: usize, bytes: &[u8]| theirs.get(at..).is_some_and(|of| of.starts_with(bytes));
    if !(known(0, b"\xff") && known(9, b"\x7f") && known(12, b"NULL\0")) {
        return Err(wrong("no ZeroMQ peer without security"));
    }
    let name = socket.name();
    let mut ready = b"\x05READY\x0bSocket-Type\0\0\0".to_vec();
    ready.push(name.len() as u8);
    ready.extend(name);
    stream.write_all(&[COMMAND, ready.len() as u8])?;
    stream.write_all(&ready)?;
    let (flags, length) = head(stream)?;
    let body = bytes(stream, length.min(LONGEST_COMMAND))?;
    match flags & COMMAND != 0 && length <= LONGEST_COMMAND && body.starts_with(b"\x05READY") {
        true => Ok(()),
        false => Err(wrong("a ZeroMQ peer that is not ready")),
    }
}

/// Asks a publisher for all that it says; before that it says nothing.
pub fn subscribe(stream: &mut impl Write) -> io::Result<()> {
    const BEGINS_WITH_NOTHING: &[u8] = b"\x01";
    send(stream, &[BEGINS_WITH_NOTHING])
}

/// Sends a message of these frames.
pub fn send(stream: &mut impl Write, frames: &[&[u8]]) -> io::Result<()> {
    let mut message = Vec::new();
    for (place, frame) in frames.iter().enumerate() {
        let more = if place + 1 < frames.len() { MORE } else { 0 };
        match u8::try_from(frame.len()) {
            Ok(length) => message.extend([more, length]),
            Err(_longer) => {
                message.push(more | LONG);
                message.extend((frame.len() as u64).to_be_bytes());
            }
        }
        message.extend(*frame);
    }
    stream.write_all(&message)
}

/// The frames of the next message, of so many bytes all together at most; a few commands in between are
/// left alone. How long that may take is the stream's to say.
pub fn receive(stream: &mut impl Read, most: u64) -> io::Result<Vec<Vec<u8>>> {
    let (mut frames, mut left, mut commands) = (Vec::new(), most, 0);
    loop {
        let (flags, length) = head(stream)?;
        if flags & COMMAND != 0 {
            commands += 1;
            if length > LONGEST_COMMAND || commands > MOST_COMMANDS {
                return Err(wrong("a command that is none"));
            }
            bytes(stream, length)?;
            continue;
        }
        left = left.checked_sub(length).ok_or_else(|| wrong("a message that is too long"))?;
        frames.push(bytes(stream, length)?);
        if flags & MORE == 0 {
            return Ok(frames);
        }
        if frames.len() >= MOST_FRAMES {
            return Err(wrong("a message of too many frames"));
        }
    }
}

fn head(stream: &mut impl Read) -> io::Result<(u8, u64)> {
    let mut flags = [0];
    stream.read_exact(&mut flags)?;
    let [flags] = flags;
    if flags & !(MORE | LONG | COMMAND) != 0 {
        return Err(wrong("a frame that is none"));
    }
    let mut length = [0; 8];
    let digits = if flags & LONG != 0 { 0 } else { 7 };
    if let Some(digits) = length.get_mut(digits..) {
        stream.read_exact(digits)?;
    }
    Ok((flags, u64::from_be_bytes(length)))
}

fn bytes(stream: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.by_ref().take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_come_back_as_they_went_short_and_long() {
        let long = vec![7; 300];
        let mut bytes = Vec::new();
        send(&mut bytes, &[b"head", &long, b""]).unwrap();
        assert_eq!(bytes[..6], *b"\x01\x04head");
        assert_eq!(bytes[6..15], [3, 0, 0, 0, 0, 0, 0, 1, 44]);
        let frames = receive(&mut Cursor::new(&bytes), 1000).unwrap();
        assert_eq!(frames, [b"head".to_vec(), long, Vec::new()]);
        assert!(receive(&mut Cursor::new(&bytes), 303).is_err(), "longer than was wanted");
    }

    #[test]
    fn a_frame_that_says_it_fills_the_memory_takes_none() {
        let mut vast = vec![LONG];
        vast.extend(u64::MAX.to_be_bytes());
        assert!(receive(&mut Cursor::new(&vast), 1 << 20).is_err());
        assert!(receive(&mut Cursor::new(&vast), u64::MAX).is_err(), "it ends too early");
        assert!(receive(&mut Cursor::new([MORE, 0].repeat(100)), 1000).is_err());
        assert!(receive(&mut Cursor::new([8, 0]), 1000).is_err());
    }

    #[test]
    fn commands_in_between_are_left_alone() {
        let bytes = b"\x04\x06\x04PING\x00\x00\x02hi";
        assert_eq!(receive(&mut Cursor::new(bytes), 10).unwrap(), [b"hi".to_vec()]);
    }

    #[test]
    fn nobody_is_kept_busy_with_commands() {
        let mut bytes = b"\x04\x05\x04PING".repeat(1000);
        bytes.extend(b"\x00\x02hi");
        assert!(receive(&mut Cursor::new(bytes), 10).is_err());
    }

    proptest! {
        #[test]
        fn noise_is_refused_or_small(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(frames) = receive(&mut Cursor::new(&noise), 200) {
                prop_assert!(frames.iter().map(Vec::len).sum::<usize>() <= 200);
            }
        }
    }
}
