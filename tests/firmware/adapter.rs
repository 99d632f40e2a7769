//! The port that passes bytes: other people's programs talk to servos through it and do not notice.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use serialport::{SerialPort, TTYPort};
use sinew_drivers::clock::MICRO;
use sinew_drivers::sim::{VirtualBus, arm, control};
use sinew_drivers::{Clock, Wire};

use super::machine::{Given, Machine};
use crate::peers;

/// How long it waits for servos before it looks what the program says.
const LOOK: i64 = 200 * MICRO;

/// How long a program waits for a servo, in milliseconds: an emulated processor on a busy machine is slow.
const PATIENCE_MS: u32 = 5000;

/// A pseudo-terminal, the firmware behind it, and servos behind that.
struct Plugged {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
    /// Keeps the terminal between two programs.
    port: TTYPort,
}

impl Plugged {
    fn start(mut machine: Machine, bus: &VirtualBus) -> Self {
        let (ours, mut port) = TTYPort::pair().unwrap();
        port.set_exclusive(false).unwrap();
        port.set_baud_rate(1_000_000).unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let (asked, wire) = (Arc::clone(&end), bus.wire());
        let thread = Builder::new().name("firmware".into());
        let thread = thread.spawn(move || carry(&asked, &mut machine, ours, wire)).unwrap();
        Self { end, thread: Some(thread), port }
    }

    fn path(&self) -> String {
        self.port.name().unwrap()
    }

    /// Unplugs it, and says how many bytes servos have heard.
    fn finish(mut self) -> u64 {
        self.end.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap()
    }
}

/// Carries bytes between the terminal, the firmware and the servos, as USB and copper do.
fn carry(
    end: &AtomicBool,
    machine: &mut Machine,
    mut port: TTYPort,
    mut wire: Box<dyn Wire>,
) -> u64 {
    let (mut asked, mut heard) = ([0; 512], [0; 512]);
    let (mut baud, mut carried) = (0, 0);
    // The firmware's own time: it must not take the emulator's slowness for a pause of the program's.
    let mut time = 0;
    port.set_timeout(Duration::from_secs(5)).unwrap();
    while !end.load(Ordering::Acquire) {
        let before = wire.clock().now();
        let heard_len = wire.receive(&mut heard, before + LOOK).unwrap();
        time += wire.clock().now() - before;
        let wanted = port.baud_rate().unwrap();
        let waiting = (port.bytes_to_read().unwrap() as usize).min(asked.len());
        let asked_len = if waiting > 0 { port.read(&mut asked[..waiting]).unwrap() } else { 0 };
        if heard_len + asked_len == 0 && wanted == baud {
            continue;
        }
        baud = wanted;
        let (wire_bytes, adapter) = (&heard[..heard_len], &asked[..asked_len]);
        let given = Given { wire: wire_bytes, adapter, baud, ..Given::default() };
        let made = machine.step((time / MICRO) as u64, given);
        wire.set_baud(made.baud).unwrap();
        if !made.wire.is_empty() {
            wire.send(&made.wire).unwrap();
            carried += made.wire.len() as u64;
        }
        port.write_all(&made.adapter).unwrap();
    }
    carried
}

/// Runs a peer's script with the firmware between it and an arm.
fn through(test: &str, script: &str, name: &str, arguments: &[&str]) {
    let Some(machine) = Machine::start(test) else { return };
    let bus = VirtualBus::new(arm::devices(&arm::by_name(name).unwrap()), Clock::Real, 0);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    let _control = control::serve(&bus, &socket).unwrap();
    let plugged = Plugged::start(machine, &bus);
    let path = plugged.path();
    let ports = [path.as_str(), socket.to_str().unwrap()];
    let report = peers::patient_script(test, script, &[&ports, arguments].concat(), PATIENCE_MS);
    let carried = plugged.finish();
    assert!(report.is_none() || carried > 100, "{carried} bytes came through");
}

#[test]
fn feetechs_own_sdk_does_not_notice_it() {
    through("scservo_sdk through the firmware", "sdk_feetech.py", "so101", &[]);
}

#[test]
fn robotis_own_sdk_does_not_notice_it() {
    through("dynamixel_sdk through the firmware", "sdk_dynamixel.py", "koch", &[]);
}

#[test]
fn lerobots_arms_do_not_notice_it() {
    for (arm, kind) in
        [("so101", "so101_follower"), ("so101_leader", "so101_leader"), ("koch", "koch_follower")]
    {
        through("LeRobot through the firmware", "lerobot_arm.py", arm, &[kind]);
    }
}
