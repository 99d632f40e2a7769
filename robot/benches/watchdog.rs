//! How long a hosted arm goes on once its line has failed, seen on its servos' own bus:
//!
//! ```text
//! cargo bench -p sinew --bench watchdog [-- ROUNDS]
//! ```
//! `sinew host` has an arm on a virtual bus in a process of its own, which writes down every packet. Somebody
//! drives it over a line with weather. What counts is the time from the failure to the packet that takes the
//! torque off the last motor; under loss and jitter, from the last message that was heard.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "../../tests/line.rs"]
mod line;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use line::{Line, Weather};
use sinew_drivers::arm::Follower;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::{ArmSpec, Clock, Nanos};
use sinew_net::remote::{Driver, RemoteArm, Robot};
use sinew_net::{Network, Options};

/// What happens to a line: in words, whether it is over at once, and how it is done.
type Way<'a> = (&'a str, bool, &'a dyn Fn(&Line));

const BINARY: &str = env!("CARGO_BIN_EXE_sinew");
/// The watchdog's time.
const WATCHDOG: Nanos = 500 * MILLI;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn start(home: &Path, words: &[&str]) -> Running {
    let mut command = Command::new(BINARY);
    command.env("HOME", home).env_remove("HF_LEROBOT_HOME").stdin(Stdio::null());
    let child = command.args(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.contains("ready"), "{line}");
    // What it says later is nobody's business, but it must be able to say it.
    let read = std::thread::Builder::new().name("lines".into());
    read.spawn(move || lines.lines().for_each(drop)).unwrap();
    running
}

/// When torque was taken off each servo for the first time after an instant.
fn let_go(record: &Path, after: Nanos) -> BTreeMap<String, Nanos> {
    let mut first = BTreeMap::new();
    for line in std::fs::read_to_string(record).unwrap().lines() {
        let Ok(packet) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let (at, bytes) = (packet["t_ns"].as_i64().unwrap_or(0), packet["bytes"].as_str());
        let bytes = bytes.unwrap_or_default();
        // FF FF FE length SYNC_WRITE Torque_Enable 1, then an id and 0 for each
        let off = bytes.starts_with("fffffe") && bytes.get(8..14) == Some("832801");
        if off && packet["from"] == "host" && at > after {
            // The length counts the instruction, the address, the width and the sum besides.
            let data = usize::from_str_radix(&bytes[6..8], 16).unwrap() - 4;
            let ids = bytes.as_bytes()[14..14 + 2 * data].chunks(4);
            for id in ids.filter(|pair| pair.ends_with(b"00")) {
                first.entry(String::from_utf8_lossy(&id[..2]).into_owned()).or_insert(at);
            }
        }
    }
    first
}

fn connect(at: SocketAddr) -> Option<RemoteArm> {
    let network = Network::ask(&Options { connect: vec![at.to_string()], ..Options::default() });
    let robot = Robot::find(&network.ok()?, "bench", Clock::Real).ok()?;
    let spec = ArmSpec::builtin("so101_follower").unwrap();
    robot.take(vec![spec], Driver { who: "bench".into(), ..Driver::default() }).ok()?.pop()
}

/// Drives for so long; answers when a command was given last.
fn drive(arm: &mut RemoteArm, span: Duration) -> Nanos {
    let (end, mut deadline) = (Instant::now() + span, Clock::Real.now());
    let mut last = deadline;
    while Instant::now() < end {
        Clock::Real.sleep_until(deadline);
        deadline += SECOND / 60;
        if arm.observe().is_err() {
            break;
        }
        let mut goal = arm.observation().values.clone();
        goal[0] = 10.0 * (deadline as f64 / SECOND as f64).sin();
        if arm.command(&goal).is_err() {
            break;
        }
        last = Clock::Real.now();
    }
    last
}

fn main() {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(20);
    let home = tempfile::tempdir().unwrap();
    let (port, record) = (home.path().join("bench"), home.path().join("packets.jsonl"));
    let file =
        home.path().join(".cache/huggingface/lerobot/calibration/robots/so_follower/bench.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let [port, record_, file] = [&port, &record, &file].map(|path| path.to_str().unwrap());
    let bus = ["--json", "sim", "bus", "--arm", "so101", "--link", port, "--calibration", file];
    let _bus = start(home.path(), &[&bus[..], &["--record", record_]].concat());
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = listen.to_string();
    let _host = start(
        home.path(),
        &[
            "--json",
            "host",
            "--robot.type=so101_follower",
            "--robot.id=bench",
            "--dry_run_s=0",
            "--robot.port",
            port,
            "--listen",
            &at,
        ],
    );
    let gone = |line: &Line| line.weather(Weather { dead: true, ..Weather::default() });
    let cut = |line: &Line| {
        gone(line);
        line.cut();
    };
    let bad = |weather: Weather| move |line: &Line| line.weather(weather);
    let jitter = bad(Weather { jitter: Duration::from_millis(200), ..Weather::default() });
    let loss = bad(Weather { loss: 0.3, ..Weather::default() });
    let ways: [Way<'_>; 4] = [
        ("connection cut", true, &cut),
        ("line goes dead", true, &gone),
        ("30 % lost, then dead", false, &loss),
        ("200 ms of jitter, then dead", false, &jitter),
    ];
    println!("watchdog {} ms; {rounds} rounds each", WATCHDOG / MILLI);
    for (name, at_once, fail) in ways {
        let (mut spans, mut stopped_before) = (Vec::new(), 0);
        for _ in 0..rounds {
            let line = Line::to(listen);
            let Some(mut arm) = connect(line.address()) else { panic!("{name}: nobody answers") };
            arm.configure().unwrap();
            let driven = Clock::Real.now();
            drive(&mut arm, Duration::from_millis(700));
            // Its holder was not heard for too long on a machine that is busy: it is limp already.
            if arm.stopped().is_some() {
                stopped_before += 1;
                continue;
            }
            let mut failed = Clock::Real.now();
            fail(&line);
            if at_once {
                drive(&mut arm, Duration::from_millis(300));
            } else {
                drive(&mut arm, Duration::from_millis(2000));
                failed = Clock::Real.now();
                gone(&line);
            }
            std::thread::sleep(Duration::from_millis(1500));
            let off = let_go(&record, driven);
            assert_eq!(off.len(), 6, "{name}: {off:?}");
            // What is late for too long stops an arm as well, and nobody has to pull a cable.
            if off.values().any(|at| *at < failed) {
                stopped_before += 1;
                continue;
            }
            spans.push(off.values().max().unwrap() - failed);
        }
        spans.sort_unstable();
        if spans.is_empty() {
            println!("{name:28} stopped before the line was dead, every time");
            continue;
        }
        let ms = |share: f64| {
            let place = (spans.len().max(1) - 1) as f64 * share;
            spans.get(place.round() as usize).map_or(f64::NAN, |span| *span as f64 / MILLI as f64)
        };
        println!(
            "{name:28} limp after p50 {:.0} ms, max {:.0} ms in {} rounds; stopped before that in {stopped_before}",
            ms(0.5),
            ms(1.0),
            spans.len()
        );
    }
}
