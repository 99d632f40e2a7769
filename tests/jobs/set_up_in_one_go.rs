//! Somebody has a new arm and wants to be led from the box to the first movement.

use std::io::Write;

use sinew_core::tables::STS;
use sinew_drivers::{Clock, port, setup};

use super::set_an_arm_up::sweep;
use crate::sandbox::{Arm, Sandbox};

/// What one types to set up this arm.
fn words<'a>(arm: &'a Arm, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["--json", "setup", "--robot.type=so101_follower", "--robot.port", arm.port()];
    [&words[..], more].concat()
}

#[test]
fn an_arm_that_is_in_order_is_only_named() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let ended = sandbox.run(&words(&arm, &["--robot.id=white"]));
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let result = ended.result();
    assert_eq!((result["changed"].as_u64(), result["calibrated"].as_u64()), (Some(0), Some(0)));
    assert_eq!((&result["name"], &result["port"]), (&"white".into(), &arm.port().into()));
    let stop = sandbox.run(&["stop", "--robot", "white"]);
    assert_eq!(stop.code, 0, "{}", stop.err);
    let leader = sandbox.arm("so101_leader", "black");
    let words = ["--teleop.type=so101_leader", "--teleop.id=black", "--teleop.port", leader.port()];
    let ended = sandbox.run(&[&["setup"], &words[..]].concat());
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("--teleop black"), "{}", ended.out);
}

#[test]
fn without_a_terminal_it_says_what_it_needs() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    for (words, needs) in [
        (&["setup"][..], "--robot.type or --teleop.type"),
        (&["setup", "--robot.type=so101_follower"], "--robot.id"),
        (&["setup", "--teleop.type=so101_leader"], "--teleop.id"),
        (&["setup", "--robot.type=bi_so_follower", "--robot.id=x"], "--robot.left_arm_config.port"),
    ] {
        let ended = sandbox.run(words);
        assert_eq!(ended.code, 2, "{words:?}");
        assert!(ended.err.contains(needs), "{words:?}: {}", ended.err);
    }
    // A motor without an answer, and nobody to look at its cable.
    arm.control(r#"{"kill":{"id":3}}"#);
    let ended = sandbox.run(&words(&arm, &["--robot.id=white"]));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("elbow_flex (id 3)"), "{}", ended.err);
}

#[test]
fn a_new_arm_is_led_from_a_wrong_id_to_a_named_robot() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let mut bus = sinew_drivers::Bus::new(
        port::open(arm.port(), 1_000_000, Clock::Real).unwrap(),
        STS.protocol,
    );
    setup::change_id(&mut bus, &STS, 6, 17).unwrap();
    drop(bus);
    let unasked = sandbox.run(&words(&arm, &["--robot.id=fresh"]));
    assert_eq!(unasked.code, 2, "{}", unasked.err);
    assert!(unasked.err.contains("--yes"), "{}", unasked.err);
    let dry = sandbox.run(&words(&arm, &["--robot.id=fresh", "--dry-run"])[1..]);
    assert!(dry.out.contains("id 17 becomes id 6"), "{}{}", dry.out, dry.err);

    let mut setup = sandbox.start(&words(&arm, &["--robot.id=fresh", "--yes"]));
    let set = setup.next();
    assert_eq!((set["type"].as_str(), set["now"].as_i64()), (Some("set"), Some(6)));
    assert_eq!(setup.next()["missing"], serde_json::json!([]));
    assert_eq!(setup.next()["step"], "middle");
    setup.type_line();
    assert_eq!(setup.next()["step"], "sweep");
    sweep(&arm);
    setup.type_line();
    let result = setup.result();
    assert_eq!((result["changed"].as_u64(), result["calibrated"].as_u64()), (Some(1), Some(1)));
    assert_eq!(setup.end().0, 0);
    let check = sandbox.run(&["calibrate", "--check", "--robot=fresh"]);
    assert_eq!(check.code, 0, "{}{}", check.out, check.err);
}

#[test]
fn motors_fresh_from_the_box_get_their_ids_one_at_a_time() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    arm.control(r#"{"kill":{"id":3}}"#);
    let mut setup = sandbox.start(&words(&arm, &["--robot.id=white"]));
    assert_eq!(setup.next()["missing"], serde_json::json!(["elbow_flex"]));
    setup.type_word("new");
    assert_eq!(setup.next()["motor"], "elbow_flex");
    for id in 1..=6 {
        let plug = if id == 3 { "revive" } else { "kill" };
        arm.control(&format!(r#"{{"{plug}":{{"id":{id}}}}}"#));
    }
    setup.type_line();
    assert_eq!(setup.next()["step"], "plug_all");
    for id in 1..=6 {
        arm.control(&format!(r#"{{"revive":{{"id":{id}}}}}"#));
    }
    setup.type_line();
    assert_eq!(setup.next()["missing"], serde_json::json!([]));
    assert_eq!(setup.result()["ok"], true);
    assert_eq!(setup.end().0, 0);
}

#[test]
fn at_a_terminal_it_asks_for_what_was_not_said() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let (mut setup, mut keyboard) = sandbox.start_at_terminal(&[
        "setup",
        "--robot.type=so101_follower",
        "--robot.port",
        arm.port(),
    ]);
    setup.read_to("What is it to be called?");
    keyboard.write_all(b"no/name\n").unwrap();
    setup.read_to("cannot be a robot's name");
    setup.read_to("What is it to be called?");
    keyboard.write_all(b"white\n").unwrap();
    setup.read_to("all 6 motors answer");
    setup.read_to("Press Enter to keep that");
    keyboard.write_all(b"\n").unwrap();
    setup.read_to("white is ready");
    let (code, rest) = setup.end();
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("sinew teleoperate --robot white"), "{rest}");

    let (mut setup, mut keyboard) =
        sandbox.start_at_terminal(&["setup", "--robot.id=other", "--robot.port", arm.port()]);
    setup.read_to("What is it?");
    keyboard.write_all(b"so101\n").unwrap();
    setup.read_to("no arm is called so101");
}
