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
fn a_motor_that_does_not_confirm_is_named_and_the_others_are_stopped() {
    let sandbox = Sandbox::new();
    let follower = sandbox.arm("so101", "white");
    follower.control(r#"{"kill":{"id":4}}"#);
    let stop = stop(&sandbox, &follower, &[]);
    assert_eq!(stop.code, 3, "{}", stop.out);
    assert!(stop.err.contains("wrist_flex (id 4)"), "{}", stop.err);
}
