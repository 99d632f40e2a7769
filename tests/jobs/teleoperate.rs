//! Somebody teleoperates an arm.

use crate::sandbox::{Arm, Sandbox};

/// What one types to let a leader drive a follower.
pub fn words<'a>(follower: &'a Arm, leader: &'a Arm, more: &[&'a str]) -> Vec<&'a str> {
    let words = [
        "--json",
        "teleoperate",
        "--robot.type=so101_follower",
        "--robot.id=white",
        "--robot.port",
        follower.port(),
        "--teleop.type=so101_leader",
        "--teleop.id=black",
        "--teleop.port",
        leader.port(),
        // How fast a simulated bus is depends on the machine.
        "--dry_run_s=0",
    ];
    [&words[..], more].concat()
}

#[test]
fn the_follower_goes_where_the_leader_is_pushed_and_ctrl_c_leaves_it_limp() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let mut loop_ = sandbox.start(&words(&follower, &leader, &[]));
    follower.wait_for_torque();
    let middle = leader.control("\"state\"")["servos"][0]["joint"].as_f64().unwrap();
    leader.control(&format!(r#"{{"hand":{{"id":1,"position":{}}}}}"#, middle + 400.0));
    follower.wait_until(|state| {
        let servo = &state["servos"][0];
        (servo["position"].as_i64().unwrap() - 2447).abs() < 40
    });
    loop_.signal("INT");
    let result = loop_.result();
    let (code, _) = loop_.end();
    assert_eq!(code, 130);
    assert_eq!(result["stopped"]["cause"], "interrupt");
    assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6);
    for field in ["ticks", "rate_hz", "late_ticks"] {
        assert!(result[field].is_number(), "{field}");
    }
    for field in ["p50", "p99", "p999", "max"] {
        assert!(result["tick_us"][field].is_u64(), "{field}");
    }
    for field in ["wake_us", "bus_us", "work_us"] {
        assert!(result[field]["p99"].is_u64(), "{field}");
    }
    let rate = result["rate_hz"].as_f64().unwrap();
    assert_eq!(rate, (rate * 100.0).round() / 100.0);
    // Nothing is recorded, and both arms are read within a tick.
    for field in ["episodes", "frames", "repeated_frames"] {
        assert_eq!(result[field], 0, "{field}");
    }
    let skew = |field: &str| result["skew_ms"][field].as_f64().unwrap();
    assert!(0.0 < skew("p50") && skew("p50") <= skew("max"), "{result}");
    for field in ["reads", "retries", "lost"] {
        assert!(result["bus"][field].is_u64(), "{field}");
    }
    assert_eq!(follower.torques(), [false; 6]);
}

#[test]
fn it_ends_by_itself_after_the_time_given_and_can_hold() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let more = ["--teleop_time_s=0.5", "--robot.stop=hold", "--fps=50"];
    let ended = sandbox.run(&words(&follower, &leader, &more));
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(ended.result()["stopped"]["policy"], "hold");
    assert_eq!(follower.torques(), [true; 6]);
}

#[test]
fn a_leader_that_falls_silent_leaves_the_follower_safe_and_is_told() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let mut loop_ = sandbox.start(&words(&follower, &leader, &[]));
    follower.wait_for_torque();
    leader.control(r#"{"faults":"lost=1"}"#);
    // How it ended and what it did until then are one result.
    let told = loop_.result();
    assert_eq!((&told["stopped"]["cause"], &told["ok"]), (&"dead_man".into(), &false.into()));
    let words = |field: &str| told[field].as_str().unwrap_or_default();
    assert!(words("error").contains("no command for too long"), "{told}");
    assert!(words("error").contains("elbow_flex (id 3) of so101_leader"), "{told}");
    assert!(words("remedy").contains("leader"), "{told}");
    assert_eq!(loop_.end().0, 3);
    assert_eq!(follower.torques(), [false; 6]);
}

#[test]
fn an_arm_without_calibration_is_not_moved() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let ended = sandbox.run(&words(&follower, &leader, &["--robot.id=other"]));
    assert_eq!(ended.code, 4, "{}", ended.err);
    let calibrate = |side: &str, kind: &str, arm: &Arm, id: &str| {
        format!(
            "sinew calibrate --{side}.type={kind} --{side}.port={} --{side}.id={id}",
            arm.port()
        )
    };
    let type_this = calibrate("robot", "so101_follower", &follower, "other");
    assert!(ended.err.contains(&type_this), "{}", ended.err);
    assert!(ended.err.contains("no calibration of other"), "{}", ended.err);
    let ended = sandbox.run(&words(&follower, &leader, &["--teleop.id=other"]));
    let type_this = calibrate("teleop", "so101_leader", &leader, "other");
    assert!(ended.err.contains(&type_this), "{}", ended.err);
    assert_eq!(follower.torques(), [false; 6]);
}

#[test]
fn an_arm_whose_motors_hold_another_calibration_is_named_with_what_to_type() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let place =
        sandbox.path(".cache/huggingface/lerobot/calibration/robots/so_follower/white.json");
    let text = std::fs::read_to_string(&place).unwrap();
    std::fs::write(&place, text.replacen("\"range_min\": ", "\"range_min\": 1", 1)).unwrap();
    let ended = sandbox.run(&words(&follower, &leader, &[]));
    assert_eq!(ended.code, 3, "{}", ended.err);
    let line =
        format!("sinew calibrate --robot.type=so101_follower --robot.port={}", follower.port());
    assert!(ended.err.contains(&format!("{line} --robot.id=white --import")), "{}", ended.err);
    assert!(ended.err.contains(place.to_str().unwrap()), "{}", ended.err);
    assert!(ended.err.contains("error: white: "), "{}", ended.err);
}

#[test]
fn a_simulated_pair_needs_nothing_plugged_in() {
    let words = [
        "--json",
        "teleoperate",
        "--robot=sim",
        "--teleop.type=so101_leader",
        "--teleop.port=sim",
        "--teleop_time_s=0.5",
        "--fps=10",
    ];
    let ended = Sandbox::new().run(&words);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.result()["ticks"].as_u64().unwrap() >= 5);
    assert_eq!(ended.result()["stopped"]["motors"].as_array().unwrap().len(), 6);
}

#[test]
fn limits_are_told_where_they_hold_back_much() {
    let sandbox = Sandbox::new();
    let words = ["teleoperate", "--robot=sim", "--teleop=sim", "--dry_run_s=0"];
    let words = [&words[..], &["--teleop_time_s=2"]].concat();
    let plain = sandbox.run(&words);
    assert!(!plain.out.contains("held back"), "{}", plain.out);
    let slow = sandbox.run(&[&words[..], &["--robot.max_relative_target=0.2"]].concat());
    assert!(slow.out.contains("goals that a limit held back: step "), "{}", slow.out);
}

#[test]
fn a_rate_that_the_arm_cannot_hold_is_refused_before_there_is_torque() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    // Reading six motors takes two milliseconds on the wire, and there are two arms.
    let more = ["--fps=1000", "--dry_run_s=0.5"];
    let ended = sandbox.run(&words(&follower, &leader, &more));
    assert_eq!(ended.code, 2, "{}", ended.err);
    for part in ["1000 Hz cannot be held: reading the motors takes", "--fps=", "nothing has moved"]
    {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
    assert_eq!(follower.torques(), [false; 6]);
}

#[test]
fn a_simulated_leader_is_of_the_robots_kind() {
    let sandbox = Sandbox::new();
    for (robot, motors) in [
        (&["--robot=sim"][..], 6),
        (&["--robot=sim", "--robot.type=koch_follower"], 6),
        (&["--robot=sim", "--robot.type=lekiwi"], 9),
        (&["--robot=sim", "--robot.type=bi_so_follower"], 12),
    ] {
        let words = ["--json", "teleoperate", "--teleop=sim", "--teleop_time_s=0.2"];
        let words = [&words[..], &["--dry_run_s=0"]].concat();
        let ended = sandbox.run(&[&words[..], robot].concat());
        assert_eq!(ended.code, 0, "{robot:?} {}{}", ended.out, ended.err);
        let stopped = ended.result()["stopped"]["motors"].as_array().map(Vec::len);
        assert_eq!(stopped, Some(motors), "{robot:?}");
    }
    assert!(!sandbox.path(".config").exists(), "nothing simulated is worth a name");
}

#[test]
fn both_arms_go_by_their_names_once_they_were_seen() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let first = sandbox.run(&words(&follower, &leader, &["--teleop_time_s=0.1"]));
    assert_eq!(first.code, 0, "{}", first.err);
    for part in ["--robot white", "--teleop black"] {
        assert!(first.err.contains(part), "{}", first.err);
    }
    let named = ["--json", "teleoperate", "--robot=white", "--teleop=black", "--teleop_time_s=0.1"];
    let named = [&named[..], &["--dry_run_s=0"]].concat();
    let ended = sandbox.run(&named);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let swapped = sandbox.run(&["--json", "teleoperate", "--robot=white", "--teleop=white"]);
    assert_eq!(swapped.code, 2, "{}", swapped.out);
    assert!(swapped.err.contains("is no leader"), "{}", swapped.err);
    assert_eq!(follower.torques(), [false; 6]);
}
