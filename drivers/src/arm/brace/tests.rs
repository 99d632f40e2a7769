//! A leader that moves by itself, and what goes wrong with it.

use super::*;
use crate::ArmSpec;
use crate::arm::bench::Bench;
use crate::arm::{ArmOptions, Notice, OnMismatch};
use crate::clock::{MILLI, SECOND};
use crate::stop::StopFlag;
use sinew_core::register::Reg;

const TICK: Nanos = 20 * MILLI;

fn leader(name: &str, options: ArmOptions) -> (Bench, Arm) {
    let spec = ArmSpec::builtin(name).unwrap();
    let bench = Bench::new(&spec);
    let calibration = bench.calibration(&spec);
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..options };
    let mut arm = Arm::connect(spec, bench.bus(), &calibration, options).unwrap();
    arm.configure().unwrap();
    (bench, arm)
}

fn torques(bench: &Bench) -> Vec<i32> {
    bench.servos().servos.iter().map(|servo| servo.get(Reg::TorqueEnable)).collect()
}

/// A leader that is under torque.
fn braced(options: ArmOptions) -> (Bench, Arm) {
    let (bench, mut arm) = leader("so101_leader", options);
    for joint in 1..=6 {
        bench.clock.sleep(TICK);
        arm.observe().unwrap();
        assert_eq!(arm.brace().unwrap(), joint == 6);
        assert_eq!(torques(&bench).iter().sum::<i32>(), joint);
    }
    assert!(arm.is_braced() && arm.brace().unwrap());
    (bench, arm)
}

fn tick(bench: &Bench, arm: &mut Arm, value: f64) -> Result<(), Error> {
    bench.clock.sleep(TICK);
    arm.observe()?;
    arm.command(&[value; 6]).map(drop)
}

#[test]
fn it_goes_gently_and_is_limp_once_it_has_said_so() {
    let (bench, mut arm) = braced(ArmOptions::default());
    bench.servos().goals.clear();
    let mut last = 2048;
    for _ in 0..20 {
        tick(&bench, &mut arm, 90.0).unwrap();
        let goal = bench.get(1, Reg::GoalPosition);
        // 90 degrees a second are 20.5 counts in 20 ms.
        assert!((0..=24).contains(&(goal - last)), "{goal} after {last}");
        last = goal;
    }
    assert!(last > 2300, "{last}");
    assert!(!arm.release().unwrap());
    assert_eq!(torques(&bench), [0; 6], "all at once");
    // One did not hear it.
    bench.set(2, Reg::TorqueEnable, 1);
    let heard = (0..20).position(|_| arm.release().unwrap());
    assert_eq!(heard, Some(6), "one by one, and one twice");
    assert_eq!(torques(&bench), [0; 6]);
    assert!(!arm.is_braced());
    // It may be moved for as long as anybody likes, and nothing takes it again.
    for _ in 0..200 {
        bench.clock.sleep(TICK);
        arm.observe().unwrap();
    }
    assert_eq!((torques(&bench), arm.stopped()), (vec![0; 6], None));
    assert!(!arm.brace().unwrap(), "and it may be braced again");
}

#[test]
fn a_hand_in_the_way_is_not_pushed_far() {
    let (bench, mut arm) = braced(ArmOptions::default());
    for _ in 0..100 {
        // It is held where it is.
        bench.set(1, Reg::PresentPosition, 2048);
        tick(&bench, &mut arm, 90.0).unwrap();
        let off = bench.get(1, Reg::GoalPosition) - 2048;
        assert!(off <= 114, "ten degrees at most: {off} counts");
    }
}

#[test]
fn however_it_stops_it_ends_limp() {
    for policy in [StopPolicy::Hold, StopPolicy::Park, StopPolicy::Limp] {
        let flag = StopFlag::new();
        let stop_flag = Some(flag.clone());
        let options = || ArmOptions { stop: policy, ..ArmOptions::default() };
        // A signal in the middle of its way, or while it gives way.
        for gives_way in [false, true] {
            let flag = StopFlag::new();
            let (bench, mut arm) =
                braced(ArmOptions { stop_flag: Some(flag.clone()), ..options() });
            tick(&bench, &mut arm, 40.0).unwrap();
            if gives_way {
                arm.release().unwrap();
                bench.set(3, Reg::TorqueEnable, 1);
            }
            flag.raise(Cause::Interrupt, Some(policy));
            bench.clock.sleep(TICK);
            assert!(matches!(arm.observe(), Err(Error::Stopped { cause: Cause::Interrupt })));
            assert_eq!(torques(&bench), [0; 6], "{policy}");
            assert!(arm.brace().is_err(), "and stays so");
            let report = arm.end();
            assert_eq!((report.cause, report.ok()), (Cause::Interrupt, true));
            assert!(arm.brace().is_err() && !arm.is_braced());
        }
        // Between two joints; dropped; a program that hangs.
        let (bench, mut arm) = leader("so101_leader", ArmOptions { stop_flag, ..options() });
        arm.brace().unwrap();
        flag.raise(Cause::Interrupt, None);
        assert!(arm.brace().is_err());
        assert_eq!(torques(&bench), [0; 6]);
        let (bench, arm) = braced(options());
        drop(arm);
        assert_eq!(torques(&bench), [0; 6], "{policy}");
        let (bench, mut arm) = braced(options());
        bench.clock.sleep(SECOND);
        arm.observe().unwrap();
        bench.clock.sleep(SECOND);
        assert!(matches!(arm.observe(), Err(Error::Stopped { cause: Cause::DeadMan })));
        assert_eq!(torques(&bench), [0; 6], "{policy}");
    }
}

#[test]
fn a_joint_that_is_silent_stops_it_and_is_limp_as_soon_as_it_hears() {
    let (bench, mut arm) = braced(ArmOptions::default());
    bench.servos().dead.insert(4);
    let ended = (0..100).find_map(|_| tick(&bench, &mut arm, 0.0).err());
    assert!(matches!(ended, Some(Error::Blind { .. })), "{ended:?}");
    assert_eq!(torques(&bench), [0, 0, 0, 1, 0, 0], "it hears nothing");
    for _ in 0..200 {
        let began = bench.clock.now();
        assert!(!arm.release().unwrap());
        assert!(bench.clock.now() - began < 10 * MILLI);
    }
    assert_eq!(arm.braced().collect::<Vec<_>>(), ["wrist_flex"]);
    // It was only the cable.
    bench.servos().dead.clear();
    assert!((0..3).any(|_| arm.release().unwrap()));
    assert_eq!((torques(&bench), arm.stopped()), (vec![0; 6], None));
    assert!(!arm.brace().unwrap(), "and it may be braced again");
}

#[test]
fn one_that_is_deaf_at_the_end_is_told_again_until_it_is_dropped() {
    let (bench, mut arm) = braced(ArmOptions::default());
    bench.servos().dead.insert(4);
    assert_eq!(arm.end().motors.iter().filter(|motor| !motor.ok).count(), 1);
    assert!(arm.is_braced());
    bench.servos().dead.clear();
    assert!(arm.end().ok() && !arm.is_braced());
    let (bench, mut arm) = braced(ArmOptions::default());
    bench.servos().dead.insert(4);
    assert!(!arm.end().ok());
    bench.servos().dead.clear();
    drop(arm);
    assert_eq!(torques(&bench), [0; 6]);
}

#[test]
fn an_unplugged_one_is_limp_first_thing_on_its_return_and_goes_on() {
    let flag = StopFlag::new();
    let options = ArmOptions { stop: StopPolicy::Hold, ..Default::default() };
    let (bench, mut arm) = braced(ArmOptions { stop_flag: Some(flag.clone()), ..options });
    let waits = || flag.wait_for_reports(std::time::Duration::ZERO);
    bench.servos().unplugged = true;
    assert!(tick(&bench, &mut arm, 0.0).is_err());
    assert_eq!(waits().len(), 1);
    bench.clock.sleep(SECOND);
    assert!(!arm.release().unwrap());
    bench.servos().unplugged = false;
    bench.clock.sleep(SECOND);
    let before = bench.servos().requests;
    assert!(!arm.release().unwrap());
    assert_eq!((torques(&bench), bench.servos().requests - before), (vec![0; 6], 1));
    assert!(waits().is_empty(), "its stop is still to come");
    assert!((0..7).any(|_| arm.release().unwrap()));
    assert!(arm.observe().is_ok() && arm.stop_report().is_none());
    // Where nobody asks it to let go, looking at it is enough.
    while !arm.brace().unwrap() {}
    bench.servos().unplugged = true;
    assert!(tick(&bench, &mut arm, 0.0).is_err());
    bench.servos().unplugged = false;
    bench.clock.sleep(SECOND);
    assert!(arm.observe().is_err());
    assert_eq!(torques(&bench), [0; 6]);
}

#[test]
fn a_joint_that_rests_on_its_stop_is_no_news() {
    let spec = ArmSpec::builtin("so101_leader").unwrap();
    for (stands, told) in [(2000, false), (3008, false), (992, false), (3040, true), (900, true)] {
        let bench = Bench::new(&spec);
        let mut calibration = bench.calibration(&spec);
        (calibration[4].1.range_min, calibration[4].1.range_max) = (1000, 3000);
        bench.set(5, Reg::PresentPosition, stands);
        let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
        let arm = Arm::connect(spec.clone(), bench.bus(), &calibration, options).unwrap();
        let outside = |notice: &Notice| matches!(notice, Notice::OutsideRange { .. });
        assert_eq!(arm.notices().iter().any(outside), told, "{stands}: {:?}", arm.notices());
    }
}

#[test]
fn a_joint_outside_its_range_is_not_pulled_into_it() {
    let spec = ArmSpec::builtin("so101_leader").unwrap();
    let bench = Bench::new(&spec);
    let mut calibration = bench.calibration(&spec);
    (calibration[4].1.range_min, calibration[4].1.range_max) = (1000, 3000);
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
    let mut arm = Arm::connect(spec, bench.bus(), &calibration, options).unwrap();
    arm.configure().unwrap();
    for (stands, counts) in [(3040, 40), (900, 100)] {
        bench.set(5, Reg::PresentPosition, stands);
        arm.observe().unwrap();
        bench.servos().goals.clear();
        let refused = arm.brace();
        assert!(
            matches!(&refused, Err(Error::OutsideRange { joint, counts: by })
                if joint == "wrist_roll" && *by == counts),
            "{refused:?}"
        );
        assert!(torques(&bench) == [0; 6] && bench.servos().goals.is_empty());
    }
    bench.set(5, Reg::PresentPosition, 3005);
    arm.observe().unwrap();
    while !arm.brace().unwrap() {}
    assert_eq!(torques(&bench), [1; 6]);
}

#[test]
fn a_joint_that_misses_once_is_braced_with_the_next_tick() {
    let (bench, mut arm) = leader("so101_leader", ArmOptions::default());
    bench.servos().dead.insert(1);
    let began = bench.clock.now();
    assert!(matches!(arm.brace(), Err(Error::NoAnswer { id: 1, .. })));
    assert!(bench.clock.now() - began < 10 * MILLI && arm.is_braced());
    bench.servos().dead.clear();
    while !arm.brace().unwrap() {}
    assert_eq!(torques(&bench), [1; 6]);
}

#[test]
fn a_trigger_keeps_its_spring() {
    let (bench, mut arm) = leader("koch_leader", ArmOptions::default());
    let spring = bench.get(6, Reg::GoalPosition);
    assert_eq!(torques(&bench), [0, 0, 0, 0, 0, 1]);
    while !arm.brace().unwrap() {}
    for _ in 0..20 {
        tick(&bench, &mut arm, 20.0).unwrap();
    }
    assert_eq!(torques(&bench), [1; 6]);
    assert_eq!(bench.get(6, Reg::GoalPosition), spring);
    assert_ne!(bench.get(1, Reg::GoalPosition), 2048);
    while !arm.release().unwrap() {}
    assert_eq!(torques(&bench), [0, 0, 0, 0, 0, 1]);
}

#[test]
fn a_joint_that_stands_outside_its_range_is_said_once() {
    let spec = ArmSpec::builtin("so101_leader").unwrap();
    let bench = Bench::new(&spec);
    let mut calibration = bench.calibration(&spec);
    (calibration[4].1.range_min, calibration[4].1.range_max) = (1000, 3000);
    bench.set(5, Reg::PresentPosition, 900);
    let options = ArmOptions { on_mismatch: OnMismatch::Write, ..ArmOptions::default() };
    let mut arm = Arm::connect(spec.clone(), bench.bus(), &calibration, options).unwrap();
    for stands in [900, 901, 902] {
        bench.set(5, Reg::PresentPosition, stands);
        arm.resume().unwrap();
        arm.stop(StopPolicy::Limp);
    }
    let outside = |notice: &&Notice| matches!(notice, Notice::OutsideRange { .. });
    assert_eq!(arm.notices().iter().filter(outside).count(), 1, "{:?}", arm.notices());
}
