//! Somebody moves an arm with the keys of a terminal.

use std::io::{Read, Write};
use std::time::Duration;

use serialport::{SerialPort, TTYPort};
use sinew_datasets::Dataset;
use sinew_datasets::reader::{Deltas, Series, View};

use crate::sandbox::{Arm, Running, Sandbox};

/// Starts to teleoperate an SO-101 on a bus of its own with keys.
fn start(sandbox: &Sandbox, arm: &Arm, more: &[&str]) -> (Running, TTYPort) {
    let words = ["teleoperate", "--robot.type=so101_follower", "--robot.id=white", "--robot.port"];
    let words = [&words[..], &[arm.port(), "--dry_run_s=0"], more].concat();
    let (mut running, keyboard) = sandbox.start_at_terminal(&words);
    running.read_to("Ctrl-C ends it");
    arm.wait_for_torque();
    (running, keyboard)
}

fn positions(arm: &Arm) -> Vec<i64> {
    let state = arm.control("\"state\"");
    let servos = state["servos"].as_array().unwrap().iter();
    servos.map(|servo| servo["position"].as_i64().unwrap()).collect()
}

/// Waits until the arm has not moved for a good while.
fn wait_until_it_stands(arm: &Arm) -> Vec<i64> {
    let (mut stands, mut since) = (positions(arm), 0);
    arm.wait_until(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let now = positions(arm);
        let same = now.iter().zip(&stands).all(|(now, then)| (now - then).abs() <= 1);
        since = if same { since + 1 } else { 0 };
        if !same {
            stands = now;
        }
        since > 15
    });
    stands
}

/// Presses a key again and again, as a keyboard does, until the arm is as wanted.
fn hold(keyboard: &mut TTYPort, key: &[u8], arm: &Arm, mut done: impl FnMut(&[i64]) -> bool) {
    while !done(&positions(arm)) {
        keyboard.write_all(key).unwrap();
        std::thread::sleep(Duration::from_millis(30));
    }
}

#[test]
fn a_key_moves_the_tip_until_it_is_let_go_and_q_ends_it() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let (running, mut keyboard) = start(&sandbox, &arm, &["--teleop.type=keyboard_ee"]);
    let before = wait_until_it_stands(&arm);
    hold(&mut keyboard, b"a", &arm, |now| (now[0] - before[0]).abs() > 150);
    let left = wait_until_it_stands(&arm);
    assert!((left[0] - before[0]).abs() < 600, "it went on: {before:?} {left:?}");
    hold(&mut keyboard, b"\x1b[C", &arm, |now| (now[0] - before[0]).abs() < 30);
    wait_until_it_stands(&arm);
    keyboard.write_all(b"q").unwrap();
    let (code, rest) = running.end();
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("arm left safe"), "{rest}");
    assert_eq!(arm.torques(), [false; 6]);
}

#[test]
fn joints_move_one_by_one() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let (running, mut keyboard) = start(&sandbox, &arm, &["--teleop=keyboard"]);
    let before = wait_until_it_stands(&arm);
    hold(&mut keyboard, b"l", &arm, |now| (now[4] - before[4]).abs() > 200);
    hold(&mut keyboard, b"o", &arm, |now| (now[5] - before[5]).abs() > 100);
    let after = wait_until_it_stands(&arm);
    assert!((0..4).all(|joint| (after[joint] - before[joint]).abs() < 20), "{before:?} {after:?}");
    keyboard.write_all(b"\x1b").unwrap();
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_terminal_that_tells_releases_is_asked_whether_it_is_still_there() {
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let (running, mut keyboard) = start(&sandbox, &arm, &["--teleop.type=keyboard_ee"]);
    keyboard.set_timeout(Duration::from_secs(20)).unwrap();
    let mut said = Vec::new();
    let mut read_to = |keyboard: &mut TTYPort, part: &[u8]| {
        let mut bytes = [0; 64];
        while !said.windows(part.len()).any(|window| window == part) {
            let count = keyboard.read(&mut bytes).unwrap();
            said.extend_from_slice(&bytes[..count]);
        }
    };
    read_to(&mut keyboard, b"\x1b[>11u");
    // It can tell, and a key goes down once.
    keyboard.write_all(b"\x1b[?11u").unwrap();
    let before = wait_until_it_stands(&arm);
    keyboard.write_all(b"\x1b[97;1:1u").unwrap();
    read_to(&mut keyboard, b"\x1b[5n");
    // It never answers, so that the key counts as let go though nothing said so.
    let after = wait_until_it_stands(&arm);
    assert!((after[0] - before[0]).abs() > 20, "{before:?} {after:?}");
    // Ctrl-C is one of the keys that such a terminal makes no signal of.
    keyboard.write_all(b"\x1b[99;5u").unwrap();
    assert_eq!(running.end().0, 130);
    assert_eq!(arm.torques(), [false; 6]);
}

#[test]
fn a_recording_keeps_its_own_keys_and_holds_what_the_others_did() {
    let sandbox = Sandbox::new();
    let words = ["record", "--robot=sim", "--teleop.type=keyboard_ee", "--dataset.no_stamp"];
    let rest = ["--task=Wave", "--dataset=me/wave", "--dry_run_s=0", "--dataset.num_episodes=1"];
    let (mut record, mut keyboard) = sandbox.start_at_terminal(&[&words[..], &rest[..]].concat());
    let hint = record.read_to("Recording episode 0");
    assert!(hint.contains("w s forward, back") && hint.contains("→ or n: on"), "{hint}");
    for _ in 0..40 {
        keyboard.write_all(b"e").unwrap();
        std::thread::sleep(Duration::from_millis(30));
    }
    std::thread::sleep(Duration::from_millis(600));
    keyboard.write_all(b"\x1b[C").unwrap();
    record.read_to("episode 0 is saved");
    assert_eq!(record.end().0, 0);
    let actions = actions(&sandbox, "wave");
    let last = actions.len() - 1;
    let moved = (0..5).map(|joint| (actions[last][joint] - actions[0][joint]).abs()).sum::<f64>();
    assert!(moved > 5.0, "{:?} {:?}", actions[0], actions[last]);
    assert_eq!(actions[last], actions[last - 5], "it stands at the end");
    // No row asks for more than its part of a joint's greatest speed.
    for rows in actions.windows(2) {
        assert!((0..5).all(|joint| (rows[1][joint] - rows[0][joint]).abs() < 12.0), "{rows:?}");
    }
}

/// The actions of a recording, row by row.
fn actions(sandbox: &Sandbox, name: &str) -> Vec<Vec<f64>> {
    let root = sandbox.path(".cache/huggingface/lerobot/me").join(name);
    let dataset = Dataset::open(&root).unwrap();
    let view = View::new(&dataset, Deltas::default(), None).unwrap();
    let action = |row: u64| {
        let item = view.item(row).unwrap();
        let found = item.features.iter().find(|(name, _)| name == "action").map(|(_, of)| of);
        let Some(Series::Values(action)) = found else { panic!("no action") };
        action.numbers()
    };
    (0..view.len()).map(action).collect()
}

#[test]
fn a_base_is_driven_with_lerobots_keys_and_stands_when_they_are_let_go() {
    let sandbox = Sandbox::new();
    let words = ["record", "--robot=sim", "--robot.type=lekiwi", "--teleop.type=keyboard"];
    let rest = ["--task=Roam", "--dataset=me/roam", "--dry_run_s=0", "--dataset.num_episodes=1"];
    let words = [&words[..], &rest[..], &["--dataset.no_stamp"]].concat();
    let (mut record, mut keyboard) = sandbox.start_at_terminal(&words);
    let hint = record.read_to("Recording episode 0");
    assert!(hint.contains("w s ahead, back"), "{hint}");
    for key in [b"w", b"+", b"z"] {
        for _ in 0..15 {
            keyboard.write_all(key).unwrap();
            std::thread::sleep(Duration::from_millis(30));
        }
        // Until that key counts as held no more.
        std::thread::sleep(Duration::from_millis(500));
    }
    std::thread::sleep(Duration::from_millis(300));
    keyboard.write_all(b"n").unwrap();
    record.read_to("episode 0 is saved");
    assert_eq!(record.end().0, 0);
    let actions = actions(&sandbox, "roam");
    // Slowly ahead, and after the plus fast about itself.
    for (value, speed) in [(6, 0.1), (8, 90.0)] {
        let reached = |row: &Vec<f64>| (row[value] - speed).abs() < 1e-3;
        assert!(actions.iter().any(reached), "{value} never {speed}");
    }
    let last = actions.len() - 1;
    assert_eq!(actions[last][6..], [0.0; 3]);
    assert_eq!(actions[last][..6], actions[0][..6], "the arm stays");
}

#[test]
fn what_keys_cannot_move_is_told_before_anything_moves() {
    let sandbox = Sandbox::new();
    let refused = |words: &[&str], parts: &[&str]| {
        let words = [&["teleoperate", "--robot=sim", "--dry_run_s=0"], words].concat();
        let (mut running, _keyboard) = sandbox.start_at_terminal(&words);
        let text = running.read_to("do: ");
        assert_eq!(running.end().0, 2, "{text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let tip = "--teleop.type=keyboard_ee";
    refused(
        &["--robot.type=omx_follower", tip],
        &["so101, so100, lekiwi", "--teleop.type=keyboard"],
    );
    refused(&["--robot.type=koch_follower", tip], &["koch_follower"]);
    refused(&["--robot.type=bi_so_follower", tip], &["2 arms"]);
    refused(&["--teleop.type=keyboard_rover"], &["LeKiwi"]);
    // What this build has no part for.
    refused(&["--teleop.type=gamepad"], &["libudev-dev", "--features gamepad"]);
    refused(&[tip, "--teleop.end_effector_bounds={min: 1}"], &["{min: ["]);
    let ended = sandbox.run(&["teleoperate", "--robot=sim", tip]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("standard input is none"), "{}", ended.err);
}
