use proptest::prelude::*;
use sinew_drivers::arm::{Arm, ArmOptions};
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{self, VirtualBus};
use sinew_drivers::{ArmSpec, Bus, Clock};

use super::*;

const TICK: Nanos = 10 * MILLI;

fn arm(name: &str, use_degrees: Option<bool>) -> Arm {
    let spec = ArmSpec::builtin(name).unwrap();
    let mut devices = sim::arm::assembled(&spec);
    let calibration = sim::arm::calibrate(&mut devices, &spec);
    let world = VirtualBus::new(devices, Clock::virtual_time(), 1);
    let bus = Bus::new(world.wire(), spec.series.protocol);
    let options = ArmOptions { use_degrees, ..ArmOptions::default() };
    Arm::connect(spec, bus, &calibration, options).unwrap()
}

/// A box of this size around where the tip is with these values.
fn around(values: &[f64], size: f64) -> Workspace {
    let all = Space { least: [-9.0; 3], most: [9.0; 3] };
    let mut workspace = Workspace::new(&arm("so101_follower", None), all).unwrap();
    let tip = workspace.tip(values);
    workspace.space = Space { least: tip.map(|at| at - size), most: tip.map(|at| at + size) };
    workspace
}

const HOME: [f64; 6] = [0.0, -20.0, 20.0, 10.0, 0.0, 30.0];

fn turned(pan: f64, gripper: f64) -> [f64; 6] {
    let mut values = HOME;
    (values[0], values[5]) = (pan, gripper);
    values
}

#[test]
fn inside_the_box_goals_are_what_is_asked_for() {
    let mut workspace = around(&HOME, 0.05);
    for tick in 0..100 {
        let asked = turned(f64::from(tick) * 0.05, f64::from(tick));
        assert_eq!(workspace.keep(Nanos::from(tick) * TICK, &HOME, &asked), asked);
    }
    assert_eq!(workspace.held(), 0);
}

#[test]
fn the_tip_stops_at_the_wall_the_gripper_goes_on_and_nothing_jumps_afterwards() {
    let mut workspace = around(&HOME, 0.05);
    let mut last = HOME;
    let mut now = 0;
    let mut farthest: f64 = 0.0;
    // Out at one side of the box, behind it, and in again at the other.
    let out = (0..60).map(|tick| f64::from(tick) * 2.0);
    let back = (0..120).map(|tick| 118.0 - f64::from(tick) * 2.0);
    for (nth, pan) in (0..).zip(out.chain(back)) {
        now += TICK;
        let asked = turned(pan, f64::from(nth % 7));
        let goal = workspace.keep(now, &last, &asked).to_vec();
        assert!(workspace.outside(&goal) < 1e-6, "{pan}: {:?}", workspace.tip(&goal));
        assert_eq!(goal[5], asked[5], "a gripper may close");
        let step = goal.iter().zip(&last).take(5).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(step < 2.1, "{step} in a tick, at {pan}");
        farthest = farthest.max(goal[0]);
        last.copy_from_slice(&goal);
    }
    assert!((5.0..40.0).contains(&farthest), "{farthest}");
    assert!(workspace.held() > 50, "{}", workspace.held());
    let held = workspace.held();
    // It has caught up.
    let asked = turned(-3.0, 0.0);
    for _ in 0..100 {
        now += TICK;
        workspace.keep(now, &last, &asked);
    }
    assert_eq!((workspace.goal.as_slice(), workspace.held()), (asked.as_slice(), held));
}

#[test]
fn a_way_out_and_in_again_is_not_taken_in_one_step() {
    // Both ends are inside, and half a turn is not.
    let all = Space { least: [-9.0, -0.5, -9.0], most: [0.0, 0.5, 9.0] };
    let mut workspace = Workspace::new(&arm("so101_follower", None), all).unwrap();
    let (one, other) = (turned(100.0, 0.0), turned(-100.0, 0.0));
    assert!(workspace.outside(&one) == 0.0 && workspace.outside(&other) == 0.0);
    let goal = workspace.keep(0, &one, &other).to_vec();
    assert!(goal[0] > 80.0 && workspace.outside(&goal) < 1e-6, "{goal:?}");
    assert_eq!(workspace.held(), 1);
}

#[test]
fn from_outside_the_tip_may_only_come_nearer() {
    let mut workspace = around(&HOME, 0.02);
    let there = turned(40.0, 30.0);
    let off = workspace.outside(&there);
    assert!(off > 0.05);
    let away = workspace.keep(0, &there, &turned(60.0, 30.0)).to_vec();
    assert!((away[0] - 40.0).abs() < 1e-6, "{away:?}");
    let nearer = workspace.keep(TICK, &there, &turned(39.5, 30.0)).to_vec();
    assert_eq!(nearer[0], 39.5);
    // After a pause it begins where the arm is, wherever that is.
    let moved = turned(30.0, 30.0);
    let again = workspace.keep(2 * TICK + PAUSE, &moved, &turned(50.0, 30.0)).to_vec();
    assert!((again[0] - 30.0).abs() < 1e-6, "{again:?}");
}

#[test]
fn what_is_no_number_holds_the_joints() {
    let mut workspace = around(&HOME, 0.05);
    let mut asked = HOME;
    asked[2] = f64::NAN;
    assert_eq!(workspace.keep(0, &HOME, &asked), HOME);
    assert_eq!(workspace.held(), 1);
}

#[test]
fn values_in_percent_are_the_same_angles_and_an_unknown_arm_is_refused() {
    let space = Space::default();
    let degrees = arm("so101_follower", None);
    let percent = arm("so101_follower", Some(false));
    let reaches = HOME.iter().zip(percent.reaches());
    let values: Vec<f64> = reaches.map(|(value, reach)| value / reach.degrees).collect();
    let one = Workspace::new(&degrees, space).unwrap().tip(&HOME);
    let other = Workspace::new(&percent, space).unwrap().tip(&values);
    assert!(
        one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-9),
        "{one:?} {other:?}"
    );
    let error = Workspace::new(&arm("koch_follower", None), space).err().unwrap().to_string();
    assert!(error.contains("koch_follower"), "{error}");
    let error = Workspace::new(&arm("lekiwi", None), space).err();
    assert!(error.is_none(), "{error:?}");
}

proptest! {
    #[test]
    fn whatever_is_asked_the_goal_stays_inside(
        asked in prop::collection::vec(prop::collection::vec(-120.0_f64..120.0, 6), 1..40),
        size in 0.01_f64..0.1,
    ) {
        let mut workspace = around(&HOME, size);
        let mut last = HOME.to_vec();
        for (nth, asked) in (0..).zip(&asked) {
            last = workspace.keep(nth * TICK, &last, asked).to_vec();
            prop_assert!(workspace.outside(&last) < 1e-6, "{:?}", last);
        }
    }

    #[test]
    fn a_limit_of_each_joints_step_leads_nobody_out(
        asked in prop::collection::vec((prop::collection::vec(-120.0_f64..120.0, 6), 1_usize..40), 1..10),
        size in 0.01_f64..0.1,
    ) {
        // As --robot.max_relative_target holds each joint for itself.
        const STEP: f64 = 5.0;
        let mut workspace = around(&HOME, size);
        workspace.steps.fill(Some(STEP));
        let mut there = HOME.to_vec();
        let asked = asked.iter().flat_map(|(asked, times)| std::iter::repeat_n(asked, *times));
        for (nth, asked) in (0..).zip(asked) {
            let goal = workspace.keep(nth * TICK, &there, asked).to_vec();
            for (there, goal) in there.iter_mut().zip(&goal) {
                *there += (goal - *there).clamp(-STEP, STEP);
            }
            workspace.sent(&there);
            prop_assert!(workspace.outside(&there) < 1e-6, "{} m outside", workspace.outside(&there));
        }
    }
}
