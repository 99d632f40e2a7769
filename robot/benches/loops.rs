//! How steady the loops are, on virtual servo buses in processes of their own:
//!
//! ```text
//! cargo bench -p sinew --bench loops -- [teleoperate] [record] [push] [rollout]
//! ```
//! `rollout`: 210 Hz control with two cameras recorded and a policy on the other core, beside a bare
//! loop that only sleeps, with the same priority, at the same time. `teleoperate`: 60 Hz without
//! cameras, with the CPU it takes. `record`: 30 Hz with two cameras, and in short episodes that go up to a
//! hub beside it. With `SINEW_PEER_PYTHON` LeRobot's
//! own loops run on the same buses.
//! `SINEW_BENCH_POLICY` names an ACT checkpoint with the cameras `top` and `wrist` of 480×640, such as
//! `policies/benches/policies.py FOLDER act2 1` writes. `SINEW_BENCH_SECONDS` (10) and
//! `SINEW_BENCH_ROUNDS` (5) say how long and how often.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use sinew_drivers::Clock;
use sinew_drivers::clock::{MICRO, SECOND};

const BINARY: &str = env!("CARGO_BIN_EXE_sinew");

/// A process that ends with the bench.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended by itself needs no more.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn sinew(home: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.env("HOME", home).env_remove("HF_LEROBOT_HOME").stdin(Stdio::null());
    command
}

/// A virtual arm in a process of its own.
fn bus(home: &Path, kind: &str, folder: &str, id: &str) -> (Running, PathBuf) {
    let port = home.join(id);
    let file =
        home.join(".cache/huggingface/lerobot/calibration").join(folder).join(format!("{id}.json"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut child = sinew(home)
        .args(["--json", "sim", "bus", "--arm", kind, "--link"])
        .arg(&port)
        .arg("--calibration")
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("ready"), "{line}");
    (Running(child), port)
}

/// Runs a command to its end: its result, and the CPU seconds it took.
fn run(mut command: Command) -> (Value, f64) {
    let before = children();
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let took = children() - before;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut results = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let result = results.find(|line| line["type"] == "result" && line["error"].is_null());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (result.unwrap_or_else(|| panic!("no result: {error}{text}")), took)
}

/// The CPU seconds of all children that have ended.
fn children() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a valid place for one rusage, and all zeros make one.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// What a loop that only sleeps, and then is busy for a moment, takes in microseconds.
#[derive(Default)]
struct Bare {
    /// To wake.
    wake: Vec<u64>,
    /// For [`BUSY`] of work.
    work: Vec<u64>,
}

/// As long as the median tick of ours works.
const BUSY: i64 = 20 * MICRO;

/// Runs such a loop until `over`.
fn bare(fps: f64, over: &AtomicBool) -> Bare {
    let parameter = libc::sched_param { sched_priority: 20 };
    // SAFETY: `parameter` is a valid sched_param, and 0 means the calling thread.
    let granted =
        unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) } == 0;
    let clock = Clock::Real;
    let period = (SECOND as f64 / fps) as i64;
    let mut found = Bare::default();
    let micros = |span: i64| u64::try_from(span / MICRO).unwrap_or(0);
    let mut deadline = clock.now();
    while !over.load(Ordering::Acquire) {
        clock.sleep_until(deadline);
        let woke = clock.now();
        found.wake.push(micros(woke - deadline));
        while clock.now() - woke < BUSY {
            std::hint::spin_loop();
        }
        found.work.push(micros(clock.now() - woke));
        deadline += period * ((woke - deadline) / period + 1);
    }
    assert!(granted || !found.wake.is_empty());
    found.wake.sort_unstable();
    found.work.sort_unstable();
    found
}

fn quantile(sorted: &[u64], share: f64) -> u64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Control with cameras, a recorder and a policy beside it, and a bare loop at the same time.
fn rollout(home: &Path, port: &Path, policy: &Path, seconds: u64) -> (Value, Bare) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("bare".into());
        let thread = thread.spawn_scoped(scope, || bare(210.0, &over)).unwrap();
        let root = home.join("recorded");
        // The folder of the round before.
        let _none = std::fs::remove_dir_all(&root);
        let mut command = sinew(home);
        command
            .args(["--json", "rollout", "--robot.type=so101_follower", "--robot.id=white"])
            .arg("--robot.port")
            .arg(port)
            .arg("--policy.path")
            .arg(policy)
            .args([
                "--camera=top=pattern",
                "--camera=wrist=pattern",
                "--interpolation_multiplier=7",
            ])
            .args(["--inference.type=async", "--strategy.type=episodic", "--task=bench"])
            .args(["--threads=1", "--dataset.num_episodes=1", "--dry_run_s=1"])
            .arg(format!("--dataset.episode_time_s={seconds}"))
            .arg("--dataset.root")
            .arg(&root);
        let (result, _) = run(command);
        over.store(true, Ordering::Release);
        (result, thread.join().unwrap())
    })
}

/// Records two cameras at LeRobot's rate, and tells how steadily.
fn record(home: &Path, white: &Path, black: &Path, seconds: u64) -> String {
    let mut command = sinew(home);
    command
        .args(["--json", "record", "--robot.type=so101_follower", "--robot.id=white"])
        .arg("--robot.port")
        .arg(white)
        .args(["--teleop.type=so101_leader", "--teleop.id=black", "--teleop.port"])
        .arg(black)
        .args(["--fps=30", "--camera=top=pattern", "--camera=wrist=pattern", "--task=bench"])
        .args(["--dataset.num_episodes=1", "--dry_run_s=0", "--play_sounds=false"])
        .arg(format!("--dataset.episode_time_s={seconds}"))
        .arg("--dataset.root")
        .arg(home.join("teleoperated"));
    let (result, cpu) = run(command);
    format!(
        "{:.1} % of a core; {} of {} ticks late, {} Hz; tick p50 {} p99.9 {} µs; wake p50 {} p99.9 {} µs; \
         missed rows {}, repeated {}",
        cpu / seconds as f64 * 100.0,
        result["late_ticks"],
        result["ticks"],
        result["rate_hz"],
        result["tick_us"]["p50"],
        result["tick_us"]["p999"],
        result["wake_us"]["p50"],
        result["wake_us"]["p999"],
        result["missed_rows"],
        result["repeated_frames"]
    )
}

/// Runs one of LeRobot's loops on these ports, and passes on what its script says.
fn lerobot(home: &Path, what: &str, script: &str, ports: &[&Path], words: &[&str]) {
    let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else {
        println!("LeRobot {what} SKIPPED: SINEW_PEER_PYTHON is not set");
        return;
    };
    let peer = Command::new(&python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(script))
        .args(ports)
        .args(words)
        .env("HF_LEROBOT_HOME", home.join(".cache/huggingface/lerobot"))
        .env("HF_HUB_OFFLINE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&peer.stdout);
    let wrong = String::from_utf8_lossy(&peer.stderr);
    println!("LeRobot {what}: {}", said.lines().last().unwrap_or(&wrong));
}

/// Records with two cameras in short episodes, which go up to a hub beside it or do not.
fn record_and_push(home: &Path, arms: [&Path; 2], seconds: u64, hub: Option<&str>) -> Value {
    let [white, black] = arms;
    let root = home.join("uploaded");
    // The folder of the round before.
    let _none = std::fs::remove_dir_all(&root);
    let mut command = sinew(home);
    command
        .args(["--json", "record", "--robot.type=so101_follower", "--robot.id=white"])
        .arg("--robot.port")
        .arg(white)
        .args(["--teleop.type=so101_leader", "--teleop.id=black", "--teleop.port"])
        .arg(black)
        .args(["--camera=top=pattern", "--camera=wrist=pattern", "--task=bench"])
        .args(["--dataset.episode_time_s=3", "--dataset.reset_time_s=0", "--dataset=me/bench"])
        .args(["--dry_run_s=0", "--play_sounds=false"])
        .arg(format!("--dataset.num_episodes={}", (seconds / 3).max(1)))
        .arg("--dataset.root")
        .arg(&root);
    if let Some(url) = hub {
        command.arg("--push").env("HF_ENDPOINT", url).env("HF_TOKEN", "bench");
    }
    let (result, _) = run(command);
    assert!(hub.is_none() || result["upload"]["done"] == true, "{}", result["upload"]);
    result
}

/// What uploading beside a recording costs its rhythm: one with, one without, in turns.
fn uploading(home: &Path, arms: [&Path; 2], seconds: u64, rounds: u64) {
    let mut child = sinew(home)
        .args(["--json", "hub", "serve", "--port=0"])
        .arg(home.join("hub"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let _hub = Running(child);
    let ready: Value = serde_json::from_str(&line).unwrap();
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let alone = record_and_push(home, arms, seconds, None);
        let pushing = record_and_push(home, arms, seconds, ready["endpoint"].as_str());
        let of = |result: &Value, what: &str, share: &str| result[what][share].as_f64().unwrap();
        ratios.push(of(&pushing, "wake_us", "p999") / of(&alone, "wake_us", "p999").max(1.0));
        let line = |result: &Value| {
            format!(
                "wake p50 {} p99.9 {} µs, tick p50 {} p99.9 {} µs, {} of {} ticks late, missed rows {}",
                result["wake_us"]["p50"],
                result["wake_us"]["p999"],
                result["tick_us"]["p50"],
                result["tick_us"]["p999"],
                result["late_ticks"],
                result["ticks"],
                result["missed_rows"]
            )
        };
        println!("record alone, round {round}: {}", line(&alone));
        println!(
            "record --push, round {round}: {}; {} sent",
            line(&pushing),
            pushing["upload"]["bytes"]
        );
    }
    println!("wake p99.9 with an upload beside, median of {rounds}: {:.2}×", median(ratios));
}

/// Teleoperates without cameras, and lets LeRobot do the same.
fn teleoperate(home: &Path, white: &Path, black: &Path, seconds: u64) {
    let length = seconds.to_string();
    let mut command = sinew(home);
    command
        .args(["--json", "teleoperate", "--robot.type=so101_follower", "--robot.id=white"])
        .arg("--robot.port")
        .arg(white)
        .args(["--teleop.type=so101_leader", "--teleop.id=black", "--fps=60", "--dry_run_s=0"])
        .arg("--teleop.port")
        .arg(black)
        .arg(format!("--teleop_time_s={seconds}"));
    let (result, cpu) = run(command);
    println!(
        "teleoperate 60 Hz: {:.2} % of a core; {} of {} ticks late; tick p50 {} p99.9 {} µs",
        cpu / seconds as f64 * 100.0,
        result["late_ticks"],
        result["ticks"],
        result["tick_us"]["p50"],
        result["tick_us"]["p999"]
    );
    lerobot(home, "teleoperate 30 Hz", "loops.py", &[white, black], &["30", &length]);
    lerobot(home, "teleoperate 60 Hz", "loops.py", &[white, black], &["60", &length]);
}

/// What can be asked for.
const PARTS: [&str; 4] = ["teleoperate", "record", "push", "rollout"];

/// The parts that were asked for: all where none is named.
fn parts() -> Vec<String> {
    let mut parts: Vec<_> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for part in &parts {
        assert!(PARTS.contains(&&**part), "there is no part {part:?}, but {PARTS:?}");
    }
    if parts.is_empty() {
        parts.extend(PARTS.map(str::to_owned));
    }
    parts
}

fn main() {
    let parts = parts();
    let asked = |part: &str| parts.iter().any(|asked| asked == part);
    let (seconds, rounds) = (setting("SINEW_BENCH_SECONDS", 10), setting("SINEW_BENCH_ROUNDS", 5));
    let length = seconds.to_string();
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (_follower, white) = bus(home, "so101", "robots/so_follower", "white");
    let (_leader, black) = bus(home, "so101_leader", "teleoperators/so_leader", "black");
    if asked("teleoperate") {
        teleoperate(home, &white, &black, seconds);
    }
    if asked("record") {
        println!("record 30 Hz, two cameras 640x480: {}", record(home, &white, &black, seconds));
        for streaming in ["false", "true"] {
            let folder = home.join(format!("lerobot-{streaming}"));
            let words = ["30", &length, folder.to_str().unwrap(), streaming];
            let what = format!("record, streaming_encoding={streaming}");
            lerobot(home, &what, "loops_record.py", &[&white, &black], &words);
        }
    }
    if asked("push") {
        uploading(home, [&white, &black], seconds, rounds);
    }
    if !asked("rollout") {
        return;
    }
    let Some(policy) = std::env::var_os("SINEW_BENCH_POLICY") else {
        println!("rollout SKIPPED: SINEW_BENCH_POLICY is not set");
        return;
    };
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let (result, bare) = rollout(home, &white, Path::new(&policy), seconds);
        let (ours, theirs) =
            (result["wake_us"]["p999"].as_f64().unwrap(), quantile(&bare.wake, 0.999));
        ratios.push(ours / theirs.max(1) as f64);
        println!(
            "rollout 210 Hz, two cameras recorded, round {round}: wake p50 {} p99.9 {ours} µs (bare p50 {} \
             p99.9 {theirs}); work p50 {} p99.9 {} µs (20 µs of bare work p99.9 {}); {} late of {}; missed rows {}, repeated {}; {} chunks of \
             {} ms, {} starved",
            result["wake_us"]["p50"],
            quantile(&bare.wake, 0.5),
            result["work_us"]["p50"],
            result["work_us"]["p999"],
            quantile(&bare.work, 0.999),
            result["late_ticks"],
            result["ticks"],
            result["missed_rows"],
            result["repeated_frames"],
            result["chunks"],
            result["inference_ms"]["p50"],
            result["starved_ticks"]
        );
    }
    println!("wake p99.9 against the bare loop's, median of {rounds}: {:.2}×", median(ratios));
}
