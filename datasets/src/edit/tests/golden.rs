//! Edits of datasets that LeRobot wrote.

use std::path::{Path, PathBuf};

use super::UNSEEN;
use super::model::{Model, fingerprint};
use crate::edit::{self, Share, Target};
use crate::schema::Version;
use crate::{Dataset, Error};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/datasets")).join(name)
}

fn edited<T>(name: &str, edit: impl FnOnce(&Path, &Path) -> T) -> (Model, T, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let before = fingerprint(&golden(name));
    let made = edit(&golden(name), &folder.path().join("new"));
    assert_eq!(before, fingerprint(&golden(name)));
    (Model::read(&golden(name)), made, folder)
}

#[test]
fn a_compact_copy_is_the_same_dataset() {
    for name in ["v30_image", "v30_video", "v30_rich", "v21_image", "v21_video"] {
        let (model, made, folder) = edited(name, |from, to| edit::compact(from, Some(to), UNSEEN));
        assert_eq!(made.unwrap().encoded, 0);
        assert_eq!(Model::read(&folder.path().join("new")), model);
    }
}

#[test]
fn the_middle_of_a_shared_video_is_cut_out() {
    let (mut model, made, folder) =
        edited("v30_video", |from, to| edit::delete_episodes(from, &[0], Some(to), UNSEEN));
    assert_eq!(made.unwrap().encoded, 0);
    model.0.remove(0);
    assert_eq!(Model::read(&folder.path().join("new")), model);
}

#[test]
fn an_older_dataset_becomes_new_and_old_again() {
    for name in ["v21_image", "v21_video"] {
        let (model, made, folder) =
            edited(name, |from, to| edit::convert(from, Target::Newest, Some(to), UNSEEN));
        made.unwrap();
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        assert_eq!(Dataset::open(&new).unwrap().info().version, Version::V30);
        assert_eq!(Model::read(&new), model);
        edit::convert(&new, Target::V21, Some(&old), UNSEEN).unwrap();
        assert_eq!(Model::read(&old), model);
        let counted = Dataset::open(&old).unwrap();
        assert_eq!(counted.info().extra["total_chunks"], 1);
    }
}

#[test]
fn videos_become_images_and_images_videos() {
    let (model, made, folder) =
        edited("v30_video", |from, to| edit::convert(from, Target::Images, Some(to), UNSEEN));
    made.unwrap();
    let new = folder.path().join("new");
    assert_eq!(Model::read(&new), model);
    let back = folder.path().join("back");
    let made = edit::convert(&new, Target::Videos, Some(&back), UNSEEN).unwrap();
    assert_eq!(made.encoded, made.episodes);
    let info = Dataset::open(&back).unwrap().info().clone();
    let video = info.feature("observation.images.top").unwrap();
    assert_eq!(video.extra["info"]["video.codec"], "h264");
}

#[test]
fn what_makes_no_sense_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (golden("v30_video"), folder.path().join("new"));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let all: Vec<u64> = (0..Dataset::open(&from).unwrap().episodes().len() as u64).collect();
    let refused = [
        edit::delete_episodes(&from, &all, Some(&to), UNSEEN),
        edit::delete_episodes(&from, &[99], Some(&to), UNSEEN),
        edit::merge(&[&from, &golden("v30_rich")], Some(&to), UNSEEN),
        edit::merge(&[], Some(&to), UNSEEN),
        edit::remove_features(&from, &names(&["timestamp"]), Some(&to), UNSEEN),
        edit::remove_features(&from, &names(&["nothing"]), Some(&to), UNSEEN),
        edit::modify_tasks(&from, &edit::TaskChanges::default(), Some(&to), UNSEEN),
        edit::reencode(&golden("v30_image"), &[], Some(&to), UNSEEN),
        edit::convert(&from, Target::Newest, Some(&to), UNSEEN),
        edit::convert(&from, Target::Videos, Some(&to), UNSEEN),
        edit::split(&from, &[("a".into(), Share::Episodes(vec![99]))], None, UNSEEN)
            .map(|made| made[0]),
    ];
    for (at, made) in refused.into_iter().enumerate() {
        assert!(made.is_err(), "{at}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::create_dir(&to).unwrap();
    std::fs::write(to.join("mine"), "precious").unwrap();
    let taken = edit::compact(&from, Some(&to), UNSEEN);
    assert!(matches!(taken, Err(Error::Exists { .. })));
    assert_eq!(std::fs::read_to_string(to.join("mine")).unwrap(), "precious");
}

#[test]
fn the_first_difference_is_named() {
    let (left, right) = (golden("v30_image"), golden("v30_video"));
    let (left, right) = (Dataset::open(&left).unwrap(), Dataset::open(&right).unwrap());
    let difference = edit::difference(left.info(), right.info()).unwrap();
    assert_eq!(difference, "feature observation.images.top has dtype image, and video");
    assert_eq!(edit::difference(left.info(), left.info()), None);
}
