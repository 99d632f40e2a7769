//! Something goes wrong and the arm has to stop, from another terminal.

use crate::sandbox::{Arm, Ended, Sandbox};

/// Stops the arm from another terminal.
fn stop(sandbox: &Sandbox, arm: &Arm, more: &[&str]) -> Ended {
    let words = [
        "--json",
        "stop",
        "--robot.type=so101_follower",
        "--robot.id=white",
        "--robot.port",
        arm.port(),
    ];
    sandbox.run(&[&words[..], more].concat())
}

#[test]
fn a_running_robot_is_stopped_by_its_own_program() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let mut loop_ =
        sandbox.start(&super::teleoperate::words(&follower, &leader, &["--robot.stop=hold"]));
    follower.wait_for_torque();
    // Named robots are written by calibrating; the id does as a name where its file is there.
    let stop = stop(&sandbox, &follower, &["--limp"]);
    assert_eq!(stop.code, 0, "{}{}", stop.out, stop.err);
    assert_eq!(stop.result()["by"], "its program");
    assert_eq!(stop.result()["stopped"]["policy"], "limp");
    let result = loop_.result();
    assert_eq!(loop_.end().0, 130);
    assert_eq!(result["stopped"]["cause"], "remote");
    assert_eq!(follower.torques(), [false; 6]);
}

#[test]
fn a_running_robot_that_no_file_names_is_stopped_by_its_id() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let mut loop_ = sandbox.start(&super::teleoperate::words(&follower, &leader, &[]));
    follower.wait_for_torque();
    let stop = sandbox.run(&["--json", "stop", "--robot", "white"]);
    assert_eq!(stop.code, 0, "{}{}", stop.out, stop.err);
    assert_eq!(stop.result()["by"], "its program");
    assert_eq!(loop_.result()["stopped"]["cause"], "remote");
    assert_eq!(loop_.end().0, 130);
    assert_eq!(follower.torques(), [false; 6]);
}

#[test]
fn after_a_kill_the_bus_is_taken_and_every_motor_stopped() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let loop_ = sandbox.start(&super::teleoperate::words(&follower, &leader, &[]));
    follower.wait_for_torque();
    loop_.signal("KILL");
    loop_.end();
    assert_eq!(follower.torques(), [true; 6]);
    let stop = stop(&sandbox, &follower, &[]);
    assert_eq!(stop.code, 0, "{}{}", stop.out, stop.err);
    assert_eq!(stop.result()["by"], "sinew stop");
    assert_eq!(follower.torques(), [false; 6]);
}

#[test]
fn after_a_kill_a_board_stops_the_motors_by_itself() {
    let sandbox = Sandbox::new();
    let follower = sandbox.arm_with("so101", "white", &["--board"]);
    let leader = sandbox.arm("so101_leader", "black");
    assert!(follower.port().starts_with("bridge:"));
    let loop_ = sandbox.start(&super::teleoperate::words(&follower, &leader, &[]));
    follower.wait_until(|state| {
        let mut servos = state["servos"].as_array().unwrap().iter();
        state["board"]["mode"] == "running" && servos.all(|servo| servo["torque"] == true)
    });
    loop_.signal("KILL");
    loop_.end();
    follower.wait_until(|state| {
        let mut servos = state["servos"].as_array().unwrap().iter();
        state["board"]["mode"] == "stopped" && servos.all(|servo| servo["torque"] == false)
    });
}

#[test]
fn after_a_kill_an_arm_that_only_lerobot_calibrated_is_stopped_by_its_name() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let loop_ = sandbox.start(&super::teleoperate::words(&follower, &leader, &[]));
    follower.wait_for_torque();
    loop_.signal("KILL");
    loop_.end();
    let stop = sandbox.run(&["--json", "stop", "--robot", "white"]);
    assert_eq!(stop.code, 0, "{}{}", stop.out, stop.err);
    assert_eq!(stop.result()["by"], "sinew stop");
    assert_eq!(follower.torques(), [false; 6]);
    let file = |name: &str| {
        let path = sandbox.path(&format!(".config/sinew/robots/{name}.toml"));
        std::fs::read_to_string(path).unwrap_or_default()
    };
    for (name, kind, arm) in
        [("white", "so101_follower", follower), ("black", "so101_leader", leader)]
    {
        let (kind, port) = (format!("type = \"{kind}\""), format!("port = \"{}\"", arm.port()));
        let written = file(name);
        assert!(written.contains(&kind) && written.contains(&port), "{name}: {written}");
    }
}

#[test]
fn a_name_follows_its_arm_to_another_port_and_never_to_another_arm() {
    let sandbox = Sandbox::new();
    let (follower, leader) = (sandbox.arm("so101", "white"), sandbox.arm("so101_leader", "black"));
    let folder = sandbox.path(".config/sinew/robots");
    std::fs::create_dir_all(&folder).unwrap();
    let (white, black) = (folder.join("white.toml"), folder.join("black.toml"));
    let moved = "# by the window\ntype = \"so101_follower\"\nport = \"/dev/old\"\nid = \"white\"\n";
    let other = "type = \"koch_follower\"\nport = \"/dev/old\"\nid = \"black\"\n";
    std::fs::write(&white, moved).unwrap();
    std::fs::write(&black, other).unwrap();
    let words = super::teleoperate::words(&follower, &leader, &["--teleop_time_s=0.1"]);
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let follows = std::fs::read_to_string(&white).unwrap();
    assert_eq!(follows, moved.replace("/dev/old", follower.port()));
    assert!(ended.err.contains("was on /dev/old"), "{}", ended.err);
    assert_eq!(std::fs::read_to_string(&black).unwrap(), other);
    assert!(ended.err.contains("black.toml"), "{}", ended.err);
    assert!(ended.err.contains("koch_follower"), "{}", ended.err);
    // Nothing has changed since: nothing is written or said again.
    let again = sandbox.run(&words);
    assert!(!again.err.contains("was on"), "{}", again.err);
}

#[test]
fn a_motor_that_does_not_confirm_is_named_and_the_others_are_stopped() {
    let sandbox = Sandbox::new();
    let follower = sandbox.arm("so101", "white");
    follower.control(r#"{"kill":{"id":4}}"#);
    let stop = stop(&sandbox, &follower, &[]);
    assert_eq!(stop.code, 3, "{}", stop.out);
    assert!(stop.err.contains("wrist_flex (id 4)"), "{}", stop.err);
}
