//! A virtual servo without a wire: what its registers make of its motor and back.

use super::*;
use crate::clock::SECOND;
use sinew_core::tables::by_name;

fn sts3215() -> Device {
    let (series, model) = by_name("sts3215").unwrap();
    Device::new(series, model, 1)
}

fn run(device: &mut Device, from: Nanos, span: Nanos) -> Nanos {
    let mut now = from;
    while now < from + span {
        now += 10 * MILLI;
        device.advance(now);
    }
    now
}

#[test]
fn goes_to_its_goal_within_play_and_friction_and_takes_its_time() {
    let mut device = sts3215();
    device.servo.set(Reg::TorqueEnable, 1);
    device.servo.set(Reg::GoalPosition, 3000);
    device.written();
    let now = run(&mut device, 0, 100 * MILLI);
    let early = device.servo.get(Reg::PresentPosition);
    assert!((2048..2700).contains(&early), "{early}");
    run(&mut device, now, 2 * SECOND);
    let there = device.servo.get(Reg::PresentPosition);
    assert!((2980..=3000).contains(&there), "{there}");
}

#[test]
fn without_torque_nothing_moves_but_the_hand() {
    let mut device = sts3215();
    device.servo.set(Reg::GoalPosition, 3000);
    run(&mut device, 0, SECOND);
    assert_eq!(device.servo.get(Reg::PresentPosition), 2048);
    device.hand(Some(1500.0));
    assert_eq!(device.servo.get(Reg::PresentPosition), 1500);
}

#[test]
fn the_offset_is_taken_off_and_the_turn_wraps() {
    let mut device = sts3215();
    device.servo.set(Reg::HomingOffset, -1000);
    device.written();
    device.place(3500.0);
    assert_eq!(device.servo.get(Reg::PresentPosition), 404);
}

#[test]
fn pushing_against_a_hand_trips_the_overload_and_torque_off_ends_it() {
    let mut device = sts3215();
    device.servo.set(Reg::TorqueEnable, 1);
    device.servo.set(Reg::GoalPosition, 3500);
    device.written();
    device.hand(Some(2048.0));
    let now = run(&mut device, 0, SECOND);
    assert!(device.servo.faults().is_empty());
    assert!(device.servo.get(Reg::PresentLoad) > 900);
    run(&mut device, now, 2 * SECOND);
    assert!(device.servo.faults().has(Fault::Overload));
    assert_eq!(device.servo.get(Reg::PresentLoad), 200);
    device.servo.set(Reg::TorqueEnable, 0);
    device.written();
    assert!(device.servo.faults().is_empty());
}

#[test]
fn ten_hours_in_one_look_end_where_they_should() {
    let mut device = sts3215();
    device.servo.set(Reg::TorqueEnable, 1);
    device.servo.set(Reg::GoalPosition, 1000);
    device.written();
    device.advance(36_000 * SECOND);
    let there = device.servo.get(Reg::PresentPosition);
    assert!((990..=1020).contains(&there), "{there}");
}

#[test]
fn a_wheel_turns_on_and_wraps() {
    let mut device = sts3215();
    device.servo.set(Reg::OperatingMode, 1);
    device.servo.set(Reg::TorqueEnable, 1);
    device.servo.set(Reg::GoalVelocity, -2000);
    device.written();
    run(&mut device, 0, 5 * SECOND);
    assert!(device.joint() < -5000.0, "{}", device.joint());
    assert!((0..4096).contains(&device.servo.get(Reg::PresentPosition)));
}

#[test]
fn both_series_apply_their_offset_and_direction() {
    let (series, model) = by_name("xl330-m288").unwrap();
    let mut device = Device::new(series, model, 1);
    device.place(1000.0);
    device.servo.set(Reg::HomingOffset, -3000);
    device.written();
    assert_eq!(device.servo.get(Reg::PresentPosition), -2000);
    device.servo.set(Reg::DriveMode, 1);
    device.written();
    assert_eq!(device.servo.get(Reg::PresentPosition), -4000);
}

#[test]
fn a_dynamixel_holds_where_torque_finds_it_and_an_sts_goes_to_its_old_goal() {
    let (series, model) = by_name("xl330-m288").unwrap();
    let mut dynamixel = Device::new(series, model, 1);
    let mut sts = sts3215();
    for device in [&mut dynamixel, &mut sts] {
        device.servo.set(Reg::GoalPosition, 3000);
        device.servo.set(Reg::TorqueEnable, 1);
        device.written();
        run(device, 0, 2 * SECOND);
    }
    assert_eq!(dynamixel.servo.get(Reg::PresentPosition), 2048);
    assert!(sts.servo.get(Reg::PresentPosition) > 2980);
}

#[test]
fn a_dynamixel_stops_when_the_bus_falls_silent() {
    let (series, model) = by_name("xl330-m288").unwrap();
    let mut device = Device::new(series, model, 1);
    for (reg, value) in [
        (Reg::OperatingMode, 4),
        (Reg::ProfileVelocity, 10),
        (Reg::BusWatchdog, 5),
        (Reg::TorqueEnable, 1),
    ] {
        device.servo.set(reg, value);
    }
    device.written();
    device.servo.set(Reg::GoalPosition, 4000);
    device.written();
    let now = run(&mut device, 0, SECOND);
    let stopped = device.servo.get(Reg::PresentPosition);
    assert!((2049..2200).contains(&stopped), "{stopped}");
    run(&mut device, now, SECOND);
    assert!((device.servo.get(Reg::PresentPosition) - stopped).abs() < 5);
    assert_eq!(device.servo.get(Reg::BusWatchdog), 255);
}

#[test]
fn a_joint_at_the_end_of_its_turn_does_not_swing_round() {
    let mut device = sts3215();
    device.place(30.0);
    device.servo.set(Reg::TorqueEnable, 1);
    device.servo.set(Reg::GoalPosition, 0);
    device.written();
    for tick in 1..200 {
        device.advance(tick * 20 * MILLI);
        device.written();
        assert!(device.joint().abs() < 40.0, "{}", device.joint());
    }
}

#[test]
fn the_middle_can_be_set_by_order() {
    let mut device = sts3215();
    device.place(3000.0);
    device.servo.set(Reg::TorqueEnable, 128);
    device.written();
    assert_eq!(device.servo.get(Reg::PresentPosition), 2048);
    assert_eq!(device.servo.get(Reg::TorqueEnable), 0);
}

#[test]
fn stops_block_a_joint_until_it_trips_and_a_new_goal_lets_go() {
    let mut device = sts3215();
    device.mount(Mount { stops: Some((1500.0, 2500.0)), load: 0.0 });
    device.servo.set(Reg::TorqueEnable, 1);
    device.servo.set(Reg::GoalPosition, 4000);
    device.written();
    let now = run(&mut device, 0, 4 * SECOND);
    assert_eq!(device.servo.get(Reg::PresentPosition), 2500);
    assert!(device.servo.faults().has(Fault::Overload));
    device.servo.set(Reg::GoalPosition, 2400);
    device.written();
    assert!(device.servo.faults().is_empty());
    run(&mut device, now, SECOND);
    assert!((device.servo.get(Reg::PresentPosition) - 2400).abs() < 20);
}

#[test]
fn work_warms_it_and_rest_cools_it() {
    let mut device = sts3215();
    device.servo.set(Reg::OverloadTorque, 0);
    device.mount(Mount { stops: Some((2000.0, 2100.0)), load: 0.0 });
    device.servo.set(Reg::TorqueLimit, 300);
    device.servo.set(Reg::TorqueEnable, 1);
    device.servo.set(Reg::GoalPosition, 4000);
    device.written();
    let now = run(&mut device, 0, 120 * SECOND);
    let hot = device.servo.get(Reg::PresentTemperature);
    assert!(hot > 26, "{hot}");
    device.servo.set(Reg::TorqueEnable, 0);
    device.written();
    device.advance(now + 3600 * SECOND);
    assert_eq!(device.servo.get(Reg::PresentTemperature), 25);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_written_it_stays_a_servo(
        model in 0..sinew_core::tables::models().count(),
        writes in proptest::collection::vec((0..150u16, proptest::prelude::any::<[u8; 4]>()), 1..40),
    ) {
        let (series, model) = sinew_core::tables::models().nth(model).unwrap();
        let mut device = Device::new(series, model, 1);
        let mut out = [0; 64];
        let mut now = 0;
        for (address, data) in writes {
            let request = sinew_core::packet::Request::Write { address, data: &data };
            let id = device.servo.id();
            device.servo.take(id, &request, &mut out).unwrap();
            device.written();
            now += Nanos::from(data[0]) * 37 * MILLI;
            device.advance(now);
            proptest::prop_assert!(device.joint().is_finite());
            proptest::prop_assert!((0.0..500.0).contains(&device.celsius));
        }
    }
}
