//! LeRobot's own evaluation in our simulation, beside ours: the same checkpoint, the same worlds.

use crate::sandbox::Sandbox;

use super::script;

#[test]
fn lerobot_tries_the_policy_that_comes_along_with_the_same_success() {
    let sandbox = Sandbox::new();
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../robot/sim/policy/so101_lift");
    let words = ["--json", "sim", "serve", "--env", "so101_lift", "--lockstep", "0"];
    let mut served = sandbox.start(&words);
    let port = served.next()["lockstep"].to_string();
    let arguments = [port.as_str(), policy, "1000", "10"];
    let Some(theirs) = script("sim lockstep", "lerobot_sim.py", &arguments) else { return };
    served.signal("TERM");
    assert_eq!(served.next()["type"], "result");
    let out = sandbox.path("eval");
    let words =
        ["--json", "eval", "--policy", policy, "--episodes=10", "--seed=1000", "--videos=0"];
    let ended = sandbox.run(&[&words[..], &["--out", out.to_str().unwrap()]].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let ours = ended.result();
    let (ours, theirs) = (&ours["per_episode"], &theirs["per_episode"]);
    assert_eq!((ours.as_array().unwrap().len(), theirs.as_array().unwrap().len()), (10, 10));
    for (ours, theirs) in ours.as_array().unwrap().iter().zip(theirs.as_array().unwrap()) {
        assert_eq!((&ours["seed"], &ours["success"]), (&theirs["seed"], &theirs["success"]));
        let off = ours["sum_reward"].as_f64().unwrap() - theirs["sum_reward"].as_f64().unwrap();
        assert!(off.abs() < 1e-3, "{ours} {theirs}");
    }
}
