//! Real drivers against the virtual bus: Feetech's and Robotis' own SDKs, and LeRobot's arms.
//!
//! They need a Python with those packages; `SINEW_PEER_PYTHON` names it. Without it each test
//! says on stderr that it was skipped.

mod datasets;
mod edits;
mod ffprobe;
mod rerun;

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sinew_core::register::Reg;
use sinew_core::tables::by_name;
use sinew_drivers::Clock;
use sinew_drivers::sim::{self, Device, VirtualBus, control, pty};

/// The SDKs give up on an answer after some thirty milliseconds; peers that compete for the
/// processor with each other would lose them.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Names the Python that has the peers.
const PYTHON: &str = "SINEW_PEER_PYTHON";

/// Runs a peer's script against a virtual arm behind a pseudo-terminal. Returns the bus as the
/// peer left it, or `None` where there is no Python with peers.
fn run(test: &str, script: &str, arm: &str, arguments: &[&str]) -> Option<VirtualBus> {
    let spec = sim::arm::by_name(arm).unwrap();
    run_on(test, script, sim::arm::devices(&spec), arguments)
}

/// As [`run`], against these servos.
fn run_on(
    test: &str,
    script: &str,
    devices: Vec<Device>,
    arguments: &[&str],
) -> Option<VirtualBus> {
    let bus = VirtualBus::new(devices, Clock::Real, 0);
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("port");
    let socket = control::socket_of(&link);
    let _port = pty::serve(&bus, &link).unwrap();
    let _control = control::serve(&bus, &socket).unwrap();
    let ports = [link.to_str().unwrap(), socket.to_str().unwrap()];
    self::script(test, script, &[&ports, arguments].concat()).map(|_report| bus)
}

/// Runs a peer's script and returns its report, or `None` where there is no Python with peers, or
/// none with this one.
pub(crate) fn script(test: &str, script: &str, arguments: &[&str]) -> Option<Value> {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("SKIPPED {test}: set {PYTHON} to a Python with the peers' packages");
        return None;
    };
    // A peer that failed says nothing about the next.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script))
        .args(arguments)
        .env("HF_LEROBOT_HOME", folder.path())
        .env("HF_HOME", folder.path().join("hub"))
        .env("HF_HUB_OFFLINE", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {arguments:?}:\n{said}\n{complained}");
    let last = said.lines().last().unwrap_or_default();
    let report: Value = serde_json::from_str(last).unwrap();
    if let Some(why) = report["skipped"].as_str() {
        eprintln!("SKIPPED {test}: {why}");
        return None;
    }
    assert!(report["checks"].as_u64().unwrap() > 0, "{report}");
    eprintln!("{test}: {report}");
    Some(report)
}

/// What every peer must have left behind: no servo under torque, no servo with a fault.
fn assert_left_limp(bus: &VirtualBus) {
    for servo in bus.servos() {
        assert!(!servo.torque, "servo {} still holds", servo.id);
        assert!(servo.faults.is_empty(), "servo {}: {}", servo.id, servo.faults);
    }
}

#[test]
fn feetechs_sdk_takes_it_for_an_so101() {
    if let Some(bus) = run("scservo_sdk", "sdk_feetech.py", "so101_follower", &[]) {
        assert_left_limp(&bus);
    }
}

#[test]
fn robotis_sdk_takes_it_for_a_koch() {
    if let Some(bus) = run("dynamixel_sdk", "sdk_dynamixel.py", "koch_follower", &[]) {
        assert_left_limp(&bus);
    }
}

#[test]
fn lerobots_arms_connect_calibrate_and_move() {
    for (arm, gain) in [("so101_follower", 16), ("so101_leader", 32), ("koch_follower", 640)] {
        let Some(bus) = run(arm, "lerobot_arm.py", arm, &[arm]) else { return };
        assert_left_limp(&bus);
        // LeRobot's configure reached the registers: it lowers the SO-101 follower's gain only.
        bus.change(1, |device| assert_eq!(device.servo.get(Reg::PCoefficient), gain));
    }
}

#[test]
fn lerobot_sets_up_a_fresh_servo() {
    let (series, model) = by_name("sts3215").unwrap();
    let mut fresh = Device::new(series, model, 1);
    fresh.servo.set(Reg::BaudRate, i32::from(series.baud_code(115_200).unwrap()));
    if let Some(bus) = run_on("setup_motor", "lerobot_setup.py", vec![fresh], &[]) {
        let servo = bus.servo(6).unwrap();
        assert_eq!((servo.baud, servo.torque), (1_000_000, false));
    }
}
