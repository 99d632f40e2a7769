//! Somebody lets other programs use a simulated arm.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::sandbox::Sandbox;

#[test]
fn a_person_reads_where_the_bus_is_and_then_how_to_end_it() {
    let sandbox = Sandbox::new();
    let port = sandbox.path("arm");
    let words = ["sim", "bus", "--arm", "so101", "--link", port.to_str().unwrap()];
    let mut bus = sandbox.start_as_seen(&words);
    assert_eq!(bus.line(), format!("so101 at {}", port.display()));
    assert_eq!(bus.line(), "Ctrl-C ends it");
    bus.signal("TERM");
    assert_eq!(bus.end(), (0, String::new()));
}

#[test]
fn a_program_reads_json_alone() {
    let sandbox = Sandbox::new();
    let port = sandbox.path("arm");
    let words = ["--json", "sim", "bus", "--arm", "so101", "--link", port.to_str().unwrap()];
    let mut bus = sandbox.start_as_seen(&words);
    assert_eq!(bus.next()["type"], "ready");
    bus.signal("TERM");
    assert_eq!(bus.next()["type"], "result");
    assert_eq!(bus.end(), (0, String::new()));
}

#[test]
fn a_served_arm_is_teleoperated_and_seen_by_whoever_believes_in_ports_and_cameras() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("sim");
    let links = folder.to_str().unwrap();
    let words = ["--json", "sim", "serve", "--link-dir", links, "--hand"];
    let cameras = ["--camera=front=pattern@64x48x30", "--camera=wrist=pattern@64x48x30"];
    let mut served = sandbox.start_as_seen(&[&words[..], &cameras].concat());
    let ready = served.next();
    assert_eq!(ready["type"], "ready", "{ready}");
    let place = |what: &str| ready[what].as_str().unwrap().to_owned();
    let camera = |name: &str| {
        let address = ready["cameras"][name].as_str().unwrap();
        format!("--camera={name}={address}@64x48x30")
    };
    let root = sandbox.path("recorded");
    let of = |side: &str, name: &str| {
        [
            format!("--{side}.type=so101_{name}"),
            format!("--{side}.port={}", place(name)),
            format!("--{side}.id={name}"),
            format!("--{side}.calibration_dir={}", place("calibration")),
        ]
    };
    let mut words: Vec<String> = ["--json", "record", "--dry_run_s=0", "--task=x"]
        .map(str::to_owned)
        .into_iter()
        .chain(of("robot", "follower"))
        .chain(of("teleop", "leader"))
        .chain([camera("front"), camera("wrist")])
        .collect();
    words.push(format!("--dataset.root={}", root.display()));
    words.extend(["num_episodes=1", "episode_time_s=2"].map(|flag| format!("--dataset.{flag}")));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let recorded = sandbox.run(&words);
    assert_eq!(recorded.code, 0, "{}", recorded.err);
    assert_eq!(recorded.result()["frames"], 60);
    let checked = sandbox.run(&["dataset", "verify", root.to_str().unwrap()]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    served.signal("TERM");
    assert_eq!(served.next()["type"], "result");
    assert_eq!(served.end().0, 0);
    assert!(!folder.join("follower").exists() && !folder.join("leader").exists());
}

#[test]
fn a_person_reads_where_the_served_arm_and_its_cameras_are() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("sim");
    let camera = "--camera=front=pattern@64x48x30";
    let words = ["sim", "serve", "--link-dir", folder.to_str().unwrap(), camera];
    let mut served = sandbox.start_as_seen(&words);
    assert_eq!(served.line(), format!("SO-101 follower at {}", folder.join("follower").display()));
    assert_eq!(served.line(), format!("SO-101 leader at {}", folder.join("leader").display()));
    let camera = served.line();
    let address = camera.strip_prefix("camera front at http://127.0.0.1:").unwrap();
    assert!(address.ends_with("/front.mjpg"), "{camera}");
    assert_eq!(served.line(), "Ctrl-C ends it");
    served.signal("TERM");
    assert_eq!(served.end(), (0, String::new()));
}

#[test]
fn a_learning_program_works_on_a_task_tick_by_tick() {
    let sandbox = Sandbox::new();
    let words = ["--json", "sim", "serve", "--env", "reach", "--lockstep", "0"];
    let mut served = sandbox.start_as_seen(&words);
    let port = served.next()["lockstep"].as_u64().unwrap();
    let mut guests = [(); 2].map(|()| {
        let guest = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
        BufReader::new(guest)
    });
    let mut ask = |guest: usize, request: &str| -> Value {
        let guest = &mut guests[guest];
        writeln!(guest.get_mut(), "{request}").unwrap();
        let mut line = String::new();
        guest.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let ticks = ask(0, "{\"describe\":{}}")["ticks"].as_u64().unwrap();
    let first = ask(0, "{\"reset\":4}");
    let step = "{\"step\":[10,-34,34,52,0,50]}";
    for tick in 1..=ticks {
        assert_eq!(ask(0, step)["over"], tick == ticks, "{tick}");
    }
    // Another guest's world is its own, and the same seed gives the same.
    assert_eq!(ask(1, "{\"reset\":4}"), first);
    assert!(ask(1, "{\"step\":[1]}")["error"].as_str().unwrap().contains("6 values"));
    served.signal("TERM");
    assert_eq!(served.next()["type"], "result");
    assert_eq!(served.end(), (0, String::new()));
}

#[test]
fn whoever_watches_a_task_sees_it_and_hears_how_it_went() {
    let sandbox = Sandbox::new();
    let words = ["sim", "watch", "--env=so101_lift", "--episodes=2", "--camera=side"];
    let told = sandbox.run(&words);
    assert_eq!((told.code, told.out.lines().count()), (0, 2), "{}", told.err);
    assert!(told.out.starts_with("so101_lift, seed 0: achieved in "), "{}", told.out);
    let result = sandbox.run(&[&["--json"], &words[..]].concat()).result();
    assert_eq!((&result["attempts"], &result["achieved"]), (&2.into(), &2.into()), "{result}");
    let unknown = sandbox.run(&["sim", "watch", "--env=so101_fly"]);
    assert_eq!(unknown.code, 2, "{}", unknown.err);
    assert!(unknown.err.contains("so101_lift"), "{}", unknown.err);
}
