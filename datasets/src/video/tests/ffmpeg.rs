//! What the system's FFmpeg adds, against PyAV and against what is built in.

use std::path::Path;
use std::process::Command;

use super::peer::peers_read;
use super::{picture, shows};
use crate::image::Image;
use crate::video::{
    Coding, Footage, VideoReader, VideoWriter, concat, cut, recover, recover_checked, salvage,
};

/// How far a colour may be from PyAV's, whose FFmpeg is another.
const CLOSE: u8 = 1;

fn far(image: &Image, expected: &[u8]) -> u8 {
    let rgb = image.to_rgb();
    assert_eq!(rgb.pixels().len(), expected.len());
    rgb.pixels().iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// Every kind of video that PyAV can make is read as PyAV reads it, in any order.
///
/// Runs where `SINEW_PEER_PYTHON` names a Python that has PyAV.
#[test]
fn every_kind_of_video_is_read_as_pyav_reads_it() {
    let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/video_kinds.py");
    let ran = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let made: Vec<String> = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(made.len() > 4, "{made:?}");
    for name in made {
        let file = |end: &str| folder.path().join(&name).with_extension(end);
        let times = std::fs::read_to_string(file("times")).unwrap();
        let times: Vec<f64> = serde_json::from_str(&times).unwrap();
        let rgb = std::fs::read(file("rgb")).unwrap();
        let expected: Vec<&[u8]> = rgb.chunks(rgb.len() / times.len()).collect();
        let mut reader = VideoReader::open(&file("mp4")).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let jumps: Vec<usize> = (0..60).map(|_| random.usize(..times.len())).collect();
        for n in (0..times.len()).chain((0..times.len()).rev()).chain(jumps) {
            let image = reader.frame_at(times[n], 1e-4).unwrap();
            let far = far(&image, expected[n]);
            assert!(far <= CLOSE, "{name}, frame {n}: {far} away");
        }
    }
}

/// LeRobot's names of the encoders without hardware that this FFmpeg has.
fn codings() -> Vec<(&'static str, Coding)> {
    let names = ["h264", "hevc", "libsvtav1", "libaom-av1"];
    let codings: Vec<_> =
        names.iter().filter_map(|name| Some((*name, Coding::named(name).ok()?))).collect();
    assert!(!codings.is_empty(), "this FFmpeg has no encoder at all");
    codings
}

fn begin(path: &Path, coding: &Coding, frames: u64) -> VideoWriter {
    let mut writer = VideoWriter::create_with(path, 64, 64, 30, coding).unwrap();
    for n in 0..frames {
        writer.push(&picture(n, 64, 64)).unwrap();
    }
    writer
}

#[test]
fn every_encoder_makes_videos_as_the_built_in_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = Vec::new();
    for (name, coding) in codings() {
        let [whole, joined, part] = ["whole", "joined", "part"]
            .map(|file| folder.path().join(format!("{name}_{file}.mp4")));
        let mut writer = begin(&whole, &coding, 21);
        writer.repeat().unwrap();
        writer.drain().unwrap();
        assert_eq!((writer.frames(), writer.take_sums().len()), (22, 22), "{name}");
        let written = writer.finish().unwrap();
        assert_eq!((written.frames, written.bytes), (22, whole.metadata().unwrap().len()));
        assert_eq!(Footage::open(&whole).unwrap().info(), written.info, "{name}");
        assert_eq!(recover(&whole, None).unwrap(), written, "{name}");
        let said = written.info.to_json();
        assert_eq!((&said["video.g"], &said["video.crf"]), (&2.into(), &30.into()), "{name}");
        let ranges = concat(&[whole.clone(), whole.clone()], &joined).unwrap();
        assert!((ranges[1].1 - 44.0 / 30.0).abs() < 1e-9, "{ranges:?}");
        assert_eq!(cut(&joined, ranges[1].0, ranges[1].1, &part).unwrap().frames, 22, "{name}");
        for (file, from) in [(&whole, 0), (&joined, 22), (&part, 0)] {
            let mut reader = VideoReader::open(file).unwrap();
            for n in (0..21).chain([7, 8, 3, 20, 0]) {
                shows(&mut reader, from + n, n);
            }
            shows(&mut reader, from + 21, 20);
            let info = reader.info();
            assert!(info.pix_fmt == "yuv420p" && (info.fps - 30.0).abs() < 1e-9, "{name}");
        }
        made.extend([whole, joined, part]);
    }
    if let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") {
        peers_read(&python, &made);
    }
}

#[test]
fn a_video_cut_anywhere_keeps_its_whole_frames() {
    let folder = tempfile::tempdir().unwrap();
    for (name, coding) in codings() {
        let path = folder.path().join(format!("{name}.mp4"));
        let mut writer = begin(&path, &coding, 20);
        writer.drain().unwrap();
        writer.flush().unwrap();
        let sums = writer.take_sums();
        std::mem::forget(writer);
        let growing = std::fs::read(&path).unwrap();
        let mut random = fastrand::Rng::with_seed(3);
        let cuts: Vec<usize> = (0..40).map(|_| random.usize(..growing.len())).collect();
        for end in cuts.into_iter().chain([growing.len()]) {
            let (cut, saved) = (folder.path().join("cut"), folder.path().join("saved"));
            std::fs::write(&cut, &growing[..end]).unwrap();
            let salvaged = salvage(&cut, &saved).map(|written| written.frames).unwrap_or(0);
            let Ok(written) = recover(&cut, None) else { continue };
            assert_eq!(written.frames, salvaged, "{name}, {end} bytes");
            assert_eq!(written.info.to_json()["video.crf"], 30, "{name}, {end} bytes");
            if let Some(last) = written.frames.checked_sub(1) {
                shows(&mut VideoReader::open(&cut).unwrap(), last, last);
            }
        }
        let mut spoiled = growing.clone();
        let last = spoiled.len() - 3;
        spoiled[last] ^= 1;
        std::fs::write(&path, &spoiled).unwrap();
        assert_eq!(recover_checked(&path, &sums).unwrap().frames, 19, "{name}");
        std::fs::write(&path, &growing).unwrap();
        assert_eq!(recover_checked(&path, &sums[..12]).unwrap().frames, 12, "{name}");
        assert_eq!(recover(&path, Some(5)).unwrap().frames, 5, "{name}");
    }
}

#[test]
fn what_no_encoder_can_do_is_refused() {
    let error = Coding::named("vp10").unwrap_err().to_string();
    assert!(error.contains("vp10") && error.contains("libsvtav1"), "{error}");
    assert_eq!(Coding::named("openh264").unwrap(), Coding::default());
    let mut coding = Coding::named("h264").unwrap();
    coding.set(None, None, Some("no such preset".into())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let made = VideoWriter::create_with(&folder.path().join("a.mp4"), 64, 64, 30, &coding);
    assert!(made.is_err_and(|error| error.to_string().contains("libx264")));
    assert!(Coding::default().set(Some(20), None, None).is_err());
    // An encoder in hardware that is not there says what it looked for.
    if let Ok(coding) = Coding::named("h264_vaapi")
        && !Path::new("/dev/dri").exists()
    {
        let made = VideoWriter::create_with(&folder.path().join("b.mp4"), 64, 64, 30, &coding);
        assert!(made.is_err_and(|error| error.to_string().contains("/dev/dri")));
    }
}
