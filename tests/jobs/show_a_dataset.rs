//! Somebody wants to see what was recorded, in Rerun.

use std::fs;

use super::look_at_a_dataset::golden;
use crate::sandbox::Sandbox;

/// What every file for Rerun begins with.
const MAGIC: &[u8] = b"RRF2";

#[test]
fn every_episode_goes_into_one_file() {
    let sandbox = Sandbox::new();
    for (name, episodes, rows) in [("v30_video", 2, 33), ("v21_image", 2, 33), ("v30_rich", 3, 31)]
    {
        let folder = golden(&sandbox, name, name);
        let file = sandbox.path("all.rrd");
        let (folder, file_word) = (folder.to_str().unwrap(), file.to_str().unwrap());
        let words = ["dataset", "export", folder, "--format=rrd", "-o", file_word];
        let ended = sandbox.run(&[&["--json"], &words[..], &["--yes"]].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let result = ended.result();
        assert_eq!((&result["episodes"], &result["rows"]), (&episodes.into(), &rows.into()));
        assert_eq!(result["left_out"].as_array().map(Vec::len), Some(0), "{result}");
        assert!(fs::read(&file).unwrap().starts_with(MAGIC));
        assert_eq!(sandbox.run(&words).code, 2, "what is there stays");
    }
    let left: Vec<_> = fs::read_dir(sandbox.path("")).unwrap().collect();
    assert_eq!(left.len(), 4, "three datasets and a file, nothing half made: {left:?}");
}

#[test]
fn a_file_gets_the_name_that_was_asked_for_or_lerobots() {
    let sandbox = Sandbox::new();
    let folder = golden(&sandbox, "v30_video", "me/pick");
    let viz = ["dataset", "viz", folder.to_str().unwrap(), "--episode", "1"];
    let (file, home) = (sandbox.path("one.rrd"), sandbox.path(""));
    let ours = ["--save", file.to_str().unwrap()];
    let theirs = ["--save", "1", "--output-dir", home.to_str().unwrap()];
    for (words, name) in [(&ours[..], "one.rrd"), (&theirs, "me_pick_episode_1.rrd")] {
        let ended = sandbox.run(&[&viz[..], words].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.out.contains("1 episodes, 13 frames"), "{}", ended.out);
        assert!(fs::read(sandbox.path(name)).unwrap().starts_with(MAGIC), "{name}");
    }
    let ended = sandbox.run(&["dataset", "viz", viz[2], "--episode", "7", "--save", "x"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("episode 7 is not there"), "{}", ended.err);
}

#[test]
fn without_a_viewer_it_says_what_installs_one_and_writes_a_file_meanwhile() {
    let sandbox = Sandbox::new();
    let folder = golden(&sandbox, "v30_image", "pick");
    let ended = sandbox.run(&["dataset", "viz", folder.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("pip install rerun-sdk==0.36."), "{}", ended.err);
    let file = ended.out.split(": ").next().unwrap();
    assert!(fs::read(file).unwrap().starts_with(MAGIC));
    fs::remove_file(file).unwrap();
}

#[test]
fn an_address_that_is_none_is_wrong_usage() {
    let sandbox = Sandbox::new();
    let folder = golden(&sandbox, "v30_image", "pick");
    let ended = sandbox.run(&["dataset", "viz", folder.to_str().unwrap(), "--connect", "nowhere"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("rerun+http://127.0.0.1:9876/proxy"), "{}", ended.err);
}
