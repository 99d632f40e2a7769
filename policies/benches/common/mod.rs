//! What both benches share: LeRobot in a process of its own, and clocks.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a bench is its own report

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use sinew_policies::Precision;

/// Whether a word was typed.
pub fn asked(word: &str) -> bool {
    std::env::args().skip(1).any(|argument| argument == word)
}

/// Threads and rounds, as they were typed.
pub fn numbers_asked() -> (usize, usize) {
    let numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let numbers: Vec<usize> = numbers.collect();
    (numbers.first().copied().unwrap_or(1), numbers.get(1).copied().unwrap_or(10))
}

/// The precision that was typed.
pub fn precision() -> Precision {
    let all = [("f16", Precision::F16), ("bf16", Precision::Bf16), ("int8", Precision::Int8)];
    let one = all.into_iter().find(|(word, _)| asked(word));
    one.map_or(Precision::F32, |(_, precision)| precision)
}

/// LeRobot, in a process of its own.
pub struct Peer {
    child: Child,
    says: BufReader<ChildStdout>,
    /// The line that says that it is ready.
    pub ready: String,
}

impl Peer {
    /// Starts a script beside this file with a folder, words and a number of threads. Says so where
    /// there is no Python that has LeRobot.
    pub fn start(script: &str, folder: &Path, words: &[&str], threads: usize) -> Option<Self> {
        let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else {
            println!(
                "SKIPPED: SINEW_PEER_PYTHON names no Python with LeRobot, which makes the networks"
            );
            return None;
        };
        Some(Self::spawn(&python, script, folder, words, threads))
    }

    fn spawn(python: &OsStr, script: &str, folder: &Path, words: &[&str], threads: usize) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(script);
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder)
            .args(words)
            .arg(threads.to_string())
            .env("OMP_NUM_THREADS", threads.to_string())
            .env("HF_HUB_OFFLINE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        while !ready.starts_with("ready") {
            ready.clear();
            assert!(says.read_line(&mut ready).unwrap() > 0, "the peer ended");
        }
        Self { child, says, ready: ready.trim().to_owned() }
    }

    /// Lets it do something; answers wall and CPU milliseconds and what else it said, or nothing
    /// where it cannot do that.
    pub fn run(&mut self, what: &str) -> Vec<f64> {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        let mut line = String::new();
        assert!(self.says.read_line(&mut line).unwrap() > 0, "the peer ended");
        line.split_whitespace().map_while(|number| number.parse().ok()).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// The best wall and the best CPU time.
pub fn best(times: &[[f64; 2]]) -> [f64; 2] {
    times.iter().fold([f64::MAX; 2], |best, time| std::array::from_fn(|at| best[at].min(time[at])))
}

/// CPU milliseconds of this process, all threads.
pub fn cpu_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists and `time` has room for its answer.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The most memory that this process has held.
pub fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}
