//! A hand and a pair of pliers for a virtual bus that runs in another process: a unix socket that
//! takes one command per line of JSON and answers each with a line of JSON.
//!
//! ```text
//! {"hand":{"id":1,"position":2048}}   hold a joint there (counts, homing offset not applied)
//! {"release":{"id":1}}                let go
//! {"kill":{"id":3}}  {"revive":{"id":3}}
//! {"faults":"lost=0.01"}              what goes wrong from now on
//! {"inject":{"fault":"late","id":3,"times":2}}   what happens to the next answers; id or times may be left out
//! {"supply":{"volts":5.1}}
//! "power_cycle"  "brown_out"  "unplug"  {"replug":"/tmp/other"}  {"replug":null}
//! "state"                             every servo's state, and the faults so far
//! ```
//! Where a board stands before the bus, it is the board's cable that is pulled.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{FaultKind, FaultPlan, VirtualBoard, VirtualBus};
use crate::Error;

/// The longest line that is read.
const LONGEST: u64 = 64 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    Hand { id: u8, position: f64 },
    Release { id: u8 },
    Kill { id: u8 },
    Revive { id: u8 },
    Faults(String),
    Inject { fault: FaultKind, id: Option<u8>, times: Option<u32> },
    Supply { volts: f64 },
    PowerCycle,
    BrownOut,
    Unplug,
    Replug(Option<PathBuf>),
    State,
}

/// The control socket of the bus that is served at `link`.
pub fn socket_of(link: &Path) -> PathBuf {
    let mut name = link.as_os_str().to_owned();
    name.push(".control");
    name.into()
}

/// An open control socket; dropping it closes it.
pub struct ControlServer {
    path: PathBuf,
    over: Arc<AtomicBool>,
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        // Whoever is being talked to may finish; the next one to come in is this, and the end.
        self.over.store(true, Ordering::Release);
        drop(UnixStream::connect(&self.path));
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

/// Listens at `path` for commands to `bus`.
pub fn serve(bus: &VirtualBus, path: &Path) -> Result<ControlServer, Error> {
    listen(bus.clone(), None, path)
}

/// Listens at `path` for commands to `board` and the bus behind it.
pub fn serve_board(board: &VirtualBoard, path: &Path) -> Result<ControlServer, Error> {
    listen(board.bus(), Some(board.clone()), path)
}

fn listen(
    bus: VirtualBus,
    board: Option<VirtualBoard>,
    path: &Path,
) -> Result<ControlServer, Error> {
    let file = |source| Error::File { path: path.to_owned(), source };
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(file)?;
    let over = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&over);
    Builder::new()
        .name("virtual-bus-control".to_owned())
        .spawn(move || {
            for stream in listener.incoming().flatten() {
                if theirs.load(Ordering::Acquire) {
                    break;
                }
                // A client that hangs up in the middle has had its answer or does not want it.
                talk(&bus, board.as_ref(), stream).unwrap_or_default();
            }
        })
        .map_err(file)?;
    Ok(ControlServer { path: path.to_owned(), over })
}

fn talk(bus: &VirtualBus, board: Option<&VirtualBoard>, stream: UnixStream) -> io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if lines.by_ref().take(LONGEST).read_line(&mut line)? == 0 {
            return Ok(());
        }
        if !line.trim().is_empty() {
            writeln!(out, "{}", carry_out(bus, board, &line))?;
        }
    }
}

/// Carries out one command and returns the answer.
pub fn obey(bus: &VirtualBus, line: &str) -> Value {
    carry_out(bus, None, line)
}

fn carry_out(bus: &VirtualBus, board: Option<&VirtualBoard>, line: &str) -> Value {
    let command = match serde_json::from_str::<Command>(line) {
        Ok(command) => command,
        Err(error) => return json!({ "error": format!("not a command: {error}") }),
    };
    let there = |found: bool, id: u8| {
        if found { json!({ "ok": true }) } else { json!({ "error": format!("no servo {id}") }) }
    };
    match command {
        Command::Hand { id, position } => there(bus.hand(id, Some(position)), id),
        Command::Release { id } => there(bus.hand(id, None), id),
        Command::Kill { id } => there(bus.set_dead(id, true), id),
        Command::Revive { id } => there(bus.set_dead(id, false), id),
        Command::Faults(text) => match FaultPlan::parse(&text) {
            Ok(plan) => {
                bus.faults(plan);
                json!({ "ok": true })
            }
            Err(error) => json!({ "error": error.to_string() }),
        },
        Command::Inject { fault, id, times } => {
            bus.inject(fault, id, times.unwrap_or(1));
            json!({ "ok": true })
        }
        Command::Supply { volts } if volts.is_finite() && (0.0..=60.0).contains(&volts) => {
            bus.set_supply(volts);
            json!({ "ok": true })
        }
        Command::Supply { volts } => json!({ "error": format!("{volts} V is no supply") }),
        Command::PowerCycle => {
            bus.power_cycle();
            json!({ "ok": true })
        }
        Command::BrownOut => {
            bus.brown_out();
            json!({ "ok": true })
        }
        Command::Unplug => {
            board.map_or_else(|| bus.unplug(), VirtualBoard::unplug);
            json!({ "ok": true })
        }
        Command::Replug(Some(port)) if board.is_some() => {
            json!({ "error": format!("a board keeps its name, and is not {}", port.display()) })
        }
        Command::Replug(port) => {
            board.map_or_else(|| bus.replug(port), VirtualBoard::replug);
            json!({ "ok": true })
        }
        Command::State => {
            let mut state = state(bus);
            if let (Some(board), Value::Object(state)) = (board, &mut state) {
                let mode = format!("{:?}", board.mode()).to_lowercase();
                state.insert("board".into(), json!({ "mode": mode }));
            }
            state
        }
    }
}

fn state(bus: &VirtualBus) -> Value {
    let servos = bus.servos().into_iter().map(|servo| {
        json!({
            "id": servo.id,
            "model": servo.model,
            "torque": servo.torque,
            "position": servo.position,
            "goal": servo.goal,
            "joint": servo.joint,
            "faults": servo.faults.to_string(),
            "baud": servo.baud,
        })
    });
    json!({ "servos": servos.collect::<Vec<_>>(), "requests": bus.requests(), "faults": bus.fault_counts() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use crate::sim::arm;

    fn bus() -> VirtualBus {
        let spec = arm::by_name("so101").unwrap();
        VirtualBus::new(arm::devices(&spec), Clock::virtual_time(), 0)
    }

    #[test]
    fn a_hand_moves_a_joint_and_lets_go() {
        let bus = bus();
        let moved = obey(&bus, r#"{"hand":{"id":2,"position":1000}}"#);
        assert_eq!(moved, json!({ "ok": true }));
        assert_eq!(bus.servo(2).unwrap().position, 1000);
        assert_eq!(obey(&bus, r#"{"release":{"id":2}}"#), json!({ "ok": true }));
        assert_eq!(obey(&bus, r#""state""#)["servos"][1]["position"], 1000);
    }

    #[test]
    fn faults_can_be_ordered_one_by_one() {
        let bus = bus();
        let mut wire = bus.wire();
        let mut ask = || {
            wire.send(&[0xFF, 0xFF, 2, 2, 1, 0xFA]).unwrap();
            let deadline = wire.clock().now() + 5 * crate::clock::MILLI;
            wire.receive(&mut [0; 16], deadline).unwrap()
        };
        assert_eq!(ask(), 6);
        let order = r#"{"inject":{"fault":"lost","id":2,"times":2}}"#;
        assert_eq!(obey(&bus, order), json!({ "ok": true }));
        assert_eq!([ask(), ask(), ask()], [0, 0, 6]);
        assert_eq!(obey(&bus, r#"{"inject":{"fault":"lost","id":5}}"#), json!({ "ok": true }));
        assert_eq!(ask(), 6);
        assert_eq!(bus.fault_counts().lost, 2);
        assert_eq!(obey(&bus, r#""brown_out""#), json!({ "ok": true }));
        assert_eq!(bus.fault_counts().brownouts, 1);
    }

    #[test]
    fn what_is_no_command_is_said_and_changes_nothing() {
        let bus = bus();
        let before = bus.servos();
        for line in [
            "",
            "null",
            "{}",
            r#""dance""#,
            r#"{"hand":{"id":9,"position":1}}"#,
            r#"{"faults":"lost=7"}"#,
            r#"{"supply":{"volts":1e9}}"#,
            "{\"hand\":{\"id\":300}}",
        ] {
            assert!(obey(&bus, line).get("error").is_some(), "{line}");
        }
        assert_eq!(bus.servos(), before);
    }

    #[test]
    fn the_socket_answers_line_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = socket_of(&folder.path().join("port"));
        let bus = bus();
        let server = serve(&bus, &path).unwrap();
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"{\"kill\":{\"id\":3}}\n\"unplug\"\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        for _ in 0..2 {
            assert_eq!(lines.next().unwrap().unwrap(), r#"{"ok":true}"#);
        }
        assert!(!bus.plugged());
        drop(server);
        assert!(!path.exists());
    }
}
