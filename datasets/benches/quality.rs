//! How good the video is for its size: one textured, moving clip of 640x480, coded by us and by
//! LeRobot's default (SVT-AV1, preset 12, crf 30, keyframe every second frame).
//!
//! `SINEW_PEER_PYTHON=… cargo bench -p sinew-datasets --bench quality`
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)] // a bench is its own report

#[allow(dead_code)] // what the other benches need of it
mod clip;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use clip::{FPS, HEIGHT, WIDTH};
use sinew_datasets::video::VideoWriter;

fn main() {
    let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else {
        println!("SINEW_PEER_PYTHON is not set: there is nothing to compare with");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (raw, coded) = (folder.path().join("clip.rgb"), folder.path().join("clip.mp4"));
    let images = clip::clip(60);
    let mut source = std::fs::File::create(&raw).unwrap();
    let mut video = VideoWriter::create(&coded, WIDTH, HEIGHT, FPS).unwrap();
    for image in &images {
        source.write_all(image.pixels()).unwrap();
        video.push(image).unwrap();
    }
    video.finish().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/quality_peer.py");
    let ran = Command::new(python).arg(script).args([&raw, &coded]).output().unwrap();
    print!("{}", String::from_utf8_lossy(&ran.stdout));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
