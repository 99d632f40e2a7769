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
    assert_eq!(bridge.board(), Err(Plain));
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

#[test]
fn servos_of_any_rate_are_found_and_set_up_through_a_board() {
    use crate::scan::{ScanOptions, scan};
    let (servos, board, _) = board(5);
    assert!(servos.change(4, |device| {
        device.servo.set(sinew_core::register::Reg::BaudRate, 4);
        device.servo.keep_settings();
    }));
    let mut bus = Bus::new(Box::new(Bridge::open(board.wire()).unwrap()), Protocol::Feetech0);
    let options = ScanOptions::all_bauds(1_000_000, &[Protocol::Feetech0]);
    let report = scan(&mut bus, &options, |_| {}).unwrap();
    let found: Vec<_> = report.motors.iter().map(|motor| (motor.id, motor.baud)).collect();
    assert!(found.len() == 6 && found.contains(&(4, 115_200)), "{found:?}");

    let series = &sinew_core::tables::STS;
    bus.wire_mut().set_baud(115_200).unwrap();
    crate::setup::change_baud(&mut bus, series, 4, 1_000_000).unwrap();
    bus.wire_mut().set_baud(1_000_000).unwrap();
    crate::setup::change_id(&mut bus, series, 4, 9).unwrap();
    assert!(bus.ping(9).unwrap().is_some() && servos.servo(9).is_some());
}

#[test]
fn a_plain_adapters_servos_never_take_a_greeting_for_theirs() {
    let mut out = [0; sinew_core::bridge::FRAME_ROOM];
    for number in 1..=GREETINGS as u16 {
        let hello = Request::Hello { version: VERSION };
        let len = hello.encode(number, &mut out).unwrap();
        assert!(!out[..len].contains(&0xFF), "{:02X?}", &out[..len]);
    }
}

/// A board that speaks another version of the messages.
struct Newer {
    clock: Clock,
    says: Vec<u8>,
}

impl Wire for Newer {
    fn name(&self) -> &str {
        "newer board"
    }
    fn clock(&self) -> &Clock {
        &self.clock
    }
    fn baud(&self) -> u32 {
        1_000_000
    }
    fn set_baud(&mut self, _baud: u32) -> Result<(), Error> {
        Ok(())
    }
    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        let mut input = bytes;
        let mut framer = sinew_core::bridge::Framer::new();
        if let Some(message) = framer.next(&mut input) {
            let (number, _) = Request::decode(message).unwrap();
            let (version, firmware) = (VERSION + 1, [9, 0, 0]);
            let describe = Describe { version, firmware, kind: 1, can: 0, joints: 16 };
            let mut out = [0; sinew_core::bridge::FRAME_ROOM];
            let len = Reply::Describe(describe).encode(number, &mut out).unwrap();
            self.says.extend(&out[..len]);
        }
        Ok(self.clock.now())
    }
    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        let some = into.len().min(self.says.len());
        into[..some].copy_from_slice(&self.says[..some]);
        self.says.drain(..some);
        if some == 0 {
            self.clock.sleep_until(deadline);
        }
        Ok(some)
    }
    fn discard_input(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn reopen(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_board_of_another_version_is_no_plain_adapter() {
    let wire = Newer { clock: Clock::virtual_time(), says: Vec::new() };
    let error = Bridge::open(Box::new(wire)).err().unwrap();
    assert!(error.to_string().contains("first port"), "{error}");
}
