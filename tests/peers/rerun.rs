//! Rerun shows datasets of ours by its own reader of LeRobot's layout.

use sinew_datasets::Writer;
use sinew_datasets::edit;
use sinew_datasets::writer::Options;

use super::datasets::{info, record};

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
