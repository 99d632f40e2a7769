//! Somebody lets a policy drive an arm.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sinew_datasets::Dataset;

use super::use_a_policy::{OTHERS, other, policy};
use crate::sandbox::{Ended, Sandbox};

const CAMERA: &str = "--camera=top=sim@64x64x30";
/// What [`OTHERS`] look through.
const LOW: &str = "--camera=top=sim@48x48x30";

/// Rolls a policy of six joints and one camera out on a simulated arm.
fn rollout(sandbox: &Sandbox, more: &[&str]) -> Ended {
    drive(sandbox, &policy(sandbox, 64), more)
}

fn drive(sandbox: &Sandbox, folder: &Path, more: &[&str]) -> Ended {
    let path = format!("--policy.path={}", folder.display());
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0"];
    sandbox.run(&[&words[..], more].concat())
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn chunks_follow_each_other_and_the_arm_ends_safe() {
    let averaged = ["--inference.type=async", "--aggregate_fn_name=weighted_average"];
    for (inference, how) in [
        ("sync", &["--inference.type=sync"][..]),
        ("async", &["--inference.type=async"]),
        ("averaged", &averaged),
    ] {
        let sandbox = Sandbox::new();
        let ended = rollout(&sandbox, &[&[CAMERA, "--duration=3"], how].concat());
        assert_eq!(ended.code, 0, "{inference}: {}", ended.err);
        let result = ended.result();
        // Ten actions at thirty a second.
        assert!(whole(&result["chunks"]) >= 2, "{inference}: {result}");
        assert!(whole(&result["ticks"]) > 20, "{inference}: {result}");
        assert!(result["inference_ms"]["p50"].as_f64().unwrap() > 0.0, "{result}");
        assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6);
        assert!(ended.err.contains("going back"), "{}", ended.err);
    }
}

#[test]
fn every_kind_drives_in_step_and_ahead() {
    for kind in OTHERS {
        for how in ["sync", "async"] {
            let sandbox = Sandbox::new();
            let how = format!("--inference.type={how}");
            let ended = drive(&sandbox, &other(kind), &[LOW, "--duration=3", &how]);
            assert_eq!(ended.code, 0, "{kind}, {how}: {}", ended.err);
            let result = ended.result();
            assert!(whole(&result["chunks"]) >= 3, "{kind}, {how}: {result}");
            assert!(whole(&result["ticks"]) > 20, "{kind}, {how}: {result}");
            let motors = result["stopped"]["motors"].as_array().unwrap();
            assert_eq!(motors.len(), 6, "{kind}, {how}: {result}");
            assert!(motors.iter().all(|motor| motor["ok"] == true), "{kind}, {how}: {result}");
        }
    }
}

#[test]
fn episodes_are_recorded_and_the_arm_goes_home_in_between() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("eval_act");
    let set = [
        "--strategy.type=episodic",
        "--dataset.num_episodes=2",
        "--dataset.episode_time_s=2",
        "--dataset.reset_time_s=2",
        "--task=Stand still",
        "--action=sent",
        "--dataset.root",
        root.to_str().unwrap(),
    ];
    let ended = rollout(&sandbox, &[&[CAMERA, "--inference.type=async"], &set[..]].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let result = ended.result();
    assert_eq!((whole(&result["episodes"]), whole(&result["frames"])), (2, 120), "{result}");
    let verify = sandbox.run(&["--json", "dataset", "verify", root.to_str().unwrap()]);
    assert_eq!(verify.code, 0, "{}", verify.out);
    let dataset = Dataset::open(&root).unwrap();
    assert_eq!(dataset.tasks(), ["Stand still"]);
    let state = |row: u64| dataset.values("observation.state", row, 1).unwrap().numbers();
    let apart = |a: u64, b: u64| {
        let (a, b) = (state(a), state(b));
        a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    // The arm was brought to where the policy wants it before the first episode began; at home it was
    // before the second.
    assert!(apart(59, 60) > 3.0, "it is not back: {:?} {:?}", state(59), state(60));
    assert!(apart(59, 119) < apart(59, 60), "{:?} {:?}", state(59), state(119));
}

/// Types keys at a rollout that somebody corrects; each is typed once the turn before it has begun, and
/// has gone on for a while.
fn corrected(sandbox: &Sandbox, root: &str, keys: &[(&str, &str)], more: &[&str]) -> Value {
    corrected_one(sandbox, (&policy(sandbox, 64), CAMERA), root, keys, more)
}

/// The same with this policy, and the camera that it looks through.
fn corrected_one(
    sandbox: &Sandbox,
    (folder, camera): (&Path, &str),
    root: &str,
    keys: &[(&str, &str)],
    more: &[&str],
) -> Value {
    let path = format!("--policy.path={}", folder.display());
    let words =
        ["--json", "rollout", &path, "--robot=sim", "--teleop=sim", "--dry_run_s=0", camera];
    let set = ["--strategy.type=dagger", "--task=Stand still", "--dataset.root", root];
    // The simulated hand lets nobody else move its leader.
    let alone = ["--strategy.smooth_handover=false"];
    let mut rollout = sandbox.start(&[&words[..], &set, &alone, more].concat());
    for (key, phase) in keys {
        std::thread::sleep(std::time::Duration::from_secs(3));
        rollout.type_word(key);
        while rollout.next()["phase"] != *phase {}
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    rollout.type_word("q");
    let result = rollout.result();
    assert_eq!(rollout.end().0, 0, "{result}");
    let verify = sandbox.run(&["--json", "dataset", "verify", root]);
    assert_eq!(verify.code, 0, "{}", verify.out);
    result
}

#[test]
fn a_person_takes_over_and_only_that_is_recorded() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("corrections");
    let keys = [
        ("c", "correcting"),
        ("c", "paused"),
        ("p", "autonomous"),
        ("p", "paused"),
        ("c", "correcting"),
        ("c", "paused"),
        ("p", "autonomous"),
    ];
    let result = corrected(&sandbox, root.to_str().unwrap(), &keys, &[]);
    assert_eq!(whole(&result["episodes"]), 2, "{result}");
    assert!(whole(&result["chunks"]) >= 3, "it drives on after a correction: {result}");
    assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6);
    let dataset = Dataset::open(&root).unwrap();
    let frames = whole(&result["frames"]);
    let by_hand = dataset.values("intervention", 0, frames).unwrap().numbers();
    assert!(frames > 20 && by_hand.iter().all(|by_hand| *by_hand == 1.0), "{by_hand:?}");
    // The leader moves, and the arm with it: what is asked for never jumps.
    let actions = dataset.values("action", 0, dataset.episode(0).unwrap().length).unwrap();
    let rows: Vec<_> = actions.numbers().chunks_exact(6).map(<[f64]>::to_vec).collect();
    let apart =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let steps: Vec<f64> = rows.windows(2).map(|pair| apart(&pair[0], &pair[1])).collect();
    assert!(steps.iter().sum::<f64>() > 1.0, "nobody moved: {steps:?}");
    assert!(steps.iter().all(|step| *step < 15.0), "{steps:?}");
}

#[test]
fn a_search_goes_on_after_somebody_took_over() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("corrections");
    let keys = [("c", "correcting"), ("c", "paused"), ("p", "autonomous")];
    let planner = other("tdmpc");
    let result = corrected_one(&sandbox, (&planner, LOW), root.to_str().unwrap(), &keys, &[]);
    assert_eq!(whole(&result["episodes"]), 1, "{result}");
    assert!(whole(&result["chunks"]) >= 3, "{result}");
    assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6, "{result}");
}

#[test]
fn what_the_policy_does_is_recorded_too_where_that_is_asked_for() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("all");
    let more = ["--strategy.record_autonomous", "--dataset.num_episodes=1"];
    let result = corrected(&sandbox, root.to_str().unwrap(), &[("c", "correcting")], &more);
    assert_eq!(whole(&result["episodes"]), 1, "{result}");
    let dataset = Dataset::open(&root).unwrap();
    let by_hand = dataset.values("intervention", 0, whole(&result["frames"])).unwrap().numbers();
    let turns: Vec<f64> = by_hand.iter().copied().fold(Vec::new(), |mut turns, now| {
        if turns.last() != Some(&now) {
            turns.push(now);
        }
        turns
    });
    assert_eq!(turns, [0.0, 1.0], "first the policy, then the person");
}

#[test]
fn the_leader_comes_to_the_arm_and_is_limp_once_it_is_taken() {
    let sandbox = Sandbox::new();
    let (root, folder) = (sandbox.path("smooth"), policy(&sandbox, 64));
    let leader = sandbox.arm("so101_leader", "black");
    let path = format!("--policy.path={}", folder.display());
    let port = format!("--teleop.port={}", leader.port());
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0", CAMERA];
    let set = [
        "--teleop.type=so101_leader",
        "--teleop.id=black",
        &port,
        "--strategy.type=dagger",
        "--task=Stand still",
        "--dataset.root",
        root.to_str().unwrap(),
    ];
    let mut rollout = sandbox.start_as_seen(&[&words[..], &set].concat());
    rollout.read_to("drives sim");
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(leader.torques(), [false; 6]);
    rollout.type_word("p");
    rollout.read_to("The leader comes to where the arm is");
    leader.wait_for_torque();
    rollout.type_word("c");
    rollout.read_to("Recording episode 0");
    assert_eq!(leader.torques(), [false; 6]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    rollout.type_word("c");
    rollout.read_to("episode 0 is saved");
    leader.wait_for_torque();
    // In the middle of it all.
    rollout.signal("INT");
    let (code, seen) = rollout.end();
    assert_eq!(code, 130, "{seen}");
    assert!(!seen.contains("goes to the leader"), "nothing went wrong: {seen}");
    assert_eq!(leader.torques(), [false; 6]);
    let result = seen.lines().find(|line| line.contains("\"type\":\"result\"")).unwrap();
    let result: Value = serde_json::from_str(result).unwrap();
    let motors = result["stopped"]["motors"].as_array().unwrap();
    assert_eq!(motors.len(), 12, "the leader's as well: {result}");
    assert!(motors.iter().all(|motor| motor["ok"] == true), "{result}");
    let of_leader = motors.iter().filter(|motor| motor["arm"] == "so101_leader").count();
    assert_eq!(of_leader, 6, "{result}");
    assert_eq!(Dataset::open(&root).unwrap().info().total_episodes, 1);
}

#[test]
fn a_dataset_and_its_strategy_go_together() {
    let sandbox = Sandbox::new();
    for (flags, part) in [
        (&["--dataset.repo_id=me/eval_act"][..], "--strategy.type=episodic"),
        (&["--strategy.type=episodic"], "--dataset.repo_id="),
        (&["--strategy.type=dagger", "--dataset.repo_id=me/dagger"], "--teleop black"),
        (&["--strategy.type=dagger", "--teleop=sim"], "--dataset.repo_id="),
        (&["--teleop=sim"], "--strategy.type=dagger"),
        (
            &["--strategy.type=episodic", "--dataset.repo_id=me/eval_act", "--dataset.fps=10"],
            "--dataset.fps the same",
        ),
    ] {
        let ended = rollout(&sandbox, &[&[CAMERA], flags].concat());
        assert_eq!(ended.code, 2, "{flags:?} {}", ended.err);
        assert!(ended.err.contains(part), "{flags:?} {}", ended.err);
    }
}

#[test]
fn what_does_not_fit_ends_it_before_anything_moves() {
    let sandbox = Sandbox::new();
    let blind = rollout(&sandbox, &["--duration=1"]);
    assert_eq!(blind.code, 4, "{}", blind.err);
    assert!(blind.err.contains("--camera NAME=SOURCE"), "{}", blind.err);
    let other = rollout(&sandbox, &["--camera=side=sim@64x64x30", "--duration=1"]);
    assert_eq!(other.code, 4, "{}", other.err);
    let renamed = [
        "--camera=side=sim@64x64x30",
        "--duration=1",
        "--rename_map={observation.images.side: observation.images.top}",
    ];
    let renamed = rollout(&sandbox, &renamed);
    assert_eq!(renamed.code, 0, "{}", renamed.err);
}

#[test]
fn weights_that_answer_with_no_number_stop_the_arm() {
    let sandbox = Sandbox::new();
    let folder = policy(&sandbox, 64);
    let weights = folder.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    // Numbers so great that their sum is none any more.
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let table: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let place = &table["model.action_head.weight"]["data_offsets"];
    let [from, to] = [0, 1].map(|at| 8 + header + whole(&place[at]) as usize);
    bytes[from..to].chunks_exact_mut(4).for_each(|number| {
        number.copy_from_slice(&f32::MAX.to_le_bytes());
    });
    fs::write(&weights, bytes).unwrap();
    let path = format!("--policy.path={}", folder.display());
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0", CAMERA];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("inf in the chunk, at 0: nothing was sent"), "{}", ended.err);
    let lines = ended.json();
    let result = lines.iter().find(|line| line["stopped"].is_object()).unwrap();
    assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6);
    assert_eq!(result["chunks"], 0);
}
