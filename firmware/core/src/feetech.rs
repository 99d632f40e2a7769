//! The Feetech wire format, protocols 0 (STS, SMS) and 1 (SCS).
//!
//! ```text
//! FF FF | id | length = params + 2 | instruction, or error in a reply | params… | checksum
//! ```
//! The checksum is the complement of the sum of everything between header and checksum. The two
//! protocols differ only in the byte order of registers and in that protocol 1 has no sync read.

use crate::packet::{EncodeError, Frame, Head, Protocol, Request, Sink, Status};

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
    pub const SYNC_READ: u8 = 0x82;
    pub const SYNC_WRITE: u8 = 0x83;
}
use instruction as op;

/// The largest length byte that Feetech's own tools take for real.
const MAX_LENGTH: usize = 250;
const MAX_PARAMS: usize = MAX_LENGTH - 2;
/// Header, id and length byte.
const PRELUDE: usize = 4;

fn checksum(body: &[u8]) -> u8 {
    !body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte))
}

fn narrow(value: u16) -> Result<u8, EncodeError> {
    u8::try_from(value).map_err(|_too_wide| EncodeError::OutOfFormat)
}

/// Writes a frame whose parameters come in parts.
fn frame(id: u8, code: u8, parts: &[&[u8]], out: &mut [u8]) -> Result<usize, EncodeError> {
    if id == 0xFF {
        return Err(EncodeError::OutOfFormat);
    }
    let params = parts.iter().map(|part| part.len()).sum::<usize>();
    let length = u8::try_from(params + 2).ok().filter(|len| usize::from(*len) <= MAX_LENGTH);
    let Some(length) = length else {
        return Err(EncodeError::TooLong { params, most: MAX_PARAMS });
    };
    let mut sink = Sink::new(out);
    sink.extend(&[0xFF, 0xFF, id, length, code]);
    for part in parts {
        sink.extend(part);
    }
    let sum = checksum(sink.written().get(2..).unwrap_or_default());
    sink.push(sum);
    sink.finish()
}

/// Writes `request` to servo `id` into `out` and returns its length.
pub fn encode(
    protocol: Protocol,
    id: u8,
    request: &Request,
    out: &mut [u8],
) -> Result<usize, EncodeError> {
    match *request {
        Request::Ping => frame(id, op::PING, &[], out),
        Request::Action => frame(id, op::ACTION, &[], out),
        Request::FactoryReset { .. } => frame(id, op::FACTORY_RESET, &[], out),
        Request::Reboot => frame(id, op::REBOOT, &[], out),
        Request::Read { address, width } => {
            frame(id, op::READ, &[&[narrow(address)?, narrow(width)?]], out)
        }
        Request::Write { address, data } => frame(id, op::WRITE, &[&[narrow(address)?], data], out),
        Request::RegWrite { address, data } => {
            frame(id, op::REG_WRITE, &[&[narrow(address)?], data], out)
        }
        Request::SyncRead { address, width, ids } => {
            if !protocol.has_sync_read() {
                return Err(EncodeError::Unsupported);
            }
            frame(id, op::SYNC_READ, &[&[narrow(address)?, narrow(width)?], ids], out)
        }
        Request::SyncWrite { address, width, rows } => {
            if !rows.len().is_multiple_of(usize::from(width) + 1) {
                return Err(EncodeError::UnevenRows);
            }
            frame(id, op::SYNC_WRITE, &[&[narrow(address)?, narrow(width)?], rows], out)
        }
        Request::FastSyncRead { .. } | Request::BulkRead { .. } => Err(EncodeError::Unsupported),
    }
}

/// Writes a servo's reply into `out` and returns its length.
pub fn encode_status(status: &Status, out: &mut [u8]) -> Result<usize, EncodeError> {
    frame(status.id, status.error, &[status.data], out)
}

/// What stands at the head of `held`; frames longer than `longest` are noise.
pub(crate) fn head(held: &[u8], longest: usize) -> Head {
    match *held {
        [] => Head::Need(PRELUDE),
        [first, ..] if first != 0xFF => {
            Head::Noise(held.iter().position(|byte| *byte == 0xFF).unwrap_or(held.len()))
        }
        [_, second, ..] if second != 0xFF => Head::Noise(1),
        // A third FF is line noise before the header: no servo has that id.
        [_, _, 0xFF, ..] => Head::Noise(1),
        [_, _, _, length, ..] => {
            let length = usize::from(length);
            let total = PRELUDE + length;
            if !(2..=MAX_LENGTH).contains(&length) || total > longest {
                return Head::Noise(1);
            }
            match held.get(2..total) {
                None => Head::Need(total),
                Some([body @ .., sum]) if checksum(body) == *sum => Head::Frame(total),
                Some(_) => Head::Corrupt,
            }
        }
        _ => Head::Need(PRELUDE),
    }
}

/// Opens a frame that [`head`] found whole.
pub(crate) fn open(protocol: Protocol, whole: &[u8]) -> Option<Frame<'_>> {
    match whole {
        [_, _, id, _, code, params @ .., _] => {
            Some(Frame { protocol, id: *id, code: *code, params })
        }
        _ => None,
    }
}

pub(crate) fn status<'a>(frame: &Frame<'a>) -> Option<Status<'a>> {
    // The top bit of the error byte is never set by a servo, but is by every instruction above 7F.
    let plausible = frame.id < crate::packet::BROADCAST && frame.code < 0x80;
    plausible.then_some(Status { id: frame.id, error: frame.code, data: frame.params })
}

pub(crate) fn request<'a>(frame: &Frame<'a>) -> Option<Request<'a>> {
    let params = frame.params;
    Some(match (frame.code, params) {
        (op::PING, []) => Request::Ping,
        (op::ACTION, []) => Request::Action,
        (op::FACTORY_RESET, []) => Request::FactoryReset { keep: 0xFF },
        (op::REBOOT, []) => Request::Reboot,
        (op::READ, [address, width]) => {
            Request::Read { address: u16::from(*address), width: u16::from(*width) }
        }
        (op::WRITE, [address, data @ ..]) => Request::Write { address: u16::from(*address), data },
        (op::REG_WRITE, [address, data @ ..]) => {
            Request::RegWrite { address: u16::from(*address), data }
        }
        (op::SYNC_READ, [address, width, ids @ ..]) if frame.protocol.has_sync_read() => {
            Request::SyncRead { address: u16::from(*address), width: u16::from(*width), ids }
        }
        (op::SYNC_WRITE, [address, width, rows @ ..])
            if rows.len().is_multiple_of(usize::from(*width) + 1) =>
        {
            Request::SyncWrite { address: u16::from(*address), width: u16::from(*width), rows }
        }
        _ => return None,
    })
}
