//! Rerun shows datasets of ours by its own reader of LeRobot's layout, and reads what is written for it.

use sinew_datasets::Writer;
use sinew_datasets::edit;
use sinew_datasets::writer::Options;

use super::datasets::{info, record};
use crate::jobs::look_at_a_dataset::golden;
use crate::sandbox::Sandbox;

#[test]
fn rerun_shows_every_frame_of_a_recording_and_of_its_compact_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (root, compact) = (folder.path().join("recorded"), folder.path().join("compact"));
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    record(&mut writer, 0..3);
    writer.finish().unwrap();
    edit::compact(&root, Some(&compact), &|_| {}).unwrap();
    for root in [&root, &compact] {
        super::script("rerun", "rerun_dataset.py", &[root.to_str().unwrap()]);
    }
}

#[test]
fn rerun_reads_what_is_exported_to_the_last_pixel() {
    let sandbox = Sandbox::new();
    let recorded = sandbox.path("recorded");
    let mut writer = Writer::create(&recorded, info(), Options::default()).unwrap();
    record(&mut writer, 0..3);
    writer.finish().unwrap();
    let theirs = ["v30_video", "v30_image", "v30_rich"].map(|name| golden(&sandbox, name, name));
    for root in [&[recorded][..], &theirs].concat() {
        let file = root.with_extension("rrd");
        let (root, file) = (root.to_str().unwrap(), file.to_str().unwrap());
        let ended = sandbox.run(&["dataset", "export", root, "--format=rrd", "-o", file]);
        assert_eq!(ended.code, 0, "{ended:?}");
        super::script("rerun", "rerun_recording.py", &[file, root]);
    }
}

#[test]
fn rerun_reads_a_loop_that_was_shown() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("loop.rrd");
    let display = format!("--display={}", file.display());
    let words = ["--json", "teleoperate", "--robot=sim", "--teleop=sim", "--teleop_time_s=6"];
    let ended = sandbox.run(&[&words[..], &["--dry_run_s=0", &display]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let (result, file) = (ended.result(), file.to_str().unwrap());
    assert_eq!(result["display"]["dropped"], 0, "{result}");
    super::script("rerun", "rerun_live.py", &[file, &result["ticks"].to_string()]);
}

#[test]
fn rerun_reads_a_recording_that_was_shown_with_its_camera_and_what_was_recorded_of_it() {
    let sandbox = Sandbox::new();
    let (file, root) = (sandbox.path("loop.rrd"), sandbox.path("recorded"));
    let (file, root) = (file.to_str().unwrap(), root.to_str().unwrap());
    let words =
        ["--json", "record", "--robot=sim", "--teleop=sim", "--camera=front=sim", "--task=x"];
    let dataset = ["--dataset.num_episodes=1", "--dataset.episode_time_s=2", "--dry_run_s=0"];
    let flags = [format!("--display={file}"), format!("--dataset.root={root}")];
    let flags = flags.each_ref().map(String::as_str);
    let ended = sandbox.run(&[&words[..], &dataset, &flags].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let result = ended.result();
    // The tick that ends the recording is no longer shown.
    let ticks = result["display"]["ticks"].to_string();
    assert_eq!(result["display"]["dropped"], 0, "{result}");
    let pictures = result["display"]["pictures"].to_string();
    super::script("rerun", "rerun_live.py", &[file, &ticks, "front", &pictures]);
    let exported = sandbox.path("recorded.rrd");
    let exported = exported.to_str().unwrap();
    let ended = sandbox.run(&["dataset", "export", root, "--format=rrd", "-o", exported]);
    assert_eq!(ended.code, 0, "{ended:?}");
    super::script("rerun", "rerun_recording.py", &[exported, root]);
}
