//! zenoh's own Python client takes a hosted arm for what docs/NETWORK.md says.

use crate::sandbox::{Running, Sandbox};

use super::script;

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
    let (host, place) = hosted(&sandbox, "peer", &[]);
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
