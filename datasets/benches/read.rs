//! What reading costs: opening a million frames, an item with a hundred actions to come, and random
//! frames of a video.
//!
//! `cargo bench -p sinew-datasets --bench read`; with `SINEW_PEER_PYTHON` LeRobot reads the very same
//! folders beside it. `SINEW_BENCH_AV1=DIR` names a dataset that LeRobot wrote with AV1 video. Behind
//! `--`, `tables`, `h264` or `av1` is measured alone.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)] // a bench is its own report

#[allow(dead_code)] // what the other bench needs of it
mod clip;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use clip::{FPS, HEIGHT, WIDTH, memory_mb, share, thread_cpu_ms};
use sinew_datasets::reader::{Deltas, Series, View};
use sinew_datasets::schema::Dtype;
use sinew_datasets::tables::column::Cells;
use sinew_datasets::tables::episodes::{Episode, FileAt};
use sinew_datasets::tables::{data, episodes, tasks};
use sinew_datasets::writer::Options;
use sinew_datasets::{Dataset, Writer, stats};

const EPISODES: u64 = 100;
const LENGTH: u64 = 10_000;

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|word| word == part);
    let folder = tempfile::tempdir().unwrap();
    let (million, video) = (folder.path().join("million"), folder.path().join("video"));
    if wanted("tables") {
        make_million(&million);
        open(&million);
        items(&million);
        peer("million", &million);
    }
    if wanted("h264") {
        make_video(&video);
        by_turns("H.264 of ours", &video);
    }
    if let Some(av1) = std::env::var_os("SINEW_BENCH_AV1").filter(|_| wanted("av1")) {
        by_turns("AV1 of LeRobot's", Path::new(&av1));
    }
}

/// Three rounds, for a machine is not as fast in one minute as in the next.
fn by_turns(name: &str, root: &Path) {
    for round in 1..=3 {
        println!("round {round}");
        frames(name, root);
        peer("video", root);
    }
}

fn open(root: &Path) {
    let mut times = Vec::new();
    let before = memory_mb();
    for _ in 0..5 {
        let start = Instant::now();
        let dataset = Dataset::open(root).unwrap();
        assert_eq!(dataset.len(), EPISODES * LENGTH);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "ours: open a million frames {:.2} ms, {:+.1} MB",
        share(&times, 0.5),
        memory_mb() - before
    );
}

fn items(root: &Path) {
    let dataset = Dataset::open(root).unwrap();
    let ahead: Vec<f64> = (0..100).map(|n| f64::from(n) / f64::from(FPS)).collect();
    let wanted: [(&str, &[f64]); 2] =
        [("observation.state", &[-1.0 / 30.0, 0.0]), ("action", &ahead)];
    for (name, wanted) in [("plain item", &wanted[..0]), ("item with 100 actions", &wanted[..])] {
        let deltas = Deltas::from_seconds(FPS, wanted, 1e-4).unwrap();
        let view = View::new(&dataset, deltas, None).unwrap();
        let mut random = fastrand::Rng::with_seed(0);
        let before = thread_cpu_ms();
        let mut times: Vec<f64> = (0..3000)
            .map(|_| {
                let start = thread_cpu_ms();
                view.item(random.u64(..view.len())).unwrap();
                (thread_cpu_ms() - start) * 1e3
            })
            .collect();
        let mean = (thread_cpu_ms() - before) / 3.0;
        times.sort_by(f64::total_cmp);
        println!(
            "ours: {name}, at random: mean {mean:.1} µs CPU, p50 {:.1} µs, p99 {:.1} µs",
            share(&times, 0.5),
            share(&times, 0.99)
        );
    }
}

fn frames(name: &str, root: &Path) {
    let dataset = Dataset::open(root).unwrap();
    let view = View::new(&dataset, Deltas::default(), None).unwrap();
    let mut random = fastrand::Rng::with_seed(0);
    let mut order: Vec<u64> = (0..100).map(|_| random.u64(..view.len())).collect();
    for kind in ["at random", "in order"] {
        view.item(order[0]).unwrap();
        let start = thread_cpu_ms();
        for at in &order {
            for (_, series) in view.item(*at).unwrap().features {
                // LeRobot hands out red, green and blue.
                if let Series::Images(images) = series {
                    images.iter().for_each(|image| drop(image.to_rgb()));
                }
            }
        }
        println!(
            "ours: {name}, item {kind}: {:.2} ms CPU",
            (thread_cpu_ms() - start) / order.len() as f64
        );
        order = (0..100.min(view.len())).collect();
    }
}

/// As LeRobot's bench makes it: 100 episodes of 10,000 frames, states and actions only, one file.
fn make_million(root: &Path) {
    let mut info = clip::info(0, 0, 0);
    let mut rows = Vec::new();
    let mut table = Vec::new();
    for index in 0..EPISODES {
        let column = |name: &str, dtype: Dtype| {
            let int = |value: &dyn Fn(u64) -> u64| {
                Cells::Numbers((0..LENGTH).flat_map(|row| value(row).to_le_bytes()).collect())
            };
            match (name, dtype) {
                ("timestamp", _) => {
                    let stamps = (0..LENGTH).map(|row| (row as f64 / f64::from(FPS)) as f32);
                    Cells::Numbers(stamps.flat_map(f32::to_le_bytes).collect())
                }
                ("frame_index", _) => int(&|row| row),
                ("episode_index", _) => int(&|_| index),
                ("index", _) => int(&|row| index * LENGTH + row),
                ("task_index", _) => int(&|_| 0),
                _ => {
                    let values = (0..LENGTH * 6).map(|n| (n % 977 + index) as f32);
                    Cells::Numbers(values.flat_map(f32::to_le_bytes).collect())
                }
            }
        };
        let columns: Vec<Cells> =
            info.columns().map(|(name, feature)| column(name, feature.dtype)).collect();
        let every = info.columns().zip(&columns);
        let stats = every.filter_map(|((name, feature), cells)| {
            Some((name.to_owned(), stats::of_column(name, feature, cells, FPS)?))
        });
        table.push(Episode {
            index,
            tasks: vec!["t".into()],
            length: LENGTH,
            data: FileAt::default(),
            from_index: index * LENGTH,
            videos: Vec::new(),
            stats: stats.collect(),
            meta: FileAt::default(),
        });
        rows.push(columns);
    }
    data::write(&root.join("data/chunk-000/file-000.parquet"), &info, &rows).unwrap();
    tasks::write(&root.join(tasks::PATH), &["t".into()]).unwrap();
    episodes::write(&root.join("meta/episodes/chunk-000/file-000.parquet"), &table).unwrap();
    let parts: Vec<_> = table.iter().map(|episode| &episode.stats).collect();
    std::fs::write(root.join("meta/stats.json"), stats::to_text(&stats::aggregate(&parts)))
        .unwrap();
    (info.total_episodes, info.total_frames, info.total_tasks) = (EPISODES, EPISODES * LENGTH, 1);
    std::fs::write(root.join("meta/info.json"), info.to_text()).unwrap();
}

fn make_video(root: &Path) {
    let images = clip::clip(120);
    let mut writer =
        Writer::create(root, clip::info(1, WIDTH, HEIGHT), Options::default()).unwrap();
    for _ in 0..2 {
        let recorder = writer.begin_episode().unwrap();
        for number in 0..120 {
            while recorder.is_busy() {
                std::thread::yield_now();
            }
            recorder.push(&clip::frame(number, &images, 1)).unwrap();
        }
        writer.save_episode().unwrap().unwrap();
    }
    writer.finish().unwrap();
}

fn peer(kind: &str, root: &Path) {
    let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else {
        println!("SINEW_PEER_PYTHON is not set: LeRobot is left out");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/read_peer.py");
    let ran = Command::new(python)
        .arg(script)
        .args([kind.as_ref(), root.as_os_str()])
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", folder.path())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{complaint}");
    print!("{}", String::from_utf8_lossy(&ran.stdout));
}
