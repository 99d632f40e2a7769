//! Somebody with nothing plugged in wants to see it work.

use std::fs;

use serde_json::Value;

use crate::sandbox::Sandbox;

#[test]
fn the_demo_runs_by_itself_loses_answers_and_ends_safe() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    let words = ["--json", "demo", "--headless", "--time", "2", "--out", out.to_str().unwrap()];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let result = ended.result();
    assert!(result["ticks"].as_u64().unwrap() > 20, "{result}");
    assert_eq!(result["stopped"]["policy"], "limp");
    let motors = result["stopped"]["motors"].as_array().unwrap();
    assert_eq!(motors.len(), 6);
    assert!(motors.iter().all(|motor| motor["ok"] == true && motor["torque"] == false));
    let file = fs::read_to_string(out.join("demo.json")).unwrap();
    let summary: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(summary["ticks"], result["ticks"]);
}

#[test]
fn the_demo_tells_people_what_comes_next() {
    let ended = Sandbox::new().run(&["demo", "--headless", "--time", "0.5"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    for part in ["arm left safe: limp", "sinew find-port", "sinew calibrate"] {
        assert!(ended.out.contains(part), "{part} in {}", ended.out);
    }
}
