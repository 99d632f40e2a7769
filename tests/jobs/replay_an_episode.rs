//! Somebody has recorded an episode, and lets the arm do it again.

use serde_json::Value;
use sinew_datasets::Dataset;

use crate::sandbox::Sandbox;

/// Records two seconds of a moving leader.
fn record(sandbox: &Sandbox, kind: &str) {
    let kind = format!("--robot.type={kind}_follower");
    let teleop = kind.replace("robot", "teleop").replace("follower", "leader");
    let words = [
        "--json",
        "record",
        &kind,
        "--robot.port=sim",
        &teleop,
        "--teleop.port=sim",
        "--task=Move",
        "--dataset=me/moves",
        "--dataset.no_stamp",
        "--dataset.num_episodes=1",
        "--dataset.episode_time_s=2",
        "--dry_run_s=0",
    ];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 0, "{}", ended.err);
}

fn replay(sandbox: &Sandbox, more: &[&str]) -> crate::sandbox::Ended {
    let words = ["--json", "replay", "--robot=sim", "--dataset=me/moves", "--dry_run_s=0"];
    sandbox.run(&[&words[..], more].concat())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_arm_does_what_it_did_at_the_pace_that_is_asked_for() {
    let sandbox = Sandbox::new();
    record(&sandbox, "so101");
    let root = sandbox.path(".cache/huggingface/lerobot/me/moves");
    let actions = Dataset::open(&root).unwrap().values("action", 0, 60).unwrap().numbers();
    let moved = |joint: usize| {
        let values = actions.iter().skip(joint).step_by(6);
        values.clone().fold(f64::MIN, |a, b| a.max(*b)) - values.fold(f64::MAX, |a, b| a.min(*b))
    };
    assert!((0..6).any(|joint| moved(joint) > 5.0), "nothing moved");
    let usual = replay(&sandbox, &["--episode=0"]);
    assert_eq!(usual.code, 0, "{}", usual.err);
    let result = usual.result();
    assert_eq!(result["rows"], 60);
    let tracking = result["tracking"].as_object().unwrap();
    assert_eq!(tracking.len(), 6);
    for (joint, off) in tracking {
        assert!(number(&off["mean"]) < 10.0, "{joint}: {off}");
    }
    assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6);
    let quick = replay(&sandbox, &["--dataset.episode", "0", "--speed=4"]).result();
    let ticks = |result: &Value| number(&result["ticks"]);
    // Three of four ticks, but for the way to where it begins, which takes as long.
    assert!(ticks(&result) - ticks(&quick) > 60.0, "{} {}", quick["ticks"], result["ticks"]);
}

#[test]
fn what_cannot_be_played_is_refused_before_anything_moves() {
    let sandbox = Sandbox::new();
    record(&sandbox, "koch");
    let other = replay(&sandbox, &["--episode=1"]);
    assert_eq!(other.code, 2, "{}", other.err);
    assert!(other.err.contains("episode 1 is not there"), "{}", other.err);
    let speed = replay(&sandbox, &["--episode=0", "--speed=0"]);
    assert_eq!(speed.code, 2, "{}", speed.err);
    let none = sandbox.run(&["replay", "--robot=sim", "--dataset=me/none", "--episode=0"]);
    assert_eq!(none.code, 4, "{}", none.err);
    // A Koch's joints are not called as a LeKiwi's.
    let words = ["replay", "--robot.type=lekiwi", "--robot.port=sim", "--dataset=me/moves"];
    let unlike = sandbox.run(&[&words[..], &["--episode=0"]].concat());
    assert_eq!(unlike.code, 4, "{}", unlike.err);
    assert!(unlike.err.contains("says nothing of arm_shoulder_pan.pos"), "{}", unlike.err);
}
