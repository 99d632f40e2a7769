//! What video costs: thread CPU time per frame of 640x480, written and read.
//!
//! `cargo bench -p sinew-datasets --bench video`; with `SINEW_PEER_PYTHON` set to a Python that has
//! LeRobot, its PyAV and torchcodec read the same files beside it.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

#[allow(dead_code)] // what the other benches need of it
mod clip;

use std::path::Path;
use std::process::Command;

use clip::{FPS, HEIGHT, WIDTH, thread_cpu_ms};
use sinew_datasets::video::{VideoReader, VideoWriter, i420_to_rgb, rgb_to_i420};
use sinew_datasets::{Image, PixelFormat};

const FRAMES: u32 = 120;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let clip = clip::clip(FRAMES);
    let planar: Vec<Image> = clip.iter().map(planar).collect();

    report("colour, RGB to I420", FRAMES, || {
        let mut planes = vec![0; PixelFormat::I420.len(WIDTH, HEIGHT)];
        clip.iter().for_each(|image| rgb_to_i420(image.pixels(), WIDTH, HEIGHT, &mut planes));
    });
    report("colour, I420 to RGB", FRAMES, || {
        planar.iter().for_each(|image| drop(i420_to_rgb(image.pixels(), WIDTH, HEIGHT)));
    });
    let ms = report("encode RGB", FRAMES, || encode(&path, &clip));
    println!("  two cameras at 30 fps: {:.1} % of a core", ms * 60.0 / 10.0);
    report("encode I420", FRAMES, || encode(&path, &planar));
    report("encode, the same frame again", FRAMES, || still(&folder.path().join("still"), &clip));
    println!("  {} bytes", path.metadata().unwrap().len());
    decode("H.264", &path);
    match std::env::var_os("SINEW_BENCH_AV1") {
        Some(path) => decode("AV1", Path::new(&path)),
        None => println!("SINEW_BENCH_AV1 names no file: AV1 is left out"),
    }
    match std::env::var_os("SINEW_PEER_PYTHON") {
        Some(python) => peers(Path::new(&python), &path),
        None => println!("SINEW_PEER_PYTHON is not set: peers are left out"),
    }
}

fn encode(path: &Path, images: &[Image]) {
    let mut writer = VideoWriter::create(path, WIDTH, HEIGHT, FPS).unwrap();
    images.iter().for_each(|image| writer.push(image).unwrap());
    writer.finish().unwrap();
}

fn still(path: &Path, images: &[Image]) {
    let mut writer = VideoWriter::create(path, WIDTH, HEIGHT, FPS).unwrap();
    writer.push(&images[0]).unwrap();
    (1..images.len()).for_each(|_| writer.repeat().unwrap());
    writer.finish().unwrap();
}

fn decode(name: &str, path: &Path) {
    let frames = VideoReader::open(path).unwrap().info().frames;
    report(&format!("decode {name} in order"), frames as u32, || {
        let mut reader = VideoReader::open(path).unwrap();
        (0..frames).for_each(|n| drop(reader.frame(n).unwrap()));
    });
    let mut random = fastrand::Rng::with_seed(1);
    report(&format!("decode {name} at random"), 100, || {
        let mut reader = VideoReader::open(path).unwrap();
        (0..100).for_each(|_| drop(reader.frame(random.u64(..frames)).unwrap()));
    });
}

/// Runs it three times and prints the best.
fn report(what: &str, frames: u32, mut run: impl FnMut()) -> f64 {
    let best = (0..3).map(|_| {
        let start = thread_cpu_ms();
        run();
        (thread_cpu_ms() - start) / f64::from(frames)
    });
    let best = best.min_by(f64::total_cmp).unwrap();
    println!("{what:<32} {best:8.3} ms CPU per frame");
    best
}

fn planar(image: &Image) -> Image {
    let mut planes = vec![0; PixelFormat::I420.len(WIDTH, HEIGHT)];
    rgb_to_i420(image.pixels(), WIDTH, HEIGHT, &mut planes);
    Image::new(WIDTH, HEIGHT, PixelFormat::I420, planes).unwrap()
}

fn peers(python: &Path, path: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/video_peers.py");
    let ran = Command::new(python).arg(script).arg(path).output().unwrap();
    println!("{}", String::from_utf8_lossy(&ran.stdout).trim_end());
    if !ran.status.success() {
        println!("{}", String::from_utf8_lossy(&ran.stderr).trim_end());
    }
}
