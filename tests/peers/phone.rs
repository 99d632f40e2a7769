//! A phone's page in a real browser.

use super::Peer;
use crate::jobs::drive_with_a_phone::{far, positions, start, wait_until_it_stands};
use crate::sandbox::Sandbox;

#[test]
fn the_page_drives_an_arm_from_chromium() {
    let Some(mut phone) = Peer::start("phone", "browser_phone.py", &[]) else { return };
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let (mut running, url) = start(&sandbox, &arm);
    let opened = phone.ask(&format!("open {url}"));
    if let Some(why) = opened["skipped"].as_str() {
        eprintln!("SKIPPED phone: {why}");
        return;
    }
    eprintln!("phone: {opened}");
    assert_eq!(opened["secure"], true, "{opened}");
    assert_eq!(opened["fits"], true, "all of it is seen: {opened}");
    assert_eq!(opened["words"], "Hold the button, and move the phone.", "{opened}");
    let before = wait_until_it_stands(&arm);
    // A pad alone moves nothing; held, it does.
    phone.ask("touch drive 0 -0.9");
    assert!(far(&wait_until_it_stands(&arm), &before) <= 2);
    phone.ask("touch hold 0 0");
    arm.wait_until(|_| far(&positions(&arm), &before) > 60);
    assert_eq!(phone.ask("again")["words"], "The arm follows. Let go to stop it.");
    phone.ask("let go");
    let aside = wait_until_it_stands(&arm);
    // The gripper needs no button.
    phone.ask("touch grip 0.9 0");
    arm.wait_until(|_| (positions(&arm)[5] - aside[5]).abs() > 100);
    phone.ask("let go");
    let open = wait_until_it_stands(&arm);
    // Flat and to the north, then rolled by twenty degrees.
    phone.ask("tap tilt");
    let turn = phone.ask("turn 0 0 0")["turn"].clone();
    let half = std::f64::consts::FRAC_1_SQRT_2;
    for (part, wanted) in turn.as_array().unwrap().iter().zip([-half, 0.0, 0.0, half]) {
        assert!((part.as_f64().unwrap() - wanted).abs() < 1e-6, "{turn}");
    }
    phone.ask("touch hold 0 0");
    for gamma in 1..=20 {
        phone.ask(&format!("turn 0 0 {gamma}"));
    }
    arm.wait_until(|_| (positions(&arm)[4] - open[4]).abs() > 100);
    let told = phone.ask("let go");
    assert_eq!(told["errors"], serde_json::json!([]), "{told}");
    phone.ask("tap stop");
    let result = running.result();
    assert_eq!(running.end().0, 0, "{result}");
}

#[test]
fn a_phone_that_follows_itself_through_the_room_lifts_the_arm() {
    let Some(mut phone) = Peer::start("phone: room", "browser_phone.py", &[]) else { return };
    let sandbox = Sandbox::new();
    let arm = sandbox.arm("so101", "white");
    let (mut running, url) = start(&sandbox, &arm);
    if let Some(why) = phone.ask(&format!("open {url}#room"))["skipped"].as_str() {
        eprintln!("SKIPPED phone: room: {why}");
        return;
    }
    let before = wait_until_it_stands(&arm);
    phone.ask("tap room");
    phone.ask("lift 1");
    let mut pressed = 0;
    // What is lost of a press on a machine that is busy is made up for by the next.
    while far(&positions(&arm), &before) < 80 {
        pressed += 1;
        assert!(pressed < 50, "nothing moves");
        phone.ask("lift 1");
        phone.ask("touch hold 0 0");
        // As long as a hand takes for it: what is let go of sooner than it is heard moves nothing.
        for step in 1..=120 {
            phone.ask(&format!("lift {}", 1.0 + f64::from(step) * 0.0005));
        }
        phone.ask("let go");
    }
    let told = phone.ask("tap stop");
    assert_eq!(told["errors"], serde_json::json!([]), "{told}");
    let result = running.result();
    assert_eq!(running.end().0, 0, "{result}");
}
