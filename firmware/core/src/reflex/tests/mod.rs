//! The board alone, without servos.

mod servos;

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

#[test]
fn settings_are_kept_and_damage_gives_the_defaults() {
    let mut board = Board::new(Kind::Virtual, &[0x55; 64]);
    assert_eq!(*board.settings(), Settings::default());
    let settings = Settings { hot: 50, ..Settings::default() };
    let mut out = [0; FRAME_ROOM];
    let len = Request::Save { settings }.encode(1, &mut out).unwrap();
    board.host_bytes(0, &out[..len]);
    let record = board.poll(0).save.expect("a record");
    assert_eq!(board.poll(0).save, None);
    assert_eq!(*Board::new(Kind::Virtual, &record).settings(), settings);
}
