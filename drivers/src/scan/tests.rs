//! Scans of virtual buses, timed by their own clock.
#![cfg(feature = "sim")]

use sinew_core::register::Reg;
use sinew_core::tables::by_name;

use super::*;
use crate::Clock;
use crate::clock::SECOND;
use crate::sim::{Device, FaultPlan, VirtualBus, arm};

fn arm_bus(name: &str) -> VirtualBus {
    let spec = arm::by_name(name).unwrap();
    VirtualBus::new(arm::devices(&spec), Clock::virtual_time(), 3)
}

fn servos(model: &str, ids: &[u8]) -> Vec<Device> {
    let (series, model) = by_name(model).unwrap();
    ids.iter().map(|id| Device::new(series, model, *id)).collect()
}

fn look(bus: &VirtualBus, protocol: Protocol, options: &ScanOptions) -> (ScanReport, Nanos) {
    let mut wire = bus.wire();
    wire.set_baud(options.home).unwrap();
    let mut host = Bus::new(wire, protocol);
    let begun = bus.clock().now();
    let report = scan(&mut host, options, |_| {}).unwrap();
    assert_eq!((host.wire().baud(), host.protocol()), (options.home, protocol));
    (report, bus.clock().now() - begun)
}

fn codes(report: &ScanReport) -> Vec<&str> {
    report.problems.iter().map(|problem| problem.code).collect()
}

#[test]
fn six_motors_at_the_known_rate_are_found_and_described_within_a_second() {
    let bus = arm_bus("so101");
    let options = ScanOptions::here(1_000_000, Protocol::Feetech0);
    let (report, took) = look(&bus, Protocol::Feetech0, &options);
    assert!(took < SECOND, "{took}");
    assert_eq!(report.motors.iter().map(|motor| motor.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    for motor in &report.motors {
        assert_eq!(motor.describe(), "sts3215");
        assert_eq!(motor.firmware.as_deref(), Some("3.10"));
        assert_eq!((motor.voltage, motor.temperature), (Some(7.4), Some(25)));
        assert!(!motor.shared);
    }
    assert_eq!(report.problems, []);
}

#[test]
fn a_motor_at_another_rate_is_found_within_fifteen_seconds_and_named() {
    let bus = arm_bus("so101");
    bus.change(3, |device| {
        device.servo.set(Reg::BaudRate, 5);
    });
    let options = ScanOptions::all_bauds(1_000_000, &[Protocol::Feetech0]);
    let (report, took) = look(&bus, Protocol::Feetech0, &options);
    assert!(took < 15 * SECOND, "{took}");
    assert_eq!(report.motors.len(), 6);
    let [problem] = report.problems.as_slice() else { panic!("{:?}", report.problems) };
    assert_eq!(problem.code, "wrong_baud");
    assert_eq!(problem.message, "id 3 answers at 57600 baud, the bus runs at 1000000");
    assert_eq!(problem.remedy, "run `sinew setup-motors --fix`");
}

#[test]
fn every_rate_of_every_format_takes_a_minute_at_most_and_says_how_far_it_is() {
    let all = [Protocol::Feetech0, Protocol::Feetech1, Protocol::Dynamixel2];
    let bus = arm_bus("koch");
    let options = ScanOptions::all_bauds(1_000_000, &all);
    let mut seen = Vec::new();
    let mut host = Bus::new(bus.wire(), Protocol::Dynamixel2);
    let report = scan(&mut host, &options, |progress| seen.push(progress)).unwrap();
    assert!(bus.clock().now() < 60 * SECOND, "{}", bus.clock().now());
    assert_eq!(report.motors.len(), 6);
    assert!(report.motors.iter().all(|motor| motor.protocol == Protocol::Dynamixel2));
    assert_eq!(seen.len(), seen[0].of);
    assert!(seen.iter().enumerate().all(|(place, progress)| progress.done == place));
}

#[test]
fn scs_servos_are_found_by_calling_each_and_by_calling_everybody() {
    let bus = VirtualBus::new(servos("scs0009", &[1, 7]), Clock::virtual_time(), 3);
    for protocol in [Protocol::Feetech1, Protocol::Feetech0] {
        let options = ScanOptions::here(1_000_000, protocol);
        let (report, _) = look(&bus, protocol, &options);
        let found: Vec<_> =
            report.motors.iter().map(|m| (m.id, m.protocol, m.describe())).collect();
        let scs = |id| (id, Protocol::Feetech1, "scs0009".to_owned());
        assert_eq!(found, [scs(1), scs(7)]);
    }
}

#[test]
fn two_motors_with_one_id_are_told_from_one() {
    for seed in 0..20 {
        let mut devices = servos("sts3215", &[1, 1, 2]);
        devices[1].place(900.0);
        let bus = VirtualBus::new(devices, Clock::virtual_time(), seed);
        let options = ScanOptions::here(1_000_000, Protocol::Feetech0);
        let (report, _) = look(&bus, Protocol::Feetech0, &options);
        let found: Vec<_> = report.motors.iter().map(|motor| (motor.id, motor.shared)).collect();
        assert_eq!(found, [(1, true), (2, false)], "seed {seed}");
        assert_eq!(codes(&report), ["duplicate_id"]);
        assert!(report.problems[0].message.starts_with("two motors answer as id 1"));
    }
}

#[test]
fn the_same_id_at_two_rates_is_a_conflict_to_come() {
    let mut devices = servos("sts3215", &[1, 1]);
    devices[1].servo.set(Reg::BaudRate, 1);
    let bus = VirtualBus::new(devices, Clock::virtual_time(), 0);
    let options = ScanOptions::all_bauds(1_000_000, &[Protocol::Feetech0]);
    let (report, _) = look(&bus, Protocol::Feetech0, &options);
    assert_eq!(codes(&report), ["wrong_baud", "duplicate_id"]);
}

#[test]
fn a_weak_supply_a_hot_motor_and_other_firmware_are_named_with_a_remedy() {
    let bus = arm_bus("so101");
    bus.set_supply(5.1);
    bus.change(2, |device| device.servo.set(Reg::FirmwareMinorVersion, 9));
    let options = ScanOptions::here(1_000_000, Protocol::Feetech0);
    let (report, _) = look(&bus, Protocol::Feetech0, &options);
    assert_eq!(codes(&report)[..1], ["low_voltage"]);
    assert_eq!(report.problems[0].message, "id 1: 5.1 V on a 7.4 or 12 V motor: power supply off?");
    let last = report.problems.last().unwrap();
    assert_eq!(last.code, "firmware_differs");
    assert!(last.message.contains("id 1 has 3.10") && last.message.contains("id 2 has 3.9"));
    assert!(report.problems.iter().all(|problem| !problem.remedy.is_empty()));
}

#[test]
fn a_silent_bus_is_a_supply_that_is_off() {
    let bus = arm_bus("so101");
    for id in 1..=6 {
        bus.set_dead(id, true);
    }
    let options = ScanOptions::here(1_000_000, Protocol::Feetech0);
    let (mut report, _) = look(&bus, Protocol::Feetech0, &options);
    report.compare(&[Expected { name: "gripper", id: 6, model: by_name("sts3215").unwrap().1 }]);
    assert_eq!(codes(&report), ["no_answer"]);
    assert!(report.problems[0].message.contains("adapter present, motors unpowered"));
}

#[test]
fn an_arm_is_compared_motor_by_motor() {
    let bus = VirtualBus::new(servos("sts3215", &[1, 2, 9]), Clock::virtual_time(), 0);
    let options = ScanOptions::here(1_000_000, Protocol::Feetech0);
    let (mut report, _) = look(&bus, Protocol::Feetech0, &options);
    let model = |name| by_name(name).unwrap().1;
    report.compare(&[
        Expected { name: "shoulder_pan", id: 1, model: model("sts3215") },
        Expected { name: "shoulder_lift", id: 2, model: model("sts3250") },
        Expected { name: "elbow_flex", id: 3, model: model("sts3215") },
    ]);
    assert_eq!(codes(&report), ["model_differs", "missing_motor", "unexpected_motor"]);
    assert!(report.problems[0].message.starts_with("shoulder_lift (id 2) is a sts3215"));
    assert_eq!(report.problems[1].message, "elbow_flex (id 3) does not answer at 1000000 baud");
}

#[test]
fn noise_and_lost_answers_lose_no_motor() {
    for seed in 0..10 {
        let spec = arm::by_name("so101").unwrap();
        let bus = VirtualBus::new(arm::devices(&spec), Clock::virtual_time(), seed);
        bus.faults(crate::sim::FaultPlan::answers(0.01));
        let options = ScanOptions::here(1_000_000, Protocol::Feetech0);
        let (report, _) = look(&bus, Protocol::Feetech0, &options);
        assert_eq!(report.motors.len(), 6, "seed {seed}");
        assert!(report.motors.iter().all(|motor| !motor.shared && motor.model.is_some()));
    }
}

#[test]
fn errors_that_a_user_can_mend_come_with_the_line_to_type() {
    let port = || "/dev/ttyACM0".to_owned();
    let denied = explain(&Error::PermissionDenied { port: port() }).unwrap();
    assert_eq!(denied.code, "permission_denied");
    assert!(denied.remedy.contains("sudo usermod -aG dialout $USER"), "{}", denied.remedy);
    let held = explain(&Error::PortInUse { port: port(), holder: "lerobot".to_owned() }).unwrap();
    assert_eq!(
        (held.code, held.message.as_str()),
        ("port_in_use", "/dev/ttyACM0: in use by lerobot")
    );
    assert_eq!(explain(&Error::NotConfigured), None);
}

#[test]
fn a_late_answer_is_no_motor_at_the_next_rate() {
    for seed in 0..20 {
        let world = VirtualBus::new(servos("sts3215", &[6]), Clock::virtual_time(), seed);
        world.faults(FaultPlan::parse("late=0.2").unwrap());
        let mut bus = Bus::new(world.wire(), Protocol::Feetech0);
        let options = ScanOptions::all_bauds(1_000_000, &[Protocol::Feetech0]);
        let found = scan(&mut bus, &options, |_| {}).unwrap();
        let rates: Vec<_> = found.motors.iter().map(|motor| (motor.id, motor.baud)).collect();
        assert_eq!(rates, [(6, 1_000_000)], "seed {seed}");
    }
}
