//! The board alone, without servos.

mod servos;

use std::vec::Vec;

use super::*;
use crate::bridge::{FRAME_ROOM, Refusal, Reply, Request};

/// Says something to a board and returns its answer.
fn ask<T>(
    board: &mut Board,
    now: Micros,
    request: &Request,
    take: impl FnOnce(u16, Reply) -> T,
) -> T {
    let mut out = [0; FRAME_ROOM];
    let len = request.encode(7, &mut out).unwrap();
    board.host_bytes(now, &out[..len]);
    let step = board.poll(now);
    let mut framer = Framer::new();
    let mut input = step.host;
    let message = framer.next(&mut input).expect("an answer");
    let (number, reply) = Reply::decode(message).expect("one that makes sense");
    take(number, reply)
}

#[test]
fn it_says_who_it_is_to_a_host_of_any_version() {
    let mut board = Board::new(Kind::Virtual, &[]);
    let hello = Request::Hello { version: 200 };
    ask(&mut board, 5, &hello, |number, reply| {
        assert_eq!(number, 7);
        assert!(matches!(reply, Reply::Describe(described) if described.version == 1));
    });
}

#[test]
fn what_it_cannot_do_it_refuses() {
    let mut board = Board::new(Kind::Virtual, &[]);
    let plan = Plan { joints: 2, ..NO_PLAN };
    for (request, why) in [
        (Request::Engage { plan }, Refusal::Joints),
        (
            Request::Engage { plan: Plan { protocol: Protocol::Feetech1, ..plan } },
            Refusal::Protocol,
        ),
        (Request::Stop { stop: Stop::Limp }, Refusal::NotEngaged),
        (Request::Baud { baud: 0 }, Refusal::Unknown),
        (Request::Baud { baud: BAUDS.start() - 1 }, Refusal::Unknown),
        (Request::Baud { baud: BAUDS.end() + 1 }, Refusal::Unknown),
    ] {
        ask(&mut board, 5, &request, |_, reply| assert_eq!(reply, Reply::Refused(why)));
    }
}

#[test]
fn the_two_ports_never_have_the_bus_at_once() {
    let mut board = Board::new(Kind::Virtual, &[]);
    let ping = Request::Through { bytes: &[0xFF, 0xFF, 1, 2, 1, 0xFB] };
    assert!(board.transparent(1_000));
    assert_eq!(board.owner(1_000), Owner::Transparent);
    ask(&mut board, 2_000, &ping, |_, reply| assert_eq!(reply, Reply::Refused(Refusal::BusTaken)));
    let mut out = [0; FRAME_ROOM];
    let len = ping.encode(1, &mut out).unwrap();
    board.host_bytes(300_000, &out[..len]);
    assert_eq!(board.poll(300_000).bus.len(), 6);
    assert!(!board.transparent(310_000));
    assert!(board.transparent(600_000));
}

/// Asks a board to keep settings, and returns the record of them.
fn save(board: &mut Board, number: u16, settings: Settings) -> Option<[u8; Settings::STORED]> {
    let mut out = [0; FRAME_ROOM];
    let len = Request::Save { settings }.encode(number, &mut out).unwrap();
    board.host_bytes(0, &out[..len]);
    board.poll(0).save
}

/// What a board has to say, by number.
fn said(board: &mut Board) -> Vec<(u16, bool)> {
    let step = board.poll(0);
    let (mut framer, mut input, mut said) = (Framer::new(), step.host, Vec::new());
    while let Some(message) = framer.next(&mut input) {
        let (number, reply) = Reply::decode(message).unwrap();
        assert!(matches!(reply, Reply::Done | Reply::Refused(Refusal::NotKept)), "{reply:?}");
        said.push((number, reply == Reply::Done));
    }
    said
}

#[test]
fn settings_are_kept_and_damage_gives_the_defaults() {
    let mut board = Board::new(Kind::Virtual, &[0x55; 64]);
    assert_eq!(*board.settings(), Settings::default());
    let settings = Settings { hot: 50, ..Settings::default() };
    let record = save(&mut board, 1, settings).expect("a record");
    assert_eq!(board.poll(0).save, None);
    board.saved(true);
    assert_eq!(said(&mut board), [(1, true)]);
    assert_eq!(*board.settings(), settings);
    assert_eq!(*Board::new(Kind::Virtual, &record).settings(), settings);
}

#[test]
fn settings_are_not_done_with_before_they_are_in_flash() {
    let mut board = Board::new(Kind::Virtual, &[]);
    let settings = Settings { hot: 50, ..Settings::default() };
    assert!(save(&mut board, 1, settings).is_some());
    assert_eq!(said(&mut board), []);
    // Nor do others take their place meanwhile.
    assert_eq!(save(&mut board, 2, Settings { hot: 40, ..settings }), None);
    board.saved(false);
    assert_eq!(said(&mut board), [(1, false)]);
    assert_eq!(*board.settings(), Settings::default());
    assert!(save(&mut board, 3, settings).is_some());
}

#[test]
fn joints_that_there_cannot_be_are_refused() {
    let mut board = Board::new(Kind::Virtual, &[]);
    let limits = Axis::absent().joint.limits;
    let good = Joint { id: 1, ..Axis::absent().joint };
    for wrong in [
        Joint { id: 0xFE, ..good },
        Joint { limits: crate::limits::Limits { min: 1, ..limits }, ..good },
        Joint { rest: Some(5), ..good },
    ] {
        let request = Request::Joint { place: 0, joint: wrong };
        ask(&mut board, 5, &request, |_, reply| {
            assert_eq!(reply, Reply::Refused(Refusal::Joints), "{wrong:?}");
        });
    }
    let plan = Plan { joints: 2, ..NO_PLAN };
    let mut engage = |joints: [(u8, Joint); 2], plan: Plan| {
        for (place, joint) in joints {
            let request = Request::Joint { place, joint };
            ask(&mut board, 5, &request, |_, reply| assert_eq!(reply, Reply::Done));
        }
        ask(&mut board, 5, &Request::Engage { plan }, |_, reply| {
            matches!(reply, Reply::Engaged { .. })
        })
    };
    let other = Joint { id: 2, ..good };
    assert!(!engage([(0, good), (1, good)], plan), "one servo twice");
    assert!(!engage([(0, good), (1, other)], Plan { park_speed: f32::MAX, ..plan }));
    // Whoever tells the first joint begins anew.
    assert!(!engage([(1, other), (0, good)], plan), "the second is an earlier host's");
    assert!(engage([(0, good), (1, other)], plan));
}
