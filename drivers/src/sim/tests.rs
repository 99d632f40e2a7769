//! The virtual bus as a driver sees it.

use std::sync::{Arc, Mutex};

use sinew_core::packet::{Protocol, Request};
use sinew_core::register::{Fault, Reg};
use sinew_core::tables::{STS, by_name};

use super::{Device, FaultPlan, VirtualBus, arm};
use crate::bus::{Miss, Reading};
use crate::clock::{MILLI, SECOND};
use crate::{Bus, Clock, Error};

fn so101(seed: u64) -> VirtualBus {
    let spec = arm::by_name("so101").unwrap();
    VirtualBus::new(arm::devices(&spec), Clock::virtual_time(), seed)
}

fn readings() -> [Reading; 6] {
    [1, 2, 3, 4, 5, 6].map(Reading::new)
}

#[test]
fn a_sync_read_hears_all_six_in_the_time_the_line_takes() {
    let virtual_bus = so101(0);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    let register = STS.get(Reg::PresentPosition).unwrap();
    let mut seen = readings();
    let timing = bus.sync_read(register, &mut seen, SECOND).unwrap();
    for reading in &seen {
        let truth = virtual_bus.servo(reading.id).unwrap().position;
        assert_eq!(reading.fresh(), Some(truth));
        assert_eq!(reading.outcome.unwrap().at, reading.last.unwrap().at);
    }
    // 14 bytes out and 48 back at ten microseconds each, and six return delays of 500.
    let took = timing.last_in - timing.first_out;
    assert!((3_600_000..4_000_000).contains(&took), "{took}");
}

#[test]
fn one_dead_motor_costs_nobody_else_an_answer() {
    let virtual_bus = so101(0);
    virtual_bus.set_dead(3, true);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    let mut seen = readings();
    bus.sync_read(STS.get(Reg::PresentPosition).unwrap(), &mut seen, SECOND).unwrap();
    for reading in &seen {
        let dead = reading.id == 3;
        assert_eq!(reading.outcome.is_err(), dead, "{reading:?}");
        assert!(!dead || reading.outcome == Err(Miss::NoAnswer));
    }
}

#[test]
fn each_kind_of_fault_is_survived_and_no_value_is_ever_wrong() {
    for plan in
        ["lost=0.2", "late=0.2", "truncated=0.2", "corrupted=0.2", "duplicated=0.2", "all=0.1"]
    {
        let virtual_bus = so101(7);
        virtual_bus.faults(FaultPlan::parse(plan).unwrap());
        let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
        let register = STS.get(Reg::PresentPosition).unwrap();
        let mut seen = readings();
        let mut fresh = 0;
        for round in 0..500 {
            // Every round the truth is another one, so a stale answer would show.
            for id in 1..=6u8 {
                virtual_bus.hand(id, Some(f64::from(1000 + round * 4 + i32::from(id))));
            }
            bus.sync_read(register, &mut seen, 300 * MILLI).unwrap();
            for reading in &seen {
                if let Some(value) = reading.fresh() {
                    fresh += 1;
                    assert_eq!(value, 1000 + round * 4 + i32::from(reading.id), "{plan}");
                }
            }
            virtual_bus.clock().sleep(100 * MILLI);
        }
        assert!(fresh > 2700, "{plan}: only {fresh} of 3000 came through");
    }
}

#[test]
fn two_servos_of_one_id_garble_each_other() {
    let (series, model) = by_name("sts3215").unwrap();
    let mut twin = Device::new(series, model, 1);
    twin.place(777.0);
    let devices = vec![Device::new(series, model, 1), twin];
    let virtual_bus = VirtualBus::new(devices, Clock::virtual_time(), 3);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    let register = STS.get(Reg::PresentPosition).unwrap();
    let answers: Vec<_> = (0..20).map(|_| bus.read(1, register)).collect();
    assert!(answers.iter().any(|answer| matches!(answer, Err(Error::Corrupt { id: 1, .. }))));
    assert!(virtual_bus.fault_counts().collisions >= 20);
}

#[test]
fn at_a_wrong_rate_nobody_is_understood() {
    let virtual_bus = so101(1);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    bus.wire_mut().set_baud(57_600).unwrap();
    assert!(bus.ping(1).unwrap().is_none());
    bus.wire_mut().set_baud(1_000_000).unwrap();
    assert!(bus.ping(1).unwrap().is_some());
}

#[test]
fn an_unplugged_adapter_is_lost_until_it_is_back() {
    let virtual_bus = so101(1);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    assert!(bus.ping(2).unwrap().is_some());
    virtual_bus.unplug();
    assert!(matches!(bus.ping(2), Err(Error::Lost { .. })));
    assert!(bus.wire_mut().reopen().is_err());
    virtual_bus.replug(None);
    bus.wire_mut().reopen().unwrap();
    assert!(bus.ping(2).unwrap().is_some());
}

#[test]
fn a_brownout_drops_torque_and_shows_in_the_voltage() {
    let virtual_bus = so101(1);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    virtual_bus.change(1, |device| device.servo.set(Reg::TorqueEnable, 1));
    virtual_bus.faults(FaultPlan { brownout: 1.0, ..FaultPlan::default() });
    let answer = bus.read(1, STS.get(Reg::PresentVoltage).unwrap()).unwrap();
    assert_eq!(answer.value, 32);
    assert!(answer.faults.has(Fault::Voltage));
    assert!(!virtual_bus.servo(1).unwrap().torque);
    virtual_bus.faults(FaultPlan::default());
    virtual_bus.clock().sleep(SECOND);
    let answer = bus.read(1, STS.get(Reg::PresentVoltage).unwrap()).unwrap();
    assert_eq!((answer.value, answer.faults.is_empty()), (74, true));
}

#[test]
fn everybody_answers_a_broadcast_ping_once() {
    let virtual_bus = so101(1);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    let mut ids = Vec::new();
    bus.ask_all(&Request::Ping, 100 * MILLI, |status| ids.push(status.id)).unwrap();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_fast_sync_read_hears_every_dynamixel_in_one_frame() {
    let spec = arm::by_name("koch").unwrap();
    let virtual_bus = VirtualBus::new(arm::devices(&spec), Clock::virtual_time(), 1);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Dynamixel2);
    let register = spec.series.get(Reg::PresentPosition).unwrap();
    for fast in [false, true] {
        bus.use_fast_sync_read(fast);
        let mut seen = readings();
        bus.sync_read(register, &mut seen, SECOND).unwrap();
        for reading in &seen {
            let truth = virtual_bus.servo(reading.id).unwrap().position;
            assert_eq!(reading.fresh(), Some(truth), "fast: {fast}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = || {
        let virtual_bus = so101(42);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let copy = Arc::clone(&seen);
        virtual_bus.observe(Box::new(move |packet| {
            copy.lock().unwrap().push((packet.at, packet.bytes.to_vec()));
        }));
        virtual_bus.faults(FaultPlan::answers(0.05));
        let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
        for _ in 0..200 {
            let register = STS.get(Reg::PresentPosition).unwrap();
            bus.sync_read(register, &mut readings(), 100 * MILLI).unwrap();
        }
        std::mem::take(&mut *seen.lock().unwrap())
    };
    let first = run();
    assert!(first.len() > 1000);
    assert_eq!(first, run());
}
