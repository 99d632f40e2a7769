//! info.json that is gone, cut off or wrong.

use super::*;
use crate::schema::{Info, Version};

const GOLDEN: [&str; 5] = ["v30_image", "v30_video", "v30_rich", "v21_image", "v21_video"];

/// What LeRobot declared, but for what only it could know: the names and how videos were encoded.
fn declared(info: &Info) -> Vec<(String, &'static str, Vec<u64>)> {
    let mut all: Vec<_> = info
        .features
        .iter()
        .map(|(name, feature)| (name.clone(), feature.dtype.name(), feature.shape.clone()))
        .collect();
    if info.version != Version::V30 {
        // Nothing tells their order.
        all.sort();
    }
    all
}

/// Repairs it into another folder, and holds what is declared there against what LeRobot declared.
fn declares_the_same(copy: &Copy, name: &str) -> Vec<String> {
    let repaired = mended(copy, name, &lengths(name));
    assert_eq!(repaired.losses, [], "{name}");
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("new");
    repair(copy.0.path(), Some(&to), &|_| {}).unwrap();
    let (was, now) = (Info::load(Copy::of(name).0.path()).unwrap(), Info::load(&to).unwrap());
    assert_eq!(declared(&was), declared(&now), "{name}");
    assert_eq!((was.fps, was.version), (now.fps, now.version), "{name}");
    repaired.declared
}

fn says(told: &[String], what: &str) {
    assert!(told.iter().any(|line| line.contains(what)), "{what}: {told:#?}");
}

#[test]
fn info_that_is_gone_or_cut_off_is_made_from_the_files() {
    for name in GOLDEN {
        let copy = Copy::of(name);
        let path = copy.path("meta/info.json");
        let text = fs::read(&path).unwrap();
        for left in [None, Some(0), Some(text.len() / 2)] {
            match left {
                None => fs::remove_file(&path).unwrap(),
                Some(left) => fs::write(&path, &text[..left]).unwrap(),
            }
            let told = declares_the_same(&copy, name);
            says(&told, "meta/info.json is made anew");
            says(&told, "frames per second, as the times of the rows say");
            says(&told, "feature action: float32");
        }
    }
}

#[test]
fn what_is_left_of_info_is_kept() {
    let copy = Copy::of("v30_video");
    copy.info(|info| {
        info["fps"] = json!("thirty");
        info["robot_type"] = json!("so_follower");
    });
    let told = declares_the_same(&copy, "v30_video");
    says(&told, "key fps");
    assert!(
        !told.iter().any(|line| line.contains("robot") || line.contains("feature")),
        "{told:?}"
    );
}

#[test]
fn features_that_are_not_as_the_files_have_them() {
    for (wrong, said) in [
        (
            json!({"dtype": "string", "shape": [1], "names": null}),
            "feature action: the rows hold float32",
        ),
        (
            json!({"dtype": "float32", "shape": [3, 9], "names": null}),
            "feature action: the rows hold float32",
        ),
        (
            json!({"dtype": "video", "shape": [4, 4, 3], "names": null}),
            "feature action: the rows hold float32",
        ),
        (json!(null), "feature action: float32"),
    ] {
        let copy = Copy::of("v30_video");
        copy.info(|info| match wrong.is_null() {
            true => drop(info["features"].as_object_mut().unwrap().shift_remove("action")),
            false => info["features"]["action"] = wrong.clone(),
        });
        says(&declares_the_same(&copy, "v30_video"), said);
    }
    let copy = Copy::of("v30_video");
    copy.info(|info| info["features"]["torque"] = json!({"dtype": "float32", "shape": [2]}));
    says(&declares_the_same(&copy, "v30_video"), "feature torque is gone");
    for (name, camera) in [("v30_video", "video"), ("v30_image", "image")] {
        let copy = Copy::of(name);
        let key = "observation.images.top";
        copy.info(|info| info["features"][key]["shape"] = json!([1000, 20, 3]));
        says(&declares_the_same(&copy, name), key);
        copy.info(|info| drop(info["features"].as_object_mut().unwrap().shift_remove(key)));
        says(&declares_the_same(&copy, name), key);
        let other = if camera == "video" { "image" } else { "video" };
        let copy = Copy::of(name);
        copy.info(|info| info["features"][key]["dtype"] = json!(other));
        let said = match camera {
            "video" => "kept as video, image was said",
            _ => "the rows hold image",
        };
        says(&declares_the_same(&copy, name), said);
    }
}

#[test]
fn a_rate_that_neither_rows_nor_videos_have() {
    for name in ["v30_image", "v30_video", "v21_video"] {
        let copy = Copy::of(name);
        copy.info(|info| info["fps"] = json!(60));
        says(&declares_the_same(&copy, name), "60 frames per second were said");
    }
}

#[test]
fn what_nothing_says_is_refused() {
    let copy = Copy::of("v30_image");
    copy.numbers("timestamp", |bytes| bytes.fill(0));
    fs::remove_file(copy.path("meta/info.json")).unwrap();
    let refused = repair(copy.0.path(), None, &|_| {}).unwrap_err().to_string();
    assert!(refused.contains("key fps") && refused.contains("cannot be known"), "{refused}");
    let copy = Copy::of("v30_image");
    fs::remove_file(copy.path(DATA)).unwrap();
    fs::remove_file(copy.path("meta/info.json")).unwrap();
    let refused = repair(copy.0.path(), None, &|_| {}).unwrap_err().to_string();
    assert!(refused.contains("no file with rows can be read"), "{refused}");
    assert!(repair(tempfile::tempdir().unwrap().path(), None, &|_| {}).is_err());
}
