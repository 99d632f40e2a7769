//! A tick of an arm that is moved by wishes takes nothing from the heap, wherever the arm is led.

// All of it is test code, helpers included: a failure is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../tests/counting.rs"]
mod counting;

use counting::taken_by;
use sinew_drivers::arm::ArmOptions;
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{self, VirtualBus};
use sinew_drivers::{Arm, ArmSpec, Bus, Clock, Nanos};
use sinew_teleop::Source;
use sinew_teleop::jog::{Jog, Moved, Space, Way, Wish};
use sinew_teleop::workspace::Workspace;

#[test]
fn the_counter_counts() {
    // Where the optimiser looks, what nobody sees is not taken at all.
    assert_eq!(taken_by(|| drop(std::hint::black_box(Box::new(7)))), 1);
}

#[test]
fn six_hundred_ticks_take_nothing_not_even_the_first() {
    for moved in [Moved::Tip(Space::default()), Moved::Joints] {
        let spec = ArmSpec::builtin("so101_follower").unwrap();
        let mut devices = sim::arm::assembled(&spec);
        let calibration = sim::arm::calibrate(&mut devices, &spec);
        let world = VirtualBus::new(devices, Clock::virtual_time(), 1);
        let bus = Bus::new(world.wire(), spec.series.protocol);
        let mut arm = Arm::connect(spec, bus, &calibration, ArmOptions::default()).unwrap();
        let (mut stick, mut jog) = Jog::new(&arm, moved).unwrap();
        jog.configure().unwrap();
        arm.observe().unwrap();
        let ways =
            [Way::Forward, Way::Left, Way::Up, Way::Tilt, Way::Roll, Way::Joint(2), Way::Open];
        let ticks = || {
            (0..600_usize).for_each(|tick| {
                let now = tick as Nanos * 16 * MILLI;
                let mut wish = Wish { until: now + 100 * MILLI, ..Wish::nothing() };
                // Far beyond the reach, and back.
                wish.add(ways[tick / 100 % ways.len()], 0.2);
                stick.tell(wish);
                jog.read(now).unwrap();
                jog.see(arm.observation());
            })
        };
        assert_eq!(taken_by(ticks), 0, "{moved:?}");
    }
}

#[test]
fn an_arm_that_is_kept_in_a_box_takes_nothing_where_it_is_held() {
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    let mut devices = sim::arm::assembled(&spec);
    let calibration = sim::arm::calibrate(&mut devices, &spec);
    let world = VirtualBus::new(devices, Clock::virtual_time(), 1);
    let bus = Bus::new(world.wire(), spec.series.protocol);
    let arm = Arm::connect(spec, bus, &calibration, ArmOptions::default()).unwrap();
    let space = Space { least: [-9.0, -0.05, -9.0], most: [9.0, 0.05, 9.0] };
    let mut workspace = Workspace::new(&arm, space).unwrap();
    let there = [0.0; 6];
    let ticks = || {
        (0..600_u32).for_each(|tick| {
            let mut asked = [f64::from(tick % 200); 6];
            asked[1] = -asked[2];
            workspace.keep(Nanos::from(tick) * 16 * MILLI, &there, &asked);
        });
    };
    assert_eq!(taken_by(ticks), 0);
    assert!(workspace.held() > 100, "{}", workspace.held());
}
