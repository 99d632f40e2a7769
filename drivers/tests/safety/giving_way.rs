//! A joint in somebody's hand: it gives way before its servo trips.

use sinew_core::limits::Limit;
use sinew_core::register::Fault;
use sinew_drivers::arm::ArmOptions;
use sinew_drivers::clock::SECOND;

use crate::world::{TICK, World};

/// Lets the arm push against a hand at `id` for ten seconds, and says whether the servo tripped,
/// and how often its goal gave way.
fn push(id: u8, back_off: bool) -> (bool, u64) {
    let world = World::new(9);
    let mut arm = world.arm(ArmOptions { back_off, ..ArmOptions::default() });
    let clock = world.bus.clock();
    let position = world.bus.servo(id).unwrap().joint;
    world.bus.hand(id, Some(position));
    let mut values: Vec<f64> = arm.observe().unwrap().values.clone();
    values[usize::from(id) - 1] += 60.0;
    let mut tripped = false;
    let end = clock.now() + 10 * SECOND;
    while clock.now() < end {
        clock.sleep(TICK);
        arm.observe().unwrap();
        arm.command(&values).unwrap();
        tripped |= world.bus.servo(id).unwrap().faults.has(Fault::Overload);
    }
    (tripped, arm.counts().limited(Limit::BackOff))
}

#[test]
fn a_pushing_joint_gives_way_before_its_servo_trips() {
    for id in [2, 6] {
        assert_eq!(push(id, false), (true, 0), "servo {id} trips where nobody prevents it");
        let (tripped, gave_way) = push(id, true);
        assert!(!tripped && gave_way > 100, "servo {id}: gave way {gave_way} times");
    }
}
