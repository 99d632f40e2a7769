//! Somebody has recorded, or got, a dataset, and wants to know what is in it and whether it is sound.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sandbox::Sandbox;

/// A copy of a dataset that LeRobot wrote, in the home.
fn golden(sandbox: &Sandbox, name: &str, to: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/datasets").join(name);
    let to = sandbox.path(to);
    copy(&from, &to);
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(fs::copy(&path, &to).unwrap()),
        }
    }
}

#[test]
fn info_says_what_is_there_by_folder_and_by_name() {
    let sandbox = Sandbox::new();
    let folder = golden(&sandbox, "v30_video", ".cache/huggingface/lerobot/me/pick");
    for words in [&[folder.to_str().unwrap()][..], &["me/pick"], &["--repo-id=me/pick"]] {
        let ended = sandbox.run(&[&["--json", "dataset", "info"], words].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let result = ended.result();
        assert_eq!(result["total_episodes"], 2, "{result}");
        assert_eq!(result["codebase_version"], "v3.0", "{result}");
        assert!(result["sizes"]["videos"].as_u64().unwrap() > 1000, "{result}");
    }
    let seen = sandbox.run(&["dataset", "info", "me/pick"]);
    for part in ["2 episodes", "33 frames", "observation.images.top", "video 48×48 av1"] {
        assert!(seen.out.contains(part), "{part}: {}", seen.out);
    }
}

#[test]
fn a_folder_without_a_dataset_is_named_with_what_to_do() {
    let sandbox = Sandbox::new();
    for name in ["me/nothing", "/nowhere"] {
        let ended = sandbox.run(&["dataset", "info", name]);
        assert_eq!(ended.code, 4, "{ended:?}");
        assert!(ended.err.contains("no dataset here"), "{}", ended.err);
        assert!(ended.err.contains("do:"), "{}", ended.err);
    }
}
