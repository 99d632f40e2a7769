//! What travels on a servo wire: requests, frames, replies, and the decoder that finds frames in
//! a stream of bytes.
//!
//! The two families of wire format live in [`crate::feetech`] and [`crate::dynamixel`]; this
//! module holds what they share and chooses between them.

use crate::{dynamixel, feetech, register::ByteOrder};

/// The id that every servo listens to.
pub const BROADCAST: u8 = 0xFE;

/// The highest id a servo may carry.
pub const MAX_ID: u8 = 0xFC;

/// Room for the largest frame that [`Decoder`] accepts by default.
pub const FRAME_ROOM: usize = 600;

/// Room for the shortest answer of every wire format.
const SHORTEST_ROOM: usize = 11;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Feetech protocol 0: STS and SMS servos, little-endian registers.
    Feetech0,
    /// Feetech protocol 1: SCS servos, big-endian registers, no sync read.
    Feetech1,
    /// Dynamixel protocol 2.0.
    Dynamixel2,
}

impl Protocol {
    /// The order in which a register's bytes travel.
    pub const fn byte_order(self) -> ByteOrder {
        match self {
            Self::Feetech1 => ByteOrder::Big,
            Self::Feetech0 | Self::Dynamixel2 => ByteOrder::Little,
        }
    }

    /// Whether one request can be answered by several servos in turn.
    pub const fn has_sync_read(self) -> bool {
        !matches!(self, Self::Feetech1)
    }

    /// The length of a reply that carries `data` bytes, before any byte stuffing.
    pub const fn reply_len(self, data: usize) -> usize {
        match self {
            Self::Feetech0 | Self::Feetech1 => 6 + data,
            Self::Dynamixel2 => 11 + data,
        }
    }

    /// How many bytes of data the answer to a ping carries: a Dynamixel tells its model.
    pub const fn ping_data(self) -> usize {
        match self {
            Self::Feetech0 | Self::Feetech1 => 0,
            Self::Dynamixel2 => 3,
        }
    }

    /// Writes `request` to servo `id` into `out` and returns its length.
    pub fn encode(self, id: u8, request: &Request, out: &mut [u8]) -> Result<usize, EncodeError> {
        match self {
            Self::Feetech0 | Self::Feetech1 => feetech::encode(self, id, request, out),
            Self::Dynamixel2 => dynamixel::encode(id, request, out),
        }
    }

    /// Writes the reply of servo `id` into `out` and returns its length: the servo's end of the wire.
    pub fn encode_status(self, status: &Status, out: &mut [u8]) -> Result<usize, EncodeError> {
        match self {
            Self::Feetech0 | Self::Feetech1 => feetech::encode_status(status, out),
            Self::Dynamixel2 => dynamixel::encode_status(status, out),
        }
    }
}

/// What a host asks of servos. Rows of bytes stay as they travel, so that both ends of the wire
/// can build and read them without a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Are you there?
    Ping,
    /// Give me `width` bytes from `address`.
    Read {
        /// First register address.
        address: u16,
        /// How many bytes.
        width: u16,
    },
    /// Store `data` from `address` on.
    Write {
        /// First register address.
        address: u16,
        /// The bytes to store, as they travel.
        data: &'a [u8],
    },
    /// As [`Request::Write`], but keep it back until [`Request::Action`].
    RegWrite {
        /// First register address.
        address: u16,
        /// The bytes to store, as they travel.
        data: &'a [u8],
    },
    /// Carry out what was kept back.
    Action,
    /// Forget the settings. Feetech has no parameter; Dynamixel says what to keep
    /// (0xFF nothing, 0x01 the id, 0x02 id and baud rate).
    FactoryReset {
        /// What to keep.
        keep: u8,
    },
    /// Start again.
    Reboot,
    /// Every servo of `ids` gives `width` bytes from `address`, one reply each, in this order.
    SyncRead {
        /// First register address.
        address: u16,
        /// How many bytes.
        width: u16,
        /// Who is asked.
        ids: &'a [u8],
    },
    /// As [`Request::SyncRead`], but all replies share one frame (Dynamixel only).
    FastSyncRead {
        /// First register address.
        address: u16,
        /// How many bytes.
        width: u16,
        /// Who is asked.
        ids: &'a [u8],
    },
    /// Every row is an id and `width` bytes for it, stored from `address` on; nobody answers.
    SyncWrite {
        /// First register address.
        address: u16,
        /// Bytes per servo.
        width: u16,
        /// `id, data…` for each servo.
        rows: &'a [u8],
    },
    /// Every row of five bytes (id, address, width, both little-endian) is a read of its own
    /// (Dynamixel only).
    BulkRead {
        /// `id, address low, address high, width low, width high` for each servo.
        rows: &'a [u8],
    },
}

/// A servo's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Who answers.
    pub id: u8,
    /// The error byte as it travels; [`crate::register::Faults`] reads it.
    pub error: u8,
    /// What was asked for.
    pub data: &'a [u8],
}

/// Why a request cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The caller's buffer is too short.
    BufferTooSmall {
        /// The bytes this request takes.
        needed: usize,
        /// The bytes there are.
        room: usize,
    },
    /// The request is longer than the wire format can say.
    TooLong {
        /// The parameter bytes asked for.
        params: usize,
        /// The most the format carries.
        most: usize,
    },
    /// An id, address or width that this wire format has no bits for.
    OutOfFormat,
    /// The wire format has no such instruction.
    Unsupported,
    /// Rows that are not a whole number of servos.
    UnevenRows,
}

impl core::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::BufferTooSmall { needed, room } => {
                write!(f, "the packet takes {needed} bytes, the buffer has {room}")
            }
            Self::TooLong { params, most } => {
                write!(f, "{params} parameter bytes, the wire format carries {most}")
            }
            Self::OutOfFormat => write!(f, "id, address or width does not fit the wire format"),
            Self::Unsupported => write!(f, "the wire format has no such instruction"),
            Self::UnevenRows => write!(f, "rows are not a whole number of servos"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// One complete frame whose checksum is right. Whether it is a request or a reply is for the
/// reader to say: a Feetech frame does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The format it was read with.
    pub protocol: Protocol,
    /// Who it is for, or from.
    pub id: u8,
    /// The instruction; in a Feetech reply the error byte stands here.
    pub code: u8,
    /// What follows, stuffing removed.
    pub params: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame read as a servo's answer, or `None` where it cannot be one.
    pub fn status(&self) -> Option<Status<'a>> {
        match self.protocol {
            Protocol::Feetech0 | Protocol::Feetech1 => feetech::status(self),
            Protocol::Dynamixel2 => dynamixel::status(self),
        }
    }

    /// The frame read as a host's request, or `None` where it is malformed or unknown.
    pub fn request(&self) -> Option<Request<'a>> {
        match self.protocol {
            Protocol::Feetech0 | Protocol::Feetech1 => feetech::request(self),
            Protocol::Dynamixel2 => dynamixel::request(self),
        }
    }
}

/// What the decoder had to throw away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeCounts {
    /// Whole frames handed out.
    pub frames: u64,
    /// Bytes that belonged to no frame.
    pub noise: u64,
    /// Frames whose checksum was wrong.
    pub bad_checksums: u64,
}

/// What the bytes at the head of the buffer are.
pub(crate) enum Head {
    /// Not decided before this many bytes are there.
    Need(usize),
    /// This many bytes belong to no frame.
    Noise(usize),
    /// A frame of this length by its header, but its checksum is wrong.
    Corrupt,
    /// A whole frame of this length.
    Frame(usize),
}

/// Finds frames in a stream that arrives in pieces of any size, among noise. Never allocates,
/// never panics; a byte that belongs to a frame is never lost to a false start before it.
pub struct Decoder<const N: usize = FRAME_ROOM> {
    protocol: Protocol,
    buffer: [u8; N],
    len: usize,
    /// Bytes of the frame last handed out, dropped at the next call.
    spent: usize,
    longest: usize,
    counts: DecodeCounts,
}

impl<const N: usize> Decoder<N> {
    /// An empty decoder.
    pub const fn new(protocol: Protocol) -> Self {
        const { assert!(N >= SHORTEST_ROOM, "no room for the shortest answer") };
        Self {
            protocol,
            buffer: [0; N],
            len: 0,
            spent: 0,
            longest: N,
            counts: DecodeCounts { frames: 0, noise: 0, bad_checksums: 0 },
        }
    }

    /// The format it reads.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// What has passed since the start.
    pub const fn counts(&self) -> DecodeCounts {
        self.counts
    }

    /// Forgets the bytes of an unfinished frame, for instance before a new request.
    pub fn reset(&mut self) {
        let left = self.len.saturating_sub(self.spent);
        self.counts.noise = self.counts.noise.saturating_add(left as u64);
        self.len = 0;
        self.spent = 0;
    }

    /// Takes frames of at most `bytes` for real; a longer one announced by noise would otherwise
    /// swallow the true frames behind it while the reader waits for its end.
    pub fn expect_at_most(&mut self, bytes: usize) {
        self.longest = bytes.min(N);
    }

    /// The next frame, taking from `input` only what it needs. `None` means that `input` is used
    /// up and more bytes are wanted.
    pub fn next<'d>(&'d mut self, input: &mut &[u8]) -> Option<Frame<'d>> {
        self.drop_front(self.spent);
        self.spent = 0;
        let total = loop {
            let held = self.buffer.get_mut(..self.len).unwrap_or_default();
            let head = match self.protocol {
                Protocol::Feetech0 | Protocol::Feetech1 => feetech::head(held, self.longest),
                Protocol::Dynamixel2 => dynamixel::head(held, self.longest),
            };
            match head {
                Head::Frame(total) => break total,
                Head::Noise(bytes) => self.discard(bytes),
                Head::Corrupt => {
                    self.counts.bad_checksums = self.counts.bad_checksums.saturating_add(1);
                    self.discard(1);
                }
                Head::Need(total) => {
                    let wanted = total.saturating_sub(self.len).min(input.len());
                    if wanted == 0 {
                        return None;
                    }
                    let (now, later) = input.split_at_checked(wanted)?;
                    let room = self.buffer.get_mut(self.len..self.len + wanted)?;
                    room.copy_from_slice(now);
                    self.len += wanted;
                    *input = later;
                }
            }
        };
        self.counts.frames = self.counts.frames.saturating_add(1);
        self.spent = total;
        let whole = self.buffer.get_mut(..total)?;
        match self.protocol {
            Protocol::Feetech0 | Protocol::Feetech1 => feetech::open(self.protocol, whole),
            Protocol::Dynamixel2 => dynamixel::open(whole),
        }
    }

    /// Gives up on the unfinished frame at the head, so that a whole one behind a false start is
    /// found by the next call. Returns whether there was anything to give up.
    pub fn give_up(&mut self) -> bool {
        self.drop_front(self.spent);
        self.spent = 0;
        let any = self.len > 0;
        self.discard(1);
        any
    }

    fn discard(&mut self, bytes: usize) {
        self.counts.noise = self.counts.noise.saturating_add(bytes.min(self.len) as u64);
        self.drop_front(bytes);
    }

    fn drop_front(&mut self, bytes: usize) {
        let held = self.buffer.get_mut(..self.len).unwrap_or_default();
        if bytes < held.len() {
            held.copy_within(bytes.., 0);
        }
        self.len = self.len.saturating_sub(bytes);
    }
}

/// Writes bytes into a caller's buffer and counts what would not fit.
pub(crate) struct Sink<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(place) = self.out.get_mut(self.len) {
            *place = byte;
        }
        self.len += 1;
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }

    /// What is written so far, as far as it fitted.
    pub(crate) fn written(&mut self) -> &mut [u8] {
        let end = self.len.min(self.out.len());
        self.out.get_mut(..end).unwrap_or_default()
    }

    pub(crate) fn finish(self) -> Result<usize, EncodeError> {
        if self.len > self.out.len() {
            return Err(EncodeError::BufferTooSmall { needed: self.len, room: self.out.len() });
        }
        Ok(self.len)
    }
}
