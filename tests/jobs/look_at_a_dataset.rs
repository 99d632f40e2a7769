//! Somebody has recorded, or got, a dataset, and wants to know what is in it and whether it is sound.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A copy of a dataset that LeRobot wrote, in the home.
pub fn golden(sandbox: &Sandbox, name: &str, to: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/datasets").join(name);
    let to = sandbox.path(to);
    copy(&from, &to);
    to
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
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
    for (name, what) in
        [("me/nothing", "is no folder of this machine"), ("/nowhere", "no dataset here")]
    {
        let ended = sandbox.run(&["dataset", "info", name]);
        assert_eq!(ended.code, 4, "{ended:?}");
        assert!(ended.err.contains(what), "{}", ended.err);
        assert!(ended.err.contains("do:"), "{}", ended.err);
    }
}

#[test]
fn verify_finds_nothing_where_nothing_is_wrong() {
    let sandbox = Sandbox::new();
    for name in ["v30_image", "v30_rich", "v21_video"] {
        let folder = golden(&sandbox, name, name);
        let ended = sandbox.run(&["--json", "dataset", "verify", folder.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let result = ended.result();
        assert_eq!((&result["ok"], &result["findings"]), (&json!(true), &json!([])), "{result}");
        assert!(result["episodes"].as_u64() > Some(1) && result["frames"].as_u64() > Some(20));
    }
}

#[test]
fn verify_names_what_is_wrong_where_and_what_to_do() {
    let sandbox = Sandbox::new();
    let folder = golden(&sandbox, "v30_image", "me/pick");
    let table = folder.join("data/chunk-000/file-000.parquet");
    let bytes = fs::read(&table).unwrap();
    // What LeRobot leaves when it is killed: a table without its footer.
    fs::write(&table, &bytes[..bytes.len() / 2]).unwrap();
    let ended = sandbox.run(&["--json", "dataset", "verify", folder.to_str().unwrap()]);
    assert_eq!(ended.code, 4, "{ended:?}");
    let result = ended.result();
    assert_eq!(result["ok"], false);
    let finding = &result["findings"][0];
    assert_eq!(finding["code"], "missing_footer", "{result}");
    assert!(finding["where"].as_str().unwrap().contains("file-000.parquet"), "{result}");
    assert!(finding["message"].as_str().is_some(), "{result}");
    let seen = sandbox.run(&["dataset", "verify", folder.to_str().unwrap()]);
    assert_eq!(seen.code, 4);
    for part in ["error", "file-000.parquet", "do: ", "not sound"] {
        assert!(seen.out.contains(part), "{part}: {}", seen.out);
    }
}

#[test]
fn what_is_only_odd_counts_when_asked_to() {
    let sandbox = Sandbox::new();
    let folder = golden(&sandbox, "v30_image", "pick");
    fs::write(folder.join("data/notes.txt"), "mine").unwrap();
    let words = ["dataset", "verify", folder.to_str().unwrap(), "--sample=3"];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("warning data/notes.txt"), "{}", ended.out);
    assert_eq!(sandbox.run(&[&words[..], &["--strict"]].concat()).code, 4);
}

#[test]
fn a_report_is_one_page() {
    let sandbox = Sandbox::new();
    let folder = golden(&sandbox, "v30_video", "pick");
    let page = sandbox.path("page.html");
    let words = ["dataset", "report", folder.to_str().unwrap(), "-o", page.to_str().unwrap()];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 0, "{ended:?}");
    let text = fs::read_to_string(&page).unwrap();
    for part in ["<!doctype html>", "Nothing is wrong", "data:image/png;base64,", "pan.pos"] {
        assert!(text.contains(part), "{part}");
    }
    let only = [&words[..], &["--episode-index=1"]].concat();
    assert_eq!(sandbox.run(&only).code, 0);
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("Episode 1 ") && !text.contains("Episode 0 "));
}

#[test]
fn rows_go_to_any_program() {
    let sandbox = Sandbox::new();
    let folder = golden(&sandbox, "v30_rich", "pick");
    for (format, lines) in [("csv", 1), ("jsonl", 0)] {
        let out = sandbox.path(format);
        let words = ["dataset", "export", folder.to_str().unwrap(), "--format", format, "-o"];
        let words = [&words[..], &[out.to_str().unwrap()]].concat();
        let ended = sandbox.run(&[&["--json"], &words[..]].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let rows = ended.result()["rows"].as_u64().unwrap();
        let text = fs::read_to_string(&out).unwrap();
        assert_eq!(text.lines().count() as u64, rows + lines, "{format}");
        assert_eq!(sandbox.run(&words).code, 2, "what is there stays");
        assert_eq!(sandbox.run(&[&words[..], &["--yes"]].concat()).code, 0);
    }
}

#[test]
fn statistics_that_drifted_are_computed_anew() {
    let sandbox = Sandbox::new();
    for name in ["v30_image", "v30_video"] {
        let folder = golden(&sandbox, name, name);
        let (path, dataset) = (folder.join("meta/stats.json"), folder.to_str().unwrap());
        let right = fs::read_to_string(&path).unwrap();
        let mut stats: Value = serde_json::from_str(&right).unwrap();
        stats["action"]["mean"][0] = json!(123.0);
        fs::write(&path, stats.to_string()).unwrap();
        let ended = sandbox.run(&["--json", "dataset", "verify", dataset]);
        assert_eq!(ended.code, 4);
        assert_eq!(ended.result()["findings"][0]["code"], "stats_drift");
        let words = ["dataset", "recompute-stats", dataset];
        assert_eq!(sandbox.run(&words).code, 2, "nobody agreed");
        assert_eq!(sandbox.run(&[&words[..], &["--dry-run"]].concat()).code, 0);
        assert!(fs::read_to_string(&path).unwrap().contains("123"), "nothing was done yet");
        let ended = sandbox.run(&["--json", "dataset", "stats", dataset, "--yes"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let kept = ended.result()["kept"].as_str().unwrap().to_owned();
        assert!(fs::read_to_string(format!("{kept}/meta/stats.json")).unwrap().contains("123"));
        assert_eq!(sandbox.run(&["dataset", "verify", dataset]).code, 0);
        let again: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let was: Value = serde_json::from_str(&right).unwrap();
        for (entry, was) in was["action"].as_object().unwrap() {
            for (at, was) in was.as_array().unwrap().iter().enumerate() {
                let now = again["action"][entry][at].as_f64().unwrap();
                assert!((now - was.as_f64().unwrap()).abs() < 1e-5, "{name}: {entry} {was} {now}");
            }
        }
    }
}
