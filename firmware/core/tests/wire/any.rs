//! Any request, any status, any noise, any cut: what the properties are tried on.

use proptest::prelude::*;
use sinew_core::packet::{BROADCAST, Decoder, MAX_ID, Protocol, Request, Status};

/// A request that owns its bytes.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: u8,
    kind: Kind,
    address: u16,
    width: u16,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Ping,
    Read,
    Write,
    RegWrite,
    Action,
    FactoryReset,
    Reboot,
    SyncRead,
    FastSyncRead,
    SyncWrite,
    BulkRead,
}

impl Asked {
    pub fn request(&self) -> Request<'_> {
        let Self { address, width, bytes, .. } = self;
        let (address, width) = (*address, *width);
        match self.kind {
            Kind::Ping => Request::Ping,
            Kind::Read => Request::Read { address, width },
            Kind::Write => Request::Write { address, data: bytes },
            Kind::RegWrite => Request::RegWrite { address, data: bytes },
            Kind::Action => Request::Action,
            // Feetech has no byte for what to keep: 0xFF is what it means.
            Kind::FactoryReset => Request::FactoryReset { keep: 0xFF },
            Kind::Reboot => Request::Reboot,
            Kind::SyncRead => Request::SyncRead { address, width, ids: bytes },
            Kind::FastSyncRead => Request::FastSyncRead { address, width, ids: bytes },
            Kind::SyncWrite => {
                let row = usize::from(width) + 1;
                let whole = bytes.len() / row * row;
                Request::SyncWrite { address, width, rows: &bytes[..whole] }
            }
            Kind::BulkRead => Request::BulkRead { rows: &bytes[..bytes.len() / 5 * 5] },
        }
    }
}

pub fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::Feetech0), Just(Protocol::Feetech1), Just(Protocol::Dynamixel2)]
}

/// Bytes among which headers and their parts are frequent.
pub fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => any::<u8>(), 2 => Just(0xFF), 1 => Just(0xFD), 1 => Just(0x00)];
    proptest::collection::vec(byte, 0..=most)
}

/// A request of a kind that `protocol` has.
pub fn asked(protocol: Protocol) -> BoxedStrategy<Asked> {
    let mut kinds = vec![
        Kind::Ping,
        Kind::Read,
        Kind::Write,
        Kind::RegWrite,
        Kind::Action,
        Kind::FactoryReset,
        Kind::Reboot,
        Kind::SyncWrite,
    ];
    if protocol.has_sync_read() {
        kinds.push(Kind::SyncRead);
    }
    if protocol == Protocol::Dynamixel2 {
        kinds.extend([Kind::FastSyncRead, Kind::BulkRead]);
    }
    let widest = if protocol == Protocol::Dynamixel2 { u16::MAX } else { u16::from(u8::MAX) };
    let id = prop_oneof![0..=MAX_ID, Just(BROADCAST)];
    let width = prop_oneof![4 => 0u16..=16, 1 => 0..=widest];
    (id, proptest::sample::select(kinds), 0..=widest, width, bytes(240))
        .prop_map(|(id, kind, address, width, bytes)| Asked { id, kind, address, width, bytes })
        .boxed()
}

/// A servo's answer that owns its bytes.
#[derive(Clone, Debug)]
pub struct Answered {
    id: u8,
    error: u8,
    data: Vec<u8>,
}

impl Answered {
    pub fn status(&self) -> Status<'_> {
        Status { id: self.id, error: self.error, data: &self.data }
    }
}

pub fn answered(protocol: Protocol, most: usize) -> impl Strategy<Value = Answered> {
    let errors = if protocol == Protocol::Dynamixel2 { 0xFF } else { 0x7F };
    (0..=MAX_ID, 0u8..=errors, bytes(most)).prop_map(|(id, error, data)| Answered {
        id,
        error,
        data,
    })
}

/// A frame that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: u8,
    pub code: u8,
    pub params: Vec<u8>,
}

/// All frames in a stream that comes in pieces of the given sizes, and is then over.
pub fn frames<const N: usize>(
    decoder: &mut Decoder<N>,
    stream: &[u8],
    pieces: &[usize],
) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut rest = stream;
    let mut sizes = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (mut piece, later) = rest.split_at(size);
        drain(decoder, &mut piece, &mut seen);
        assert!(piece.is_empty(), "the decoder left {} bytes", piece.len());
        rest = later;
    }
    while decoder.give_up() {
        drain(decoder, &mut &[][..], &mut seen);
    }
    seen
}

fn drain<const N: usize>(decoder: &mut Decoder<N>, piece: &mut &[u8], seen: &mut Vec<Seen>) {
    while let Some(frame) = decoder.next(piece) {
        seen.push(Seen { id: frame.id, code: frame.code, params: frame.params.to_vec() });
    }
}
