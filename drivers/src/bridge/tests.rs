//! A bridge in front of the real logic of a board.

use sinew_core::packet::Protocol;

use super::*;
use crate::bus::Reading;
use crate::clock::SECOND;
use crate::sim::{VirtualBoard, VirtualBus, arm};
use crate::{Bus, Clock};

fn board(seed: u64) -> (VirtualBus, VirtualBoard, Clock) {
    let spec = arm::by_name("so101").unwrap();
    let bus = VirtualBus::new(arm::devices(&spec), Clock::virtual_time(), seed);
    let clock = Clock::virtual_time();
    let board = VirtualBoard::new(bus.clone(), clock.clone());
    (bus, board, clock)
}

#[test]
fn a_bus_need_not_know_that_there_is_a_board() {
    let (servos, board, _) = board(0);
    let bridge = Bridge::open(board.wire()).unwrap();
    assert!(bridge.board().is_ok());
    let mut bus = Bus::new(Box::new(bridge), Protocol::Feetech0);
    let register = sinew_core::tables::STS.get(sinew_core::register::Reg::PresentPosition).unwrap();
    let mut readings = [1, 2, 3, 4, 5, 6].map(Reading::new);
    bus.sync_read(register, &mut readings, SECOND).unwrap();
    for reading in readings {
        assert_eq!(reading.fresh(), Some(servos.servo(reading.id).unwrap().position));
    }
}

#[test]
fn a_plain_adapter_behind_a_bridge_is_a_plain_adapter() {
    let (servos, _, _) = board(0);
    let bridge = Bridge::open(servos.wire()).unwrap();
    assert_eq!(bridge.board(), Err(Plain::Silent));
    let mut bus = Bus::new(Box::new(bridge), Protocol::Feetech0);
    assert!(bus.ping(3).unwrap().is_some());
    assert_eq!(bus.ping(9).unwrap(), None);
}

#[test]
fn the_boards_clock_is_known_to_half_of_what_an_answer_takes() {
    let (_, board, clock) = board(0);
    let mut bridge = Bridge::open(board.wire()).unwrap();
    bridge.watch(u32::MAX, 0).unwrap();
    let error = bridge.offset().error(clock.now()).unwrap();
    assert!(error <= 300 * crate::clock::MICRO, "{error}");
}

#[test]
fn what_is_plugged_in_again_is_the_same_board() {
    let (_, board, _) = board(0);
    let mut bridge = Bridge::open(board.wire()).unwrap();
    board.unplug();
    assert!(matches!(bridge.send(&[1]), Err(Error::Lost { .. })));
    assert!(bridge.reopen().is_err());
    board.replug();
    bridge.reopen().unwrap();
    assert!(bridge.board().is_ok());
}
