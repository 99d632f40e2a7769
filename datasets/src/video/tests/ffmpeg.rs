//! What the system's FFmpeg adds, against PyAV and against what is built in.

use std::path::Path;
use std::process::Command;

use crate::image::Image;
use crate::video::VideoReader;

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
