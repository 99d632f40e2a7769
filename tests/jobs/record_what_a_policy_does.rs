//! Somebody keeps what a policy does: all of it, or what they were glad to have seen.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sinew_datasets::Dataset;
use sinew_datasets::tables::timing;

use super::use_a_policy::policy;
use crate::sandbox::{Running, Sandbox};

/// Lets a policy drive a simulated arm, with pictures of this side, and record into a folder.
fn rollout(sandbox: &Sandbox, side: usize, root: &Path, more: &[&str]) -> Running {
    let path = format!("--policy.path={}", policy(sandbox, side).display());
    let camera = format!("--camera=top=sim@{side}x{side}x30");
    let root = format!("--dataset.root={}", root.display());
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0", &camera, &root];
    sandbox.start_as_seen(&[&words[..], &["--task=Stand still"], more].concat())
}

/// The dataset, which is as it should be, but for a camera and a tick that wait for a processor that
/// thinks.
fn recorded(sandbox: &Sandbox, root: &Path) -> Dataset {
    let verify = sandbox.run(&["--json", "dataset", "verify", root.to_str().unwrap()]);
    let seen = ["frozen_camera", "dropped_frames", "dead_joint", "late_ticks"];
    let result = verify.result();
    let is_seen = |finding: &Value| seen.iter().any(|code| finding["code"] == *code);
    assert!(result["findings"].as_array().unwrap().iter().all(is_seen), "{result}");
    Dataset::open(root).unwrap()
}

/// How long after the row before each row's tick began, in milliseconds; they follow each other through
/// all episodes.
fn between_rows(root: &Path) -> Vec<f64> {
    let (tables, errors) = timing::load(root);
    assert!(errors.is_empty(), "{errors:?}");
    let ticks: Vec<i64> = tables
        .iter()
        .flat_map(|table| table.rows.iter().map(|(_, instant)| instant.stamps.tick_ns))
        .collect();
    ticks.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect()
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// What is told after the last line of JSON that says so.
fn result(seen: &str) -> Value {
    let line = seen.lines().find(|line| line.contains("\"type\":\"result\""));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no result: {seen}"))).unwrap()
}

#[test]
fn a_key_keeps_the_seconds_before_it_and_what_follows() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("highlights");
    let set = ["--strategy.type=highlight", "--strategy.ring_buffer_seconds=2"];
    let mut rollout = rollout(&sandbox, 64, &root, &set);
    rollout.read_to("\"phase\":\"keeping\"");
    std::thread::sleep(Duration::from_secs(5));
    rollout.type_word("s");
    rollout.read_to("\"phase\":\"recording\"");
    rollout.type_word("s");
    let seen = rollout.read_to("\"phase\":\"keeping\"");
    assert!(seen.contains("\"phase\":\"saved\""), "{seen}");
    rollout.type_word("h");
    rollout.read_to("nothing is uploaded without --push");
    rollout.type_word("s");
    rollout.read_to("\"phase\":\"recording\"");
    // What is being recorded is saved.
    rollout.type_word("q");
    let (code, seen) = rollout.end();
    assert_eq!(code, 0, "{seen}");
    let result = result(&seen);
    assert_eq!(result["episodes"], 2, "{result}");
    assert_eq!(result["stopped"]["motors"].as_array().unwrap().len(), 6);
    let dataset = recorded(&sandbox, &root);
    let first = dataset.episode(0).unwrap().length;
    assert!(first >= 60, "two seconds before the key and a moment behind it: {first}");
    let gaps = between_rows(&root);
    let within = &gaps[..usize::try_from(first).unwrap() - 1];
    assert!(within.iter().sum::<f64>() > 1_900.0, "{within:?}");
}

#[test]
fn all_of_it_is_recorded_and_nothing_is_lost_from_one_episode_to_the_next() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("sentry");
    let set = [
        "--strategy.type=sentry",
        "--strategy.target_video_file_size_mb=1",
        "--strategy.upload_every_n_episodes=2",
        "--fps=100",
        "--dataset.fps=100",
        "--duration=14",
    ];
    let (code, seen) = rollout(&sandbox, 320, &root, &set).end();
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains("upload_every_n_episodes changes nothing"), "{seen}");
    let result = result(&seen);
    // A megabyte is 820 rows of 320 x 320 pixels, as LeRobot reckons it.
    let dataset = recorded(&sandbox, &root);
    let lengths: Vec<u64> =
        (0..whole(&result["episodes"])).map(|at| dataset.episode(at).unwrap().length).collect();
    assert!(lengths.len() >= 2, "{lengths:?}");
    let (last, whole_ones) = lengths.split_last().unwrap();
    assert!(whole_ones.iter().all(|length| (820..870).contains(length)), "{lengths:?}");
    assert!(*last < 870, "{lengths:?}");
    // A row for each tick that came, and the row before again for each that did not.
    let gaps = between_rows(&root);
    let span: f64 = gaps.iter().sum();
    let rows = span / 10.0;
    assert!((rows - gaps.len() as f64).abs() < 20.0, "{rows} in {} rows", gaps.len());
}

#[test]
fn a_strategy_takes_its_own_flags_only() {
    let sandbox = Sandbox::new();
    let path = format!("--policy.path={}", policy(&sandbox, 64).display());
    for (flags, part) in [
        (&["--strategy.type=sentry", "--strategy.save_key=s"][..], "it belongs to highlight"),
        (&["--strategy.target_video_file_size_mb=1"], "it belongs to sentry and dagger"),
        (&["--strategy.type=highlight", "--strategy.save_key=esc"], "Esc stops"),
        (&["--strategy.type=highlight", "--strategy.save_key=h"], "h has a meaning already"),
        (&["--strategy.type=highlight", "--strategy.push_key=n"], "n has a meaning already"),
        (&["--strategy.type=highlight"], "--dataset.repo_id="),
    ] {
        let ended = sandbox.run(&[&["rollout", &path, "--robot=sim"], flags].concat());
        assert_eq!(ended.code, 2, "{flags:?} {}", ended.err);
        assert!(ended.err.contains(part), "{flags:?} {}", ended.err);
    }
}
