//! The same by MuJoCo itself, whose own answers the golden files hold.

use super::*;

#[test]
fn it_goes_its_own_way() {
    for variant in ["A_kp998_f2.94", "C_kp17.8_f3.35"] {
        let off = tracking(Physics::Mujoco, variant);
        // The file has six digits of each angle.
        assert!(off.iter().all(|(_, most)| *most < 1e-4), "{variant}: {off:?}");
    }
}

#[test]
fn it_grasps_its_cube() {
    let (world, held) = grasp_by(Physics::Mujoco, |_| {}, |_| {});
    assert!(held);
    let golden = grasped();
    let end: [f64; 7] =
        serde_json::from_value(golden["cube_pos_quat_wxyz"].as_array().unwrap()[99].clone())
            .unwrap();
    let cube = world.thing("cube").unwrap().place;
    let off = cube.translation.vector - Vector3::new(end[0], end[1], end[2]);
    assert!(off.norm() < 1e-3, "{off}");
    let open = |command: &mut Joints| command[5] = command[5].max(0.9);
    assert!(!grasp_by(Physics::Mujoco, |_| {}, open).1, "open");
}

#[test]
fn what_is_put_back_or_copied_goes_on_as_it_did() {
    put_back(Physics::Mujoco);
}

#[test]
fn geared_motors_go_the_same_way_in_both() {
    let mut worlds = [Physics::Own, Physics::Mujoco].map(|physics| {
        let mut setup = Setup::new(Arc::new(Model::so101().unwrap()));
        setup.touching = false;
        setup.motors = [Motor::Gear(Gear { play: 0.0, ..Gear::STS3215 }); JOINTS];
        World::by(physics, setup).unwrap()
    });
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20 {
        let volts: Joints = std::array::from_fn(|_| random.f64() * 4.0 - 2.0);
        for world in &mut worlds {
            for (joint, volts) in volts.iter().enumerate() {
                world.order(joint, Order::Volts(*volts));
            }
            (0..50).for_each(|_| world.step(DT));
        }
        let [ours, theirs] = &worlds;
        for (ours, theirs) in ours.joints().iter().zip(theirs.joints()) {
            assert!((ours - theirs).abs() < 0.01, "{:?}", worlds);
        }
    }
}
