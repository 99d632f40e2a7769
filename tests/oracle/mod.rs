//! A second opinion on the wire: rustypot, an independent implementation of both families, writes
//! the same bytes for the same requests, and reads what our servos answer.

mod tap;

use proptest::prelude::*;
use rustypot::DynamixelProtocolHandler;
use sinew_core::packet::{BROADCAST, FRAME_ROOM, MAX_ID, Protocol, Request, Status};

use tap::Tap;

fn theirs(protocol: Protocol) -> DynamixelProtocolHandler {
    match protocol {
        Protocol::Dynamixel2 => DynamixelProtocolHandler::v2(),
        // What Robotis calls protocol 1 is what Feetech builds on.
        Protocol::Feetech0 | Protocol::Feetech1 => DynamixelProtocolHandler::v1(),
    }
}

fn ours(protocol: Protocol, id: u8, request: &Request) -> Vec<u8> {
    let mut room = [0; FRAME_ROOM];
    let len = protocol.encode(id, request, &mut room).expect("room for the packet");
    room[..len].to_vec()
}

fn answer(protocol: Protocol, id: u8, data: &[u8]) -> Vec<u8> {
    let mut room = [0; FRAME_ROOM];
    let status = Status { id, error: 0, data };
    let len = protocol.encode_status(&status, &mut room).expect("room for the answer");
    room[..len].to_vec()
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::Feetech0), Just(Protocol::Dynamixel2)]
}

/// Bytes among which headers are frequent, so that stuffing is compared too.
fn data(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![2 => any::<u8>(), 2 => Just(0xFF), 1 => Just(0xFD)];
    proptest::collection::vec(byte, 1..=most)
}

fn ids() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::btree_set(0..=MAX_ID, 1..12).prop_map(|ids| ids.into_iter().collect())
}

proptest! {
    #[test]
    fn one_servo_is_asked_in_the_same_words(
        protocol in protocol(),
        id in 0..=MAX_ID,
        address in any::<u8>(),
        data in data(32),
    ) {
        let width = data.len() as u8;
        let (to, at) = (theirs(protocol), u16::from(address));
        let mut tap = Tap::answering(&answer(protocol, id, &[]));
        to.write(&mut tap, id, address, &data).expect("our receipt is taken");
        let write = Request::Write { address: at, data: &data };
        prop_assert_eq!(tap.written(), ours(protocol, id, &write));

        let mut tap = Tap::answering(&answer(protocol, id, &data));
        let read = to.read(&mut tap, id, address, width).expect("our answer is taken");
        prop_assert_eq!(&read, &data);
        let asked = Request::Read { address: at, width: u16::from(width) };
        prop_assert_eq!(tap.written(), ours(protocol, id, &asked));

        let model: &[u8] = if protocol == Protocol::Dynamixel2 { &[0x06, 0x04, 0x26] } else { &[] };
        let mut tap = Tap::answering(&answer(protocol, id, model));
        prop_assert!(to.ping(&mut tap, id).expect("our answer is taken"));
        prop_assert_eq!(tap.written(), ours(protocol, id, &Request::Ping));
    }

    #[test]
    fn many_servos_are_asked_in_the_same_words(
        protocol in protocol(),
        ids in ids(),
        address in any::<u8>(),
        data in data(4),
    ) {
        let (to, at, width) = (theirs(protocol), u16::from(address), data.len());
        let wide = width as u16;
        let answers: Vec<u8> =
            ids.iter().flat_map(|id| answer(protocol, *id, &data)).collect();
        let mut tap = Tap::answering(&answers);
        let read = to.sync_read(&mut tap, &ids, address, width as u8).expect("our answers");
        prop_assert!(read.iter().all(|each| *each == data) && read.len() == ids.len());
        let asked = Request::SyncRead { address: at, width: wide, ids: &ids };
        prop_assert_eq!(tap.written(), ours(protocol, BROADCAST, &asked));

        let rows: Vec<u8> =
            ids.iter().flat_map(|id| std::iter::once(*id).chain(data.iter().copied())).collect();
        let mut tap = Tap::answering(&[]);
        let each = vec![data.clone(); ids.len()];
        to.sync_write(&mut tap, &ids, address, &each).expect("nobody answers a sync write");
        let written = Request::SyncWrite { address: at, width: wide, rows: &rows };
        prop_assert_eq!(tap.written(), ours(protocol, BROADCAST, &written));
    }

    #[test]
    fn a_fast_sync_read_is_asked_in_the_same_words(ids in ids(), address in any::<u8>(), width in 1u8..8) {
        let mut tap = Tap::answering(&[]);
        let to = theirs(Protocol::Dynamixel2);
        prop_assert!(to.fast_sync_read(&mut tap, &ids, address, width).is_err(), "nobody answers");
        let asked = Request::FastSyncRead {
            address: u16::from(address),
            width: u16::from(width),
            ids: &ids,
        };
        prop_assert_eq!(tap.written(), ours(Protocol::Dynamixel2, BROADCAST, &asked));
    }
}
