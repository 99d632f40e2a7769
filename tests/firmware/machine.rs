//! A machine that QEMU emulates, running the firmware step by step.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Names the image that was built for it.
const IMAGE: &str = "SINEW_FIRMWARE";
const QEMU: &str = "qemu-system-arm";
/// After how long a machine that does not answer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes that the image takes by one way in a step.
const MOST: usize = 512;
/// Nanoseconds an instruction takes: two to this power. The processor's timer has ticks of 40 of them.
const SHIFT: u32 = 6;

/// The machine. Dropping it switches it off.
pub struct Machine {
    child: Child,
    wire: UnixStream,
    adapter: UnixStream,
    bridge: UnixStream,
    director: UnixStream,
    _folder: tempfile::TempDir,
}

/// What comes to the firmware in a step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// What servos said.
    pub wire: &'a [u8],
    /// What came by the port that passes bytes.
    pub adapter: &'a [u8],
    /// What came by the port of the bridge.
    pub bridge: &'a [u8],
    /// The rate that the host has set on the first port.
    pub baud: u32,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// What servos are to hear.
    pub wire: Vec<u8>,
    /// What goes out by the port that passes bytes.
    pub adapter: Vec<u8>,
    /// What goes out by the port of the bridge.
    pub bridge: Vec<u8>,
    /// The rate of the wire.
    pub baud: u32,
    /// When it wants to be asked again, in microseconds.
    pub wake: u64,
    /// Instructions it took, where they are counted.
    pub instructions: u32,
    /// The deepest that its stack has been, in bytes.
    pub stack: u32,
}

impl Machine {
    /// Switches it on, or says why that cannot be here.
    pub fn start(test: &str) -> Option<Self> {
        Self::switch_on(test, &[])
    }

    /// As [`Machine::start`], with a processor that takes the same time for every instruction, so that
    /// they can be counted.
    pub fn counting(test: &str) -> Option<Self> {
        Self::switch_on(test, &["-icount", &format!("shift={SHIFT},sleep=off")])
    }

    fn switch_on(test: &str, how: &[&str]) -> Option<Self> {
        let Some(image) = std::env::var_os(IMAGE) else {
            eprintln!("SKIPPED {test}: set {IMAGE} to an image that firmware/check has built");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(QEMU);
        command.args(["-M", "mps2-an385", "-display", "none", "-monitor", "none"]);
        command.args(how).arg("-kernel").arg(image);
        let names = ["wire", "adapter", "bridge", "director"];
        let doors = names.map(|name| {
            let path = folder.path().join(name);
            let door = UnixListener::bind(&path).unwrap();
            command.args(["-chardev", &format!("socket,id={name},path={}", path.display())]);
            command.args(["-serial", &format!("chardev:{name}")]);
            door
        });
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let [wire, adapter, bridge, director] = doors.map(|door| {
            let (stream, _) = door.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream
        });
        Some(Self { child, wire, adapter, bridge, director, _folder: folder })
    }

    /// One step at this instant, in microseconds.
    pub fn step(&mut self, now: u64, given: Given) -> Made {
        let lens = [given.wire, given.adapter, given.bridge].map(|bytes| {
            assert!(bytes.len() <= MOST, "{} bytes in one step", bytes.len());
            u16::try_from(bytes.len()).unwrap().to_le_bytes()
        });
        let asked = [&now.to_le_bytes()[..], &lens.concat(), &given.baud.to_le_bytes()];
        self.director.write_all(&asked.concat()).unwrap();
        self.wire.write_all(given.wire).unwrap();
        self.adapter.write_all(given.adapter).unwrap();
        self.bridge.write_all(given.bridge).unwrap();

        let mut said = [0; 28];
        self.director.read_exact(&mut said).unwrap();
        let number = |at: usize| u32::from_le_bytes(said[at..at + 4].try_into().unwrap());
        let bytes = |stream: &mut UnixStream, at: usize| {
            let mut bytes = vec![0; u16::from_le_bytes([said[at], said[at + 1]]).into()];
            stream.read_exact(&mut bytes).unwrap();
            bytes
        };
        // Ticks of 40 ns, of which an instruction is so many.
        let instructions = (u64::from(number(20)) * 40) >> SHIFT;
        Made {
            wake: u64::from_le_bytes(said[..8].try_into().unwrap()),
            wire: bytes(&mut self.wire, 8),
            adapter: bytes(&mut self.adapter, 10),
            bridge: bytes(&mut self.bridge, 12),
            baud: number(16),
            instructions: instructions.try_into().unwrap(),
            stack: number(24),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
