//! Real drivers against the virtual bus: Feetech's and Robotis' own SDKs, and LeRobot's arms.
//!
//! They need a Python with those packages; `SINEW_PEER_PYTHON` names it. Without it each test
//! says on stderr that it was skipped.

mod asking;
mod datasets;
mod edits;
mod ffprobe;
mod hub;
mod lekiwi;
mod phone;
mod policies;
mod recording;
mod rerun;
mod served;
mod simulation;
mod zenoh;
mod zmq;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sinew_core::register::Reg;
use sinew_core::tables::by_name;
use sinew_drivers::Clock;
use sinew_drivers::sim::{self, Device, VirtualBus, control, pty};

/// The SDKs give up on an answer after some thirty milliseconds; peers that compete for the
/// processor with each other would lose them.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How long a peer waits for a servo, in milliseconds.
const PATIENCE_MS: u32 = 500;

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
    patient_script(test, script, arguments, PATIENCE_MS)
}

/// As [`script`], with a peer that waits so many milliseconds for a servo.
pub(crate) fn patient_script(
    test: &str,
    script: &str,
    arguments: &[&str],
    patience: u32,
) -> Option<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(test, script, folder.path())?;
    report(test, command.args(arguments).env("SINEW_PEER_PATIENCE", patience.to_string()))
}

/// Runs a peer to its end and returns its report, or `None` where it says that it was skipped.
fn report(test: &str, command: &mut Command) -> Option<Value> {
    // A peer that failed says nothing about the next.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{said}\n{complained}");
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

/// How a peer's script is run, with a folder of its own for what it caches.
fn command(test: &str, script: &str, folder: &Path) -> Option<Command> {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("SKIPPED {test}: set {PYTHON} to a Python with the peers' packages");
        return None;
    };
    Some(with_python(python.as_ref(), script, folder))
}

/// A peer's script in this Python, with a folder of its own for what it caches.
fn with_python(python: &Path, script: &str, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script))
        .env("HF_LEROBOT_HOME", folder)
        .env("HF_HOME", folder.join("hub"))
        .env("HF_HUB_OFFLINE", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The means of a recorded camera's colours, from 0 to 1.
fn means(root: &Path, camera: &str) -> [f64; 3] {
    let stats = std::fs::read_to_string(root.join("meta/stats.json")).unwrap();
    let stats: Value = serde_json::from_str(&stats).unwrap();
    let mean = &stats[format!("observation.images.{camera}")]["mean"];
    [0, 1, 2].map(|channel| mean[channel][0][0].as_f64().unwrap())
}

/// A peer's script that stays, and answers every line with a report: starting one takes seconds.
pub(crate) struct Peer {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Peer {
    /// Starts it, or gives `None` where there is no Python with peers.
    pub(crate) fn start(test: &str, script: &str, arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(test, script, folder.path())?;
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (asked, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Some(Self { child, asked, answers: BufReader::new(answers), _folder: folder })
    }

    /// Asks for one thing, and gives its report; the peer ends where it finds something wrong.
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        writeln!(self.asked, "{line}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let report: Value = serde_json::from_str(&answer)
            .unwrap_or_else(|_ended| panic!("the peer did not like {line}: {answer}"));
        assert!(report["checks"].as_u64().unwrap() > 0, "{report}");
        report
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        drop(self.child.wait());
    }
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
