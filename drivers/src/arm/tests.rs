use sinew_core::joint::Units;
use sinew_core::limits::Limit;
use sinew_core::register::Reg;

use super::bench::Bench;
use super::*;
use crate::clock::{MILLI, SECOND};
use crate::stop::StopFlag;

const TICK: Nanos = 20 * MILLI;

fn arm(name: &str, options: ArmOptions) -> (Bench, Arm) {
    let spec = ArmSpec::builtin(name).unwrap();
    let bench = Bench::new(&spec);
    let calibration = bench.calibration(&spec);
    let mut arm = Arm::connect(spec, bench.bus(), &calibration, options).unwrap();
    arm.configure().unwrap();
    (bench, arm)
}

fn so101(options: ArmOptions) -> (Bench, Arm) {
    arm("so101_follower", options)
}

fn torques(bench: &Bench) -> Vec<i32> {
    bench.servos().servos.iter().map(|servo| servo.get(Reg::TorqueEnable)).collect()
}

fn tick(bench: &Bench, arm: &mut Arm, values: &[f64]) -> Result<Sent, Error> {
    bench.clock.sleep(TICK);
    arm.observe()?;
    arm.command(values).cloned()
}

#[test]
fn configuring_leaves_what_lerobot_would_leave() {
    let (bench, arm) = so101(ArmOptions::default());
    assert_eq!(torques(&bench), [1; 6]);
    for id in 1..=6 {
        assert_eq!(bench.get(id, Reg::ReturnDelayTime), 0);
        assert_eq!(bench.get(id, Reg::MaximumAcceleration), 254);
        assert_eq!(bench.get(id, Reg::Acceleration), 254);
        assert_eq!(bench.get(id, Reg::Phase) & 0x10, 0);
        assert_eq!(bench.get(id, Reg::OperatingMode), 0);
        assert_eq!(bench.get(id, Reg::PCoefficient), 16);
        assert_eq!(bench.get(id, Reg::DCoefficient), 32);
        assert_eq!(bench.get(id, Reg::GoalPosition), 2048);
        assert_eq!(bench.get(id, Reg::Lock), 1);
    }
    assert_eq!(bench.get(6, Reg::MaxTorqueLimit), 500);
    assert_eq!(bench.get(6, Reg::ProtectionCurrent), 250);
    assert_eq!(bench.get(6, Reg::OverloadTorque), 25);
    assert!(arm.notices().is_empty(), "{:?}", arm.notices());
}

#[test]
fn motors_answer_soon_before_there_is_torque() {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let bench = Bench::new(&spec);
    (1..=6).for_each(|id| bench.set(id, Reg::ReturnDelayTime, 250));
    bench.set(3, Reg::TorqueEnable, 1);
    let calibration = bench.calibration(&spec);
    let mut arm = Arm::connect(spec, bench.bus(), &calibration, ArmOptions::default()).unwrap();
    let goals = || (1..=6).map(|id| bench.get(id, Reg::GoalPosition)).collect::<Vec<_>>();
    let before = goals();
    arm.prepare().unwrap();
    let delays: Vec<i32> = (1..=6).map(|id| bench.get(id, Reg::ReturnDelayTime)).collect();
    assert_eq!(delays, [0, 0, 250, 0, 0, 0], "one that holds something is left alone");
    assert_eq!(torques(&bench), [0, 0, 1, 0, 0, 0]);
    assert_eq!(goals(), before);
    arm.configure().unwrap();
    assert_eq!(bench.get(3, Reg::ReturnDelayTime), 0);
    // An arm that is ready is not made ready again.
    bench.set(1, Reg::ReturnDelayTime, 250);
    arm.prepare().unwrap();
    assert_eq!((bench.get(1, Reg::ReturnDelayTime), torques(&bench)), (250, vec![1; 6]));
}

#[test]
fn answers_that_are_read_at_once_are_as_far_apart_as_their_bytes() {
    let (bench, mut arm) = so101(ArmOptions::default());
    bench.clock.sleep(TICK);
    let ages = arm.observe().unwrap().ages.clone();
    // Eight bytes each, ten bits a byte, a million bits a second.
    let apart: Vec<Nanos> = ages.windows(2).map(|two| two[0] - two[1]).collect();
    assert_eq!(apart, [80 * crate::clock::MICRO; 5]);
}

#[test]
fn before_the_first_command_what_was_sent_is_to_stand_still() {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let bench = Bench::new(&spec);
    bench.set(1, Reg::PresentPosition, 1500);
    let calibration = bench.calibration(&spec);
    let mut arm = Arm::connect(spec, bench.bus(), &calibration, ArmOptions::default()).unwrap();
    arm.configure().unwrap();
    let seen = arm.observe().unwrap().values.clone();
    assert_eq!(arm.sent().goals[..2], [1500, 2048]);
    assert_eq!(arm.sent().values, seen);
}

#[test]
fn koch_gets_its_modes_before_its_gains_and_a_leader_stays_limp() {
    let (bench, _arm) = arm("koch_follower", ArmOptions::default());
    assert_eq!(bench.get(3, Reg::OperatingMode), 4);
    assert_eq!(bench.get(6, Reg::OperatingMode), 5);
    assert_eq!(bench.get(3, Reg::PCoefficient), 1500);
    assert_eq!(torques(&bench), [1; 6]);

    let spec = ArmSpec::builtin("omx_leader").unwrap();
    let bench = Bench::new(&spec);
    let calibration = crate::calibrate::factory(&spec).unwrap();
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
    let mut leader = Arm::connect(spec, bench.bus(), &calibration, options).unwrap();
    leader.configure().unwrap();
    assert_eq!(torques(&bench), [0, 0, 0, 0, 0, 1]);
    assert_eq!(bench.get(6, Reg::CurrentLimit), 100);
    assert_eq!(bench.get(6, Reg::GoalPosition), 2457, "60 of 0 to 4095: the trigger's spring");
}

#[test]
fn an_incomplete_arm_is_explained_motor_by_motor() {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let bench = Bench::new(&spec);
    bench.servos().dead.insert(3);
    bench.set(2, Reg::ModelNumber, 2825);
    let calibration = bench.calibration(&spec);
    let refused = Arm::connect(spec, bench.bus(), &calibration, ArmOptions::default());
    let message = refused.err().unwrap().to_string();
    assert_eq!(
        message,
        "bench: this is no complete so101_follower: shoulder_lift (id 2) is a sts3250, not a \
         sts3215; no answer from elbow_flex (id 3)"
    );
}

#[test]
fn other_firmware_and_a_wrong_supply_are_told_and_not_refused() {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let bench = Bench::new(&spec);
    bench.set(4, Reg::FirmwareMinorVersion, 9);
    bench.set(5, Reg::PresentVoltage, 51);
    let calibration = bench.calibration(&spec);
    let arm = Arm::connect(spec, bench.bus(), &calibration, ArmOptions::default()).unwrap();
    assert_eq!(arm.notices().len(), 2);
    assert!(arm.notices()[1].to_string().starts_with("wrist_roll measures 5.1 V"));
}

#[test]
fn another_calibration_on_the_motors_is_refused_or_replaced() {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let bench = Bench::new(&spec);
    let mut calibration = bench.calibration(&spec);
    calibration[0].1.homing_offset = -300;
    let options = ArmOptions::default();
    let refused = Arm::connect(spec.clone(), bench.bus(), &calibration, options).err().unwrap();
    assert!(matches!(refused, Error::CalibrationDiffers { joints } if joints == ["shoulder_pan"]));
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
    Arm::connect(spec, bench.bus(), &calibration, options).unwrap();
    assert_eq!(bench.get(1, Reg::HomingOffset), -300);
}

#[test]
fn a_command_says_what_was_really_sent() {
    let (bench, mut arm) = so101(ArmOptions::default());
    let asked = [10.0, -20.0, 30.0, 40.0, 50.0, 60.0];
    let sent = tick(&bench, &mut arm, &asked).unwrap();
    assert_eq!(sent.values, asked);
    assert!(!sent.limited());
    let sent = tick(&bench, &mut arm, &[10.0, -20.0, f64::NAN, 400.0, 50.0, -7.0]).unwrap();
    assert!(sent.applied[2].has(Limit::NotFinite) && sent.applied[3].has(Limit::Range));
    // 4095 is the end of the range; half a turn in degrees as LeRobot counts them.
    assert_eq!((sent.goals[3], sent.values[3]), (4095, 180.0));
    assert_eq!((sent.goals[5], sent.values[5]), (0, 0.0));
    assert!((sent.values[2] - 30.0).abs() < 0.1, "held at {}", sent.values[2]);
    let wrong = arm.command(&[0.0; 5]).unwrap_err();
    assert_eq!(wrong.to_string(), "a command for this arm has 6 values, not 5");
}

#[test]
fn a_step_is_measured_from_the_position_already_read() {
    let options = ArmOptions { max_step: MaxStep::All(5.0), ..ArmOptions::default() };
    let (bench, mut arm) = so101(options);
    bench.clock.sleep(TICK);
    arm.observe().unwrap();
    let before = bench.servos().requests;
    let sent = arm.command(&[90.0; 6]).unwrap().clone();
    // One write, and one servo's health: no position is read again.
    assert_eq!(bench.servos().requests - before, 2);
    assert!((sent.values[0] - 5.0).abs() < 0.2, "{}", sent.values[0]);
    assert!(sent.applied[0].has(Limit::Step));
}

#[test]
fn a_follower_tells_how_far_each_joint_goes_in_its_own_units() {
    let use_degrees = Some(false);
    let options = ArmOptions { max_step: MaxStep::All(5.0), use_degrees, ..Default::default() };
    let (_bench, arm) = so101(options);
    let follower: &dyn Follower = &arm;
    assert_eq!(follower.reaches().len(), 6);
    for (joint, reach) in follower.reaches().iter().enumerate() {
        let gripper = joint == 5;
        let units = if gripper { Units::Range0To100 } else { Units::RangeM100 };
        let low = if gripper { 0.0 } else { -100.0 };
        assert_eq!((reach.units, reach.max_step), (units, Some(5.0)));
        assert!((reach.range.0 - low).abs() < 1e-9 && (reach.range.1 - 100.0).abs() < 1e-9);
        let degrees = (reach.range.1 - reach.range.0) * reach.degrees;
        assert!((degrees - 360.0).abs() < 0.2, "{joint}: {degrees}");
    }
}

#[test]
fn steps_are_set_for_every_joint_or_for_none() {
    let build = |max_step| {
        let spec = ArmSpec::builtin("so101_follower").unwrap();
        let bench = Bench::new(&spec);
        let calibration = bench.calibration(&spec);
        let options = ArmOptions { max_step, ..ArmOptions::default() };
        Arm::connect(spec, bench.bus(), &calibration, options).map(drop)
    };
    let one = MaxStep::Each(vec![("gripper".into(), 5.0)]);
    assert!(matches!(build(one), Err(Error::MaxStep { joint, .. }) if joint == "shoulder_pan"));
    let other = MaxStep::Each(vec![("thumb".into(), 5.0)]);
    assert!(matches!(build(other), Err(Error::MaxStep { joint, .. }) if joint == "thumb"));
    assert!(build(MaxStep::All(f64::NAN)).is_err());
    let names = ArmSpec::builtin("so101_follower").unwrap();
    let all = names.joints.iter().map(|joint| (joint.name.clone(), 5.0)).collect();
    build(MaxStep::Each(all)).unwrap();
}

#[test]
fn silence_holds_the_arm_and_then_stops_it() {
    let (bench, mut arm) = so101(ArmOptions::default());
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    bench.clock.sleep(499 * MILLI);
    bench.set(1, Reg::PresentPosition, 2000);
    arm.observe().unwrap();
    assert_eq!(arm.counts().dead_man, 0);
    bench.clock.sleep(2 * MILLI);
    arm.observe().unwrap();
    assert_eq!(arm.counts().dead_man, 1);
    assert_eq!(bench.get(1, Reg::GoalPosition), 2000, "held where it is, not where it was going");
    assert_eq!(torques(&bench), [1; 6]);
    bench.clock.sleep(SECOND);
    let stopped = arm.observe().err();
    assert!(matches!(stopped, Some(Error::Stopped { cause: Cause::DeadMan })), "{stopped:?}");
    assert_eq!(torques(&bench), [0; 6]);
    assert!(arm.stop_report().unwrap().ok());
    arm.observe().unwrap();
    assert!(matches!(arm.command(&[0.0; 6]), Err(Error::Stopped { .. })));
    arm.resume().unwrap();
    assert_eq!(torques(&bench), [1; 6]);
    tick(&bench, &mut arm, &[1.0; 6]).unwrap();
}

#[test]
fn a_command_ends_the_dead_mans_hold() {
    let (bench, mut arm) = so101(ArmOptions::default());
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    bench.clock.sleep(600 * MILLI);
    arm.observe().unwrap();
    assert_eq!(arm.counts().dead_man, 1);
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    bench.clock.sleep(400 * MILLI);
    arm.observe().unwrap();
    assert_eq!(arm.counts().dead_man, 1);
}

#[test]
fn each_policy_leaves_every_motor_as_it_says() {
    for (policy, torque) in [(StopPolicy::Hold, 1), (StopPolicy::Limp, 0), (StopPolicy::Park, 0)] {
        let (bench, mut arm) = so101(ArmOptions::default());
        tick(&bench, &mut arm, &[10.0; 6]).unwrap();
        let report = arm.stop(policy);
        assert!(report.ok(), "{report:?}");
        assert_eq!(torques(&bench), [torque; 6], "{policy}");
        let said: Vec<_> = report.motors.iter().map(|motor| motor.torque).collect();
        assert_eq!(said, [Some(torque == 1); 6]);
    }
}

#[test]
fn parking_goes_to_the_rest_pose_slowly() {
    let (bench, mut arm) = so101(ArmOptions::default());
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    bench.servos().goals.clear();
    let before = bench.clock.now();
    arm.stop(StopPolicy::Park);
    // Shoulder lift rests at −98 of ±100: 2047 − 0.98 × 2047.
    let lift: Vec<i32> =
        bench.servos().goals.iter().filter(|goal| goal.0 == 2).map(|goal| goal.1).collect();
    assert!((lift.last().unwrap() - 40).abs() <= 2, "{:?}", lift.last());
    let fastest = lift.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap();
    assert!(fastest <= 8, "30° a second are 6.8 counts in 20 ms, not {fastest}");
    assert!(bench.clock.now() - before > 5 * SECOND);
}

#[test]
fn a_second_wish_ends_the_parking() {
    let flag = StopFlag::new();
    let options =
        ArmOptions { stop_flag: Some(flag.clone()), stop: StopPolicy::Park, ..Default::default() };
    let (bench, mut arm) = so101(options);
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    flag.raise(Cause::Interrupt, None);
    flag.raise(Cause::Interrupt, None);
    let before = bench.clock.now();
    let stopped = tick(&bench, &mut arm, &[10.0; 6]).unwrap_err();
    assert!(matches!(stopped, Error::Stopped { cause: Cause::Interrupt }));
    assert!(bench.clock.now() - before < SECOND);
    assert_eq!(torques(&bench), [0; 6]);
}

#[test]
fn one_dead_motor_keeps_no_other_from_stopping() {
    let (bench, mut arm) = so101(ArmOptions::default());
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    bench.servos().dead.insert(1);
    let report = arm.stop(StopPolicy::Limp);
    assert_eq!(torques(&bench)[1..], [0; 5]);
    assert_eq!(report.motors[0].torque, None);
    assert!(!report.motors[0].ok && report.motors[1..].iter().all(|motor| motor.ok));
}

#[test]
fn a_lost_port_is_reported_at_once_and_the_stop_comes_first_on_replug() {
    let (bench, mut arm) = so101(ArmOptions::default());
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    bench.servos().unplugged = true;
    assert!(matches!(tick(&bench, &mut arm, &[11.0; 6]), Err(Error::Lost { .. })));
    let report = arm.stop_report().unwrap();
    assert!(!report.ok() && report.motors.len() == 6);
    assert_eq!(arm.stopped(), Some(Cause::LostPort));
    bench.clock.sleep(SECOND);
    assert!(arm.observe().is_err());
    assert_eq!(torques(&bench), [1; 6]);
    bench.servos().unplugged = false;
    bench.servos().goals.clear();
    bench.clock.sleep(SECOND);
    assert!(matches!(arm.observe(), Err(Error::Stopped { cause: Cause::LostPort })));
    assert_eq!(torques(&bench), [0; 6]);
    assert!(arm.stop_report().unwrap().ok());
}

#[test]
fn dropping_the_arm_stops_it_as_configured() {
    let (bench, mut arm) = so101(ArmOptions::default());
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    drop(arm);
    assert_eq!(torques(&bench), [0; 6]);
    let options = ArmOptions { stop: StopPolicy::Hold, ..ArmOptions::default() };
    let (bench, arm) = so101(options);
    drop(arm);
    assert_eq!(torques(&bench), [1; 6]);
}

#[test]
fn an_arm_let_go_of_after_a_wish_stops_as_wished() {
    let flag = StopFlag::new();
    let options = ArmOptions { stop_flag: Some(flag.clone()), ..ArmOptions::default() };
    let (other, mut ended) = so101(options.clone());
    let (bench, arm) = so101(options);
    flag.raise(Cause::Remote, Some(StopPolicy::Hold));
    assert_eq!(ended.end().policy, StopPolicy::Hold);
    assert_eq!(torques(&other), [1; 6]);
    // Its owner's loop ended because another of its arms obeyed first.
    drop(arm);
    assert_eq!(torques(&bench), [1; 6]);
    let reports = flag.wait_for_reports(std::time::Duration::ZERO);
    assert_eq!((reports[0].cause, reports[0].policy), (Cause::Remote, StopPolicy::Hold));
}

#[test]
fn a_motor_that_lost_its_power_is_found_and_revived_where_it_is() {
    let (bench, mut arm) = so101(ArmOptions::default());
    tick(&bench, &mut arm, &[0.0; 6]).unwrap();
    bench.servos().servos[2].power_cycle();
    bench.set(3, Reg::PresentPosition, 1500);
    bench.servos().goals.clear();
    for _ in 0..8 {
        bench.clock.sleep(TICK);
        arm.observe().unwrap();
    }
    assert_eq!(arm.counts().torque_lost, 1);
    assert_eq!(torques(&bench), [1; 6]);
    assert_eq!(bench.get(3, Reg::Acceleration), 254);
    assert_eq!(bench.servos().goals.last(), Some(&(3, 1500)));
}

#[test]
fn wheels_go_in_a_bases_speeds_and_stand_still_when_stopped() {
    let (bench, mut arm) = arm("lekiwi", ArmOptions::default());
    let mut values = [0.0; 9];
    values[6] = 0.1;
    let sent = tick(&bench, &mut arm, &values).unwrap();
    assert_eq!(sent.values, values);
    assert_eq!(bench.get(7, Reg::GoalVelocity), -1129);
    assert_eq!(bench.get(9, Reg::OperatingMode), 1);
    values[6] = 1.0;
    let sent = tick(&bench, &mut arm, &values).unwrap();
    assert!(sent.values[6] < 0.3, "slowed down to what the wheels can do: {}", sent.values[6]);
    let report = arm.stop(StopPolicy::Hold);
    assert!(report.ok());
    assert_eq!(bench.get(7, Reg::GoalVelocity), 0);
    assert_eq!(torques(&bench), [1; 9]);
}

#[test]
fn a_servo_a_turn_off_its_range_is_driven_within_its_turn() {
    let spec = ArmSpec::builtin("koch_follower").unwrap();
    let bench = Bench::new(&spec);
    bench.set(2, Reg::PresentPosition, 2048 + 4096);
    let calibration = bench.calibration(&spec);
    let mut arm = Arm::connect(spec, bench.bus(), &calibration, ArmOptions::default()).unwrap();
    assert!(arm.notices().is_empty(), "{:?}", arm.notices());
    arm.configure().unwrap();
    assert_eq!(bench.get(2, Reg::GoalPosition), 2048 + 4096);
    let sent = tick(&bench, &mut arm, &[50.0; 6]).unwrap();
    assert_eq!(sent.values[1], 50.0);
    assert_eq!(bench.get(2, Reg::GoalPosition), sent.goals[1] + 4096);
    assert_eq!(bench.get(3, Reg::GoalPosition), sent.goals[2]);
    bench.clock.sleep(TICK);
    assert!((arm.observe().unwrap().values[1] - 50.0).abs() < 0.1);
}

#[test]
fn motors_that_nobody_runs_can_be_taken_over_to_stop_them() {
    let (bench, arm) = so101(ArmOptions { stop: StopPolicy::Hold, ..ArmOptions::default() });
    drop(arm);
    bench.servos().dead.insert(4);
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let mut arm = Arm::take_over(spec, bench.bus(), ArmOptions::default()).unwrap();
    let report = arm.stop(StopPolicy::Limp);
    assert_eq!(report.motors.iter().filter(|motor| motor.ok).count(), 5);
    assert_eq!(torques(&bench), [0, 0, 0, 1, 0, 0]);
}

#[test]
fn nobody_but_an_arm_moves_a_motor() {
    use sinew_core::packet::Request;
    use sinew_core::tables::STS;
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let bench = Bench::new(&spec);
    let mut bus = bench.bus();
    let goal = STS.get(Reg::GoalPosition).unwrap();
    let torque = STS.get(Reg::TorqueEnable).unwrap();
    // Nor under another name.
    let disguised = Register { reg: Reg::Led, width: 4, address: goal.address - 2, ..*goal };
    for (register, value) in [(goal, 100), (torque, 1), (torque, 128), (&disguised, 0)] {
        let refused = bus.write(1, register, value);
        assert!(matches!(refused, Err(Error::OneDoor { .. })), "{register:?}");
    }
    let raw = Request::Write { address: goal.address, data: &[0, 8] };
    assert!(bus.tell(1, &raw).is_err());
    assert!(bus.ask_all(&raw, MILLI, |_| ()).is_err());
    assert_eq!(bench.servos().requests, 0);
    bus.write(1, torque, 0).unwrap();
}

#[test]
fn a_joint_that_cannot_be_seen_stops_the_arm_after_a_while_and_is_named() {
    let (bench, mut arm) = so101(ArmOptions::default());
    for _ in 0..7 {
        tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    }
    bench.servos().dead.insert(3);
    let mut blind = 0;
    let error = loop {
        match tick(&bench, &mut arm, &[10.0; 6]) {
            Ok(_) => blind += 1,
            Err(error) => break error,
        }
    };
    assert!(blind > 10, "one silent joint is no reason to stop at once");
    let told = error.to_string();
    assert!(told.starts_with("bench: elbow_flex (id 3) has not answered for 10"), "{told}");
    assert!(told.contains("it last measured 7.4 V"), "{told}");
    assert_eq!(torques(&bench), [0, 0, 1, 0, 0, 0]);
    assert_eq!(arm.stopped(), Some(Cause::Blind));
}

#[test]
fn the_time_before_anybody_looks_is_no_silence() {
    let (bench, mut arm) = so101(ArmOptions::default());
    // A viewer and a recorder take their time to start.
    bench.clock.sleep(5 * SECOND);
    bench.servos().dead.insert(3);
    tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    bench.servos().dead.remove(&3);
    for _ in 0..100 {
        tick(&bench, &mut arm, &[10.0; 6]).unwrap();
    }
    assert_eq!(arm.stopped(), None);
}

#[test]
fn an_owner_may_wait_for_the_port_to_finish_its_stop() {
    let (bench, mut arm) = so101(ArmOptions::default());
    bench.servos().unplugged = true;
    assert!(arm.observe().is_err());
    let before = bench.clock.now();
    assert!(!arm.settle(3 * SECOND).unwrap().ok());
    assert_eq!(bench.clock.now() - before, 3 * SECOND);
    bench.servos().unplugged = false;
    assert!(arm.settle(3 * SECOND).unwrap().ok());
    assert_eq!(torques(&bench), [0; 6]);
}

#[test]
fn a_setting_of_the_file_can_be_overridden() {
    let mut spec = ArmSpec::builtin("so101_follower").unwrap();
    assert!(spec.override_setting(Reg::PCoefficient, 24));
    assert!(!spec.override_setting(Reg::BusWatchdog, 1));
    let bench = Bench::new(&spec);
    let calibration = bench.calibration(&spec);
    let mut arm = Arm::connect(spec, bench.bus(), &calibration, Default::default()).unwrap();
    arm.configure().unwrap();
    assert_eq!((bench.get(1, Reg::PCoefficient), bench.get(6, Reg::PCoefficient)), (24, 24));
}

#[test]
fn an_arm_that_nobody_drove_is_not_put_under_torque_by_its_end() {
    for policy in [StopPolicy::Hold, StopPolicy::Park, StopPolicy::Limp] {
        let spec = ArmSpec::builtin("so101_follower").unwrap();
        let bench = Bench::new(&spec);
        let calibration = bench.calibration(&spec);
        let options = ArmOptions { stop: policy, ..ArmOptions::default() };
        let mut arm = Arm::connect(spec, bench.bus(), &calibration, options).unwrap();
        let report = arm.end();
        assert!(report.ok() && report.policy == StopPolicy::Limp, "{report:?}");
        assert_eq!(torques(&bench), [0; 6], "{policy}");
    }
}

#[test]
fn an_arm_that_was_found_holding_is_left_so() {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let bench = Bench::new(&spec);
    let calibration = bench.calibration(&spec);
    bench.servos().servos.iter_mut().for_each(|servo| servo.set(Reg::TorqueEnable, 1));
    let options = ArmOptions { stop: StopPolicy::Hold, ..ArmOptions::default() };
    let mut arm = Arm::connect(spec, bench.bus(), &calibration, options).unwrap();
    assert_eq!(arm.end().policy, StopPolicy::Hold);
    assert_eq!(torques(&bench), [1; 6]);
}

#[test]
fn going_on_as_a_loop_does_takes_no_wish_back() {
    let flag = StopFlag::new();
    let (_bench, mut arm) =
        so101(ArmOptions { stop_flag: Some(flag.clone()), ..ArmOptions::default() });
    arm.stop(StopPolicy::Limp);
    flag.raise(Cause::Interrupt, None);
    Follower::resume(&mut arm).unwrap();
    assert_eq!(flag.raised().map(|wish| wish.cause), Some(Cause::Interrupt));
    assert!(matches!(arm.observe(), Err(Error::Stopped { cause: Cause::Interrupt })));
}
