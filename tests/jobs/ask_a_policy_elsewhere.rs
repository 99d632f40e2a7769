//! Somebody has a policy on one machine and the arm on another.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sinew_net::message::{Frame, View};
use sinew_net::think::Elsewhere;
use sinew_net::{Network, Options};

use super::use_a_policy::{OTHERS, other, policy};
use crate::sandbox::{Ended, PATIENCE, Running, Sandbox};

const CAMERA: &str = "--camera=top=sim@64x64x30";

/// A port of this machine that nobody has.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Serves a folder's policy as `act`; it can be asked when this returns.
fn serve(sandbox: &Sandbox, folder: &str, port: u16) -> Running {
    let (path, listen) = (format!("--policy.path={folder}"), format!("--listen=127.0.0.1:{port}"));
    let mut served =
        sandbox.start(&["--json", "serve-policy", &path, "--name=act", "--threads=1", &listen]);
    let ready = served.next();
    assert_eq!((&ready["type"], &ready["policy"]), (&"ready".into(), &"act".into()), "{ready}");
    served
}

fn ended(served: Running) -> Value {
    served.signal("INT");
    let (code, rest) = served.end();
    assert_eq!(code, 0, "{rest}");
    serde_json::from_str(rest.lines().last().unwrap()).unwrap()
}

fn words(port: u16) -> [String; 5] {
    let policy = format!("--policy=zenoh://act@127.0.0.1:{port}");
    ["--json", "rollout", &policy, "--robot=sim", "--dry_run_s=0"].map(str::to_owned)
}

fn rollout(sandbox: &Sandbox, port: u16, more: &[&str]) -> Ended {
    let words = words(port);
    sandbox.run(&[&words.each_ref().map(String::as_str)[..], more].concat())
}

/// Passes everything on to `port`, each way after half of `delay`, and answers where it does.
fn far_away(port: u16, delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().port();
    thread("far away", move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            for (from, to) in [(&near, &far), (&far, &near)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                pass(from, to, delay / 2);
            }
        }
    });
    at
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).unwrap();
}

fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (send, due) = mpsc::sync_channel::<(Instant, Vec<u8>)>(1024);
    thread("in", move || {
        let mut bytes = [0; 65536];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if send.send((Instant::now() + delay, bytes[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    thread("out", move || {
        for (due, bytes) in due {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // Whoever was on the other side is gone.
        to.shutdown(std::net::Shutdown::Both).unwrap_or_default();
    });
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn assert_left_safe(result: &Value) {
    let motors = result["stopped"]["motors"].as_array().unwrap();
    assert_eq!(motors.len(), 6, "{result}");
    assert!(motors.iter().all(|motor| motor["ok"] == true), "{result}");
}

#[test]
fn it_drives_from_far_away_and_the_arm_ends_safe() {
    let sandbox = Sandbox::new();
    let folder = policy(&sandbox, 64);
    let port = free();
    let served = serve(&sandbox, folder.to_str().unwrap(), port);
    let far = far_away(port, Duration::from_millis(50));
    let mut chunks = 0;
    for how in [
        &["--inference.type=async"][..],
        &[
            "--inference.type=async",
            "--inference.images=raw",
            "--aggregate_fn_name=weighted_average",
        ],
        &["--inference.type=sync"],
    ] {
        let ended = rollout(&sandbox, far, &[&[CAMERA, "--duration=3"], how].concat());
        assert_eq!(ended.code, 0, "{how:?}: {}", ended.err);
        let result = ended.result();
        assert!(whole(&result["chunks"]) >= 2, "{how:?}: {result}");
        assert_eq!(result["unanswered"], 0, "{how:?}: {result}");
        // What it takes to get there and back is part of it.
        assert!(result["inference_ms"]["p50"].as_f64().unwrap() >= 50.0, "{how:?}: {result}");
        assert_left_safe(&result);
        assert!(ended.err.contains("going back"), "{}", ended.err);
        chunks += whole(&result["chunks"]);
    }
    let result = self::ended(served);
    assert_eq!((&result["robots"], &result["failed"]), (&3.into(), &0.into()), "{result}");
    // One more may have been under way when each of them ended.
    assert!((chunks..=chunks + 3).contains(&whole(&result["answered"])), "{chunks}: {result}");
}

#[test]
fn every_kind_answers_a_robot_and_a_world_elsewhere() {
    for kind in OTHERS {
        let sandbox = Sandbox::new();
        let folder = other(kind);
        let port = free();
        let served = serve(&sandbox, folder.to_str().unwrap(), port);
        let low = "--camera=top=sim@48x48x30";
        let mut chunks = 0;
        for how in ["--inference.type=sync", "--inference.type=async"] {
            let ended = rollout(&sandbox, port, &[low, "--duration=3", how]);
            assert_eq!(ended.code, 0, "{kind}, {how}: {}", ended.err);
            let result = ended.result();
            assert!(whole(&result["chunks"]) >= 2, "{kind}, {how}: {result}");
            assert_eq!(result["unanswered"], 0, "{kind}, {how}: {result}");
            assert_left_safe(&result);
            chunks += whole(&result["chunks"]);
        }
        let (policy, out) = (format!("--policy=zenoh://act@127.0.0.1:{port}"), sandbox.path("out"));
        let words = ["eval", "--json", &policy, "--env=reach", "--episodes=1", "--videos=0"];
        let tried = sandbox.run(&[&words[..], &["--out", out.to_str().unwrap()]].concat());
        assert_eq!(tried.code, 0, "{kind}: {}", tried.err);
        assert_eq!(tried.result()["episodes"], 1, "{kind}");
        let result = ended(served);
        assert_eq!(result["failed"], 0, "{kind}: {result}");
        assert!(whole(&result["answered"]) > chunks, "{kind}: {chunks}, {result}");
    }
}

#[test]
fn robots_of_one_name_are_told_apart() {
    let (here, there) = (Sandbox::new(), Sandbox::new());
    let folder = policy(&here, 64);
    let port = free();
    let served = serve(&here, folder.to_str().unwrap(), port);
    let drive = |sandbox: &Sandbox| {
        let ended = rollout(sandbox, port, &[CAMERA, "--duration=3", "--inference.type=async"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let result = ended.result();
        assert!(whole(&result["chunks"]) >= 2, "{result}");
        assert_eq!(result["unanswered"], 0, "{result}");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| drive(&here));
        scope.spawn(|| drive(&there));
    });
    let result = ended(served);
    assert_eq!((&result["robots"], &result["failed"]), (&2.into(), &0.into()), "{result}");
}

#[test]
fn robots_that_wait_are_answered_together_and_one_that_cannot_be_takes_nobody_along() {
    let sandbox = Sandbox::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/policies/diffusion_ddpm_crop");
    let port = free();
    let served = serve(&sandbox, folder, port);
    let connect = vec![format!("127.0.0.1:{port}")];
    let network = Network::ask(&Options { connect, ..Options::default() }).unwrap();
    let robots: Vec<_> = (0..5)
        .map(|robot| Elsewhere::meet(network.clone(), "act", &format!("robot{robot}")).unwrap())
        .collect();
    // Whoever is answered asks again, and the others come meanwhile.
    std::thread::scope(|scope| {
        for (robot, policy) in robots.iter().enumerate() {
            let joints = if robot == 2 { 3 } else { 2 };
            scope.spawn(move || {
                for _ in 0..10 {
                    let rgb = vec![40 * robot as u8; 64 * 64 * 3];
                    let view = View { width: 64, height: 64, format: "rgb8".into(), data: rgb };
                    let frame = Frame {
                        state: vec![0.1 * robot as f64; joints],
                        environment_state: Vec::new(),
                        images: [("observation.image".to_owned(), view)].into(),
                    };
                    match policy.ask(None, vec![frame], PATIENCE, || true) {
                        Ok(said) => assert_eq!((robot != 2, said.unwrap().width), (true, 2)),
                        Err(error) => {
                            assert!(
                                robot == 2 && error.to_string().contains("3 numbers"),
                                "{error}"
                            );
                        }
                    }
                }
            });
        }
    });
    let result = ended(served);
    assert_eq!((&result["answered"], &result["failed"]), (&40.into(), &10.into()), "{result}");
    assert!(whole(&result["answered_together"]) >= 2, "{result}");
}

#[test]
fn it_does_as_well_from_far_away_as_here() {
    let sandbox = Sandbox::new();
    let along = concat!(env!("CARGO_MANIFEST_DIR"), "/../robot/sim/policy/so101_lift");
    let seeing = policy(&sandbox, 64);
    let out = sandbox.path("out");
    let tried = |policy: &str, more: &[&str]| {
        let policy = format!("--policy={policy}");
        let words = ["eval", "--json", &policy, "--videos=0", "--out", out.to_str().unwrap()];
        let ended = sandbox.run(&[&words[..], more].concat());
        assert_eq!(ended.code, 0, "{}", ended.err);
        let mut result = ended.result();
        result.as_object_mut().unwrap().remove("seconds");
        result
    };
    for (folder, more) in [
        (along, &["--episodes=4", "--parallel=2", "--latency_ms=50"][..]),
        (seeing.to_str().unwrap(), &["--episodes=1", "--env=reach", "--inference.images=raw"]),
    ] {
        let port = free();
        let served = serve(&sandbox, folder, port);
        let far = far_away(port, Duration::from_millis(50));
        let here = tried(folder, &[&["--threads=1"], more].concat());
        let there = tried(&format!("zenoh://act@127.0.0.1:{far}"), more);
        assert_eq!(here, there);
        assert!(folder != along || whole(&here["successes"]) >= 3, "{here}");
        assert_eq!(ended(served)["failed"], 0);
    }
}

#[test]
fn what_does_not_fit_ends_it_before_anything_moves() {
    let sandbox = Sandbox::new();
    let folder = policy(&sandbox, 64);
    let port = free();
    let nobody = rollout(&sandbox, port, &[CAMERA]);
    assert_eq!(nobody.code, 3, "{}", nobody.err);
    assert!(nobody.err.contains(&port.to_string()), "{}", nobody.err);
    let served = serve(&sandbox, folder.to_str().unwrap(), port);
    let other = format!("zenoh://acd@127.0.0.1:{port}");
    let other = sandbox.run(&["rollout", "--policy", &other, "--robot=sim", CAMERA]);
    assert_eq!(other.code, 3, "{}", other.err);
    assert!(other.err.contains("no policy called acd"), "{}", other.err);
    let blind = rollout(&sandbox, port, &["--duration=1"]);
    assert_eq!(blind.code, 4, "{}", blind.err);
    assert!(blind.err.contains("--camera NAME=SOURCE"), "{}", blind.err);
    let large = rollout(&sandbox, port, &["--camera=top=sim@128x64x30", "--duration=1"]);
    assert_eq!(large.code, 4, "{}", large.err);
    assert!(large.err.contains("nothing has moved"), "{}", large.err);
    let side = "--camera=side=sim@64x64x30";
    let map = "--rename_map={observation.images.side: observation.images.top}";
    let renamed = rollout(&sandbox, port, &[side, map, "--duration=1"]);
    assert_eq!(renamed.code, 0, "{}", renamed.err);
    let (path, listen) =
        (format!("--policy.path={}", folder.display()), format!("--listen=127.0.0.1:{}", free()));
    let named = sandbox.run(&["serve-policy", &path, "--name=a/b", &listen]);
    assert_eq!(named.code, 2, "{}", named.err);
    assert_eq!(ended(served)["robots"], 1, "nobody but the last asked anything");
}

#[test]
fn a_policy_that_is_started_anew_drives_on() {
    let sandbox = Sandbox::new();
    let folder = policy(&sandbox, 64);
    let port = free();
    let mut served = serve(&sandbox, folder.to_str().unwrap(), port);
    let words = words(port);
    let words = words.each_ref().map(String::as_str);
    let mut rollout = sandbox.start(&[&words[..], &[CAMERA, "--inference.type=async"]].concat());
    for _ in 0..2 {
        assert_eq!(served.next()["type"], "asks");
        ended(served);
        served = serve(&sandbox, folder.to_str().unwrap(), port);
    }
    assert_eq!(served.next()["type"], "asks");
    rollout.signal("INT");
    let result = rollout.result();
    assert!(whole(&result["chunks"]) >= 3, "{result}");
    assert_left_safe(&result);
    assert_eq!(rollout.end().0, 130);
}

/// Lets a policy fall silent in the middle, and looks how its robot takes it.
fn falls_silent(how: &str) {
    let sandbox = Sandbox::new();
    let folder = policy(&sandbox, 64);
    let port = free();
    let mut served = serve(&sandbox, folder.to_str().unwrap(), port);
    let words = words(port);
    let words = words.each_ref().map(String::as_str);
    let mut rollout = sandbox.start_as_seen(&[&words[..], &[CAMERA]].concat());
    assert_eq!(served.next()["type"], "asks");
    served.signal(how);
    rollout.read_to("for 10 s nobody answered: zenoh://act@");
    let (code, _) = rollout.end();
    assert_eq!(code, 3);
}

#[test]
fn a_policy_that_was_killed_is_waited_for_and_then_given_up() {
    falls_silent("KILL");
}

#[test]
fn a_policy_that_hangs_is_waited_for_and_then_given_up() {
    falls_silent("STOP");
}
