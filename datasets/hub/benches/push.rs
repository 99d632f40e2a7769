//! What a push of a thousand small files takes, beside the official client's `upload_folder` from the
//! same folder to the same hub: once with files that go inside a commit, once with files that go ahead
//! of it. `SINEW_PEER_PYTHON` names a Python that has the client, or several with colons between them.
//!
//! The hub is a process of its own, and so is every push, with files that nobody has pushed before. The
//! clients take turns. Told is what the whole process took, and what it took from the first question to
//! the last answer, without the start of Python and its imports.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a bench is its own report

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use sinew_hub::serve::{self, Server};
use sinew_hub::{Flow, Hub, Kind, Ledger, Local, Options, Push, Repo};

const FILES: usize = 1000;
const ROUNDS: usize = 5;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/push_peer.py");

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", folder] => serve(folder),
        ["push", url, repo, folder] => push(url, repo, Path::new(folder)),
        _ => compare(),
    }
}

/// Serves until the process is killed.
fn serve(folder: &str) {
    let server = Server::start(serve::Options::new(folder)).unwrap();
    println!("{}", server.url());
    server.wait();
}

/// Pushes a folder, and says what that took.
fn push(url: &str, repo: &str, folder: &Path) {
    let (wall, before) = (Instant::now(), cpu(libc::RUSAGE_SELF));
    let options = Options { token: Some("hf_bench".into()), ..Options::default() };
    let hub = Hub::new(url, options).unwrap();
    let repo = Repo::new(Kind::Dataset, repo).unwrap();
    let files = Local::below(folder, |_| true).unwrap();
    let push = Push {
        hub: &hub,
        repo: &repo,
        branch: "main",
        private: false,
        title: "Push",
        files: &files,
        mirror: true,
        replace: false,
        request: false,
    };
    let ledger = Ledger::open(&folder.with_extension(repo.name())).unwrap();
    let pushed = push.run(&ledger, &Flow::default()).unwrap();
    assert_eq!(pushed.changed, FILES);
    let cpu = cpu(libc::RUSAGE_SELF) - before;
    println!("{}", json!({ "wall": wall.elapsed().as_secs_f64(), "cpu": cpu }));
}

/// Seconds of processor time that this process, or all that it has waited for, has taken.
fn cpu(who: libc::c_int) -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a valid place for one rusage, and all zeros make one.
    let usage = unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn compare() {
    let folder = tempfile::tempdir().unwrap();
    let (mut hub, url) = hub(&folder.path().join("hub"));
    let pythons = std::env::var("SINEW_PEER_PYTHON").unwrap_or_default();
    let pythons: Vec<&str> = pythons.split(':').filter(|python| !python.is_empty()).collect();
    for (what, endings) in
        [("inside a commit", ["json", "txt"]), ("ahead of a commit", ["parquet", "bin"])]
    {
        let mut ours = Vec::new();
        let mut theirs = vec![Vec::new(); pythons.len()];
        for round in 0..ROUNDS {
            let fresh = |who: usize| {
                let name = format!("{}-{round}-{who}", endings[0]);
                let source = folder.path().join(&name);
                fill(&source, endings, (round * 100 + who) as u64);
                [url.clone(), format!("local/{name}"), source.to_str().unwrap().to_owned()]
            };
            let mut own = Command::new(std::env::current_exe().unwrap());
            ours.push(took(own.arg("push").args(fresh(0))));
            for (at, (python, before)) in pythons.iter().zip(&mut theirs).enumerate() {
                let mut peer = Command::new(python);
                peer.arg(SCRIPT).args(fresh(at + 1));
                // The hub keeps what it is sent as it is: no detour over chunks.
                peer.env("HF_HUB_DISABLE_XET", "1").env("HF_HUB_DISABLE_PROGRESS_BARS", "1");
                peer.env("HF_HOME", folder.path().join("home"));
                before.push(took(&mut peer));
            }
        }
        println!("{FILES} files of 2 to 20 kB that go {what}, median of {ROUNDS} rounds:");
        line("sinew", &ours, &ours);
        for theirs in &theirs {
            let version = theirs[0]["version"].as_str().unwrap();
            line(&format!("huggingface_hub {version}"), theirs, &ours);
        }
        if theirs.is_empty() {
            println!("  huggingface_hub SKIPPED: SINEW_PEER_PYTHON names no Python with it");
        }
    }
    hub.kill().unwrap();
    hub.wait().unwrap();
}

/// A hub in a process of its own, and its address.
fn hub(folder: &Path) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.arg("serve").arg(folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (child, url.trim().to_owned())
}

fn fill(folder: &Path, endings: [&str; 2], seed: u64) {
    std::fs::create_dir(folder).unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    for number in 0..FILES {
        let bytes: Vec<u8> = match endings[0] {
            "json" => (0..random.usize(2_000..20_000)).map(|_| random.u8(b' '..b'~')).collect(),
            _ => (0..random.usize(2_000..20_000)).map(|_| random.u8(..)).collect(),
        };
        let ending = endings[number % 2];
        std::fs::write(folder.join(format!("file-{number:04}.{ending}")), bytes).unwrap();
    }
}

/// What a push said that it took, and what its process took.
fn took(command: &mut Command) -> Value {
    let (wall, before) = (Instant::now(), cpu(libc::RUSAGE_CHILDREN));
    let output = command.output().unwrap();
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu(libc::RUSAGE_CHILDREN) - before);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    let said = String::from_utf8(output.stdout).unwrap();
    let mut said: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    (said["whole wall"], said["whole cpu"]) = (wall.into(), cpu.into());
    said
}

/// What one client took, beside what ours did.
fn line(who: &str, rounds: &[Value], ours: &[Value]) {
    let told = |what| {
        let (own, other) = (median(ours, what), median(rounds, what));
        format!("{other:6.3} s (ours {:4.2} x)", own / other)
    };
    println!(
        "  {who:24} push: wall {}, processor {}; process: wall {}, processor {}",
        told("wall"),
        told("cpu"),
        told("whole wall"),
        told("whole cpu"),
    );
}

fn median(rounds: &[Value], what: &str) -> f64 {
    let mut all: Vec<f64> = rounds.iter().map(|round| round[what].as_f64().unwrap()).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
