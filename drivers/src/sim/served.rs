//! A virtual arm as other programs meet it: behind a pseudo-terminal, with a control socket beside
//! it, and a record of what passed.

use std::fs::File;
use std::io::{self, LineWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::control::{self, ControlServer};
use super::pty::{self, PtyServer};
use super::{FaultPlan, VirtualBoard, VirtualBus, arm, record};
use crate::{Clock, Error, calibration_file};

/// Which arm to serve, where, and what goes wrong with it.
#[derive(Clone, Debug)]
pub struct Serve {
    /// The arm's name; a short name such as `so101` means the follower.
    pub arm: String,
    /// Where the port is to be found; the control socket is beside it.
    pub link: PathBuf,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// What everything random follows.
    pub seed: u64,
    /// Where every packet and the final registers are written, as JSON lines.
    pub record: Option<PathBuf>,
    /// Calibrates the arm first and writes LeRobot's file there.
    pub calibration: Option<PathBuf>,
    /// Puts a board with reflexes before it; the port is the board's bridge.
    pub board: bool,
}

/// A served arm. Dropping it takes the port away; [`Served::finish`] completes the record first.
pub struct Served {
    bus: VirtualBus,
    record: Option<(PathBuf, Lines)>,
    _control: ControlServer,
    _port: PtyServer,
}

impl Serve {
    /// Puts the arm at its link, in its own time.
    pub fn start(&self) -> Result<Served, Error> {
        let spec = arm::find(&self.arm)?;
        let mut devices = arm::assembled(&spec);
        if let Some(path) = &self.calibration {
            calibration_file::write(path, &arm::calibrate(&mut devices, &spec))?;
        }
        let bus = VirtualBus::new(devices, Clock::Real, self.seed);
        bus.faults(self.faults);
        let record = match &self.record {
            Some(path) => Some((path.clone(), Lines::create(path)?)),
            None => None,
        };
        if let Some((_, lines)) = &record {
            bus.observe(record::json_lines(lines.clone()));
        }
        let socket = control::socket_of(&self.link);
        let (control, port) = if self.board {
            let board = VirtualBoard::new(bus.clone(), Clock::Real);
            (control::serve_board(&board, &socket)?, pty::serve_board(&board, &self.link)?)
        } else {
            (control::serve(&bus, &socket)?, pty::serve(&bus, &self.link)?)
        };
        Ok(Served { bus, record, _control: control, _port: port })
    }
}

impl Served {
    /// The bus behind the port.
    pub fn bus(&self) -> &VirtualBus {
        &self.bus
    }

    /// Writes the final registers of every servo behind the packets and takes the port away.
    pub fn finish(self) -> Result<(), Error> {
        let Some((path, mut lines)) = self.record else { return Ok(()) };
        let mut write = || {
            for state in self.bus.servos() {
                writeln!(lines, "{}", record::final_state(&state))?;
            }
            lines.flush()
        };
        write().map_err(|source| Error::File { path, source })
    }
}

/// A file that is written a line at a time, so that a killed process leaves whole lines.
#[derive(Clone)]
struct Lines(Arc<Mutex<LineWriter<File>>>);

impl Lines {
    fn create(path: &Path) -> Result<Self, Error> {
        let file =
            File::create(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        Ok(Self(Arc::new(Mutex::new(LineWriter::new(file)))))
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::clock::SECOND;
    use crate::port;

    const TORQUE_ON: [u8; 8] = [0xFF, 0xFF, 3, 4, 3, 40, 1, 0xCC];

    fn so101(folder: &Path) -> Serve {
        Serve {
            arm: "so101".to_owned(),
            link: folder.join("arm"),
            faults: FaultPlan::default(),
            seed: 0,
            record: Some(folder.join("record.jsonl")),
            calibration: None,
            board: false,
        }
    }

    #[test]
    fn a_served_arm_is_reached_by_its_link_and_leaves_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let serve = so101(folder.path());
        let served = serve.start().unwrap();
        let link = serve.link.to_str().unwrap();
        let mut wire = port::open(link, 1_000_000, Clock::Real).unwrap();
        wire.send(&TORQUE_ON).unwrap();
        let mut answer = [0; 6];
        let deadline = wire.clock().now() + 5 * SECOND;
        assert_eq!(wire.receive(&mut answer, deadline).unwrap(), 6);
        drop(wire);
        assert!(served.bus().servo(3).unwrap().torque);
        served.finish().unwrap();
        assert!(!serve.link.exists() && !control::socket_of(&serve.link).exists());

        let text = std::fs::read_to_string(folder.path().join("record.jsonl")).unwrap();
        let rows: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |kind: &'static str| rows.iter().filter(move |row| row["type"] == kind);
        let host: Vec<_> = of("packet").filter(|row| row["from"] == "host").collect();
        assert_eq!(host.last().unwrap()["bytes"], "ffff0304032801cc");
        assert!(of("packet").any(|row| row["from"] == "servo"));
        let torques: Vec<_> = of("servo").map(|row| row["torque"].as_bool().unwrap()).collect();
        assert_eq!(torques, [false, false, true, false, false, false]);
    }

    #[test]
    fn what_cannot_be_served_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let serve = so101(folder.path());
        let unknown = Serve { arm: "so1O1".to_owned(), ..serve.clone() };
        assert!(matches!(unknown.start(), Err(Error::NoSuchArm { .. })));
        let nowhere = Serve { record: Some(folder.path().join("no/such/file")), ..serve.clone() };
        assert!(matches!(nowhere.start(), Err(Error::File { .. })));
        let nowhere = Serve { link: folder.path().join("no/link"), ..serve };
        assert!(matches!(nowhere.start(), Err(Error::File { .. })));
    }

    #[test]
    fn a_served_board_is_found_by_its_scheme_and_goes_on_without_its_cable() {
        let folder = tempfile::tempdir().unwrap();
        let serve = Serve { board: true, record: None, ..so101(folder.path()) };
        let served = serve.start().unwrap();
        let name = format!("bridge:{}", serve.link.display());
        // A busy machine may forget about the board for a while, but not for ever.
        let end = Clock::Real.now() + 60 * SECOND;
        let wait = || assert!(Clock::Real.now() < end, "nothing happens any more");
        let mut wire = loop {
            let mut wire = port::open(&name, 1_000_000, Clock::Real).unwrap();
            if wire.bridge().unwrap().board().is_ok() {
                break wire;
            }
            wait();
        };
        let pull = |what: &str| {
            let mut socket = UnixStream::connect(control::socket_of(&serve.link)).unwrap();
            writeln!(socket, "{what}").unwrap();
            let mut answer = String::new();
            BufReader::new(socket).read_line(&mut answer).unwrap();
            serde_json::from_str::<serde_json::Value>(&answer).unwrap()
        };
        assert_eq!(pull(r#""state""#)["board"]["mode"], "free");
        pull(r#""unplug""#);
        while wire.send(&[0]).is_ok() {
            wait();
            std::thread::yield_now();
        }
        // The servos have their power, and hear whoever is on their side of it.
        assert!(served.bus().plugged());
        pull(r#"{"replug":null}"#);
        while wire.reopen().is_err() {
            wait();
            std::thread::yield_now();
        }
        assert!(wire.bridge().unwrap().board().is_ok());
    }
}
