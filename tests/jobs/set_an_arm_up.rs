//! Somebody has a new arm: who is on the bus, what are their ranges, is everything well?

use crate::sandbox::{Arm, Sandbox};

#[test]
fn a_scan_lists_every_motor() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let ended = sandbox.run(&["--json", "scan", "--port", arm.port()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let lines = ended.json();
    let motors: Vec<_> = lines.iter().filter(|line| line["type"] == "motor").collect();
    assert_eq!(motors.len(), 6);
    for (motor, id) in motors.iter().zip(1..) {
        assert_eq!((motor["id"].as_i64(), motor["model"].as_str()), (Some(id), Some("sts3215")));
        assert_eq!(
            (motor["baud"].as_u64(), motor["protocol"].as_str()),
            (Some(1_000_000), Some("feetech"))
        );
        assert_eq!(motor["firmware"], "3.10");
        assert!((5.0..9.0).contains(&motor["voltage"].as_f64().unwrap()), "{motor}");
        assert!((15..60).contains(&motor["temperature"].as_i64().unwrap()), "{motor}");
    }
    assert_eq!(ended.result()["motors"], 6);
}

#[test]
fn a_missing_motor_and_a_missing_supply_are_told() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    arm.control(r#"{"supply":{"volts":5.1}}"#);
    let ended = sandbox.run(&["--json", "scan", "--port", arm.port()]);
    let problems = ended.result()["problems"].clone();
    let text = problems.to_string();
    assert!(text.contains("5.1 V"), "{text}");
    for problem in problems.as_array().unwrap() {
        for field in ["code", "message", "remedy"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
    }
}

#[test]
fn with_nothing_plugged_in_the_adapter_is_asked_for() {
    if sinew_drivers::port::list().iter().any(|port| port.usb.is_some()) {
        return;
    }
    let ended = Sandbox::new().run(&["find-port"]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("adapter in"), "{}", ended.err);
    for line in ended.out.lines() {
        let port = line.split_whitespace().next().unwrap_or_default();
        assert_eq!(line.matches(port).count(), 1, "{line}");
    }
}

#[test]
fn a_port_that_is_not_there_is_a_hardware_failure_with_a_remedy() {
    let ended = Sandbox::new().run(&["scan", "--port", "/dev/no-such-port"]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("/dev/no-such-port: no such port"), "{}", ended.err);
    assert!(ended.err.contains("do:"), "{}", ended.err);
}

#[test]
fn an_arm_calibrated_elsewhere_checks_out_and_one_that_was_changed_does_not() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let robot = ["--robot.type=so101_follower", "--robot.id=white", "--robot.port", arm.port()];
    let check = [&["--json", "calibrate", "--check"], &robot[..]].concat();
    let fine = sandbox.run(&check);
    assert_eq!(fine.code, 0, "{}{}", fine.out, fine.err);
    assert_eq!(fine.result()["joints"], 6);

    let file = sandbox.path("copy.json");
    let export = ["calibrate", "--export", file.to_str().unwrap()];
    assert_eq!(sandbox.run(&[&export[..], &robot[..]].concat()).code, 0);
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replacen("\"range_min\": ", "\"range_min\": 1", 1);
    assert_ne!(text, changed);
    let place = ".cache/huggingface/lerobot/calibration/robots/so_follower/white.json";
    std::fs::write(sandbox.path(place), changed).unwrap();
    let wrong = sandbox.run(&check);
    assert_eq!(wrong.code, 4, "{}", wrong.out);
    assert_eq!(wrong.result()["wrong"], 1);

    let import = ["calibrate", "--import", file.to_str().unwrap()];
    let imported = sandbox.run(&[&import[..], &robot[..]].concat());
    assert_eq!(imported.code, 0, "{}", imported.err);
    assert_eq!(sandbox.run(&check).code, 0);
    let again = std::fs::read_to_string(sandbox.path(place)).unwrap();
    assert_eq!(again, text);
}

/// Moves every joint from stop to stop. A sweep goes on until Enter is pressed, so every step is
/// certain to be seen.
pub fn sweep(arm: &Arm) {
    let state = arm.control("\"state\"");
    let servos = state["servos"].as_array().unwrap();
    for step in (0..=9).chain((-9..9).rev()) {
        for (id, servo) in (1..).zip(servos) {
            let position = servo["joint"].as_f64().unwrap() + f64::from(step) * 100.0;
            arm.control(&format!(r#"{{"hand":{{"id":{id},"position":{position}}}}}"#));
        }
        arm.wait_until_seen();
    }
}

#[test]
fn both_arms_of_a_pair_are_swept_one_after_the_other() {
    let sandbox = Sandbox::new();
    let (left, right) = (sandbox.arm("so101", "left"), sandbox.arm("so101", "right"));
    let mut calibrate = sandbox.start(&[
        "--json",
        "calibrate",
        "--robot.type=bi_so_follower",
        "--robot.id=both",
        "--robot.left_arm_config.port",
        left.port(),
        "--robot.right_arm_config.port",
        right.port(),
    ]);
    for arm in [&left, &right] {
        assert_eq!(calibrate.next()["step"], "middle");
        calibrate.type_line();
        assert_eq!(calibrate.next()["step"], "sweep");
        sweep(arm);
        calibrate.type_line();
        for _joint in 0..6 {
            assert_eq!(calibrate.next()["type"], "joint");
        }
    }
    assert_eq!(calibrate.result()["ok"], true);
    assert_eq!(calibrate.end().0, 0);
}

#[test]
fn a_sweep_by_hand_becomes_lerobots_file_and_a_named_robot() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let words = [
        "--json",
        "calibrate",
        "--robot.type=so101_follower",
        "--robot.id=white",
        "--robot.port",
        arm.port(),
    ];
    let mut calibrate = sandbox.start(&words);
    assert_eq!(calibrate.next()["step"], "middle");
    calibrate.type_line();
    assert_eq!(calibrate.next()["step"], "sweep");
    sweep(&arm);
    calibrate.type_line();
    let (code, out) = calibrate.end();
    assert_eq!(code, 0, "{out}");
    let rows: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let joints: Vec<_> = rows.iter().filter(|row| row["type"] == "joint").collect();
    assert_eq!(joints.len(), 6);
    for joint in joints {
        let range = (joint["range_min"].as_i64().unwrap(), joint["range_max"].as_i64().unwrap());
        assert!(range.0 < range.1 && joint["homing_offset"].as_i64().unwrap().abs() <= 2047);
    }
    let check = sandbox.run(&["--json", "calibrate", "--check", "--robot", "white"]);
    assert_eq!(check.result()["joints"], 6, "{}", check.err);
    assert_eq!(check.code, 0, "{}", check.out);
}

#[test]
fn motors_are_set_up_one_at_a_time_the_gripper_first() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let words =
        ["--json", "setup-motors", "--robot.type=so101_follower", "--robot.port", arm.port()];
    for id in 1..=6 {
        arm.control(&format!(r#"{{"kill":{{"id":{id}}}}}"#));
    }
    let mut setup = sandbox.start(&words);
    for (id, name) in [(6, "gripper"), (5, "wrist_roll"), (4, "wrist_flex")] {
        let step = setup.next();
        assert_eq!((step["motor"].as_str(), step["id"].as_i64()), (Some(name), Some(id)));
        arm.control(&format!(r#"{{"kill":{{"id":{}}}}}"#, (id + 1).min(6)));
        arm.control(&format!(r#"{{"revive":{{"id":{id}}}}}"#));
        setup.type_line();
    }
    assert_eq!(setup.next()["motor"], "elbow_flex");
    // Two at once are one too many, and nothing is changed.
    arm.control(r#"{"revive":{"id":3}}"#);
    setup.type_line();
    let result = setup.result();
    assert_eq!(setup.end().0, 3);
    assert!(result["error"].as_str().unwrap().contains('3'), "{result}");
    assert!(result["remedy"].as_str().unwrap().contains("unplug all motors but"), "{result}");
}

#[test]
fn an_arm_that_is_well_needs_no_fixing() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let words = [
        "--json",
        "setup-motors",
        "--fix",
        "--yes",
        "--robot.type=so101_follower",
        "--robot.port",
        arm.port(),
    ];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.result()["changed"], 0);
}
