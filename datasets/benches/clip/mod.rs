//! What the benches record, and how they measure: the clip that LeRobot's own bench makes, and the
//! processor time that the system counts.

use std::sync::Arc;

use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::{Frame, Image, PixelFormat, Stamps, Value};

pub const WIDTH: u32 = 640;
pub const HEIGHT: u32 = 480;
pub const FPS: u32 = 30;

/// A texture that moves slowly before gradients that move, and a square before both.
pub fn clip(frames: u32) -> Vec<Image> {
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
    (0..frames).map(picture).collect()
}

/// A dataset of six joints and so many cameras of this size.
pub fn info(cameras: usize, width: u32, height: u32) -> Info {
    let joints = || (0..6).map(|joint| format!("j{joint}"));
    let mut features = vec![
        ("observation.state".to_owned(), Feature::vector(Dtype::F32, joints())),
        ("action".to_owned(), Feature::vector(Dtype::F32, joints())),
    ];
    for camera in 0..cameras {
        let name = format!("observation.images.cam{camera}");
        features.push((name, Feature::camera(Dtype::Video, width, height)));
    }
    Info::new(FPS, Some("x".into()), features).unwrap()
}

/// One frame of it.
pub fn frame(number: usize, images: &[Image], cameras: usize) -> Frame {
    let image = |camera: usize| Some(images[(number + camera * 7) % images.len()].clone());
    Frame {
        task: Arc::from("t"),
        values: vec![Value::F32(vec![number as f32; 6]), Value::F32(vec![number as f32; 6])],
        images: (0..cameras).map(image).collect(),
        stamps: Stamps::default(),
    }
}

/// Milliseconds of processor time of the calling thread.
pub fn thread_cpu_ms() -> f64 {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Milliseconds of processor time of all threads.
pub fn process_cpu_ms() -> f64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock(id: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours that outlives the call.
    let done = unsafe { libc::clock_gettime(id, &raw mut time) };
    assert_eq!(done, 0, "the system has no clock {id}");
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Megabytes of memory that are this process's own: without files that it maps or that are cached.
pub fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kb = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kb.unwrap_or(f64::NAN) / 1024.0
}

/// The value below which this share of the others lie.
pub fn share(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
