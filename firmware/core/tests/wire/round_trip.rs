//! What is written is read back the same, however the stream is cut.

use proptest::prelude::*;
use sinew_core::packet::{Decoder, EncodeError, Protocol, Request, Status};

use crate::any::{Asked, answered, asked, bytes, frames, protocol};

fn any_asked() -> impl Strategy<Value = (Protocol, Asked)> {
    protocol().prop_flat_map(|protocol| (Just(protocol), asked(protocol)))
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1usize..40, 0..40)
}

proptest! {
    #[test]
    fn every_request_comes_back((protocol, asked) in any_asked()) {
        let mut room = [0; 600];
        let request = asked.request();
        let len = protocol.encode(asked.id, &request, &mut room);
        prop_assert!(len.is_ok(), "{:?}", len);
        let (mut decoder, mut input) = (Decoder::<600>::new(protocol), &room[..len.unwrap_or(0)]);
        let frame = decoder.next(&mut input);
        prop_assert_eq!(frame.map(|frame| frame.id), Some(asked.id));
        prop_assert_eq!(frame.and_then(|frame| frame.request()), Some(request));
        prop_assert!(input.is_empty());
    }

    #[test]
    fn every_status_comes_back(
        (protocol, answered) in protocol().prop_flat_map(|p| (Just(p), answered(p, 240)))
    ) {
        let mut room = [0; 600];
        let len = protocol.encode_status(&answered.status(), &mut room);
        prop_assert!(len.is_ok(), "{:?}", len);
        let (mut decoder, mut input) = (Decoder::<600>::new(protocol), &room[..len.unwrap_or(0)]);
        let frame = decoder.next(&mut input);
        prop_assert_eq!(frame.and_then(|frame| frame.status()), Some(answered.status()));
        prop_assert!(input.is_empty());
    }

    #[test]
    fn an_answer_is_as_long_as_foretold_and_at_most_a_third_more_with_stuffing(
        (protocol, answered) in protocol().prop_flat_map(|p| (Just(p), answered(p, 240)))
    ) {
        let len = protocol.encode_status(&answered.status(), &mut [0; 600]).unwrap_or(0);
        let foretold = protocol.reply_len(answered.status().data.len());
        let stuffed = if protocol == Protocol::Dynamixel2 { foretold / 3 } else { 0 };
        prop_assert!((foretold..=foretold + stuffed).contains(&len), "{} of {}", len, foretold);
    }

    #[test]
    fn a_buffer_too_short_is_said_with_the_length_it_takes((protocol, asked) in any_asked()) {
        let mut room = [0; 600];
        let len = protocol.encode(asked.id, &asked.request(), &mut room).unwrap_or(0);
        for short in 0..len {
            let mut small = vec![0; short];
            prop_assert_eq!(
                protocol.encode(asked.id, &asked.request(), &mut small),
                Err(EncodeError::BufferTooSmall { needed: len, room: short })
            );
        }
    }

    #[test]
    fn the_cut_of_the_stream_does_not_matter(
        protocol in protocol(),
        stream in bytes(400),
        pieces in pieces(),
    ) {
        let (mut whole, mut cut) = (Decoder::<64>::new(protocol), Decoder::<64>::new(protocol));
        prop_assert_eq!(frames(&mut cut, &stream, &pieces), frames(&mut whole, &stream, &[]));
        prop_assert_eq!(cut.counts(), whole.counts());
    }
}

#[test]
fn nobody_has_the_id_that_is_a_header_byte() {
    let mut room = [0; 64];
    for protocol in [Protocol::Feetech0, Protocol::Feetech1, Protocol::Dynamixel2] {
        let asked = protocol.encode(0xFF, &Request::Ping, &mut room);
        assert_eq!(asked, Err(EncodeError::OutOfFormat));
        let status = Status { id: 0xFF, error: 0, data: &[] };
        assert_eq!(protocol.encode_status(&status, &mut room), Err(EncodeError::OutOfFormat));
    }
}

#[test]
fn what_a_format_cannot_say_is_refused() {
    let mut room = [0; 70_000];
    let long = vec![0; 66_000];
    let feetech = |request| Protocol::Feetech0.encode(1, &request, &mut [0; 600]);
    assert_eq!(feetech(Request::Read { address: 256, width: 1 }), Err(EncodeError::OutOfFormat));
    assert_eq!(feetech(Request::Read { address: 0, width: 256 }), Err(EncodeError::OutOfFormat));
    let write = Request::Write { address: 0, data: &long[..248] };
    assert_eq!(feetech(write), Err(EncodeError::TooLong { params: 249, most: 248 }));
    assert_eq!(feetech(Request::BulkRead { rows: &[] }), Err(EncodeError::Unsupported));
    let rows = Request::SyncWrite { address: 0, width: 2, rows: &[1, 2] };
    assert_eq!(feetech(rows), Err(EncodeError::UnevenRows));
    let sync_read = Request::SyncRead { address: 0, width: 2, ids: &[1] };
    let asked = Protocol::Feetech1.encode(1, &sync_read, &mut room);
    assert_eq!(asked, Err(EncodeError::Unsupported));
    let asked =
        Protocol::Dynamixel2.encode(1, &Request::Write { address: 0, data: &long }, &mut room);
    assert!(matches!(asked, Err(EncodeError::TooLong { .. })), "{asked:?}");
}
