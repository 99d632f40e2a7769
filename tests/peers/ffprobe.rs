//! FFmpeg's prober on videos of ours: as many frames as there should be, at their times, in colours
//! that say what they are.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use sinew_datasets::writer::Options;
use sinew_datasets::{Writer, edit};

use super::datasets::{info, length_of, record};

/// What it says about the video of a file, or `None` where it is not installed.
fn probe(path: &Path) -> Option<Json> {
    let said = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-count_frames", "-show_streams"])
        .args(["-show_entries", "packet=pts,dts,flags", "-of", "json"])
        .arg(path)
        .output();
    let output = match said {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED ffprobe: it is not in the PATH; it comes with FFmpeg");
            return None;
        }
        said => said.unwrap(),
    };
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", path.display());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A video of so many frames at thirty a second. Gives whether it could be looked at.
fn check(path: &Path, frames: u64) -> bool {
    let Some(said) = probe(path) else { return false };
    let stream = &said["streams"][0];
    for (key, expected) in [
        ("codec_name", "h264"),
        ("pix_fmt", "yuv420p"),
        ("color_range", "tv"),
        ("color_space", "smpte170m"),
        ("r_frame_rate", "30/1"),
        ("avg_frame_rate", "30/1"),
        ("start_time", "0.000000"),
    ] {
        assert_eq!(stream[key], expected, "{}: {key}", path.display());
    }
    for key in ["nb_frames", "nb_read_frames"] {
        assert_eq!(stream[key], frames.to_string(), "{}: {key}", path.display());
    }
    let (_, ticks) = stream["time_base"].as_str().unwrap().split_once('/').unwrap();
    let ticks: u64 = ticks.parse().unwrap();
    for (n, packet) in (0..).zip(said["packets"].as_array().unwrap()) {
        assert_eq!((&packet["pts"], &packet["dts"]), (&(n * ticks / 30).into(), &packet["pts"]));
    }
    true
}

#[test]
fn ffprobe_finds_every_frame_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (root, compact) = (folder.path().join("recorded"), folder.path().join("compact"));
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    record(&mut writer, 0..2);
    writer.finish().unwrap();
    let file = |root: &Path, n: u32| {
        root.join(format!("videos/observation.images.front/chunk-000/file-{n:03}.mp4"))
    };
    if !check(&file(&root, 0), length_of(0)) {
        return;
    }
    assert!(check(&file(&root, 1), length_of(1)));
    edit::compact(&root, Some(&compact), &|_| {}).unwrap();
    assert!(check(&file(&compact, 0), length_of(0) + length_of(1)));
    // Cut out of the middle of a file.
    let less = folder.path().join("less");
    edit::delete_episodes(&compact, &[0], Some(&less), &|_| {}).unwrap();
    assert!(check(&file(&less, 0), length_of(1)));
}
