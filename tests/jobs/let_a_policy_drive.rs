//! Somebody lets a policy drive an arm.

use std::fs;

use serde_json::Value;
use sinew_datasets::Dataset;

use super::use_a_policy::policy;
use crate::sandbox::{Ended, Sandbox};

const CAMERA: &str = "--camera=top=sim@64x64x30";

/// Rolls a policy of six joints and one camera out on a simulated arm.
fn rollout(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let folder = policy(sandbox, 64);
    let path = format!("--policy.path={}", folder.display());
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0"];
    sandbox.run(&[&words[..], more].concat())
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn chunks_follow_each_other_and_the_arm_ends_safe() {
    for inference in ["sync", "async"] {
        let sandbox = Sandbox::new();
        let how = format!("--inference.type={inference}");
        let ended = rollout(&sandbox, &[CAMERA, "--duration=3", &how]);
        assert_eq!(ended.code, 0, "{inference}: {}", ended.err);
        let result = ended.result();
        // Ten actions at thirty a second.
        assert!(whole(&result["chunks"]) >= 2, "{inference}: {result}");
        assert!(whole(&result["ticks"]) > 20, "{inference}: {result}");
        assert!(result["inference_ms"]["p50"].as_f64().unwrap() > 0.0, "{result}");
        if inference == "sync" {
            assert!(whole(&result["starved_ticks"]) > 0, "nobody is that quick: {result}");
        }
        assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6);
        assert!(ended.err.contains("going back"), "{}", ended.err);
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

#[test]
fn a_dataset_and_its_strategy_go_together() {
    let sandbox = Sandbox::new();
    for (flags, part) in [
        (&["--dataset.repo_id=me/eval_act"][..], "--strategy.type=episodic"),
        (&["--strategy.type=episodic"], "--dataset.repo_id="),
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
