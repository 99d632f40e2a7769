//! Whose time on the bus it is.

use super::*;

#[test]
fn the_host_speaks_to_the_servos_between_two_cycles() {
    let mut rig = Rig::new("sts3215", PLAN);
    let write = [0xFF, 0xFF, 2, 4, 3, 65, 9, !(2 + 4 + 3 + 65 + 9)];
    rig.goals.clear();
    for _ in 0..10 {
        rig.say(&Request::Through { bytes: &write });
        rig.wait(20_000);
    }
    assert!(rig.goals.windows(2).all(|two| two[1].0 - two[0].0 == CYCLE), "{:?}", rig.goals);
    assert_eq!(rig.board.counts().late, 0);
    let long = [0; 240];
    let mut out = [0; FRAME_ROOM];
    let request = Request::Through { bytes: &long };
    let len = request.encode(1, &mut out).unwrap();
    rig.board.host_bytes(rig.now, &out[..len]);
    assert_eq!(rig.board.counts().lost, 0, "two milliseconds and a half of bytes fit a cycle");
}

#[test]
fn a_faultless_bus_has_no_misses() {
    for model in ["sts3215", "xl330-m288"] {
        let rig = Rig::new(model, PLAN);
        assert_eq!(rig.board.counts().missed, 0, "{model}");
    }
}

#[test]
fn bytes_that_find_no_room_do_not_blind_it() {
    let mut rig = Rig::new("sts3215", PATIENT);
    let cycles = rig.board.observation(rig.now).cycle;
    // It just does not fit between the answers of one cycle and the next.
    rig.say(&Request::Through { bytes: &[0; 120] });
    rig.say(&Request::Through { bytes: &[0; 120] });
    rig.say(&Request::Through { bytes: &[0; 30] });
    rig.wait(40 * CYCLE);
    let seen = rig.board.observation(rig.now);
    assert!(seen.cycle.wrapping_sub(cycles) >= 39 && seen.seen[0].age <= 1, "{seen:?}");
    assert!(rig.board.queue.is_empty());
}

#[test]
fn what_waits_for_the_bus_does_not_outlive_its_host() {
    let mut rig = Rig::new("sts3215", Plan { stop: Stop::Hold, ..PLAN });
    rig.say(&Request::Release);
    rig.wait(CYCLE);
    let mut out = [0; FRAME_ROOM];
    let len = Request::Through { bytes: &[1, 2, 3] }.encode(1, &mut out).unwrap();
    rig.board.host_bytes(rig.now, &out[..len]);
    let len = Request::Release.encode(2, &mut out).unwrap();
    rig.board.host_bytes(rig.now, &out[..len]);
    assert!(rig.board.mode() == Mode::Free && rig.board.poll(rig.now).bus.is_empty());
}

#[test]
fn a_late_cycle_puts_off_the_next() {
    let mut rig = Rig::new("sts3215", PATIENT);
    rig.act(2100, 50_000);
    rig.wait(CYCLE);
    rig.goals.clear();
    rig.now += CYCLE + 3 * CYCLE / 4;
    rig.pump();
    rig.wait(2 * CYCLE);
    assert!(rig.goals.windows(2).all(|two| two[1].0 - two[0].0 >= CYCLE), "{:?}", rig.goals);
}
