//! An arm is set up on a machine that is busy with something else.

use sinew_drivers::Error;
use sinew_drivers::arm::ArmOptions;
use sinew_drivers::sim::FaultKind;

use crate::world::World;

#[test]
fn a_motor_that_is_not_heard_four_times_is_asked_a_fifth_time() {
    let world = World::new(3);
    let mut arm = world.connected(ArmOptions::default());
    world.bus.inject(FaultKind::Lost, Some(4), 4);
    arm.configure().unwrap();
    assert_eq!(world.torques(), [true; 6]);
}

#[test]
fn a_motor_that_stays_silent_leaves_the_arm_limp_and_is_named() {
    let world = World::new(3);
    let mut arm = world.connected(ArmOptions::default());
    world.bus.set_dead(4, true);
    let error = arm.configure().unwrap_err();
    assert!(matches!(error, Error::NoAnswer { id: 4, .. }), "{error}");
    assert_eq!(world.torques(), [false; 6]);
}
