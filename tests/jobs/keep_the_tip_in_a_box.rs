//! Somebody does not trust a policy, or a hand, with the whole room: the arm's tip stays in a box.

use sinew_datasets::Dataset;
use sinew_teleop::kinematics::Chain;

use super::use_a_policy::policy;
use crate::sandbox::Sandbox;

/// The three numbers in the first brackets.
fn place(text: &str) -> [f64; 3] {
    let inner = text.split_once('[').unwrap().1.split_once(']').unwrap().0;
    let numbers: Vec<f64> = inner.split(", ").map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

#[test]
fn a_policy_cannot_take_the_tip_out() {
    let sandbox = Sandbox::new();
    let path = format!("--policy.path={}", policy(&sandbox, 64).display());
    let camera = "--camera=top=sim@64x64x30";
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0", camera];
    // Where the tip is not, nothing begins.
    let far = "--robot.end_effector_bounds={min: [5, 5, 5], max: [6, 6, 6]}";
    let ended = sandbox.run(&[&words[..], &[far, "--duration=1"]].concat());
    assert_eq!(ended.code, 3, "{}", ended.err);
    for part in ["outside --robot.end_effector_bounds", "nothing has moved", "by hand"] {
        assert!(ended.err.contains(part), "{}", ended.err);
    }
    let tip = place(&ended.err);
    let [least, most] = [-0.01, 0.01].map(|off| tip.map(|at| at + off));
    let near = format!("--robot.end_effector_bounds={{min: {least:?}, max: {most:?}}}");
    let root = sandbox.path("boxed");
    let set = [
        &near,
        "--strategy.type=episodic",
        "--dataset.num_episodes=1",
        "--dataset.episode_time_s=2",
        "--task=Stand still",
        "--action=sent",
        "--dataset.root",
        root.to_str().unwrap(),
    ];
    let ended = sandbox.run(&[&words[..], &set].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let held = &ended.result()["workspace"]["held_ticks"];
    assert!(held.as_u64().unwrap() > 20, "it wants out all the time: {held}");
    assert!(ended.err.contains("the arm was held"), "{}", ended.err);
    let dataset = Dataset::open(&root).unwrap();
    let chain = Chain::in_degrees("so101_follower").unwrap();
    for sent in dataset.values("action", 0, 60).unwrap().numbers().chunks(6) {
        let angles: Vec<f64> = sent[..5].iter().map(|degrees| degrees.to_radians()).collect();
        let there = chain.pose(&angles).translation.vector;
        for (at, (least, most)) in there.iter().zip(least.iter().zip(&most)) {
            // Motors count in steps of a tenth of a degree.
            assert!((least - 0.001..most + 0.001).contains(at), "{there:?} for {sent:?}");
        }
    }
}

#[test]
fn a_hand_cannot_either_and_an_arm_that_is_not_known_is_refused() {
    let sandbox = Sandbox::new();
    let teleoperate = |robot: &str, leader: &str, space: &str| {
        let robot = format!("--robot.type={robot}");
        let leader = format!("--teleop.type={leader}");
        let space = format!("--robot.end_effector_bounds={space}");
        let words = ["--json", "teleoperate", "--robot.port=sim", "--teleop.port=sim"];
        let rest = [&robot[..], &leader, &space, "--teleop_time_s=3", "--dry_run_s=0"];
        sandbox.run(&[&words[..], &rest].concat())
    };
    let wide = "{min: [-1, -1, -1], max: [1, 1, 1]}";
    let ended = teleoperate("so101_follower", "so101_leader", wide);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.result()["workspace"]["held_ticks"], 0);
    let ended = teleoperate("so101_follower", "so101_leader", "[1, 2]");
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("--robot.end_effector_bounds=[1, 2] is no box"), "{}", ended.err);
    let ended = teleoperate("koch_follower", "koch_leader", wide);
    assert_eq!(ended.code, 2, "{}", ended.err);
    for part in ["koch_follower", "so101", "without --robot.end_effector_bounds"] {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
}
