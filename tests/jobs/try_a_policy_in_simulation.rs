//! Trying a policy in simulation, and recording what an expert does to learn from.

use serde_json::Value;
use sinew_datasets::Dataset;

use super::use_a_policy::{OTHERS, other};
use crate::sandbox::Sandbox;

/// What `sinew eval` prints, for so many attempts.
fn eval(sandbox: &Sandbox, out: &str, more: &[&str]) -> Value {
    let out = sandbox.path(out);
    let words = ["eval", "--json", "--policy", "expert", "--out", out.to_str().unwrap()];
    let ended = sandbox.run(&[&words, more].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.result()
}

#[test]
fn the_same_seeds_give_the_same_result_on_one_thread_and_on_two() {
    let sandbox = Sandbox::new();
    let words = ["--env", "so101_lift", "--episodes", "4", "--seed", "20"];
    let mut one = eval(&sandbox, "one", &words);
    let mut two =
        eval(&sandbox, "two", &[&words[..], &["--parallel", "2", "--videos", "2"]].concat());
    for result in [&mut one, &mut two] {
        result.as_object_mut().unwrap().remove("seconds");
    }
    assert_eq!(one, two);
    assert_eq!(one["seeds"], serde_json::json!([20, 21, 22, 23]));
    assert_eq!(
        (one["episodes"].as_u64(), one["per_episode"][3]["seed"].as_u64()),
        (Some(4), Some(23))
    );
    let rate = one["rate"].as_f64().unwrap();
    assert_eq!(one["successes"].as_f64().unwrap() / 4.0, rate);
    let (low, high) = (one["ci95"][0].as_f64().unwrap(), one["ci95"][1].as_f64().unwrap());
    assert!(low < rate && (rate..=1.0).contains(&high) && rate > 0.7, "{one}");

    let info = std::fs::read_to_string(sandbox.path("two/eval_info.json")).unwrap();
    let info: Value = serde_json::from_str(&info).unwrap();
    // LeRobot's own names.
    assert_eq!(info["overall"]["pc_success"].as_f64().unwrap(), rate * 100.0);
    assert_eq!(info["overall"]["n_episodes"], 4);
    let metrics = &info["per_task"][0]["metrics"];
    assert_eq!(metrics["successes"].as_array().unwrap().len(), 4);
    assert_eq!(metrics["sum_rewards"][1], one["per_episode"][1]["sum_reward"]);
    assert!(info["per_group"]["so101_lift"]["avg_max_reward"].is_number());
    assert_eq!(metrics["video_paths"].as_array().unwrap().len(), 2);
    for (folder, videos) in [("one", 4), ("two", 2)] {
        let film =
            |number: u64| sandbox.path(&format!("{folder}/videos/first/eval_episode_{number}.mp4"));
        let there = (0..9).filter(|number| film(*number).exists()).count();
        assert_eq!(there, videos, "{folder}");
    }
    let film = |folder: &str| {
        std::fs::read(sandbox.path(&format!("{folder}/videos/first/eval_episode_1.mp4"))).unwrap()
    };
    assert!(film("one") == film("two"), "the same seed looks the same");
    let page = std::fs::read_to_string(sandbox.path("two/report.html")).unwrap();
    assert!(page.contains("src=\"videos/first/eval_episode_1.mp4\""));
    assert!(page.contains("expert at so101_lift") && page.contains("seed 23"));
}

#[test]
fn the_policy_that_comes_along_lifts_the_cube_however_many_attempts_run_at_once() {
    let sandbox = Sandbox::new();
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../robot/sim/policy/so101_lift");
    let tried = |out: &str, more: &[&str]| {
        let out = sandbox.path(out);
        let words =
            ["eval", "--json", "--policy", policy, "--episodes", "6", "--videos", "0", "--out"];
        let ended = sandbox.run(&[&words[..], &[out.to_str().unwrap()], more].concat());
        assert_eq!(ended.code, 0, "{}", ended.err);
        let mut result = ended.result();
        result.as_object_mut().unwrap().remove("seconds");
        result
    };
    let one = tried("one", &[]);
    assert_eq!(one, tried("three", &["--parallel", "3"]));
    // 200 of 200 when it was made; of six, one may go wrong on another machine.
    assert!(one["successes"].as_u64().unwrap() >= 5, "{one}");
}

#[test]
fn every_kind_is_tried_and_the_same_seed_gives_the_same_attempt() {
    let sandbox = Sandbox::new();
    for kind in OTHERS {
        let (folder, out) = (other(kind), sandbox.path(kind));
        let tried = |seed: &str, more: &[&str]| {
            let words = ["eval", "--json", "--env=reach", "--videos=0", "--seed", seed];
            let which = ["--policy", folder.to_str().unwrap(), "--out", out.to_str().unwrap()];
            let ended = sandbox.run(&[&words[..], &which, more].concat());
            assert_eq!(ended.code, 0, "{kind}: {}", ended.err);
            ended.result()["per_episode"].clone()
        };
        // Whatever was tried before it, and whatever else is tried meanwhile.
        let both = tried("7", &["--episodes=2"]);
        assert_eq!(both, tried("7", &["--episodes=2", "--parallel=2"]), "{kind}");
        assert_eq!(both[1], tried("8", &["--episodes=1"])[0], "{kind}");
        let late = ["--episodes=1", "--inference.type=async", "--latency_ms=50"];
        let late = tried("7", &late);
        assert!(late[0]["sum_reward"].is_number(), "{kind}: {late}");
    }
}

#[test]
fn answers_that_come_late_are_tried_in_the_worlds_own_time() {
    let sandbox = Sandbox::new();
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../robot/sim/policy/so101_lift");
    let out = sandbox.path("out");
    let ended = |policy: &str, more: &[&str]| {
        let words =
            ["eval", "--json", "--policy", policy, "--episodes", "4", "--videos", "0", "--out"];
        sandbox.run(&[&words[..], &[out.to_str().unwrap()], more].concat())
    };
    let tried = |more: &[&str]| {
        let ended = ended(policy, more);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let mut result = ended.result();
        result.as_object_mut().unwrap().remove("seconds");
        result
    };
    for how in ["sync", "async"] {
        let words = ["--inference.type", how, "--latency_ms", "50"];
        let late = tried(&words);
        assert_eq!(late, tried(&[&words[..], &["--parallel", "2"]].concat()));
        assert!(late["successes"].as_u64().unwrap() >= 3, "{how}: {late}");
    }
    let too_late = tried(&["--latency_ms", "500"]);
    assert!(too_late["successes"].as_u64().unwrap() <= 1, "{too_late}");
    for (policy, more) in
        [(policy, &["--inference.type", "async"][..]), ("expert", &["--latency_ms", "50"][..])]
    {
        let refused = ended(policy, more);
        assert!(refused.code == 2 && refused.err.contains("--latency_ms"), "{}", refused.err);
    }
}

#[test]
fn two_policies_are_compared_on_the_same_seeds() {
    let sandbox = Sandbox::new();
    let words = ["--env", "reach", "--episodes", "5", "--against", "expert"];
    let result = eval(&sandbox, "out", &words);
    let against = &result["against"];
    assert_eq!(against["seeds"], result["seeds"]);
    assert_eq!((&against["first_alone"], &against["second_alone"]), (&0.into(), &0.into()));
    assert_eq!(against["by_chance"], 1.0);
}

#[test]
fn what_an_expert_does_becomes_a_dataset_to_learn_from() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("lift");
    let words = [
        "sim",
        "record",
        "--json",
        "--episodes",
        "3",
        "--seed",
        "5",
        "--varied",
        "--camera=front=sim@96x64",
        "--camera=wrist=sim@64x64",
        "--root",
    ];
    let ended = sandbox.run(&[&words[..], &[root.to_str().unwrap()]].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.result()["episodes"], 3);

    let ended = sandbox.run(&["dataset", "verify", "--json", root.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let dataset = Dataset::open(&root).unwrap();
    let truth = dataset.info().feature("observation.environment_state").unwrap();
    assert_eq!(truth.width(), 7);
    let image = |frame: u64| dataset.image("observation.images.front", frame).unwrap().to_rgb();
    let starts = [0, 1].map(|episode| image(dataset.episode(episode).unwrap().from_index));
    assert_eq!((starts[0].width(), starts[0].height()), (96, 64));
    assert_ne!(starts[0].pixels(), starts[1].pixels());
    let last = dataset.episode(2).unwrap();
    let height = |frame: u64| {
        dataset.values("observation.environment_state", frame, 1).unwrap().numbers()[2]
    };
    let (first, end) = (last.from_index, last.from_index + last.length - 1);
    assert!((height(first) - 0.015).abs() < 0.001, "{}", height(first));
    assert!(height(end) > 0.08, "the cube is lifted: {}", height(end));
}

#[test]
fn a_task_that_is_not_there_is_refused_with_those_that_are() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&["eval", "--policy", "expert", "--env", "so101_list"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(
        ended.err.contains("so101_list") && ended.err.contains("so101_pick_place"),
        "{}",
        ended.err
    );
    let words = ["sim", "record", "--camera=front=/dev/video9", "--root"];
    let ended = sandbox.run(&[&words[..], &[sandbox.path("x").to_str().unwrap()]].concat());
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("front=sim"), "{}", ended.err);
    let own = sandbox.path("mine.toml");
    std::fs::write(&own, "name = \"mine\"\nseconds = -1").unwrap();
    let ended = sandbox.run(&["eval", "--policy", "expert", "--env", own.to_str().unwrap()]);
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(ended.err.contains("mine.toml"), "{}", ended.err);
}
