//! Somebody tells a policy from a console when to drive, and when to go back.

use std::time::Duration;

use serde_json::Value;

use super::use_a_policy::policy;
use crate::sandbox::{Arm, Running, Sandbox};

fn rollout(sandbox: &Sandbox, more: &[&str]) -> Running {
    let path = format!("--policy.path={}", policy(sandbox, 64).display());
    let camera = "--camera=top=sim@64x64x30";
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0", camera];
    sandbox.start_as_seen(&[&words[..], &["--interactive=true"], more].concat())
}

/// Types a line, and waits until that is what happens.
fn tell(rollout: &mut Running, line: &str, phase: &str) {
    rollout.type_word(line);
    rollout.read_to(&format!("\"phase\":\"{phase}\""));
}

fn result(seen: &str) -> Value {
    let line = seen.lines().find(|line| line.contains("\"type\":\"result\""));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no result: {seen}"))).unwrap()
}

#[test]
fn nothing_moves_before_somebody_says_so_and_reset_ends_a_run() {
    let sandbox = Sandbox::new();
    let mut one = rollout(&sandbox, &[]);
    one.read_to("is ready to drive");
    std::thread::sleep(Duration::from_secs(2));
    one.type_word("/task pick the cube");
    one.read_to("takes no words");
    one.type_word("/vqa is it there?");
    one.read_to("/vqa needs a policy with a language model");
    one.type_word("start");
    one.read_to("start means nothing here");
    tell(&mut one, "/reset", "reset");
    tell(&mut one, "/stop", "over");
    let (code, seen) = one.end();
    assert_eq!(code, 0, "{seen}");
    let still = result(&seen);
    assert_eq!((&still["chunks"], &still["starved_ticks"]), (&0.into(), &0.into()), "{still}");

    let mut other = rollout(&sandbox, &["--duration=3"]);
    other.read_to("is ready to drive");
    tell(&mut other, "/start", "running");
    other.type_word("/start");
    other.read_to("drives already");
    // The time of a run, not of it all.
    other.read_to("\"phase\":\"holding\"");
    tell(&mut other, "/start", "running");
    std::thread::sleep(Duration::from_secs(2));
    tell(&mut other, "/reset", "reset");
    std::thread::sleep(Duration::from_secs(2));
    tell(&mut other, "/stop", "over");
    let (code, seen) = other.end();
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains("going back"), "{seen}");
    let driven = result(&seen);
    assert!(driven["chunks"].as_u64().unwrap() >= 2, "{driven}");
    assert_eq!(driven["stopped"]["motors"].as_array().unwrap().len(), 6);
}

/// An arm on a port, as a console's rollout drives it.
fn rollout_of(sandbox: &Sandbox, arm: &Arm) -> Running {
    let path = format!("--policy.path={}", policy(sandbox, 64).display());
    let port = format!("--robot.port={}", arm.port());
    let words = ["--json", "rollout", &path, "--robot.type=so101_follower", "--robot.id=white"];
    let rest = [&port[..], "--camera=top=pattern@64x64x30", "--dry_run_s=0", "--interactive=true"];
    sandbox.start_as_seen(&[&words[..], &rest].concat())
}

fn positions(state: &Value) -> Vec<i64> {
    let servos = state["servos"].as_array().unwrap().iter();
    servos.map(|servo| servo["position"].as_i64().unwrap()).collect()
}

/// How far the joint that is farthest from there is, in counts.
fn off(state: &Value, there: &[i64]) -> i64 {
    let apart = positions(state).into_iter().zip(there).map(|(now, then)| (now - then).abs());
    apart.max().unwrap()
}

#[test]
fn an_arm_that_waits_for_a_start_stays_where_it_stands() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101_follower", "white");
    // Far from the middle, which is where all joints at zero would be.
    arm.control(r#"{"hand":{"id":1,"position":1400}}"#);
    arm.control(r#"{"release":{"id":1}}"#);
    let began = positions(&arm.control("\"state\""));
    let mut rollout = rollout_of(&sandbox, &arm);
    arm.wait_for_torque();
    rollout.read_to("is ready to drive");
    std::thread::sleep(Duration::from_secs(3));
    let moved = off(&arm.control("\"state\""), &began);
    assert!(moved < 40, "{moved} counts");
    tell(&mut rollout, "/stop", "over");
    assert_eq!(rollout.end().0, 0);
}

#[test]
fn reset_brings_the_arm_back_and_holds_it_there() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101_follower", "white");
    let began = positions(&arm.control("\"state\""));
    let off = |state: &Value| off(state, &began);
    let mut rollout = rollout_of(&sandbox, &arm);
    arm.wait_for_torque();
    tell(&mut rollout, "/start", "running");
    arm.wait_until(|state| off(state) > 100);
    tell(&mut rollout, "/reset", "reset");
    arm.wait_until(|state| off(state) < 40);
    arm.wait_until_seen();
    assert_eq!(arm.torques(), [true; 6], "it is held there");
    tell(&mut rollout, "/stop", "over");
    let (code, seen) = rollout.end();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(arm.torques(), [false; 6]);
}

#[test]
fn a_console_that_is_gone_ends_it_and_a_recording_has_none() {
    let sandbox = Sandbox::new();
    let path = format!("--policy.path={}", policy(&sandbox, 64).display());
    let camera = "--camera=top=sim@64x64x30";
    let words = ["--json", "rollout", &path, "--robot=sim", "--dry_run_s=0", camera];
    let interactive = ["--interactive"];
    let ended = sandbox.run_with_input(&[&words[..], &interactive].concat(), "/start\n");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("Nobody types any more"), "{}", ended.err);
    assert_eq!(ended.result()["stopped"]["motors"].as_array().unwrap().len(), 6);
    let recorded = ["--strategy.type=sentry", "--dataset.repo_id=me/all"];
    let refused = sandbox.run(&[&words[..], &interactive, &recorded].concat());
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("--strategy.type=base"), "{}", refused.err);
}
