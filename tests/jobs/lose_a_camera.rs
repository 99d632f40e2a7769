//! Somebody's camera goes away while an arm is driven by what it sees.

use serde_json::Value;

use super::use_a_policy::policy;
use crate::sandbox::{Running, Sandbox};

/// A camera of another machine, and where it is.
fn served(sandbox: &Sandbox) -> (Running, String) {
    let folder = sandbox.path("sim");
    let words = ["--json", "sim", "serve", "--link-dir", folder.to_str().unwrap()];
    let mut served = sandbox.start(&[&words[..], &["--camera=front=sim@64x64x30"]].concat());
    let ready = served.next();
    (served, format!("--camera=top={}@64x64", ready["cameras"]["front"].as_str().unwrap()))
}

/// What is told next of this kind.
fn next(running: &mut Running, kind: &str) -> Value {
    loop {
        let line = running.next();
        assert_ne!(line["type"], "result", "{line}");
        if line["type"] == kind {
            return line;
        }
    }
}

#[test]
fn a_policy_is_stopped_where_it_sees_nothing_new() {
    let sandbox = Sandbox::new();
    let (served, camera) = served(&sandbox);
    let path = format!("--policy.path={}", policy(&sandbox, 64).display());
    let root = sandbox.path("seen");
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0", &camera];
    let set = ["--strategy.type=sentry", "--task=x", "--dataset.root", root.to_str().unwrap()];
    let mut rollout = sandbox.start(&[&words[..], &set].concat());
    next(&mut rollout, "episode");
    served.signal("KILL");
    served.end();
    let away = next(&mut rollout, "camera");
    assert_eq!((&away["camera"], &away["away"]), (&"top".into(), &true.into()));
    let (code, rest) = rollout.end();
    assert_eq!(code, 3, "{rest}");
    assert!(rest.contains("observation.images.top has shown nothing new for 5 s"), "{rest}");
}

#[test]
fn no_episode_begins_without_a_camera() {
    let sandbox = Sandbox::new();
    let (served, camera) = served(&sandbox);
    let root = sandbox.path("recorded");
    let words = ["--json", "record", "--robot=sim", "--teleop=sim", "--dry_run_s=0", "--task=x"];
    let set = ["--dataset.num_episodes=2", "--dataset.reset_time_s=0", "--dataset.root"];
    let rest = [&set[..], &[root.to_str().unwrap(), &camera]].concat();
    let mut recording = sandbox.start(&[&words[..], &rest].concat());
    while next(&mut recording, "episode")["phase"] != "recording" {}
    served.signal("KILL");
    served.end();
    assert_eq!(next(&mut recording, "camera")["away"], true);
    recording.type_word("n");
    while next(&mut recording, "episode")["phase"] != "saved" {}
    recording.type_word("q");
    let result = recording.result();
    assert_eq!(result["episodes"], 1, "{result}");
    assert_eq!(recording.end().0, 0, "{result}");
}
