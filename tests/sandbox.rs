//! The real binary, run as a user runs it, in a home of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use serialport::{SerialPort, TTYPort};
use tempfile::TempDir;

/// After how long a test that waits for another process says so instead of waiting for ever.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A home folder, and the binary in it.
pub struct Sandbox {
    home: TempDir,
    binary: PathBuf,
    variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ended {
    /// Standard output as JSON lines.
    pub fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// The result, which is the last line.
    pub fn result(&self) -> Value {
        let last = self.json().pop().unwrap_or_else(|| panic!("no result: {self:?}"));
        assert_eq!(last["type"], "result", "{self:?}");
        last
    }
}

/// The binary, built once.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let features: &[&str] =
            if cfg!(feature = "ffmpeg") { &["--features", "ffmpeg"] } else { &[] };
        // What Cargo tells a test about its package is not for the Cargo below: crates that watch
        // these names would be built again, now for the binary and next time for the tests.
        let told = std::env::vars_os().map(|(name, _)| name).filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        let mut cargo = Command::new(env!("CARGO"));
        for name in told {
            cargo.env_remove(name);
        }
        let output = cargo
            .args(["build", "--package", "sinew", "--bin", "sinew", "--message-format=json"])
            .args(features)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the binary does not build");
        let messages = String::from_utf8(output.stdout).unwrap();
        let artifact = messages.lines().rev().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message["executable"].as_str().map(PathBuf::from)
        });
        artifact.expect("cargo names the binary it built")
    })
}

impl Sandbox {
    /// A fresh home.
    pub fn new() -> Self {
        let (home, variables) = (tempfile::tempdir().unwrap(), Vec::new());
        Self { home, binary: binary().to_owned(), variables }
    }

    /// The same home, where a variable says something.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A fresh home with the binary as it is now, whatever is built in the hours to come.
    pub fn keeping() -> Self {
        let mut sandbox = Self::new();
        let kept = sandbox.path("the binary");
        std::fs::copy(&sandbox.binary, &kept).unwrap();
        sandbox.binary = kept;
        sandbox
    }

    /// A path in the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.home.path())
            .stdin(Stdio::null());
        // No test asks a hub that is not its own.
        if !self.variables.iter().any(|(name, _)| name == "HF_ENDPOINT") {
            command.env("HF_HUB_OFFLINE", "1");
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `sinew` with these words to its end.
    pub fn run(&self, words: &[&str]) -> Ended {
        self.run_with_input(words, "")
    }

    /// Runs it with something typed on its standard input.
    pub fn run_with_input(&self, words: &[&str], input: &str) -> Ended {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that ends before it has read everything is none of the sandbox's business.
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap_or_default();
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts it and leaves it running.
    pub fn start(&self, words: &[&str]) -> Running {
        let (lines, out) = std::io::pipe().unwrap();
        let mut command = self.command(words);
        let child = command.stdin(Stdio::piped()).stdout(out).spawn().unwrap();
        Running { child, lines: BufReader::new(lines) }
    }

    /// Starts it with both streams in one, as a person sees them.
    pub fn start_as_seen(&self, words: &[&str]) -> Running {
        let (lines, out) = std::io::pipe().unwrap();
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(out.try_clone().unwrap()).stderr(out);
        Running { child: command.spawn().unwrap(), lines: BufReader::new(lines) }
    }

    /// Starts it with both streams in one, and with a terminal to type at.
    pub fn start_at_terminal(&self, words: &[&str]) -> (Running, TTYPort) {
        let (keyboard, terminal) = TTYPort::pair().unwrap();
        let terminal = std::fs::File::open(terminal.name().unwrap()).unwrap();
        let (lines, out) = std::io::pipe().unwrap();
        let mut command = self.command(words);
        command.stdin(terminal).stdout(out.try_clone().unwrap()).stderr(out);
        (Running { child: command.spawn().unwrap(), lines: BufReader::new(lines) }, keyboard)
    }

    /// A simulated, calibrated arm on a port of this home, LeRobot's file in LeRobot's place.
    pub fn arm(&self, kind: &str, id: &str) -> Arm {
        self.arm_with(kind, id, &[])
    }

    /// The same with these flags besides.
    pub fn arm_with(&self, kind: &str, id: &str, more: &[&str]) -> Arm {
        let (folder, name) = match kind.strip_suffix("_leader") {
            Some(_) => ("teleoperators", "so_leader"),
            None => ("robots", "so_follower"),
        };
        let place = format!(".cache/huggingface/lerobot/calibration/{folder}/{name}/{id}.json");
        let (port, file) = (self.path(id), self.path(&place));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let words = ["--json", "sim", "bus", "--arm", kind, "--link", port.to_str().unwrap()];
        let rest = ["--calibration", file.to_str().unwrap()];
        let mut bus = self.start(&[&words[..], &rest[..], more].concat());
        let ready = bus.next();
        assert_eq!(ready["type"], "ready");
        let (name, realtime) =
            (ready["port"].as_str().unwrap(), ready["realtime"].as_bool().unwrap());
        Arm { bus, port, name: name.to_owned(), calibration: file, realtime }
    }
}

/// A command that goes on while the test does other things. It is ended with the test.
pub struct Running {
    child: Child,
    lines: BufReader<std::io::PipeReader>,
}

impl Running {
    /// The next line, waited for; empty at the end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next line of JSON, waited for.
    pub fn next(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line:?}"))
    }

    /// Everything up to the result, waited for.
    pub fn result(&mut self) -> Value {
        loop {
            let line = self.next();
            if line["type"] == "result" {
                return line;
            }
        }
    }

    /// Presses Enter.
    pub fn type_line(&mut self) {
        self.type_word("");
    }

    /// Types a word and presses Enter.
    pub fn type_word(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// Waits for a line with `part` in it, and returns all up to it.
    pub fn read_to(&mut self, part: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(part) {
            assert!(self.lines.read_line(&mut seen).unwrap() > 0, "no {part} in {seen}");
        }
        seen
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end: exit code, and the rest of its output.
    pub fn end(mut self) -> (i32, String) {
        let mut rest = String::new();
        while self.lines.read_line(&mut rest).unwrap() > 0 {}
        (self.child.wait().unwrap().code().unwrap_or(-1), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// A simulated arm in a process of its own.
pub struct Arm {
    /// The process, which ends with the arm.
    bus: Running,
    /// Where its port is.
    pub port: PathBuf,
    /// What commands call it.
    name: String,
    /// LeRobot's file of its calibration.
    pub calibration: PathBuf,
    /// Whether its servos answer however busy the machine is.
    pub realtime: bool,
}

impl Arm {
    /// The port as a word.
    pub fn port(&self) -> &str {
        &self.name
    }

    /// Gives the virtual bus a command and returns its answer.
    pub fn control(&self, command: &str) -> Value {
        let socket = format!("{}.control", self.port.display());
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        writeln!(stream, "{command}").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Asks again and again how the servos stand until they stand as wanted.
    pub fn wait_until(&self, mut wanted: impl FnMut(&Value) -> bool) {
        let patience = Instant::now() + PATIENCE;
        loop {
            let state = self.control("\"state\"");
            if wanted(&state) {
                return;
            }
            assert!(Instant::now() < patience, "it never came to that: {state}");
            // What is waited for happens in other processes, which want the processor.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until every servo holds torque.
    pub fn wait_for_torque(&self) {
        self.wait_until(|state| {
            state["servos"].as_array().unwrap().iter().all(|servo| servo["torque"] == true)
        });
    }

    /// Waits until the host has asked for positions a few times more.
    pub fn wait_until_seen(&self) {
        let requests = |state: &Value| state["requests"].as_u64().unwrap();
        let seen = requests(&self.control("\"state\"")) + 5;
        self.wait_until(|state| requests(state) >= seen);
    }

    /// Ends the bus and returns its last words.
    pub fn end(mut self) -> Value {
        self.bus.signal("TERM");
        self.bus.result()
    }

    /// Which servos hold torque.
    pub fn torques(&self) -> Vec<bool> {
        let state = self.control("\"state\"");
        let servos = state["servos"].as_array().unwrap().iter();
        servos.map(|servo| servo["torque"].as_bool().unwrap()).collect()
    }
}
