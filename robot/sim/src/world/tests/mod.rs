#[cfg(feature = "mujoco")]
mod mujoco;

use super::*;
use crate::motor::Spring;

const DT: f64 = 0.002;

fn spring(stiffness: f64, damping: f64, most: f64) -> Motor {
    Motor::Spring(Spring {
        stiffness,
        damping,
        most,
        viscous: 0.6,
        friction: 0.052,
        armature: 0.028,
    })
}

fn joints(value: &serde_json::Value) -> Joints {
    serde_json::from_value(value.clone()).unwrap()
}

/// Follows the recorded commands and returns, for each joint, how far off it was: root mean square and
/// most, in degrees.
fn tracking(physics: Physics, variant: &str) -> [(f64, f64); JOINTS] {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/golden/so101_traj.json")).unwrap();
    let recorded = &golden["variants"][variant];
    let number = |name: &str| recorded[name].as_f64().unwrap();
    let mut setup = Setup::new(Arc::new(Model::so101().unwrap()));
    setup.motors = [spring(number("kp"), number("kv"), number("fmax")); JOINTS];
    setup.touching = false;
    let mut world = World::by(physics, setup).unwrap();
    let commands = golden["command"].as_array().unwrap();
    let places = recorded["qpos"].as_array().unwrap();
    let mut off = [(0.0, 0.0f64); JOINTS];
    for (sample, place) in places.iter().enumerate() {
        let command = joints(&commands[sample / 2]);
        for (joint, (goal, place)) in command.iter().zip(joints(place)).enumerate() {
            let miss = (world.joints()[joint] - place).to_degrees();
            off[joint].0 += miss * miss / places.len() as f64;
            off[joint].1 = off[joint].1.max(miss.abs());
            world.order(joint, Order::Goal(*goal));
        }
        (0..5).for_each(|_| world.step(DT));
    }
    off.map(|(square, most)| (square.sqrt(), most))
}

#[test]
fn a_stiff_servo_goes_mujocos_way() {
    let off = tracking(Physics::Own, "A_kp998_f2.94");
    assert!(off.iter().all(|(mean, most)| *mean < 0.004 && *most < 0.05), "{off:?}");
}

#[test]
fn a_servo_as_soft_as_on_the_table_goes_mujocos_way() {
    let off = tracking(Physics::Own, "C_kp17.8_f3.35");
    assert!(off.iter().all(|(mean, most)| *mean < 0.004 && *most < 0.05), "{off:?}");
}

/// MuJoCo's cube, there.
fn cube(place: Isometry3<f64>) -> Loose {
    Loose {
        name: "cube".to_owned(),
        half: [0.015; 3],
        mass: 0.03,
        friction: 1.0,
        surface: Surface { colour: [1.0, 0.0, 0.0], checker: None },
        place,
    }
}

/// What MuJoCo does with a cube; `make.py` beside the file made it.
fn grasped() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../tests/golden/so101_grasp.json")).unwrap()
}

/// The recorded grasp of a cube, with changes to the world.
fn grasp(change: impl FnOnce(&mut Setup), orders: impl Fn(&mut Joints)) -> (World, bool) {
    grasp_by(Physics::Own, change, orders)
}

fn grasp_by(
    physics: Physics,
    change: impl FnOnce(&mut Setup),
    orders: impl Fn(&mut Joints),
) -> (World, bool) {
    let golden = grasped();
    let mut setup = Setup::new(Arc::new(Model::so101().unwrap()));
    setup.motors = [spring(998.22, 2.731, 2.94); JOINTS];
    // A gripper is told to use half its strength.
    setup.motors[5] = spring(998.22, 2.731, 0.96);
    setup.angles = joints(&golden["start_q"]);
    let start: [f64; 7] =
        serde_json::from_value(golden["cube_start_pos_quat_wxyz"].clone()).unwrap();
    let [x, y, z, w, i, j, k] = start;
    let turn = UnitQuaternion::from_quaternion(nalgebra::Quaternion::new(w, i, j, k));
    setup.things.push(cube(Isometry3::from_parts(Translation3::new(x, y, z), turn)));
    change(&mut setup);
    let mut world = World::by(physics, setup).unwrap();
    let commands = golden["command"].as_array().unwrap();
    let mut heights = Vec::new();
    for command in commands {
        let mut command = joints(command);
        orders(&mut command);
        for (joint, goal) in command.into_iter().enumerate() {
            world.order(joint, Order::Goal(goal));
        }
        for _ in 0..10 {
            world.step(DT);
            heights.push(world.thing("cube").unwrap().place.translation.z);
        }
    }
    // The lift's end, and nothing slips in the second after it.
    let (end, last) = (*heights.last().unwrap(), &heights[heights.len() - 500..]);
    let held = end > 0.1 && last.iter().all(|height| (height - end).abs() < 0.003);
    (world, held)
}

#[test]
fn the_recorded_grasp_lifts_the_cube_and_holds_it() {
    let (world, held) = grasp(|_| {}, |_| {});
    let cube = world.thing("cube").unwrap().place;
    assert!(held);
    let golden = grasped();
    let end: [f64; 7] =
        serde_json::from_value(golden["cube_pos_quat_wxyz"].as_array().unwrap()[99].clone())
            .unwrap();
    let off = cube.translation.vector - Vector3::new(end[0], end[1], end[2]);
    assert!(off.norm() < 0.005, "{off}");
    let grip = joints(&golden["end_q"])[5];
    assert!((world.joints()[5] - grip).abs() < 0.01, "{} {grip}", world.joints()[5]);
    let deepest = world.touches().iter().map(|touch| -touch.gap).fold(0.0, f64::max);
    assert!(deepest < 0.0015, "{deepest}");
}

#[test]
fn what_must_not_hold_the_cube_does_not() {
    let slippery = |setup: &mut Setup| {
        setup.finger_friction = 0.02;
        setup.things[0].friction = 0.02;
    };
    assert!(!grasp(slippery, |_| {}).1, "slippery");
    let weak = |setup: &mut Setup| setup.motors[5] = spring(998.22, 2.731, 0.2);
    assert!(!grasp(weak, |_| {}).1, "weak");
    assert!(!grasp(|_| {}, |command| command[5] = command[5].max(0.9)).1, "open");
    let away = |setup: &mut Setup| setup.things[0].place.translation.x += 0.04;
    assert!(!grasp(away, |_| {}).1, "away");
}

#[test]
fn a_weaker_grip_and_a_smoother_cube_hold_as_well() {
    for most in [0.4, 1.47, 2.94] {
        let grip = |setup: &mut Setup| setup.motors[5] = spring(998.22, 2.731, most);
        assert!(grasp(grip, |_| {}).1, "{most}");
    }
    for friction in [0.05, 0.3] {
        let smooth = |setup: &mut Setup| {
            setup.finger_friction = friction;
            setup.things[0].friction = friction;
        };
        assert!(grasp(smooth, |_| {}).1, "{friction}");
    }
}

/// An arm as on the table, a cube before it, and orders that make it knock about.
fn restless(seed: u64) -> World {
    restless_by(Physics::Own, seed)
}

fn restless_by(physics: Physics, seed: u64) -> World {
    let mut setup = Setup::new(Arc::new(Model::so101().unwrap()));
    setup.things.push(cube(Isometry3::translation(0.25, 0.0, 0.1)));
    let mut world = World::by(physics, setup).unwrap();
    stir(&mut world, &mut fastrand::Rng::with_seed(seed), 1000);
    world
}

fn stir(world: &mut World, random: &mut fastrand::Rng, steps: usize) {
    for step in 0..steps {
        if step % 100 == 0 {
            for joint in 0..JOINTS {
                let volts = random.f64() * 16.0 - 8.0;
                world.order(joint, if random.bool() { Order::Volts(volts) } else { Order::Off });
            }
        }
        world.step(DT);
    }
}

#[test]
fn the_same_orders_give_the_same_world_to_the_last_bit() {
    let (one, other) = (restless(3), restless(3));
    assert_eq!(one.state(), other.state());
    assert_ne!(one.state(), restless(4).state());
}

#[test]
fn a_world_that_is_put_back_goes_on_as_it_did() {
    put_back(Physics::Own);
}

fn put_back(physics: Physics) {
    let mut world = restless_by(physics, 5);
    let kept = world.state().clone();
    stir(&mut world, &mut fastrand::Rng::with_seed(9), 700);
    let first = world.state().clone();
    world.restore(&kept);
    stir(&mut world, &mut fastrand::Rng::with_seed(9), 700);
    assert_eq!(world.state(), &first);
    let mut other = World::by(physics, world.setup().clone()).unwrap();
    other.restore(&kept);
    let mut copy = other.clone();
    for world in [&mut other, &mut copy] {
        stir(world, &mut fastrand::Rng::with_seed(9), 700);
        assert_eq!(world.state(), &first);
    }
}

#[test]
fn whatever_the_motors_are_told_joints_stay_within_their_stops_and_things_above_the_table() {
    for seed in 0..20 {
        let mut world = restless(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..20 {
            stir(&mut world, &mut random, 100);
            for (angle, (low, high)) in world.joints().iter().zip(world.setup().model.ranges()) {
                assert!(*angle > low - 0.12 && *angle < high + 0.12, "{seed}: {angle}");
            }
            let cube = world.thing("cube").unwrap();
            assert!(
                cube.place.translation.z > 0.0 && cube.moving.norm() < 10.0,
                "{seed}: {cube:?}"
            );
        }
    }
}

#[test]
fn a_thing_that_is_let_go_falls_and_lies_still() {
    let mut world = restless(0);
    let before = world.thing("cube").unwrap().place;
    assert!(before.translation.z < 0.1);
    for joint in 0..JOINTS {
        world.order(joint, Order::Off);
    }
    (0..2000).for_each(|_| world.step(DT));
    let cube = world.thing("cube").unwrap();
    assert!(cube.moving.norm() < 1e-4 && cube.turning.norm() < 1e-3, "{cube:?}");
    assert!((cube.place.translation.z - 0.015).abs() < 0.0005, "{cube:?}");
}

#[test]
fn a_motor_crosses_the_play_before_the_joint_moves() {
    let mut setup = Setup::new(Arc::new(Model::so101().unwrap()));
    setup.touching = false;
    let mut world = World::new(setup);
    let run = |world: &mut World, volts: f64, steps: usize| {
        world.order(0, Order::Volts(volts));
        (0..steps).for_each(|_| world.step(DT));
    };
    run(&mut world, 1.0, 250);
    run(&mut world, 0.0, 500);
    let (joint, rotor) = (world.joints()[0], world.state.rotors[0].angle);
    let play = Gear::STS3215.play;
    // The teeth lie on one side; the other way the motor first crosses the play.
    assert!(rotor - joint > play * 0.4, "{rotor} {joint}");
    run(&mut world, -0.4, 1);
    while world.state.rotors[0].angle - world.joints()[0] > -play * 0.4 {
        world.step(DT);
        assert!((world.joints()[0] - joint).abs() < play * 0.2, "{:?}", world.joints());
    }
    run(&mut world, -1.0, 100);
    assert!(world.joints()[0] < joint - play);
}

#[test]
fn a_motor_without_load_turns_as_fast_as_its_data_sheet_says() {
    let mut world = World::new(Setup::new(Arc::new(Model::so101().unwrap())));
    world.order(0, Order::Volts(7.4));
    (0..100).for_each(|_| world.step(DT));
    let speed = world.speeds()[0];
    // 52 turns a minute are 5.4 rad/s.
    assert!((4.8..6.0).contains(&speed), "{speed}");
}

#[test]
fn a_hand_holds_a_joint_against_its_motor() {
    let mut world = World::new(Setup::new(Arc::new(Model::so101().unwrap())));
    world.hand(2, Some(0.3));
    world.order(2, Order::Volts(-7.4));
    (0..1000).for_each(|_| world.step(DT));
    assert!((world.joints()[2] - 0.3).abs() < 0.01, "{:?}", world.joints());
    world.hand(2, None);
    (0..200).for_each(|_| world.step(DT));
    assert!(world.joints()[2] < 0.0, "{:?}", world.joints());
}
