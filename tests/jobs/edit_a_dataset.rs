//! Somebody has recordings, some of them bad, and makes the dataset to train on from them.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::writer::Options;
use sinew_datasets::{Dataset, Frame, Image, PixelFormat, Stamps, Writer};

use super::look_at_a_dataset::golden;
use crate::sandbox::{Ended, Sandbox};

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(sandbox: &Sandbox, words: &[&str]) -> Ended {
    sandbox.run(&[&["--json", "dataset"], words].concat())
}

fn done(sandbox: &Sandbox, words: &[&str]) -> Value {
    let ended = run(sandbox, words);
    assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
    ended.result()
}

fn counts(root: &Path) -> (usize, u64, Vec<String>) {
    let dataset = Dataset::open(root).unwrap();
    (dataset.episodes().len(), dataset.len(), dataset.tasks().to_vec())
}

/// Nothing but these lies in the folder of a dataset.
fn beside(root: &Path) -> Vec<String> {
    let names = std::fs::read_dir(root.parent().unwrap()).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_bad_episode_goes_in_place_or_into_a_copy() {
    let sandbox = Sandbox::new();
    let root = golden(&sandbox, "v30_video", "sets/pick");
    let before = counts(&root);
    let delete = |rest: &[&str]| {
        let words = ["delete-episodes", word(&root), "--episodes", "0"];
        run(&sandbox, &[&words, rest].concat())
    };
    let unasked = delete(&[]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(
        unasked.err.contains("needs a yes") && unasked.err.contains("--dry-run"),
        "{unasked:?}"
    );
    let planned = delete(&["--dry-run"]).result();
    assert_eq!((&planned["episodes"], &planned["dry_run"]), (&1.into(), &true.into()));
    assert_eq!((counts(&root), beside(&root)), (before.clone(), vec!["pick".to_owned()]));

    let copy = root.with_file_name("copy");
    let copied = delete(&["--out", word(&copy)]).result();
    assert_eq!(copied["episodes"], 1, "{copied}");
    assert_eq!((counts(&copy).0, counts(&root)), (1, before.clone()));

    let replaced = delete(&["--yes"]).result();
    let kept = PathBuf::from(replaced["kept"].as_str().unwrap());
    assert_eq!(kept.file_name().unwrap(), "pick.before-1");
    assert_eq!((counts(&root), counts(&kept)), (counts(&copy), before));
    assert_eq!(beside(&root), ["copy", "pick", "pick.before-1"]);
    let last = delete(&["--yes"]);
    assert_eq!(last.code, 2, "{last:?}");
    assert!(last.err.contains("no episode would be left"), "{last:?}");
    for root in [&root, &copy] {
        assert_eq!(run(&sandbox, &["verify", word(root)]).code, 0);
    }
}

#[test]
fn lerobots_flags_mean_what_they_mean_there() {
    let sandbox = Sandbox::new();
    let home = ".cache/huggingface/lerobot/me";
    let root = golden(&sandbox, "v30_image", &format!("{home}/pick"));
    let (episodes, frames, tasks) = counts(&root);
    let repo = "--repo_id=me/pick";
    let words = ["split", repo, "--operation.type", "split"];
    let splits = ["--operation.splits", "{train: [1], val: [0]}"];
    let result = done(&sandbox, &[&words[..], &splits].concat());
    assert_eq!(result["splits"][1]["root"], word(&sandbox.path(&format!("{home}/pick_val"))));
    let names = "['me/pick_val', 'me/pick_train']";
    let to = "--new_repo_id=me/again";
    done(&sandbox, &["merge", "--operation.repo_ids", names, to]);
    let again = sandbox.path(&format!("{home}/again"));
    assert_eq!((counts(&again).0, counts(&again).1), (2, frames));
    let list = ["--operation.episode_indices", "[0, 1]"];
    let all = run(&sandbox, &[&["delete-episodes", "--repo-id=me/again"][..], &list].concat());
    assert!(episodes == 2 && all.code == 2, "{all:?}");

    let names = "['observation.images.top']";
    let blind = word(&sandbox.path("blind")).to_owned();
    let words = ["remove-feature", repo, "--operation.feature_names", names, "--new_root", &blind];
    done(&sandbox, &words);
    let dataset = Dataset::open(Path::new(&blind)).unwrap();
    assert!(dataset.info().feature("observation.images.top").is_none());

    let renamed = format!("{{'{}': 'do it'}}", tasks[0]);
    let words = ["modify-tasks", repo, "--operation.task_replacements", &renamed, "-y"];
    done(&sandbox, &words);
    assert!(counts(&root).2.contains(&"do it".to_owned()));
    done(&sandbox, &["modify-tasks", repo, "--episode-task", "1=last", "--task=rest", "-y"]);
    assert_eq!(counts(&root).2, ["rest", "last"]);
    assert!(root.with_file_name("pick.before-2").exists());
    done(&sandbox, &["modify-tasks", repo, "--task=one", "--yes", "--discard"]);
    assert!(!root.with_file_name("pick.before-3").exists());
    assert_eq!(counts(&root).2, ["one"]);
}

#[test]
fn layouts_and_images_are_converted() {
    let sandbox = Sandbox::new();
    let old = golden(&sandbox, "v21_video", "old");
    let at = |name: &str| sandbox.path(name);
    let convert = |from: &Path, to: &str, out: &str| {
        done(&sandbox, &["convert", word(from), "--to", to, "--out", word(&at(out))])
    };
    convert(&old, "v3.0", "new");
    convert(&at("new"), "v2.1", "back");
    convert(&at("new"), "image", "images");
    let videos = convert(&at("images"), "video", "videos");
    assert_eq!(videos["encoded"], videos["episodes"]);
    done(&sandbox, &["reencode", word(&at("new")), "--out", word(&at("h264"))]);
    done(&sandbox, &["compact", word(&at("new")), "--yes"]);
    for name in ["new", "back", "images", "videos", "h264"] {
        assert_eq!(counts(&at(name)), counts(&old), "{name}");
        let verified = run(&sandbox, &["verify", word(&at(name))]);
        assert_eq!(verified.code, 0, "{name}: {verified:?}");
    }
    let again = run(&sandbox, &["convert", word(&at("new")), "--to", "v3.0", "--yes"]);
    assert!(again.code == 2 && again.err.contains("v3.0 already"), "{again:?}");
}

#[test]
fn videos_are_encoded_anew_with_the_encoder_asked_for() {
    let sandbox = Sandbox::new();
    let (source, out) = (sandbox.path("source"), sandbox.path("new"));
    let camera = Feature::camera(Dtype::Video, 64, 64);
    let info = Info::new(30, None, vec![("observation.images.top".into(), camera)]).unwrap();
    let mut writer = Writer::create(&source, info, Options::default()).unwrap();
    for shade in 0..20_u8 {
        let image = Image::new(64, 64, PixelFormat::Rgb8, vec![shade * 10; 64 * 64 * 3]).unwrap();
        let stamps = Stamps::default();
        let frame =
            Frame { task: "look".into(), values: vec![], images: vec![Some(image)], stamps };
        writer.push(&frame).unwrap();
    }
    writer.finish().unwrap();
    let reencode = |words: &[&str]| {
        let all = [&["reencode", word(&source), "--out", word(&out)][..], words].concat();
        run(&sandbox, &all)
    };
    let unknown = reencode(&["--vcodec", "vp10"]);
    assert!(unknown.code == 2 && unknown.err.contains("libsvtav1"), "{unknown:?}");
    let coarse = reencode(&["--crf", "40"]);
    assert!(coarse.code == 2 && coarse.err.contains("openh264"), "{coarse:?}");
    let words = ["--operation.rgb_encoder.vcodec=libsvtav1", "--crf=35", "--g=4"];
    let asked = reencode(&words);
    if cfg!(not(feature = "ffmpeg")) {
        assert!(asked.code == 2 && asked.err.contains("the feature ffmpeg"), "{asked:?}");
        return;
    }
    assert_eq!(asked.code, 0, "{asked:?}");
    assert_eq!(counts(&out), counts(&source));
    let dataset = Dataset::open(&out).unwrap();
    let (_, feature) = dataset.info().videos().next().unwrap();
    let said = &feature.extra["info"];
    assert_eq!(said["video.codec"], "av1");
    assert_eq!([&said["video.g"], &said["video.crf"], &said["video.preset"]], [4, 35, 12]);
    let verified = run(&sandbox, &["verify", word(&out)]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn what_cannot_be_merged_is_told_by_its_first_difference() {
    let sandbox = Sandbox::new();
    let (left, right) =
        (golden(&sandbox, "v30_image", "left"), golden(&sandbox, "v30_video", "right"));
    let out = sandbox.path("both");
    let ended = run(&sandbox, &["merge", word(&left), word(&right), "--out", word(&out)]);
    assert_eq!(ended.code, 2, "{ended:?}");
    let difference = "feature observation.images.top has dtype image, and video";
    assert!(ended.err.contains(difference) && !out.exists(), "{ended:?}");
    let one = run(&sandbox, &["merge", word(&left), "--out", word(&out)]);
    assert!(one.code == 2 && one.err.contains("at least two"), "{one:?}");
    let nowhere = run(&sandbox, &["merge", word(&left), word(&left)]);
    assert!(nowhere.code == 2 && nowhere.err.contains("--out"), "{nowhere:?}");
}
