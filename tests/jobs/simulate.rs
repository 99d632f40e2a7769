//! Somebody lets other programs use a simulated arm.

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
