//! Files that LeRobot wrote open here and are written back byte for byte, and the other way round.

use std::fs;
use std::path::Path;
use std::process::Command;

use sinew_core::calibration::Calibration;
use sinew_drivers::ArmSpec;
use sinew_drivers::calibration_file::{parse, render, write};

#[test]
fn lerobots_files_are_written_back_byte_for_byte() {
    let files = [
        (include_str!("calibration/so101.json"), 6),
        (include_str!("calibration/lekiwi.json"), 8),
        (include_str!("calibration/odd_names.json"), 6),
        (include_str!("calibration/none.json"), 0),
    ];
    for (text, joints) in files {
        let read = parse(text).expect("a file of LeRobot");
        assert_eq!(read.len(), joints);
        assert_eq!(render(&read), text);
    }
}

/// A calibration like what a sweep leaves, for the joints of `arm`.
fn calibrated(arm: &ArmSpec) -> Vec<(String, Calibration)> {
    let joint = |(at, (name, id, _)): (usize, (&str, u8, _))| {
        let step = i32::try_from(at).expect("few joints");
        let joint = Calibration {
            id,
            drive_mode: u8::from(at == 2),
            homing_offset: 700 - 450 * step,
            range_min: 300 + 11 * step,
            range_max: 3900 - 17 * step,
        };
        (name.to_owned(), joint)
    };
    arm.servos().enumerate().map(joint).collect()
}

#[test]
fn the_real_lerobot_opens_our_files_where_we_put_them() {
    let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else {
        eprintln!("SKIPPED LeRobot opens our files: SINEW_PEER_PYTHON names no Python");
        return;
    };
    let places = tempfile::tempdir().expect("a folder for the test");
    let out = tempfile::tempdir().expect("a folder for the test");
    let devices = [
        ("robots/so_follower", "so101_follower"),
        ("teleoperators/so_leader", "so101_leader"),
        ("robots/koch_follower", "koch_follower"),
    ];
    let mut written = Vec::new();
    for (folder, arm) in devices {
        let arm = ArmSpec::builtin(arm).expect("an arm that comes along");
        let path = places.path().join(folder).join("white.json");
        write(&path, &calibrated(&arm)).expect("a file where LeRobot looks");
        written.push((folder, path));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/lerobot_calibration.py");
    let ran = Command::new(python)
        .arg(script)
        .arg(out.path())
        .env("HF_LEROBOT_CALIBRATION", places.path())
        .env("HF_LEROBOT_HOME", places.path())
        .env("HF_HUB_OFFLINE", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("a Python that starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for (folder, path) in written {
        let name = Path::new(folder).file_name().unwrap_or_default();
        let theirs = out.path().join(name).with_extension("json");
        let (ours, theirs) = (fs::read(path).expect("ours"), fs::read(theirs).expect("theirs"));
        assert_eq!(String::from_utf8_lossy(&theirs), String::from_utf8_lossy(&ours), "{folder}");
    }
}
