//! Somebody's disk was full, a copy broke off, a program was killed: the dataset does not open any more.

use std::fs;
use std::path::Path;

use serde_json::json;
use sinew_datasets::Dataset;

use super::look_at_a_dataset::golden;
use crate::sandbox::Sandbox;

const DATA: &str = "data/chunk-000/file-000.parquet";
const VIDEO: &str = "videos/observation.images.top/chunk-000/file-000.mp4";
const EPISODES: &str = "meta/episodes/chunk-000/file-000.parquet";

/// Takes so many bytes off a file's end.
fn cut(root: &Path, name: &str, bytes: usize) {
    let path = root.join(name);
    let whole = fs::read(&path).unwrap();
    fs::write(path, &whole[..whole.len() - bytes]).unwrap();
}

#[test]
fn nothing_is_done_where_nothing_is_wrong() {
    let sandbox = Sandbox::new();
    let root = golden(&sandbox, "v30_video", "sets/pick");
    let word = root.to_str().unwrap();
    let before = fs::read(root.join("meta/info.json")).unwrap();
    let ended = sandbox.run(&["--json", "dataset", "repair", word]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let result = ended.result();
    assert_eq!((&result["losses"], &result["episodes"]), (&json!([]), &json!(2)), "{result}");
    assert_eq!(fs::read_dir(root.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(fs::read(root.join("meta/info.json")).unwrap(), before);
    assert!(sandbox.run(&["dataset", "repair", word]).out.contains("nothing to repair"));
}

#[test]
fn what_can_be_read_is_kept_and_what_is_lost_is_told() {
    let sandbox = Sandbox::new();
    let root = golden(&sandbox, "v30_video", "sets/pick");
    let word = root.to_str().unwrap();
    let whole = Dataset::open(&root).unwrap();
    let first = whole.values("action", 0, 20).unwrap();
    let rest = whole.episodes()[1].length;
    let short = sandbox.path("short.mp4");
    sinew_datasets::video::cut(&root.join(VIDEO), 0.0, 23.0 / 30.0, &short).unwrap();
    fs::copy(short, root.join(VIDEO)).unwrap();
    // LeRobot was killed before it ended the table of episodes.
    cut(&root, EPISODES, 300);
    assert!(Dataset::open(&root).is_err());

    let planned = sandbox.run(&["dataset", "repair", word, "--dry-run"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    for part in [EPISODES, "episode 1 keeps 3 of 13 frames", "would make", "2 episodes, 23 frames"]
    {
        assert!(planned.out.contains(part), "{part}: {}", planned.out);
    }
    assert_eq!(sandbox.run(&["dataset", "repair", word]).code, 2, "nobody agreed");
    assert!(Dataset::open(&root).is_err(), "nothing was done yet");

    let ended = sandbox.run(&["--json", "dataset", "repair", word, "--yes"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let result = ended.result();
    assert!(result["findings"].as_array().unwrap().iter().any(|f| f["code"] == "missing_footer"));
    let loss = &result["losses"][0];
    assert_eq!((&loss["episode"], &loss["now"]), (&1.into(), &1.into()));
    assert_eq!((&loss["kept"], &loss["frames"]), (&3.into(), &rest.into()));
    assert!(Path::new(result["kept"].as_str().unwrap()).is_dir(), "{result}");
    assert_eq!(sandbox.run(&["dataset", "verify", word]).code, 0);
    let now = Dataset::open(&root).unwrap();
    assert_eq!((now.len(), now.values("action", 0, 20).unwrap()), (23, first));
}

#[test]
fn a_video_that_broke_off_leaves_the_episode_as_far_as_it_goes() {
    let sandbox = Sandbox::new();
    let root = golden(&sandbox, "v30_video", "sets/pick");
    let (word, copy) = (root.to_str().unwrap(), sandbox.path("sets/mended"));
    let short = sandbox.path("short.mp4");
    sinew_datasets::video::cut(&root.join(VIDEO), 0.0, 23.0 / 30.0, &short).unwrap();
    fs::copy(short, root.join(VIDEO)).unwrap();
    let to = copy.to_str().unwrap();
    let ended = sandbox.run(&["dataset", "repair", word, "--out", to]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("episode 1 keeps 3 of 13 frames"), "{}", ended.out);
    assert_eq!(sandbox.run(&["dataset", "verify", to]).code, 0);
    assert_eq!(sandbox.run(&["dataset", "verify", word]).code, 4, "the damaged one is left alone");
}

#[test]
fn where_nothing_can_be_read_nothing_is_made() {
    let sandbox = Sandbox::new();
    let root = golden(&sandbox, "v30_image", "sets/pick");
    cut(&root, DATA, 100);
    let ended = sandbox.run(&["dataset", "repair", root.to_str().unwrap(), "--yes"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.err.contains("no episode can be read"), "{}", ended.err);
    assert_eq!(fs::read_dir(root.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_camera_whose_videos_are_gone_can_be_left_out() {
    let sandbox = Sandbox::new();
    let root = golden(&sandbox, "v30_video", "sets/pick");
    let (word, to) = (root.to_str().unwrap(), sandbox.path("sets/blind"));
    fs::remove_file(root.join(VIDEO)).unwrap();
    let ended = sandbox.run(&["dataset", "repair", word, "--yes"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    let advice = ended.err.split("sinew ").nth(1).unwrap().split(['(', ')', ':']).next().unwrap();
    let advised: Vec<&str> = advice.split_whitespace().collect();
    let more = [word, "--out", to.to_str().unwrap()];
    assert_eq!(sandbox.run(&[&advised[..], &more[..]].concat()).code, 0, "{}", ended.err);
    assert_eq!(sandbox.run(&["dataset", "verify", to.to_str().unwrap()]).code, 0);
}

#[test]
fn info_that_is_gone_is_made_of_what_the_files_say() {
    let sandbox = Sandbox::new();
    let root = golden(&sandbox, "v30_video", "sets/pick");
    let word = root.to_str().unwrap();
    let before = Dataset::open(&root).unwrap();
    for left in [None, Some("{\"fps\": 3")] {
        let info = root.join("meta/info.json");
        fs::remove_file(&info).unwrap();
        left.into_iter().for_each(|text| fs::write(&info, text).unwrap());
        let planned = sandbox.run(&["dataset", "repair", word, "--dry-run"]);
        assert_eq!(planned.code, 0, "{planned:?}");
        for part in [
            "meta/info.json is made anew",
            "30 frames per second, as the times of the rows say",
            "feature action: float32 [6], as the rows hold it, its names are not known",
            "feature observation.images.top: video of 48×48 pixels",
            "which robot it was is not known",
            "2 episodes, 33 frames",
        ] {
            assert!(planned.out.contains(part), "{part}: {}", planned.out);
        }
        let ended = sandbox.run(&["--json", "dataset", "repair", word, "--yes"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let result = ended.result();
        assert_eq!(result["losses"], json!([]));
        assert!(result["declared"].as_array().unwrap().len() > 4, "{result}");
        assert_eq!(sandbox.run(&["dataset", "verify", word]).code, 0);
        let now = Dataset::open(&root).unwrap();
        assert_eq!(now.values("action", 0, 33).unwrap(), before.values("action", 0, 33).unwrap());
    }
}

#[test]
fn a_recording_that_was_cut_off_is_not_thrown_away_with_a_broken_info() {
    let sandbox = Sandbox::new();
    let root = golden(&sandbox, "v30_video", "sets/pick");
    let left = root.join(".sinew/recording/episode-000002");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("journal"), "of a recording").unwrap();
    fs::remove_file(root.join("meta/info.json")).unwrap();
    let ended = sandbox.run(&["dataset", "repair", root.to_str().unwrap(), "--yes"]);
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("a recording was cut off here"), "{}", ended.err);
    assert!(left.join("journal").exists());
    let (word, to) = (root.to_str().unwrap(), sandbox.path("sets/mended"));
    let ended = sandbox.run(&["dataset", "repair", word, "--out", to.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(left.join("journal").exists() && Dataset::open(&to).is_ok());
}
