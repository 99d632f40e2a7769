//! The whole way: episodes recorded here, LeRobot trains on them, and what it learned runs here.

use crate::sandbox::Sandbox;

use super::script;

#[test]
fn lerobot_trains_on_what_was_recorded_here_and_its_policy_runs_here() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("recorded");
    let root = root.to_str().unwrap();
    let arms = ["--robot=sim", "--teleop=sim", "--camera=front=sim@96x96x30"];
    let spans = ["--dataset.episode_time_s=2", "--dataset.reset_time_s=0"];
    let rest = ["--dataset.num_episodes=2", "--task=Pick the cube", "--dataset.root", root];
    let recorded =
        sandbox.run(&[&["--json", "record", "--dry_run_s=0"], &arms[..], &spans, &rest].concat());
    assert_eq!(recorded.code, 0, "{}", recorded.err);
    assert_eq!(recorded.result()["frames"], 120);
    let out = sandbox.path("trained");
    let words = [root, "2", "120", out.to_str().unwrap()];
    let Some(trained) = script("recording: trained", "lerobot_train.py", &words) else { return };
    let checkpoint = trained["checkpoint"].as_str().unwrap();
    for what in [
        &["check", checkpoint, "--dataset", root][..],
        &["run", checkpoint, "--dataset", root, "--episode=1"],
    ] {
        let ended = sandbox.run(&[&["--json", "policy"], what].concat());
        assert_eq!(ended.code, 0, "{what:?}: {}", ended.err);
    }
    let run =
        sandbox.run(&["--json", "policy", "run", checkpoint, "--dataset", root, "--episode=0"]);
    let result = run.result();
    assert_eq!((&result["frames"], result["joints"].as_array().unwrap().len()), (&60.into(), 6));
    // What it learned drives the arm that it was learned from.
    let arm = ["--robot=sim", "--camera=front=sim@96x96x30", "--dry_run_s=0", "--duration=2"];
    let words = [&["--json", "rollout", "--policy.path", checkpoint], &arm[..]].concat();
    let driven = sandbox.run(&words);
    assert_eq!(driven.code, 0, "{}", driven.err);
    assert!(driven.result()["chunks"].as_u64().unwrap() > 1, "{}", driven.out);
}
