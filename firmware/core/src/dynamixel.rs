//! The Dynamixel protocol 2.0 wire format.
//!
//! ```text
//! FF FF FD 00 | id | length low, high | instruction | params… | crc low, high
//! ```
//! The length counts instruction, params (stuffed) and crc. Wherever `FF FF FD` would appear
//! after the length, an extra `FD` is stuffed in, so that a header is never seen inside a frame.
//! The crc is CRC-16 with polynomial 0x8005, starting at 0, over everything before it. A reply
//! has the instruction 0x55 and its error byte first. A fast sync read is answered by one
//! unstuffed frame in which every servo adds `error, id, data, crc`.

use crate::packet::{BROADCAST, EncodeError, Frame, Head, Protocol, Request, Sink, Status};

/// Instruction codes.
pub mod instruction {
    #![allow(missing_docs)]
    pub const PING: u8 = 0x01;
    pub const READ: u8 = 0x02;
    pub const WRITE: u8 = 0x03;
    pub const REG_WRITE: u8 = 0x04;
    pub const ACTION: u8 = 0x05;
    pub const FACTORY_RESET: u8 = 0x06;
    pub const REBOOT: u8 = 0x08;
    pub const STATUS: u8 = 0x55;
    pub const SYNC_READ: u8 = 0x82;
    pub const SYNC_WRITE: u8 = 0x83;
    pub const FAST_SYNC_READ: u8 = 0x8A;
    pub const BULK_READ: u8 = 0x92;
}
use instruction as op;

const HEADER: [u8; 4] = [0xFF, 0xFF, 0xFD, 0x00];
/// Header, id and length.
const PRELUDE: usize = 7;

const CRC_TABLE: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x8005 } else { crc << 1 };
            bit += 1;
        }
        #[allow(clippy::indexing_slicing)] // a constant: out of bounds would not compile
        {
            table[index] = crc;
        }
        index += 1;
    }
    table
};

/// CRC-16 with polynomial 0x8005, continued from `crc`.
pub fn crc16(crc: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(crc, |crc, byte| {
        let index = usize::from((crc >> 8) as u8 ^ byte);
        (crc << 8) ^ CRC_TABLE.get(index).copied().unwrap_or_default()
    })
}

/// Writes a frame whose parameters come in parts, stuffing as it goes.
fn frame(id: u8, code: u8, parts: &[&[u8]], out: &mut [u8]) -> Result<usize, EncodeError> {
    if id == 0xFF {
        return Err(EncodeError::OutOfFormat);
    }
    let mut sink = Sink::new(out);
    sink.extend(&HEADER);
    sink.extend(&[id, 0, 0, code]);
    let mut length = 3usize;
    let mut last = [0, code];
    for &byte in parts.iter().flat_map(|part| part.iter()) {
        sink.push(byte);
        length += 1;
        if last == [0xFF, 0xFF] && byte == 0xFD {
            sink.push(0xFD);
            length += 1;
        }
        last = [last[1], byte];
    }
    let Ok(length) = u16::try_from(length) else {
        return Err(EncodeError::TooLong { params: length, most: usize::from(u16::MAX) - 3 });
    };
    let written = sink.written();
    if let Some(place) = written.get_mut(5..7) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    let crc = crc16(0, written);
    sink.extend(&crc.to_le_bytes());
    sink.finish()
}

/// Writes `request` to servo `id` into `out` and returns its length.
pub fn encode(id: u8, request: &Request, out: &mut [u8]) -> Result<usize, EncodeError> {
    match *request {
        Request::Ping => frame(id, op::PING, &[], out),
        Request::Action => frame(id, op::ACTION, &[], out),
        Request::FactoryReset { keep } => frame(id, op::FACTORY_RESET, &[&[keep]], out),
        Request::Reboot => frame(id, op::REBOOT, &[], out),
        Request::Read { address, width } => {
            frame(id, op::READ, &[&address.to_le_bytes(), &width.to_le_bytes()], out)
        }
        Request::Write { address, data } => {
            frame(id, op::WRITE, &[&address.to_le_bytes(), data], out)
        }
        Request::RegWrite { address, data } => {
            frame(id, op::REG_WRITE, &[&address.to_le_bytes(), data], out)
        }
        Request::SyncRead { address, width, ids } => {
            frame(id, op::SYNC_READ, &[&address.to_le_bytes(), &width.to_le_bytes(), ids], out)
        }
        Request::FastSyncRead { address, width, ids } => {
            frame(id, op::FAST_SYNC_READ, &[&address.to_le_bytes(), &width.to_le_bytes(), ids], out)
        }
        Request::SyncWrite { address, width, rows } => {
            if !rows.len().is_multiple_of(usize::from(width) + 1) {
                return Err(EncodeError::UnevenRows);
            }
            frame(id, op::SYNC_WRITE, &[&address.to_le_bytes(), &width.to_le_bytes(), rows], out)
        }
        Request::BulkRead { rows } => {
            if !rows.len().is_multiple_of(5) {
                return Err(EncodeError::UnevenRows);
            }
            frame(id, op::BULK_READ, &[rows], out)
        }
    }
}

/// Writes a servo's reply into `out` and returns its length.
pub fn encode_status(status: &Status, out: &mut [u8]) -> Result<usize, EncodeError> {
    frame(status.id, op::STATUS, &[&[status.error], status.data], out)
}

/// What stands at the head of `held`; frames longer than `longest` are noise.
pub(crate) fn head(held: &[u8], longest: usize) -> Head {
    let known = held.len().min(HEADER.len());
    if held.get(..known) != HEADER.get(..known) {
        let next = held.iter().skip(1).position(|byte| *byte == 0xFF);
        return Head::Noise(next.map_or(held.len(), |at| at + 1));
    }
    let Some([id, low, high]) = held.get(4..PRELUDE) else {
        return Head::Need(PRELUDE);
    };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let total = PRELUDE + length;
    if *id == 0xFF || length < 3 || total > longest {
        return Head::Noise(1);
    }
    match held.get(..total) {
        None => Head::Need(total),
        Some([body @ .., low, high]) if crc16(0, body) == u16::from_le_bytes([*low, *high]) => {
            Head::Frame(total)
        }
        Some(_) => Head::Corrupt,
    }
}

/// Opens a frame that [`head`] found whole, removing the stuffing in place.
pub(crate) fn open(whole: &mut [u8]) -> Option<Frame<'_>> {
    let [_, _, _, _, id, _, _, code, params @ .., _, _] = whole else {
        return None;
    };
    let (id, code) = (*id, *code);
    let fast = id == BROADCAST && code == op::STATUS;
    let length = if fast { params.len() } else { unstuff(code, params) };
    let params = params.get(..length)?;
    Some(Frame { protocol: Protocol::Dynamixel2, id, code, params })
}

/// Removes stuffed bytes in place and returns the new length.
fn unstuff(code: u8, params: &mut [u8]) -> usize {
    let mut kept = 0;
    let mut last = [0, 0, code];
    for at in 0..params.len() {
        let Some(&byte) = params.get(at) else { break };
        let stuffed = last == [0xFF, 0xFF, 0xFD] && byte == 0xFD;
        if !stuffed {
            if let Some(place) = params.get_mut(kept) {
                *place = byte;
            }
            kept += 1;
        }
        last = [last[1], last[2], byte];
    }
    kept
}

pub(crate) fn status<'a>(frame: &Frame<'a>) -> Option<Status<'a>> {
    match frame.params {
        [error, data @ ..] if frame.code == op::STATUS && frame.id < BROADCAST => {
            Some(Status { id: frame.id, error: *error, data })
        }
        _ => None,
    }
}

/// The answers inside the one frame that answers a fast sync read of `width` bytes per servo.
pub fn fast_replies<'a>(
    frame: &Frame<'a>,
    width: usize,
) -> impl Iterator<Item = Status<'a>> + use<'a> {
    let right = frame.code == op::STATUS && frame.id == BROADCAST;
    let params = if right { frame.params } else { &[] };
    // Each row is error, id, data and a crc; the last row's crc is the frame's own.
    params.chunks(width + 4).filter_map(move |row| match row {
        [error, id, data @ ..] => Some(Status { id: *id, error: *error, data: data.get(..width)? }),
        _ => None,
    })
}

/// Writes the one frame in which several servos answer a fast sync read.
pub fn encode_fast<'a>(
    replies: impl Iterator<Item = Status<'a>>,
    out: &mut [u8],
) -> Result<usize, EncodeError> {
    let mut sink = Sink::new(out);
    sink.extend(&HEADER);
    sink.extend(&[BROADCAST, 0, 0, op::STATUS]);
    let mut length = 1usize;
    // Every servo's crc covers all before it, the length included, so the length comes first.
    let mut ends = [0usize; 64];
    let mut count = 0;
    for reply in replies.take(ends.len()) {
        sink.extend(&[reply.error, reply.id]);
        sink.extend(reply.data);
        length += 4 + reply.data.len();
        if let Some(end) = ends.get_mut(count) {
            *end = PRELUDE + length - 2;
        }
        count += 1;
        sink.extend(&[0, 0]);
    }
    let Ok(length) = u16::try_from(length) else {
        return Err(EncodeError::TooLong { params: length, most: usize::from(u16::MAX) - 3 });
    };
    let written = sink.written();
    if let Some(place) = written.get_mut(5..7) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    for &end in ends.iter().take(count) {
        let crc = crc16(0, written.get(..end).unwrap_or_default());
        if let Some(place) = written.get_mut(end..end + 2) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
    }
    sink.finish()
}

fn address_width(low: u8, high: u8) -> u16 {
    u16::from_le_bytes([low, high])
}

pub(crate) fn request<'a>(frame: &Frame<'a>) -> Option<Request<'a>> {
    Some(match (frame.code, frame.params) {
        (op::PING, []) => Request::Ping,
        (op::ACTION, []) => Request::Action,
        (op::FACTORY_RESET, [keep]) => Request::FactoryReset { keep: *keep },
        (op::REBOOT, []) => Request::Reboot,
        (op::READ, [a, b, c, d]) => {
            Request::Read { address: address_width(*a, *b), width: address_width(*c, *d) }
        }
        (op::WRITE, [a, b, data @ ..]) => Request::Write { address: address_width(*a, *b), data },
        (op::REG_WRITE, [a, b, data @ ..]) => {
            Request::RegWrite { address: address_width(*a, *b), data }
        }
        (op::SYNC_READ, [a, b, c, d, ids @ ..]) => {
            Request::SyncRead { address: address_width(*a, *b), width: address_width(*c, *d), ids }
        }
        (op::FAST_SYNC_READ, [a, b, c, d, ids @ ..]) => Request::FastSyncRead {
            address: address_width(*a, *b),
            width: address_width(*c, *d),
            ids,
        },
        (op::SYNC_WRITE, [a, b, c, d, rows @ ..]) => {
            let width = address_width(*c, *d);
            if !rows.len().is_multiple_of(usize::from(width) + 1) {
                return None;
            }
            Request::SyncWrite { address: address_width(*a, *b), width, rows }
        }
        (op::BULK_READ, rows) if rows.len().is_multiple_of(5) => Request::BulkRead { rows },
        _ => return None,
    })
}
