use std::path::Path;

use super::*;
use crate::writer::tests::{info, record};
use crate::writer::{Options, Writer};
use crate::{Dataset, verify};

fn paths(files: &[sinew_hub::Local]) -> Vec<String> {
    files.iter().map(|file| file.path().to_owned()).collect()
}

/// What a hub would have: the snapshot's files, under their paths.
fn copied(snapshot: &Snapshot, held: &Path, to: &Path) {
    for file in snapshot.files() {
        let to = to.join(file.path());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(held.join(file.path()), to).unwrap();
    }
}

#[test]
fn a_snapshot_stays_what_it_was_while_more_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("pick");
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    record(&mut writer, 0, 8);
    std::fs::create_dir_all(root.join("images/observation.images.front")).unwrap();
    std::fs::write(root.join("images/observation.images.front/0.png"), "x").unwrap();
    let snapshot = Snapshot::take(&root, "a").unwrap();
    record(&mut writer, 1, 5);
    record(&mut writer, 2, 5);
    writer.finish().unwrap();

    let files = paths(snapshot.files());
    assert_eq!(files.last().map(String::as_str), Some("meta/info.json"), "it counts the others");
    assert!(files[0].starts_with("videos/"), "{files:?}");
    let away = |file: &String| file.starts_with("images/") || file.starts_with('.');
    assert!(!files.iter().any(away), "{files:?}");
    let (then, now) = (folder.path().join("then"), folder.path().join("now"));
    copied(&snapshot, &root.join(".sinew-upload/a"), &then);
    assert_eq!(Dataset::open(&then).unwrap().len(), 8);
    let found = verify::verify(&then, &verify::Options::default(), &mut |_| {});
    assert!(found.ok, "{:?}", found.findings);
    drop(snapshot);
    assert!(!root.join(".sinew-upload").exists());

    let snapshot = Snapshot::take(&root, "a").unwrap();
    copied(&snapshot, &root.join(".sinew-upload/a"), &now);
    assert_eq!(Dataset::open(&now).unwrap().len(), 18);
    assert!(paths(&super::files(&root).unwrap()).iter().eq(&paths(snapshot.files())));
    assert!(Snapshot::take(&folder.path().join("none"), "a").is_err());
}

#[test]
fn a_page_tells_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("pick");
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    record(&mut writer, 0, 8);
    writer.finish().unwrap();
    let card = card(&root, "me/pick", "apache-2.0", &["so101".to_owned()]).unwrap();
    let figure = |name: &str| {
        let of = card.figures.iter().find(|(of, _)| of == name);
        of.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    assert_eq!(figure("episodes"), "1");
    assert_eq!(figure("frames"), "8 at 30 fps, 0.0 min");
    assert_eq!(figure("observation.images.front: pictures repeated"), "2 of 8");
    assert_eq!(figure("late ticks"), "0 of 8");
    assert_eq!(card.tasks, ["reach", "grasp"]);
    assert!(card.text().contains("\"codebase_version\": \"v3.0\""));
}
