//! zenoh's own Python client takes a hosted arm for what docs/NETWORK.md says.

use crate::sandbox::{Running, Sandbox};

use super::{command, script};

/// A simulated arm with a camera on the network, and where it is.
fn hosted(sandbox: &Sandbox, name: &str, more: &[&str]) -> (Running, String) {
    let words = ["--json", "host", "--robot=sim", "--camera=front=sim", "--name", name];
    let mut host = sandbox.start(&[&words[..], more].concat());
    let ready = host.next();
    assert_eq!(ready["type"], "ready", "{ready}");
    let place = ready["listen"][0].as_str().unwrap().to_owned();
    (host, place)
}

#[test]
fn zenohs_client_drives_an_arm_and_is_refused_what_it_may_not() {
    let sandbox = Sandbox::new();
    // Its holder is one script among everything else that a machine runs tests for.
    let (host, place) = hosted(&sandbox, "peer", &["--watchdog_ms=3000"]);
    if script("zenoh", "zenoh_client.py", &["peer", &place]).is_none() {
        return;
    }
    host.signal("TERM");
    let (code, rest) = host.end();
    assert_eq!(code, 130, "{rest}");
    let log = sandbox.path(".local/state/sinew/audit/peer.jsonl");
    let log = std::fs::read_to_string(log).unwrap();
    for event in ["lease_taken", "lease_refused", "lease_released", "driven", "refused", "stopped"]
    {
        assert!(log.contains(&format!(r#""event":"{event}""#)), "no {event} in {log}");
    }
}

/// The example of the documentation, as it stands there.
#[test]
fn what_the_documentation_says_in_python_drives_an_arm() {
    let document = include_str!("../../docs/NETWORK.md");
    let example = document.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let sandbox = Sandbox::new();
    let file = sandbox.path("drive.py");
    std::fs::write(&file, example).unwrap();
    let test = "zenoh example";
    let Some(mut python) = command(test, file.to_str().unwrap(), &sandbox.path("")) else { return };
    let (_host, place) = hosted(&sandbox, "white", &["--watchdog_ms=3000"]);
    let ran = python.args(["white", &place]).output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if complained.contains("ModuleNotFoundError") {
        return eprintln!("SKIPPED {test}: {complained}");
    }
    assert!(ran.status.success(), "{said}{complained}");
    let moved = said.lines().find_map(|line| line.strip_prefix("moved by "));
    let moved: f64 = moved.unwrap().parse().unwrap();
    assert!((15.0..25.0).contains(&moved), "{said}");
    assert_eq!(said.matches("is limp").count(), 6, "{said}");
}

#[test]
fn an_arm_is_in_ros_2s_graph_as_rmw_zenoh_would_find_it() {
    let sandbox = Sandbox::new();
    let (_host, place) = hosted(&sandbox, "ros", &["--ros2", "--ros2-domain=7"]);
    script("ROS 2", "zenoh_ros2.py", &["ros", &place, "7"]);
}

#[test]
fn a_name_that_ros_2_does_not_take_is_refused() {
    let sandbox = Sandbox::new();
    for words in [["--name=arm-1", "--camera=front=sim"], ["--name=arm", "--camera=2nd=sim"]] {
        let ended = sandbox.run(&[&["host", "--robot=sim", "--ros2"], &words[..]].concat());
        assert_eq!(ended.code, 2, "{}", ended.err);
        let told = ended.err.contains("no name in ROS 2") && ended.err.contains("--name");
        assert!(told, "{}", ended.err);
    }
}
