//! Somebody drives an arm that another machine hosts.

use std::net::TcpListener;
use std::time::Instant;

use serde_json::Value;
use sinew_datasets::Dataset;
use sinew_drivers::arm::Follower;
use sinew_drivers::clock::SECOND;
use sinew_drivers::spec::find;
use sinew_drivers::{Clock, Nanos};
use sinew_net::remote::{Driver, Robot};
use sinew_net::{Network, Options, remote};

use super::use_a_policy::policy;
use crate::sandbox::{Arm, Ended, PATIENCE, Running, Sandbox};

/// A host of an arm, and how it is called from elsewhere.
struct Host {
    arm: Arm,
    host: Running,
    robot: String,
}

impl Host {
    fn start(sandbox: &Sandbox, more: &[&str]) -> Self {
        let arm = sandbox.arm("so101", "white");
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let at = free.to_string();
        let words = [
            "--json",
            "host",
            "--robot.type=so101_follower",
            "--robot.id=white",
            "--robot.port",
            arm.port(),
            "--listen",
            &at,
            "--camera",
            "front=pattern@96x64x30",
            "--dry_run_s=0",
        ];
        let mut host = sandbox.start(&[&words[..], more].concat());
        assert_eq!(host.next()["type"], "ready");
        Self { arm, host, robot: format!("zenoh://white@{at}") }
    }

    /// Runs a program to its end that drives it, or wants to.
    fn run(&self, sandbox: &Sandbox, words: &[&str]) -> Ended {
        sandbox.run(&[&["--json"], words, &["--robot", &self.robot]].concat())
    }

    /// Lets a leader drive it, and waits until it does.
    fn teleoperate(&self, sandbox: &Sandbox, leader: &Arm, more: &[&str]) -> Running {
        let words = [
            "--json",
            "teleoperate",
            "--robot",
            &self.robot,
            "--teleop.type=so101_leader",
            "--teleop.id=black",
            "--teleop.port",
            leader.port(),
            "--dry_run_s=0",
        ];
        let loop_ = sandbox.start(&[&words[..], more].concat());
        self.arm.wait_for_torque();
        self.follows(leader, 100, 2147);
        loop_
    }

    /// Pushes the leader's first joint so far, and waits until the arm has followed to there.
    fn follows(&self, leader: &Arm, push: i64, to: i64) {
        let there = leader.control("\"state\"")["servos"][0]["joint"].as_f64().unwrap();
        let there = there + push as f64;
        leader.control(&format!(r#"{{"hand":{{"id":1,"position":{there}}}}}"#));
        self.arm
            .wait_until(|state| (state["servos"][0]["position"].as_i64().unwrap() - to).abs() < 40);
    }

    /// Waits until every motor is limp.
    fn wait_until_limp(&self) {
        self.arm.wait_until(|state| {
            state["servos"].as_array().unwrap().iter().all(|servo| servo["torque"] == false)
        });
    }
}

fn motors(result: &Value) -> Vec<&Value> {
    result["stopped"]["motors"].as_array().unwrap().iter().collect()
}

#[test]
fn it_goes_where_a_leader_here_is_pushed_and_ctrl_c_here_leaves_it_limp_there() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &[]);
    let leader = sandbox.arm("so101_leader", "black");
    let mut loop_ = host.teleoperate(&sandbox, &leader, &[]);
    host.follows(&leader, 300, 2447);
    loop_.signal("INT");
    let result = loop_.result();
    assert_eq!(loop_.end().0, 130);
    // Each motor's own word came back over the network.
    assert_eq!(result["stopped"]["cause"], "interrupt");
    assert_eq!(motors(&result).len(), 6);
    assert!(motors(&result).iter().all(|motor| motor["ok"] == true && motor["torque"] == false));
    assert_eq!(host.arm.torques(), [false; 6]);
}

#[test]
fn its_own_cameras_are_recorded_with_it_and_what_was_recorded_is_played_on_it() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &[]);
    let root = sandbox.path("pick");
    let root = root.to_str().unwrap();
    let short = ["--dataset.num_episodes=1", "--dataset.episode_time_s=1", "--dry_run_s=0"];
    let words = ["record", "--teleop=sim", "--task=pick", "--play_sounds=false"];
    let dataset = ["--dataset.root", root];
    let ended = host.run(&sandbox, &[&words[..], &dataset, &short].concat());
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(ended.result()["cameras"]["front"]["stamped_at"], "exposure");
    let recorded = Dataset::open(root.as_ref()).unwrap();
    assert_eq!(recorded.info().robot_type.as_deref(), Some("so_follower"));
    assert_eq!(recorded.len(), 30);
    let front = recorded.info().feature("observation.images.front").unwrap();
    assert_eq!(front.image_size(), Some((96, 64)));
    let verify = sandbox.run(&["--json", "dataset", "verify", root]);
    assert_eq!(verify.code, 0, "{}", verify.out);
    let replay = ["replay", "--dataset", root, "--episode=0", "--dry_run_s=0"];
    let ended = host.run(&sandbox, &replay);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(ended.result()["rows"], 30);
    assert_eq!(host.arm.torques(), [false; 6]);
}

#[test]
fn a_policy_drives_it_by_the_camera_of_its_own_that_is_chosen() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &["--camera", "top=pattern@64x64x30"]);
    let path = format!("--policy.path={}", policy(&sandbox, 64).display());
    let short = ["--duration=2", "--dry_run_s=0"];
    let words = ["rollout", path.as_str(), "--camera", "top=robot"];
    let ended = host.run(&sandbox, &[&words[..], &short].concat());
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.result()["chunks"].as_u64().unwrap() >= 1, "{}", ended.out);
    assert_eq!(motors(&ended.result()).len(), 6);
    assert_eq!(host.arm.torques(), [false; 6]);
    let none = host.run(&sandbox, &["rollout", path.as_str(), "--camera", "eye=robot"]);
    assert_eq!(none.code, 2, "{}", none.err);
    assert!(none.err.contains("front, top"), "{}", none.err);
}

#[test]
fn one_drives_and_anybody_stops_it() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &[]);
    let leader = sandbox.arm("so101_leader", "black");
    let mut loop_ = host.teleoperate(&sandbox, &leader, &[]);
    let second = host.run(&sandbox, &["teleoperate", "--teleop=sim"]);
    assert_eq!(second.code, 5, "{}", second.err);
    assert!(second.err.contains("drives it"), "{}", second.err);
    let stop = host.run(&sandbox, &["stop"]);
    assert_eq!(stop.code, 0, "{}{}", stop.out, stop.err);
    assert_eq!((&stop.result()["by"], motors(&stop.result()).len()), (&"its host".into(), 6));
    let result = loop_.result();
    assert_eq!(loop_.end().0, 130);
    assert_eq!(result["stopped"]["cause"], "remote");
    assert_eq!(host.arm.torques(), [false; 6]);
}

#[test]
fn whoever_stops_it_may_have_it_limp() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &["--robot.stop=hold"]);
    let leader = sandbox.arm("so101_leader", "black");
    let mut loop_ = host.teleoperate(&sandbox, &leader, &[]);
    let stop = host.run(&sandbox, &["stop"]);
    assert_eq!(stop.code, 0, "{}{}", stop.out, stop.err);
    assert_eq!(loop_.result()["stopped"]["cause"], "remote");
    loop_.end();
    assert_eq!(host.arm.torques(), [true; 6], "as its host is set");
    let stop = host.run(&sandbox, &["stop", "--limp"]);
    assert_eq!(stop.code, 0, "{}{}", stop.out, stop.err);
    assert_eq!(host.arm.torques(), [false; 6]);
}

#[test]
fn it_is_taken_over_where_its_host_allows_that() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &["--allow_take_over"]);
    let leader = sandbox.arm("so101_leader", "black");
    let mut first = host.teleoperate(&sandbox, &leader, &[]);
    let words = ["--json", "teleoperate", "--teleop=sim", "--take-over", "--dry_run_s=0"];
    let second = sandbox.start(&[&words[..], &["--robot", &host.robot]].concat());
    let result = first.result();
    assert_eq!(first.end().0, 5, "refused from then on");
    assert_eq!(result["stopped"]["cause"], "lease");
    assert!(motors(&result).is_empty(), "it is another's: {result}");
    // Whoever lost it has not stopped it.
    host.arm.wait_until_seen();
    assert_eq!(host.arm.torques(), [true; 6]);
    second.signal("INT");
    assert_eq!(second.end().0, 130);
    assert_eq!(host.arm.torques(), [false; 6]);
}

#[test]
fn whoever_is_killed_leaves_no_arm_under_torque() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &[]);
    let leader = sandbox.arm("so101_leader", "black");
    let loop_ = host.teleoperate(&sandbox, &leader, &[]);
    loop_.signal("KILL");
    loop_.end();
    host.wait_until_limp();
    // And the next one may drive it.
    let next = host.run(&sandbox, &["teleoperate", "--teleop=sim", "--teleop_time_s=0.2"]);
    assert_eq!(next.code, 0, "{}{}", next.out, next.err);
}

#[test]
fn a_host_that_is_gone_ends_the_loop_and_is_told() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &[]);
    let leader = sandbox.arm("so101_leader", "black");
    let mut loop_ = host.teleoperate(&sandbox, &leader, &[]);
    host.host.signal("KILL");
    let result = loop_.result();
    assert_eq!(loop_.end().0, 3);
    assert_eq!(result["stopped"]["cause"], "lost_port");
    assert!(motors(&result).iter().all(|motor| motor["ok"] == false), "{result}");
}

#[test]
fn a_host_whose_words_nobody_reads_goes_on() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &[]);
    let at = host.robot.trim_start_matches("zenoh://white@").to_owned();
    let network = Network::ask(&Options { connect: vec![at], ..Options::default() }).unwrap();
    // Twice what a pipe holds.
    let mut stopped = 0;
    while stopped < 250 {
        match remote::stop(&network, "white", "somebody", false) {
            Ok(reports) => stopped += reports.len(),
            // So many in a second are too many.
            Err(error) => assert!(error.to_string().contains("too many"), "{error}"),
        }
    }
    let lines = std::iter::repeat_with({
        let mut host = host.host;
        move || host.next()
    });
    let told = lines.take(60).filter(|line| line["type"] == "stopped").count();
    assert_eq!(told, 60);
}

#[test]
fn a_host_whose_motors_are_gone_goes_on_saying_so() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox, &[]);
    host.arm.wait_until_seen();
    host.arm.control("\"unplug\"");
    assert_eq!(host.host.next()["type"], "blind");
    let at = host.robot.trim_start_matches("zenoh://white@").to_owned();
    let network = Network::ask(&Options { connect: vec![at], ..Options::default() }).unwrap();
    let robot = Robot::find(&network, "white", Clock::Real).unwrap();
    let begun = Instant::now();
    let arms = robot.take(find("so101_follower", &[]).unwrap(), Driver::default());
    let mut arm = arms.unwrap().remove(0);
    // Where it was last, and that this is ever longer ago.
    let mut age = |least: Nanos| {
        let ages = std::iter::repeat_with(|| arm.observe().unwrap().ages[0]);
        ages.take_while(|_| begun.elapsed() < PATIENCE)
            .find(|age| (least..Nanos::MAX).contains(age))
    };
    assert!(age(0).is_some() && age(3 * SECOND).is_some());
    assert!(arm.observation().values[0].abs() < 100.0);
}

#[test]
fn what_is_done_on_its_own_machine_is_said_to_be() {
    let sandbox = Sandbox::new();
    for command in ["calibrate", "setup-motors"] {
        let ended = sandbox.run(&[command, "--robot", "zenoh://white@127.0.0.1:1"]);
        assert_eq!(ended.code, 2, "{command}: {}", ended.err);
        assert!(ended.err.contains("this is done there"), "{}", ended.err);
    }
    let stop = ["--robot", "zenoh://white@127.0.0.1:1", "--robot.stop=hold"];
    let ended = sandbox.run(&[&["teleoperate", "--teleop=sim"], &stop[..]].concat());
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(
        ended.err.contains("--robot.stop") && ended.err.contains("sinew host"),
        "{}",
        ended.err
    );
    let nobody = ["teleoperate", "--teleop=sim", "--robot", "zenoh://white@127.0.0.1:1"];
    let ended = sandbox.run(&nobody);
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("nobody answers"), "{}", ended.err);
}
