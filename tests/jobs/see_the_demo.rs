//! Somebody with nothing plugged in wants to see it work.

use std::fs;

use serde_json::Value;
use sinew_datasets::Dataset;

use crate::sandbox::Sandbox;

#[test]
fn the_demo_records_looks_over_and_lets_a_policy_try_by_itself() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    let ended = sandbox.run(&["demo", "--headless", "--out", out.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    for part in [
        "$ sinew record --robot.type=so101_follower",
        "arm left safe: limp",
        "confirmed by every motor",
        "$ sinew dataset verify",
        "$ sinew eval --policy",
        "sinew find-port",
        "sinew calibrate",
    ] {
        assert!(ended.out.contains(part), "{part} in {}", ended.out);
    }
    let root = out.join("dataset");
    let checked = sandbox.run(&["dataset", "verify", root.to_str().unwrap()]);
    assert_eq!(checked.code, 0, "{}", checked.out);
    let dataset = Dataset::open(&root).unwrap();
    assert_eq!(dataset.info().total_episodes, 3);
    // However slow the machine is, the arm follows a hand that opens the gripper and reaches down.
    let (mut widest, mut reached) = (0.0, 0.0);
    for frame in 0..dataset.info().total_frames {
        let state = dataset.values("observation.state", frame, 1).unwrap().numbers();
        widest = f64::max(widest, state[5]);
        reached = f64::max(reached, state[1]);
    }
    assert!(widest > 40.0 && reached > -25.0, "gripper {widest}, shoulder {reached}");
    assert!(out.join("dataset.html").exists() && out.join("eval/report.html").exists());
    let info = fs::read_to_string(out.join("eval/eval_info.json")).unwrap();
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["overall"]["n_episodes"], 10);
    // 200 seeds say how often it does; of ten, half is what no chance explains.
    assert!(info["overall"]["pc_success"].as_f64().unwrap() >= 50.0, "{}", info["overall"]);
    // An arm that is gone with the demo leaves no name behind.
    assert!(sandbox.path("").exists() && !sandbox.path(".config/sinew/robots").exists());
}
