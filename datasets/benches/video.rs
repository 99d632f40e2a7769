//! What video costs: thread CPU time per frame of 640x480, written and read.
//!
//! `cargo bench -p sinew-datasets --bench video`; with `SINEW_PEER_PYTHON` set to a Python that has
//! LeRobot, its PyAV and torchcodec read the same files beside it.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use sinew_datasets::video::{VideoReader, VideoWriter, i420_to_rgb, rgb_to_i420};
use sinew_datasets::{Image, PixelFormat};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const FRAMES: u32 = 120;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let clip = clip();
    let planar: Vec<Image> = clip.iter().map(planar).collect();

    report("colour, RGB to I420", FRAMES, || {
        let mut planes = vec![0; PixelFormat::I420.len(WIDTH, HEIGHT)];
        clip.iter().for_each(|image| rgb_to_i420(image.pixels(), WIDTH, HEIGHT, &mut planes));
    });
    report("colour, I420 to RGB", FRAMES, || {
        let mut rgb = vec![0; PixelFormat::Rgb8.len(WIDTH, HEIGHT)];
        planar.iter().for_each(|image| i420_to_rgb(image.pixels(), WIDTH, HEIGHT, &mut rgb));
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
    let mut writer = VideoWriter::create(path, WIDTH, HEIGHT, 30).unwrap();
    images.iter().for_each(|image| writer.push(image).unwrap());
    writer.finish().unwrap();
}

fn still(path: &Path, images: &[Image]) {
    let mut writer = VideoWriter::create(path, WIDTH, HEIGHT, 30).unwrap();
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

/// What this thread has used of the processor; wall time where the system does not tell.
fn thread_cpu_ms() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let used = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    used.map_or_else(
        || START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3,
        |ns| ns / 1e6,
    )
}

/// A texture that moves slowly before gradients that move, and a square before both.
fn clip() -> Vec<Image> {
    let mut random = fastrand::Rng::with_seed(0);
    let wide = WIDTH + 320;
    let texture: Vec<u8> = (0..wide * HEIGHT * 3).map(|_| random.u8(..40)).collect();
    let picture = |frame: u32| {
        let (left, top) = ((40 + frame * 2) % 560, (60 + frame) % 400);
        let mut rgb = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let square = (left..left + 80).contains(&x) && (top..top + 80).contains(&y);
                let from = (x + WIDTH - frame * 3 % WIDTH) % WIDTH;
                let base = [from * 255 / 640, y * 255 / 480, (from + y) * 255 / 1120];
                let at = ((y * wide + x + frame % 320) * 3) as usize;
                let moving =
                    |channel: usize| (base[channel] * 3 / 4) as u8 + texture[at + channel] / 2;
                rgb.extend(if square { [230, 60, 40] } else { [moving(0), moving(1), moving(2)] });
            }
        }
        Image::new(WIDTH, HEIGHT, PixelFormat::Rgb8, rgb).unwrap()
    };
    (0..FRAMES).map(picture).collect()
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
