//! Against what PyAV sees in files that LeRobot and FFmpeg made: see tests/golden/video/make.py.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::begin;
use crate::Error;
use crate::image::Image;
use crate::video::{VideoReader, concat, cut, i420_to_rgb, recover};

/// A file made by a peer.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/video").join(name)
}

fn expected(name: &str) -> Value {
    let all = std::fs::read_to_string(golden("golden.json")).unwrap();
    serde_json::from_str::<Value>(&all).unwrap()[name].clone()
}

fn list<T>(value: &Value, each: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    value.as_array().unwrap().iter().map(|value| each(value).unwrap()).collect()
}

fn rgb(image: &Image) -> Vec<u8> {
    i420_to_rgb(image.pixels(), image.width(), image.height())
}

fn crc_of_rgb(image: &Image) -> u64 {
    let mut crc = u32::MAX;
    for byte in rgb(image) {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
        }
    }
    u64::from(!crc)
}

/// Every frame, in several orders, is to the last bit what PyAV decodes at that time.
fn same_frames(name: &str) {
    let expected = expected(name);
    let mut reader = VideoReader::open(&golden(&format!("{name}.mp4"))).unwrap();
    let info = reader.info().clone();
    assert_eq!(info.codec.name(), expected["codec"]);
    assert_eq!(info.pix_fmt, expected["pix_fmt"]);
    assert_eq!(
        [info.width, info.height].to_vec(),
        list(&expected["size"], |side| Some(side.as_u64()? as u32))
    );
    assert!((info.fps - expected["fps"].as_f64().unwrap()).abs() < 1e-9, "{}", info.fps);
    let times = list(&expected["times"], Value::as_f64);
    let colours = list(&expected["crc32_of_rgb"], Value::as_u64);
    assert_eq!(info.frames, times.len() as u64);
    let mut random = fastrand::Rng::with_seed(7);
    let jumps: Vec<usize> = (0..60).map(|_| random.usize(..times.len())).collect();
    for n in (0..times.len()).chain((0..times.len()).rev()).chain(jumps) {
        let image = reader.frame_at(times[n], 1e-4).unwrap();
        assert_eq!(crc_of_rgb(&image), colours[n], "{name}, frame {n}");
        assert_eq!(reader.frame(n as u64).unwrap(), image);
    }
}

#[test]
fn frames_of_lerobots_av1_are_the_same() {
    same_frames("lerobot_av1");
}

#[test]
fn frames_of_high_profile_h264_are_the_same() {
    same_frames("h264_high");
}

#[test]
fn frames_shown_in_another_order_are_the_same() {
    same_frames("h264_reordered");
}

#[cfg(feature = "ffmpeg")]
#[test]
fn frames_of_hevc_are_the_same() {
    same_frames("hevc");
}

#[cfg(not(feature = "ffmpeg"))]
#[test]
fn hevc_is_described_but_not_decoded() {
    let mut reader = VideoReader::open(&golden("hevc.mp4")).unwrap();
    let info = reader.info();
    assert_eq!((info.codec.name(), info.pix_fmt.as_str(), info.frames), ("hevc", "yuv420p", 20));
    let error = reader.frame(0).unwrap_err();
    assert!(matches!(&error, Error::Codec { codec, .. } if codec == "hevc"));
    let said = error.to_string();
    assert!(said.starts_with("hevc video needs the feature ffmpeg") && said.ends_with("hevc.mp4"));
}

#[test]
fn streams_of_peers_are_joined_and_cut() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["lerobot_av1", "h264_high", "h264_reordered", "hevc"] {
        let file = golden(&format!("{name}.mp4"));
        let frames = VideoReader::open(&file).unwrap().info().frames;
        let out = folder.path().join(name);
        let ranges = concat(&[file.clone(), file.clone()], &out).unwrap();
        let last = frames as f64 / 30.0;
        assert!((ranges[1].0 - last).abs() < 1e-9 && (ranges[1].1 - 2.0 * last).abs() < 1e-9);
        let back = folder.path().join("back");
        let written = cut(&out, ranges[1].0, ranges[1].1, &back).unwrap();
        assert_eq!(written.frames, frames);
        assert_eq!(recover(&out, Some(frames)).unwrap().frames, frames);
        if name == "hevc" && cfg!(not(feature = "ffmpeg")) {
            continue;
        }
        let mut readers = [file, out, back].map(|path| VideoReader::open(&path).unwrap());
        for n in 0..frames {
            let [a, b, c] =
                readers.each_mut().map(|reader| reader.frame_at(n as f64 / 30.0, 1e-4).unwrap());
            assert!(a == b && a == c, "{name}, frame {n}");
        }
    }
    let different = [golden("lerobot_av1.mp4"), golden("h264_high.mp4")];
    assert!(matches!(concat(&different, &folder.path().join("x")), Err(Error::Refused { .. })));
}

/// LeRobot and the decoders under it read what is written here: finished, recovered and joined.
///
/// Runs where `SINEW_PEER_PYTHON` names a Python that has them.
#[test]
fn lerobot_finds_every_frame() {
    let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else { return };
    let folder = tempfile::tempdir().unwrap();
    let [whole, cut_off, joined] =
        ["whole", "cut_off", "joined"].map(|name| folder.path().join(name).with_extension("mp4"));
    begin(&whole, 0, 21).finish().unwrap();
    let mut killed = begin(&cut_off, 3, 20);
    killed.flush().unwrap();
    std::mem::forget(killed);
    assert_eq!(recover(&cut_off, Some(16)).unwrap().frames, 16);
    concat(&[whole.clone(), cut_off.clone(), whole.clone()], &joined).unwrap();
    peers_read(&python, &[whole, cut_off, joined]);
}

/// PyAV, torchcodec and LeRobot find every frame of these videos, with the colours found here.
pub fn peers_read(python: &OsStr, files: &[PathBuf]) {
    for path in files {
        let mut reader = VideoReader::open(path).unwrap();
        let frames = (0..reader.info().frames).map(|n| reader.frame(n).unwrap());
        let rgb: Vec<u8> = frames.flat_map(|image| rgb(&image)).collect();
        std::fs::write(path.with_extension("rgb"), rgb).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/video_files.py");
    let ran = Command::new(python).arg(script).arg("30").args(files).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.lines().last().unwrap_or_default().contains("checks"), "{said}");
}
