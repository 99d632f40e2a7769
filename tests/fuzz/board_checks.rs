//! What must hold for whatever a board hears, from its host or from the servos, and for whatever a host
//! hears from a board.

use sinew_core::bridge::{FRAME_ROOM, Framer, MOST_JOINTS, PAYLOAD_ROOM, Reply, Request, frame};
use sinew_core::packet::{self, Decoder};
use sinew_core::reflex::{Board, Kind};
use sinew_core::register::Reg;
use sinew_core::tables::{DYNAMIXEL_X, STS, Series};

/// What happens to a board: steps of `what, how many bytes, bytes…`. Of what the host says, whole
/// messages are framed for it; time passes by the bytes' number. The board answers in whole frames,
/// and no goal that it sends lies outside the limits it was told.
pub fn board(bytes: &[u8]) {
    let mut board = Board::new(Kind::Virtual, bytes);
    let mut limits = Limits::default();
    let (mut now, mut rest) = (0u64, bytes);
    while let [what, len, more @ ..] = rest {
        let (piece, later) = more.split_at(usize::from(*len).min(more.len()));
        rest = later;
        match what % 4 {
            0 => board.host_bytes(now, piece),
            1 => board.bus_bytes(now, piece),
            2 => {
                let mut out = [0; FRAME_ROOM];
                let written = frame(piece, &mut out).expect("shorter than the longest message");
                limits.hear(piece);
                board.host_bytes(now, &out[..written]);
            }
            _ => now += 100 * u64::from(*len),
        }
        // As often as it wants to be asked, and it does not want that without end.
        for _ in 0..8 {
            let step = board.poll(now);
            assert!(step.baud > 0);
            limits.check(step.bus);
            replies(step.host);
            if step.wake_us > now + 25_000 {
                break;
            }
            now = step.wake_us.max(now + 1);
        }
    }
}

/// The widest limits of any joint that was told with an id, as far as this looks.
#[derive(Default)]
struct Limits {
    /// Id, least, greatest.
    told: Vec<(u8, i32, i32)>,
    /// A host may put anything on the bus itself.
    through: bool,
}

impl Limits {
    fn hear(&mut self, message: &[u8]) {
        match Request::decode(message) {
            Ok((_, Request::Joint { joint, .. })) => {
                let (a, b) = (joint.limits.min, joint.limits.max);
                self.told.push((joint.id, a.min(b), a.max(b)));
            }
            Ok((_, Request::Through { .. })) => self.through = true,
            _ => {}
        }
    }

    fn check(&self, bus: &[u8]) {
        if self.through {
            return;
        }
        for series in [&STS, &DYNAMIXEL_X] {
            let mut decoder: Decoder = Decoder::new(series.protocol);
            let mut input = bus;
            while let Some(frame) = decoder.next(&mut input) {
                if let Some(packet::Request::SyncWrite { address, width, rows }) = frame.request() {
                    self.rows(series, address, width, rows);
                }
            }
        }
    }

    fn rows(&self, series: &Series, address: u16, width: u16, rows: &[u8]) {
        let goal = series.get(Reg::GoalPosition).expect("every series has goals");
        if (address, width) != (goal.address, u16::from(goal.width)) {
            return;
        }
        for row in rows.chunks_exact(usize::from(width) + 1) {
            let value = goal.decode(series.protocol.byte_order(), &row[1..]).expect("a goal");
            let within =
                |(id, min, max): &(u8, i32, i32)| *id == row[0] && (*min..=*max).contains(&value);
            assert!(self.told.iter().any(within), "{value} for servo {}", row[0]);
        }
    }
}

/// A stream from a board: what was read can be written and read again, however it is cut.
pub fn board_said(bytes: &[u8]) {
    let whole = replies(bytes);
    let mut framer = Framer::new();
    let mut found = 0;
    for mut piece in bytes.chunks(1 + usize::from(bytes.first().copied().unwrap_or(0) % 7)) {
        while framer.next(&mut piece).is_some() {
            found += 1;
        }
    }
    assert_eq!(found, whole);
}

/// How many messages there are; those that make sense are written and read again.
fn replies(bytes: &[u8]) -> usize {
    let (mut framer, mut input, mut found) = (Framer::new(), bytes, 0);
    while let Some(message) = framer.next(&mut input) {
        found += 1;
        assert!(message.len() <= PAYLOAD_ROOM + 2);
        let mut out = [0; FRAME_ROOM];
        if let Some((number, reply)) = Reply::decode(message) {
            if let Reply::Observation(seen) = &reply {
                assert!(seen.joints().len() <= MOST_JOINTS);
            }
            let written = reply.encode(number, &mut out).expect("what was read can be written");
            let (mut again, mut from) = (Framer::new(), &out[..written]);
            let message = again.next(&mut from).expect("what was written can be read");
            assert_eq!(Reply::decode(message), Some((number, reply)));
        }
        if let Ok((number, request)) = Request::decode(message) {
            let written = request.encode(number, &mut out).expect("what was read can be written");
            let (mut again, mut from) = (Framer::new(), &out[..written]);
            let message = again.next(&mut from).expect("what was written can be read");
            assert_eq!(Request::decode(message).map(|(number, _)| number), Ok(number));
        }
    }
    found
}
