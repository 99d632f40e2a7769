//! Noise and damage: true frames are found, damaged ones are not taken for true.

use proptest::prelude::*;
use sinew_core::packet::{Decoder, Protocol};

use crate::any::{Answered, Seen, answered, bytes, frames, protocol};

/// Noise and the answer behind it.
type Part = (Vec<u8>, Answered);

/// Frames with something before, between and behind them.
fn stream() -> impl Strategy<Value = (Protocol, Vec<Part>, Vec<u8>)> {
    protocol().prop_flat_map(|protocol| {
        let part = (bytes(30), answered(protocol, 20));
        (Just(protocol), proptest::collection::vec(part, 1..6), bytes(30))
    })
}

fn written(protocol: Protocol, answered: &Answered) -> Vec<u8> {
    let mut room = [0; 128];
    let len = protocol.encode_status(&answered.status(), &mut room).expect("room enough");
    room[..len].to_vec()
}

/// How a status looks as a frame.
fn as_seen(protocol: Protocol, answered: &Answered) -> Seen {
    frames(&mut Decoder::<128>::new(protocol), &written(protocol, answered), &[]).remove(0)
}

/// Every wanted frame stands in `seen`, in order. Noise may by chance be a frame of its own and
/// cover a true one; then there is a frame that nobody sent, and nothing is claimed.
fn all_there(wanted: &[Seen], seen: &[Seen]) -> bool {
    let stranger = seen.iter().any(|frame| !wanted.contains(frame));
    let mut rest = seen.iter();
    stranger || wanted.iter().all(|frame| rest.any(|seen| seen == frame))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn true_frames_among_noise_are_always_found(
        (protocol, parts, tail) in stream(),
        pieces in proptest::collection::vec(1usize..30, 0..20),
    ) {
        let mut line = Vec::new();
        let mut wanted = Vec::new();
        for (noise, answered) in &parts {
            line.extend_from_slice(noise);
            line.extend(written(protocol, answered));
            wanted.push(as_seen(protocol, answered));
        }
        line.extend(tail);
        let seen = frames(&mut Decoder::<128>::new(protocol), &line, &pieces);
        prop_assert!(all_there(&wanted, &seen), "{:02X?} in {:02X?}", wanted, seen);
    }

    #[test]
    fn noise_without_header_bytes_costs_nothing_but_itself(
        (protocol, parts, _) in stream(),
        fill in proptest::collection::vec(0u8..0xFF, 0..30),
    ) {
        let mut line = fill.clone();
        let mut wanted = Vec::new();
        for (_, answered) in &parts {
            line.extend(written(protocol, answered));
            wanted.push(as_seen(protocol, answered));
        }
        let mut decoder = Decoder::<128>::new(protocol);
        prop_assert_eq!(frames(&mut decoder, &line, &[]), wanted);
        prop_assert_eq!(decoder.counts().noise, fill.len() as u64);
        prop_assert_eq!(decoder.counts().bad_checksums, 0);
    }

    #[test]
    fn one_wrong_byte_is_never_taken_for_the_frame(
        (protocol, answered) in protocol().prop_flat_map(|p| (Just(p), answered(p, 20))),
        (at, change) in (any::<proptest::sample::Index>(), 1u8..=255),
        next in bytes(12),
    ) {
        let mut line = written(protocol, &answered);
        let at = at.index(line.len());
        let length = line.len();
        line[at] ^= change;
        let behind = Answered::clone(&answered);
        line.extend(&next);
        line.extend(written(protocol, &behind));
        let wanted = as_seen(protocol, &answered);
        let mut decoder = Decoder::<128>::new(protocol);
        let seen = frames(&mut decoder, &line, &[]);
        // The same frame stands behind the damaged one, so one of it is right and two is wrong.
        prop_assert!(all_there(std::slice::from_ref(&wanted), &seen), "{:02X?}", seen);
        let strangers = seen.iter().any(|frame| *frame != wanted);
        prop_assert!(strangers || seen.len() == 1, "{:02X?} of {} bytes", seen, length);
    }

    #[test]
    fn lost_bytes_cost_one_frame(
        (protocol, answered) in protocol().prop_flat_map(|p| (Just(p), answered(p, 20))),
        cut in any::<proptest::sample::Index>(),
    ) {
        let whole = written(protocol, &answered);
        let mut line = whole[..cut.index(whole.len())].to_vec();
        line.extend(&whole);
        let wanted = [as_seen(protocol, &answered)];
        let seen = frames(&mut Decoder::<128>::new(protocol), &line, &[]);
        prop_assert!(all_there(&wanted, &seen), "{:02X?}", seen);
    }

    #[test]
    fn any_bytes_through_any_room_are_answered(
        protocol in protocol(),
        stream in bytes(600),
        longest in 0usize..40,
    ) {
        let mut decoder = Decoder::<32>::new(protocol);
        decoder.expect_at_most(longest);
        for seen in frames(&mut decoder, &stream, &[]) {
            prop_assert!(seen.params.len() < longest.min(32));
        }
    }
}

#[test]
fn a_false_start_does_not_swallow_the_answer_behind_it() {
    // Noise that announces 32 bytes, then a true answer, then silence.
    let line = [0xFF, 0xFF, 0x01, 0x20, 0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC];
    let mut decoder = Decoder::<64>::new(Protocol::Feetech0);
    let mut input = line.as_slice();
    assert_eq!(decoder.next(&mut input), None, "the announced bytes may still come");
    assert!(decoder.give_up());
    let found = decoder.next(&mut input).and_then(|frame| frame.status());
    assert_eq!(found.map(|status| status.id), Some(1));
    assert_eq!(decoder.counts().noise, 4);
    // With the length that is expected the true answer is found at once.
    let mut decoder = Decoder::<64>::new(Protocol::Feetech0);
    decoder.expect_at_most(8);
    assert!(decoder.next(&mut line.as_slice()).is_some());
}

#[test]
fn a_reset_forgets_what_was_begun_and_counts_it() {
    let mut decoder = Decoder::<64>::new(Protocol::Feetech0);
    assert_eq!(decoder.next(&mut [0xFF, 0xFF, 0x01, 0x02, 0x00].as_slice()), None);
    decoder.reset();
    assert_eq!(decoder.counts().noise, 5);
    assert_eq!(decoder.next(&mut [0xFC].as_slice()), None);
    assert!(decoder.next(&mut [0xFF, 0xFF, 0x01, 0x02, 0x00, 0xFC].as_slice()).is_some());
}
