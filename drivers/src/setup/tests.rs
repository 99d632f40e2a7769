//! Settings made on virtual servos, which forget them as real ones do.
#![cfg(feature = "sim")]

use sinew_core::tables::{DYNAMIXEL_X, STS, by_name};

use super::*;
use crate::Clock;
use crate::sim::{Device, FaultPlan, VirtualBus, arm};

fn bus_of(model: &str, ids: &[u8], seed: u64) -> (VirtualBus, Bus) {
    let (series, model) = by_name(model).unwrap();
    let devices = ids.iter().map(|id| Device::new(series, model, *id)).collect();
    let virtual_bus = VirtualBus::new(devices, Clock::virtual_time(), seed);
    let bus = Bus::new(virtual_bus.wire(), series.protocol);
    (virtual_bus, bus)
}

/// What a servo holds after its power was off.
fn kept(virtual_bus: &VirtualBus, id: u8, reg: Reg) -> i32 {
    let mut held = None;
    virtual_bus.power_cycle();
    virtual_bus.change(id, |device| held = Some(device.servo.get(reg)));
    held.unwrap()
}

#[test]
fn a_new_id_survives_power_loss_and_leaves_the_lock_closed() {
    for (model, series) in [("sts3215", &STS), ("xl330-m288", &DYNAMIXEL_X)] {
        let (virtual_bus, mut bus) = bus_of(model, &[1, 2], 0);
        let steps = change_id(&mut bus, series, 1, 6).unwrap();
        assert_eq!(steps, [Step { id: 1, what: "ID", was: 1, now: 6 }]);
        let mut lock = None;
        virtual_bus.change(6, |device| lock = Some(device.servo.get(Reg::Lock)));
        assert_eq!(lock, Some(i32::from(series.protocol == Protocol::Feetech0)));
        assert_eq!(kept(&virtual_bus, 6, Reg::Id), 6);
        assert!(virtual_bus.servo(1).is_none());
        assert_eq!(change_id(&mut bus, series, 6, 6).unwrap(), []);
    }
}

#[test]
fn an_id_that_is_taken_or_impossible_is_not_given() {
    let (virtual_bus, mut bus) = bus_of("sts3215", &[1, 2], 0);
    for to in [2, 0xFD, 0xFE, 0xFF] {
        let refused = change_id(&mut bus, &STS, 1, to).unwrap_err();
        assert!(matches!(refused, Error::IdTaken { id, .. } if id == to), "{refused}");
    }
    assert!(virtual_bus.servo(1).is_some());
}

#[test]
fn a_new_rate_takes_the_wire_along_and_survives_power_loss() {
    for (model, series, baud) in
        [("sts3215", &STS, 57_600), ("xl330-m288", &DYNAMIXEL_X, 1_000_000)]
    {
        let (virtual_bus, mut bus) = bus_of(model, &[4], 0);
        let steps = change_baud(&mut bus, series, 4, baud).unwrap();
        assert_eq!(steps.len(), 1);
        assert_eq!(bus.wire().baud(), baud);
        let code = series.baud_code(baud).map(i32::from);
        assert_eq!(Some(kept(&virtual_bus, 4, Reg::BaudRate)), code);
        assert!(bus.ping(4).unwrap().is_some());
        assert_eq!(change_baud(&mut bus, series, 4, baud).unwrap(), []);
    }
}

#[test]
fn a_rate_that_the_servo_does_not_know_is_refused_before_anything_is_written() {
    let (_virtual_bus, mut bus) = bus_of("sts3215", &[4], 0);
    let refused = change_baud(&mut bus, &STS, 4, 9_601).unwrap_err();
    assert!(matches!(refused, Error::NoSuchBaud { baud: 9_601, .. }), "{refused}");
    assert!(bus.ping(4).unwrap().is_some());
}

#[test]
fn every_setting_is_kept_and_what_is_held_already_is_not_written() {
    let (virtual_bus, mut bus) = bus_of("sts3215", &[1], 0);
    let steps = gains(&mut bus, &STS, 1, (16, 0, 32)).unwrap();
    assert_eq!(steps, [Step { id: 1, what: "P_Coefficient", was: 32, now: 16 }]);
    limits(&mut bus, &STS, 1, (700, 3300)).unwrap();
    operating_mode(&mut bus, &STS, 1, 1).unwrap();
    homing_offset(&mut bus, &STS, 1, -1470).unwrap();
    return_delay(&mut bus, &STS, 1, 0).unwrap();
    let settings = [
        (Reg::PCoefficient, 16),
        (Reg::MinPositionLimit, 700),
        (Reg::MaxPositionLimit, 3300),
        (Reg::OperatingMode, 1),
        (Reg::HomingOffset, -1470),
        (Reg::ReturnDelayTime, 0),
    ];
    for (reg, value) in settings {
        assert_eq!(kept(&virtual_bus, 1, reg), value, "{reg:?}");
    }
}

#[test]
fn a_setting_that_does_not_fit_leaves_the_lock_closed() {
    let (virtual_bus, mut bus) = bus_of("sts3215", &[1], 0);
    let refused = homing_offset(&mut bus, &STS, 1, 2048).unwrap_err();
    assert!(matches!(refused, Error::OutOfRange(_)), "{refused}");
    let mut lock = 0;
    virtual_bus.change(1, |device| lock = device.servo.get(Reg::Lock));
    assert_eq!(lock, 1);
    let absent = homing_offset(&mut bus, &sinew_core::tables::SCS, 1, 0).unwrap_err();
    assert!(matches!(absent, Error::NoSuchRegister { what: "Homing_Offset", .. }), "{absent}");
}

#[test]
fn a_servo_comes_back_from_reboot_and_reset_at_the_wires_rate() {
    let (virtual_bus, mut bus) = bus_of("sts3215", &[3], 0);
    change_baud(&mut bus, &STS, 3, 500_000).unwrap();
    gains(&mut bus, &STS, 3, (9, 0, 32)).unwrap();
    reboot(&mut bus, 3).unwrap();
    assert_eq!(kept(&virtual_bus, 3, Reg::PCoefficient), 9);
    factory_reset(&mut bus, &STS, 3).unwrap();
    assert_eq!(bus.wire().baud(), 500_000);
    assert!(bus.ping(3).unwrap().is_some());
    assert_eq!(kept(&virtual_bus, 3, Reg::PCoefficient), 32);
    virtual_bus.set_dead(3, true);
    assert!(matches!(reboot(&mut bus, 3), Err(Error::NoAnswer { id: 3, .. })));
}

#[test]
fn settings_are_right_on_a_line_that_loses_and_repeats_answers() {
    for seed in 0..30 {
        let (virtual_bus, mut bus) = bus_of("sts3215", &[1], seed);
        virtual_bus.faults(FaultPlan::answers(0.02));
        // A failure may be told, but what is said to be done is done.
        if change_id(&mut bus, &STS, 1, 5).is_ok() {
            assert_eq!(kept(&virtual_bus, 5, Reg::Id), 5, "seed {seed}");
        }
    }
}

fn so101() -> (Vec<Device>, Vec<(String, u8)>) {
    let spec = arm::by_name("so101").unwrap();
    let names = spec.servos().map(|(name, id, _)| (name.to_owned(), id)).collect();
    (arm::devices(&spec), names)
}

fn expected(names: &[(String, u8)]) -> Vec<Expected<'_>> {
    let model = by_name("sts3215").unwrap().1;
    names.iter().map(|(name, id)| Expected { name, id: *id, model }).collect()
}

fn look(bus: &mut Bus) -> scan::ScanReport {
    let options = ScanOptions::all_bauds(1_000_000, &[Protocol::Feetech0]);
    scan::scan(bus, &options, |_| {}).unwrap()
}

#[test]
fn what_the_scan_found_wrong_is_repaired_and_stays_so() {
    let (mut devices, names) = so101();
    devices[2].servo.set(Reg::BaudRate, 5);
    devices[4].servo.set(Reg::Id, 33);
    devices.iter_mut().for_each(|device| device.servo.keep_settings());
    let virtual_bus = VirtualBus::new(devices, Clock::virtual_time(), 0);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    let expected = expected(&names);
    let plan = plan(&look(&mut bus), &expected);
    let lines: Vec<_> = plan.repairs.iter().map(Repair::describe).collect();
    assert_eq!(lines, ["id 33 becomes id 5", "id 3 goes from 57600 to 1000000 baud"]);
    assert!(plan.by_hand.is_empty(), "{:?}", plan.by_hand);
    for repair in &plan.repairs {
        assert_eq!(apply(&mut bus, repair).unwrap().len(), 1);
        assert_eq!(bus.wire().baud(), 1_000_000);
    }
    virtual_bus.power_cycle();
    let mut after = look(&mut bus);
    after.compare(&expected);
    assert_eq!(after.problems, []);
}

#[test]
fn a_factory_motor_beside_its_twin_gets_the_missing_id_first() {
    let (mut devices, names) = so101();
    devices[5].servo.set(Reg::Id, 1);
    devices[5].servo.set(Reg::BaudRate, 1);
    let virtual_bus = VirtualBus::new(devices, Clock::virtual_time(), 0);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    let plan = plan(&look(&mut bus), &expected(&names));
    let [repair] = plan.repairs.as_slice() else { panic!("{:?}", plan.repairs) };
    assert_eq!(repair.describe(), "id 1 becomes id 6 and goes from 500000 to 1000000 baud");
    assert_eq!(apply(&mut bus, repair).unwrap().len(), 2);
    assert_eq!(look(&mut bus).problems, []);
}

#[test]
fn what_is_not_beyond_doubt_is_left_to_hands() {
    let (mut devices, names) = so101();
    devices[4].servo.set(Reg::Id, 1);
    devices[5].servo.set(Reg::Id, 40);
    let virtual_bus = VirtualBus::new(devices, Clock::virtual_time(), 0);
    let mut bus = Bus::new(virtual_bus.wire(), Protocol::Feetech0);
    let plan = plan(&look(&mut bus), &expected(&names));
    assert_eq!(plan.repairs.len(), 0);
    assert_eq!(plan.by_hand.len(), 4, "{:?}", plan.by_hand);
    assert!(plan.by_hand.iter().any(|line| line.starts_with("two motors answer as id 1")));
}

#[test]
fn one_motor_at_a_time_is_set_up_from_any_id_and_rate() {
    let model = by_name("sts3215").unwrap().1;
    let wanted = Expected { name: "gripper", id: 6, model };
    let options = ScanOptions::all_bauds(1_000_000, &[Protocol::Feetech0]);
    let (virtual_bus, mut bus) = bus_of("sts3215", &[1], 0);
    change_baud(&mut bus, &STS, 1, 38_400).unwrap();
    let steps = only_motor(&mut bus, &wanted, &options, |_| {}).unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(bus.wire().baud(), 1_000_000);
    assert_eq!(kept(&virtual_bus, 6, Reg::Id), 6);

    let (_virtual_bus, mut bus) = bus_of("sts3215", &[1, 2], 0);
    let several = only_motor(&mut bus, &wanted, &options, |_| {}).unwrap_err();
    assert!(matches!(&several, Error::NotAlone { ids, .. } if *ids == [1, 2]), "{several}");
    let (_virtual_bus, mut bus) = bus_of("sts3250", &[1], 0);
    let other = only_motor(&mut bus, &wanted, &options, |_| {}).unwrap_err();
    assert!(matches!(&other, Error::WrongModel { found, .. } if found == "sts3250"), "{other}");
    let (virtual_bus, mut bus) = bus_of("sts3215", &[1], 0);
    virtual_bus.set_dead(1, true);
    let nobody = only_motor(&mut bus, &wanted, &options, |_| {}).unwrap_err();
    assert!(matches!(nobody, Error::NoMotor { .. }), "{nobody}");
}
