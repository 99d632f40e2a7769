//! Requests to one servo on a line that repeats, delays and loses answers.
#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot set itself up must fail

use sinew_core::register::{Reg, Register};
use sinew_core::tables::{SCS, STS, Series, by_name};
use sinew_drivers::bus::{Patience, Reading};
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::sim::{Device, FaultPlan, VirtualBus};
use sinew_drivers::{Bus, Clock, Error};

fn bus_of(model: &str, seed: u64) -> (VirtualBus, Bus) {
    let (series, model) = by_name(model).unwrap();
    let devices = (1..=3).map(|id| Device::new(series, model, id)).collect();
    let virtual_bus = VirtualBus::new(devices, Clock::virtual_time(), seed);
    let bus = Bus::new(virtual_bus.wire(), series.protocol);
    (virtual_bus, bus)
}

fn row(series: &Series, reg: Reg) -> &'static Register {
    series.get(reg).unwrap()
}

#[test]
fn an_answer_that_comes_twice_or_late_is_never_another_registers_value() {
    let registers =
        [(Reg::MinPositionLimit, 0), (Reg::MaxPositionLimit, 4095), (Reg::ModelNumber, 777)];
    for plan in ["duplicated=1", "late=0.3", "duplicated=0.5,late=0.2,lost=0.1"] {
        let (virtual_bus, mut bus) = bus_of("sts3215", 5);
        virtual_bus.faults(FaultPlan::parse(plan).unwrap());
        let mut right = 0;
        for turn in 0..300 {
            let (reg, truth) = registers[turn % registers.len()];
            // Repeated answers follow at once; late ones meet the pace of a control loop.
            if plan.contains("late") {
                virtual_bus.clock().sleep(20 * MILLI);
            }
            match bus.read(1, row(&STS, reg)) {
                Ok(answer) => {
                    assert_eq!(answer.value, truth, "{plan} {reg:?}");
                    right += 1;
                }
                Err(Error::NoAnswer { .. } | Error::Corrupt { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(right > 200, "{plan}: {right}");
    }
}

#[test]
fn scs_servos_are_read_one_by_one_even_without_retries_and_after_a_silence() {
    let (virtual_bus, mut bus) = bus_of("scs0009", 0);
    bus.set_patience(Patience { retries: 0, ..Patience::default() });
    let mut readings = [1, 2, 3].map(Reading::new);
    let position = row(&SCS, Reg::PresentPosition);
    virtual_bus.set_dead(2, true);
    for _ in 0..10 {
        bus.sync_read(position, &mut readings, SECOND).unwrap();
    }
    let fresh = readings.map(|reading| reading.fresh().is_some());
    assert_eq!(fresh, [true, false, true]);
    virtual_bus.set_dead(2, false);
    bus.sync_read(position, &mut readings, SECOND).unwrap();
    assert!(readings.iter().all(|reading| reading.fresh().is_some()));
}

#[test]
fn a_refusal_is_told_as_one_and_not_as_silence() {
    let (virtual_bus, mut bus) = bus_of("xl330-m288", 0);
    let mut bytes = [0; 8];
    let beyond = bus.read_block(1, 60_000, "nowhere", &mut bytes).unwrap_err();
    assert!(matches!(beyond, Error::Refused { id: 1, .. }), "{beyond}");
    assert!(virtual_bus.servo(1).is_some());
}

#[test]
fn a_reading_carries_when_it_was_asked_and_when_it_came() {
    let (_virtual_bus, mut bus) = bus_of("sts3215", 0);
    let mut readings = [1, 2, 3].map(Reading::new);
    let timing = bus.sync_read(row(&STS, Reg::PresentPosition), &mut readings, SECOND).unwrap();
    for reading in readings {
        let sample = reading.outcome.unwrap();
        assert_eq!(sample.asked, timing.first_out);
        assert!(sample.asked < sample.at && sample.at <= timing.last_in);
    }
}

#[test]
fn a_machine_that_passes_answers_on_late_is_waited_for_longer_each_time() {
    let (virtual_bus, mut bus) = bus_of("sts3215", 0);
    virtual_bus.faults(FaultPlan::parse("late=1,delay_ms=70").unwrap());
    let answer = bus.read(1, row(&STS, Reg::ModelNumber)).unwrap();
    assert_eq!(answer.value, 777);
    assert_eq!(bus.patience().answer, Patience::default().answer);
    virtual_bus.set_dead(1, true);
    let begun = virtual_bus.clock().now();
    assert!(matches!(bus.read(1, row(&STS, Reg::ModelNumber)), Err(Error::NoAnswer { .. })));
    assert!(virtual_bus.clock().now() - begun < 200 * MILLI, "but not for ever");
    assert_eq!(bus.patience().answer, Patience::default().answer);
}
