//! Held against pinocchio's answers in tests/golden/kinematics, which make_kinematics.py there writes.

use nalgebra::{Isometry3, Matrix6xX, Quaternion, Translation3, UnitQuaternion, Vector3};
use serde_json::Value;

use super::{Chain, Solver, Tolerance, UrdfError};

const ARMS: [&str; 3] = ["so101", "so100", "koch"];

fn golden(arm: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/kinematics");
    let text = std::fs::read_to_string(format!("{folder}/{arm}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn poses_and_jacobians_are_pinocchios() {
    for arm in ARMS {
        let (golden, chain) = (golden(arm), Chain::builtin(arm).unwrap());
        let names: Vec<&str> = chain.joints().iter().map(|joint| joint.name.as_str()).collect();
        assert_eq!(names, golden["joints"].as_array().unwrap().as_slice(), "{arm}");
        let rows = golden["rows"].as_array().unwrap();
        assert!(rows.len() >= 200, "{arm}");
        for row in rows {
            let angles = numbers(&row["q"]);
            let (pose, jacobian) = chain.pose_and_jacobian(&angles);
            assert_eq!(pose, chain.pose(&angles));
            let wanted = numbers(&row["pose"]);
            let place = pose.translation.vector - Vector3::new(wanted[0], wanted[1], wanted[2]);
            assert!(place.norm() < 1e-12, "{arm} {place}");
            let turn = Quaternion::new(wanted[3], wanted[4], wanted[5], wanted[6]);
            let turn = UnitQuaternion::from_quaternion(turn);
            // An angle is no more exact than the cosine it comes from; the numbers themselves are.
            let (ours, theirs) = (pose.rotation.coords, turn.coords);
            let off = (ours - theirs).norm().min((ours + theirs).norm());
            assert!(off < 1e-12, "{arm} {off}");
            let Some(wanted) = row.get("jacobian") else { continue };
            let columns: Vec<f64> = wanted.as_array().unwrap().iter().flat_map(numbers).collect();
            let wanted = Matrix6xX::from_column_slice(&columns);
            let off = (jacobian.columns(0, wanted.ncols()) - &wanted).amax();
            assert!(off < 1e-12, "{arm} {off}");
        }
    }
}

/// Numbers from 0 to 1, the same every time.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Angles in the joints' ranges.
fn anywhere(chain: &Chain, state: &mut u64) -> Vec<f64> {
    let within =
        |joint: &super::Joint| joint.range.0 + random(state) * (joint.range.1 - joint.range.0);
    chain.joints().iter().map(within).collect()
}

#[test]
fn ten_thousand_poses_that_can_be_reached_are() {
    let mut state = 1;
    for arm in ARMS {
        let solver = Solver::new(Chain::builtin(arm).unwrap(), Tolerance::default());
        let middle = [f64::NAN; 8];
        for _ in 0..10_000 {
            let angles = anywhere(solver.chain(), &mut state);
            let goal = solver.chain().pose(&angles);
            let solved = solver.solve(&middle, &goal);
            assert!(solved.reached, "{arm} {angles:?} {solved:?}");
            let pose = solver.chain().pose(&solved.angles);
            assert!((pose.translation.vector - goal.translation.vector).norm() < 1e-4);
            assert!(pose.rotation.angle_to(&goal.rotation) < 0.1_f64.to_radians());
            for (angle, joint) in solved.angles.iter().zip(solver.chain().joints()) {
                assert!((joint.range.0..=joint.range.1).contains(angle), "{arm} {angle}");
            }
        }
    }
}

#[test]
fn a_goal_that_moves_is_followed_without_a_jump() {
    let solver = Solver::new(Chain::builtin("so101").unwrap(), Tolerance::default());
    let mut angles = [0.2, -0.4, 0.6, 0.3, 0.1];
    let begin = solver.chain().pose(&angles);
    for tick in 0..600 {
        // A circle of five centimetres, once in ten seconds at 60 Hz.
        let turn = f64::from(tick) / 600.0 * std::f64::consts::TAU;
        let way = Vector3::new(0.0, 0.05 * turn.sin(), 0.05 * (turn.cos() - 1.0));
        let goal = Isometry3::from_parts(
            Translation3::from(begin.translation.vector + way),
            solver.chain().pose(&angles).rotation,
        );
        let solved = solver.follow(&angles, &goal, 0.05);
        for (angle, solved) in angles.iter().zip(solved.angles) {
            assert!((angle - solved).abs() <= 0.05 + 1e-12, "tick {tick}");
        }
        angles.copy_from_slice(&solved.angles[..5]);
        let off = solver.chain().pose(&angles).translation.vector - goal.translation.vector;
        assert!(off.norm() < 2e-3, "tick {tick}: {off}");
    }
}

#[test]
fn beyond_its_reach_the_arm_stretches_and_stays_calm() {
    for arm in ARMS {
        let solver = Solver::new(Chain::builtin(arm).unwrap(), Tolerance::default());
        let middle = |joint: &super::Joint| joint.range.0.midpoint(joint.range.1) + 0.1;
        let mut angles: Vec<f64> = solver.chain().joints().iter().map(middle).collect();
        let goal = Isometry3::translation(3.0, 0.5, 0.4);
        let mut before = f64::INFINITY;
        for tick in 0..300 {
            let solved = solver.follow(&angles, &goal, 0.05);
            assert!(!solved.reached && solved.angles.iter().all(|angle| angle.is_finite()));
            for (angle, solved) in angles.iter().zip(solved.angles) {
                assert!((angle - solved).abs() <= 0.05 + 1e-12, "{arm} tick {tick}");
            }
            angles.copy_from_slice(&solved.angles[..5]);
            let off = solved.place_off;
            if tick > 100 {
                assert!((before - off).abs() < 0.02, "{arm} tick {tick}: {before} {off}");
            }
            before = off;
        }
        let still = solver.solve(&angles, &goal);
        assert!(!still.reached, "three metres are too far");
    }
}

#[test]
fn angles_that_are_no_numbers_and_goals_that_are_none_do_no_harm() {
    let solver = Solver::new(Chain::builtin("koch").unwrap(), Tolerance::default());
    let nowhere = Isometry3::translation(f64::NAN, 0.0, 0.0);
    let solved = solver.follow(&[f64::NAN, f64::INFINITY, 1e300], &nowhere, 0.05);
    assert!(!solved.reached);
    assert!(solved.angles.iter().all(|angle| angle.is_finite()), "{solved:?}");
}

#[test]
fn what_makes_no_chain_is_told() {
    let read = |text: &str| Chain::from_urdf(text, "tip").unwrap_err();
    assert!(matches!(read("<robot"), UrdfError::Xml(_)));
    assert!(matches!(read("<robot/>"), UrdfError::NoLink { .. }));
    let joint = |kind: &str, parent: &str, child: &str, rest: &str| {
        format!(
            "<joint name=\"j\" type=\"{kind}\"><parent link=\"{parent}\"/><child link=\"{child}\"/>{rest}</joint>"
        )
    };
    let robot = |joints: &[String]| format!("<robot>{}</robot>", joints.concat());
    let round = [joint("fixed", "tip", "base", ""), joint("fixed", "base", "tip", "")];
    assert!(matches!(read(&robot(&round)), UrdfError::Loop { .. }));
    let slides = robot(&[joint("prismatic", "base", "tip", "")]);
    assert_eq!(
        read(&slides),
        UrdfError::Kind { joint: "j".to_owned(), kind: "prismatic".to_owned() }
    );
    for rest in [
        "<origin xyz=\"0 0\"/>",
        "<origin rpy=\"a b c\"/>",
        "<axis xyz=\"0 0 0\"/>",
        "<limit lower=\"NaN\" upper=\"1\"/>",
        "<limit lower=\"2\" upper=\"1\"/>",
        "<origin xyz=\"1e9 0 0\"/>",
    ] {
        let text = robot(&[joint("revolute", "base", "tip", rest)]);
        assert!(matches!(read(&text), UrdfError::Number { .. }), "{rest}");
    }
    let many: Vec<_> = (0..9)
        .map(|at| {
            let child = if at == 8 { "tip".to_owned() } else { format!("l{}", at + 1) };
            joint("revolute", &format!("l{at}"), &child, "")
        })
        .collect();
    assert!(matches!(read(&robot(&many)), UrdfError::TooMany { count: 9, .. }));
}
