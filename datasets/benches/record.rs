//! What recording costs: two cameras of 640x480 at 30 frames per second, in real time.
//!
//! `cargo bench -p sinew-datasets --bench record`; with `SINEW_PEER_PYTHON` LeRobot records the same
//! kind of frames beside it. `SINEW_BENCH_EPISODES=1000` also saves so many episodes;
//! `SINEW_BENCH_MINUTES=60` watches the memory for so long.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)] // a bench is its own report

mod clip;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clip::{FPS, HEIGHT, WIDTH, memory_mb, process_cpu_ms, share, thread_cpu_ms};
use sinew_datasets::Writer;
use sinew_datasets::writer::Options;

const CAMERAS: usize = 2;

fn main() {
    let images = clip::clip(90);
    let ours = paced(&images, 10, 3);
    println!("ours    {ours:8.2} ms CPU per frame of {CAMERAS} cameras, all included");
    match std::env::var_os("SINEW_PEER_PYTHON") {
        Some(python) => {
            let theirs = peer(Path::new(&python));
            println!(
                "LeRobot {theirs:8.2} ms CPU per frame of {CAMERAS} cameras, add_frame and save_episode"
            );
            println!("ratio   {:8.3}", ours / theirs);
        }
        None => println!("SINEW_PEER_PYTHON is not set: LeRobot is left out"),
    }
    if let Some(count) = number("SINEW_BENCH_EPISODES") {
        many(&images, count);
    }
    if let Some(minutes) = number("SINEW_BENCH_MINUTES") {
        long(&images, minutes);
    }
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

/// Pushes a frame each thirtieth of a second; returns the processor time of the whole process per
/// frame.
fn paced(images: &[sinew_datasets::Image], seconds: usize, episodes: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let info = clip::info(CAMERAS, WIDTH, HEIGHT);
    let mut writer = Writer::create(&folder.path().join("set"), info, Options::default()).unwrap();
    let frames = seconds * FPS as usize;
    let prepared: Vec<_> = (0..frames).map(|n| clip::frame(n, images, CAMERAS)).collect();
    let mut pushes = Vec::new();
    let mut walls = Vec::new();
    let begun = process_cpu_ms();
    for episode in 0..episodes {
        let recorder = writer.begin_episode().unwrap();
        let start = Instant::now();
        for (number, frame) in prepared.iter().enumerate() {
            let due = Duration::from_nanos(number as u64 * 1_000_000_000 / u64::from(FPS));
            std::thread::sleep(due.saturating_sub(start.elapsed()));
            let (cpu, wall) = (thread_cpu_ms(), Instant::now());
            recorder.push(frame).unwrap();
            pushes.push(thread_cpu_ms() - cpu);
            walls.push(wall.elapsed().as_secs_f64() * 1e3);
        }
        let cpu = process_cpu_ms();
        let start = Instant::now();
        let saved = writer.save_episode().unwrap().unwrap();
        let (wall, cpu) = (start.elapsed().as_secs_f64() * 1e3, process_cpu_ms() - cpu);
        println!(
            "episode {episode}: save_episode {wall:.1} ms ({cpu:.1} ms CPU), {} frames, {} repeated, {:.0} MB",
            saved.frames,
            saved.repeated,
            memory_mb()
        );
    }
    let cpu = process_cpu_ms() - begun;
    pushes.sort_by(f64::total_cmp);
    walls.sort_by(f64::total_cmp);
    for (name, times) in [("CPU", &pushes), ("wall", &walls)] {
        println!(
            "push, {name}: p50 {:.4} ms, p99 {:.4} ms, p99.9 {:.4} ms, max {:.4} ms",
            share(times, 0.5),
            share(times, 0.99),
            share(times, 0.999),
            share(times, 1.0)
        );
    }
    println!("{:.1} % of a core", cpu / (episodes * seconds) as f64 / 10.0);
    cpu / (frames * episodes) as f64
}

/// Many short episodes: saving the last must take no longer than saving the first.
fn many(images: &[sinew_datasets::Image], count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let info = clip::info(CAMERAS, WIDTH, HEIGHT);
    let mut writer = Writer::create(&folder.path().join("set"), info, Options::default()).unwrap();
    let mut times = Vec::new();
    for episode in 0..count {
        let recorder = writer.begin_episode().unwrap();
        for number in 0..4 {
            recorder.push(&clip::frame(episode + number, images, CAMERAS)).unwrap();
        }
        // The encoders are given the time that real frames would have given them.
        std::thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        writer.save_episode().unwrap().unwrap();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let tenth = (count / 10).max(1);
    for (name, times) in [("first", &times[..tenth]), ("last", &times[count - tenth..])] {
        let mut times = times.to_vec();
        times.sort_by(f64::total_cmp);
        let [middle, most] = [0.5, 1.0].map(|part| share(&times, part));
        println!(
            "{count} episodes, {name} tenth: save_episode p50 {middle:.1} ms, max {most:.1} ms"
        );
    }
}

/// Memory over a long time, in episodes of a minute.
fn long(images: &[sinew_datasets::Image], minutes: usize) {
    println!("{minutes} minutes:");
    paced(images, 60, minutes);
}

fn peer(python: &Path) -> f64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/record_peer.py");
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(python)
        .arg(script)
        .arg(folder.path().join("set"))
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", folder.path().join("hub"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    print!("{said}");
    said.lines().last().and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
}
