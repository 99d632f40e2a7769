//! Somebody wants a dataset or a policy that lies on a hub: all of it, parts of it, or only a look.

use std::fs;
use std::path::{Path, PathBuf};

use sinew_hub::serve::{Access, Options as Serving, Server};
use sinew_hub::{Flow, Hub, Kind, Ledger, Local, Options, Push, Repo};

use super::look_at_a_dataset::golden;
use super::use_a_policy::policy;
use crate::sandbox::{Ended, Sandbox};

const TOKEN: &str = "hf_of_mine";

/// A hub, and a machine that knows where it is.
struct Bench {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
    server: Server,
}

impl Bench {
    /// A hub that lets everybody in.
    fn new() -> Self {
        Self::with(Vec::new())
    }

    fn with(tokens: Vec<Access>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Serving::new(folder.path().join("hub"));
        options.tokens = tokens;
        let server = Server::start(options).unwrap();
        let sandbox = Sandbox::new().with("HF_ENDPOINT", &server.url());
        Self { sandbox, folder, server }
    }

    /// Another machine that knows where the hub is.
    fn elsewhere(&self) -> Sandbox {
        Sandbox::new().with("HF_ENDPOINT", &self.server.url())
    }

    /// Puts a folder onto the hub, under this tag.
    fn put(&self, kind: Kind, name: &str, from: &Path, tag: Option<&str>) {
        let options = Options { token: Some(TOKEN.into()), ..Options::default() };
        let hub = Hub::new(&self.server.url(), options).unwrap();
        let repo = Repo::new(kind, name).unwrap();
        let files = Local::below(from, |_| true).unwrap();
        let push = Push {
            hub: &hub,
            repo: &repo,
            branch: "main",
            private: name.ends_with("secret"),
            title: "Put it there",
            files: &files,
            mirror: false,
            replace: false,
            request: false,
        };
        let ledger = Ledger::open(&self.folder.path().join(name.replace('/', "-"))).unwrap();
        push.run(&ledger, &Flow::at_most(None)).unwrap();
        if let Some(tag) = tag {
            hub.tag(&repo, tag, "main").unwrap();
        }
    }

    /// Puts a dataset of LeRobot's onto the hub.
    fn put_dataset(&self, golden_name: &str, name: &str, tag: Option<&str>) -> PathBuf {
        let folder = golden(&self.sandbox, golden_name, &format!("theirs/{name}"));
        self.put(Kind::Dataset, name, &folder, tag);
        folder
    }

    fn cached(&self, name: &str) -> PathBuf {
        self.sandbox.path(".cache/huggingface/hub").join(name)
    }
}

fn pull(sandbox: &Sandbox, words: &[&str]) -> Ended {
    sandbox.run(&[&["--json", "hub", "pull"], words].concat())
}

/// The paths of all files below a folder, sorted.
fn below(folder: &Path) -> Vec<String> {
    let files = Local::below(folder, |_| true).unwrap();
    files.iter().map(|file| file.path().to_owned()).collect()
}

#[test]
fn a_dataset_is_fetched_once_and_opened_by_its_name() {
    let bench = Bench::new();
    let theirs = bench.put_dataset("v30_video", "local/pick", Some("v3.0"));
    let seen = bench.sandbox.run(&["hub", "pull", "local/pick"]);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(seen.err.contains("is a dataset, v3.0"), "{}", seen.err);
    let folder = PathBuf::from(seen.out.trim());
    for path in below(&theirs) {
        assert_eq!(fs::read(folder.join(&path)).unwrap(), fs::read(theirs.join(&path)).unwrap());
    }
    // Programs are told how far it is.
    let told = pull(&bench.elsewhere(), &["local/pick"]).json();
    let told: Vec<_> = told.iter().filter(|line| line["type"] == "progress").collect();
    assert!(told.len() > 1 && told.iter().all(|line| line["repo"] == "local/pick"), "{told:?}");
    let last = told.last().unwrap();
    assert_eq!((&last["files"], &last["bytes"]), (&last["of_files"], &last["of_bytes"]), "{last}");
    assert!(last["files"].as_u64().unwrap() > 3, "{last}");
    let again = pull(&bench.sandbox, &["local/pick"]).result();
    assert_eq!((&again["fetched"], &again["kind"]), (&0.into(), &"dataset".into()), "{again}");
    for words in [["dataset", "info"], ["dataset", "verify"]] {
        let ended = bench.sandbox.run(&[&["--json"], &words[..], &["local/pick"]].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    // Without the hub it is still known by its name; what was never fetched is not.
    drop(bench.server);
    let offline = bench.sandbox.with("HF_HUB_OFFLINE", "1");
    let info = offline.run(&["--json", "dataset", "info", "local/pick"]);
    assert_eq!(info.result()["total_episodes"], 2, "{info:?}");
    let other = offline.run(&["dataset", "info", "local/place"]);
    assert_eq!(other.code, 4, "{other:?}");
    assert!(other.err.contains("is not on this machine"), "{}", other.err);
}

#[test]
fn what_only_looks_reads_from_the_hub() {
    let bench = Bench::new();
    bench.put_dataset("v30_video", "local/pick", Some("v3.0"));
    let info = bench.sandbox.run(&["--json", "dataset", "info", "local/pick"]);
    assert_eq!(info.result()["total_frames"], 33, "{info:?}");
    assert!(info.result()["sizes"]["videos"].as_u64().unwrap() > 1000, "{info:?}");
    let rows = bench.sandbox.path("rows.csv");
    let words = ["dataset", "export", "local/pick", "--format=csv", "-o", rows.to_str().unwrap()];
    let ended = bench.sandbox.run(&words);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(fs::read_to_string(rows).unwrap().lines().count(), 34);
    let there = below(&bench.cached("datasets--local--pick/snapshots"));
    assert!(!there.is_empty() && there.iter().all(|path| path.contains("/meta/")), "{there:?}");
}

#[test]
fn parts_of_a_dataset_are_its_tables_and_the_files_of_what_was_named() {
    let bench = Bench::new();
    bench.put_dataset("v21_video", "local/old", Some("v2.1"));
    let parts = |words: &[&str]| {
        let sandbox = bench.elsewhere();
        let ended = pull(&sandbox, &[&["local/old"], words].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let files = below(Path::new(ended.result()["path"].as_str().unwrap()));
        files
            .into_iter()
            .filter(|path| path.contains('/') && !path.starts_with("meta/"))
            .collect::<Vec<_>>()
    };
    assert_eq!(parts(&["--meta-only"]), [""; 0]);
    let one = parts(&["--episodes", "1"]);
    assert!(one.len() > 1 && one.iter().all(|path| path.contains("episode_000001")), "{one:?}");
    let blind = parts(&["--cameras=top", "--episodes=[0]"]);
    assert!(blind.len() == 2 && blind[1].contains("observation.images.top"), "{blind:?}");
    let wrong = pull(&bench.sandbox, &["local/old", "--cameras=nose"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("nose") && wrong.err.contains("observation.images.top"));
    let late = pull(&bench.sandbox, &["local/old", "--episodes=99"]);
    assert_eq!(late.code, 2, "{late:?}");
}

#[test]
fn the_newest_version_is_taken_and_none_is_told() {
    let bench = Bench::new();
    bench.put_dataset("v30_video", "local/plain", None);
    let ended = bench.sandbox.run(&["hub", "pull", "local/plain"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("no version such as v3.0"), "{}", ended.err);
    bench.put_dataset("v30_video", "local/both", Some("v3.0"));
    bench.put(
        Kind::Dataset,
        "local/both",
        &golden(&bench.sandbox, "v21_video", "more"),
        Some("v2.1"),
    );
    assert_eq!(pull(&bench.sandbox, &["local/both"]).result()["revision"], "v3.0");
    let main = pull(&bench.sandbox, &["local/both", "--revision=main"]).result();
    assert_eq!(main["revision"], "main");
    let none = pull(&bench.sandbox, &["local/both", "--revision=v9"]);
    assert_eq!(none.code, 4, "{none:?}");
    assert!(none.err.contains("branch, tag or commit"), "{}", none.err);
}

#[test]
fn a_folder_of_ones_own_is_filled_and_what_was_changed_in_it_stays() {
    let bench = Bench::new();
    let theirs = bench.put_dataset("v30_image", "local/pick", Some("v3.0"));
    let mine = bench.sandbox.path("mine");
    let words = ["local/pick", "--local-dir", mine.to_str().unwrap()];
    assert_eq!(pull(&bench.sandbox, &words).code, 0);
    assert_eq!(
        below(&mine).iter().filter(|path| *path != ".gitattributes").count(),
        below(&theirs).len()
    );
    let info = mine.join("meta/info.json");
    assert!(fs::symlink_metadata(&info).unwrap().is_file());
    fs::write(&info, "mine").unwrap();
    fs::remove_dir_all(mine.join(".cache")).unwrap();
    let ended = pull(&bench.sandbox, &words);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert_eq!(fs::read_to_string(&info).unwrap(), "mine");
}

#[test]
fn a_policy_is_run_by_its_name() {
    let bench = Bench::new();
    let folder = policy(&bench.sandbox, 64);
    fs::create_dir(folder.join("training_state")).unwrap();
    fs::write(folder.join("training_state/optimizer.safetensors"), "large").unwrap();
    bench.put(Kind::Model, "local/act", &folder, None);
    bench.put_dataset("v30_video", "local/pick", Some("v3.0"));
    let info = bench.sandbox.run(&["--json", "policy", "info", "local/act"]);
    assert_eq!(info.result()["runs"], true, "{info:?}");
    let there = below(&bench.cached("models--local--act/snapshots"));
    assert!(there.iter().all(|path| !path.contains("training_state")), "{there:?}");
    let words = ["--json", "policy", "check"];
    let near = bench
        .sandbox
        .run(&[&words[..], &[folder.to_str().unwrap(), "--dataset=local/pick"]].concat());
    let far = bench.sandbox.run(&[&words[..], &["local/act", "--dataset=local/pick"]].concat());
    assert_eq!(far.code, near.code, "{far:?}");
    assert_eq!(far.result(), near.result());
    // So it is when it is tried in simulation: the one that comes along, by a name on the hub.
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../robot/sim/policy/so101_lift");
    bench.put(Kind::Model, "local/lift", Path::new(ours), None);
    let tried = |policy: &str| {
        let out = bench.sandbox.path("tried");
        let words = ["eval", "--json", "--policy", policy, "--episodes=2", "--videos=0", "--out"];
        let ended = bench.sandbox.run(&[&words[..], &[out.to_str().unwrap()]].concat());
        assert_eq!(ended.code, 0, "{}", ended.err);
        let result = ended.result();
        (result["successes"].clone(), result["seeds"].clone())
    };
    assert_eq!(tried("local/lift"), tried(ours));
    // Not asked what it is, a pull finds that it is none of the hub's datasets.
    let all = bench.sandbox.run(&["hub", "pull", "local/act"]);
    assert!(all.code == 0 && all.err.contains("is a model"), "{all:?}");
    assert!(Path::new(all.out.trim()).join("training_state").is_dir());
}

#[test]
fn what_is_private_needs_a_token_that_is_never_shown() {
    let mine = Access { token: TOKEN.into(), name: "me".into(), write: true };
    let bench = Bench::with(vec![mine]);
    bench.put_dataset("v30_video", "me/secret", Some("v3.0"));
    let ended = pull(&bench.sandbox, &["me/secret"]);
    assert!([4, 5].contains(&ended.code), "{ended:?}");
    assert!(ended.err.contains("do:"), "{}", ended.err);
    let wrong = bench.elsewhere().with("HF_TOKEN", "hf_wrong_one");
    let ended = wrong.run(&["-vv", "hub", "pull", "me/secret"]);
    assert!([4, 5].contains(&ended.code), "{ended:?}");
    assert!(!format!("{ended:?}").contains("hf_wrong_one"));

    let login = bench.sandbox.run_with_input(&["hub", "login"], "hf_wrong_one\n");
    assert_eq!(login.code, 5, "{login:?}");
    assert!(!format!("{login:?}").contains("hf_wrong_one"));
    let login = bench.sandbox.run_with_input(&["hub", "login"], &format!("{TOKEN}\n"));
    assert!(login.code == 0 && login.out.contains("me"), "{login:?}");
    assert!(!format!("{login:?}").contains(TOKEN));
    assert_eq!(bench.sandbox.run(&["--json", "hub", "whoami"]).result()["name"], "me");
    assert_eq!(pull(&bench.sandbox, &["me/secret"]).code, 0);
    // Streamed as well.
    let rows = bench.sandbox.path("rows.jsonl");
    let rows = rows.to_str().unwrap();
    let other = bench.elsewhere().with("HF_TOKEN", TOKEN);
    let ended = other.run(&["dataset", "export", "me/secret", "--format=jsonl", "-o", rows]);
    assert_eq!(ended.code, 0, "{ended:?}");

    assert_eq!(bench.sandbox.run(&["hub", "logout"]).code, 0);
    let ended = bench.sandbox.run(&["hub", "whoami"]);
    assert!(ended.code == 5 && ended.err.contains("sinew hub login"), "{ended:?}");
}

#[test]
fn a_pull_that_was_killed_goes_on_where_it_was() {
    let bench = Bench::new();
    let folder = bench.sandbox.path("large");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config.json"), "{}").unwrap();
    let bytes: Vec<u8> = (0..48_u32 << 18).flat_map(|number| number.to_le_bytes()).collect();
    fs::write(folder.join("model.safetensors"), &bytes).unwrap();
    bench.put(Kind::Model, "local/large", &folder, None);
    let running = bench.sandbox.start(&["hub", "pull", "--type=model", "local/large"]);
    let blobs = bench.cached("models--local--large/blobs");
    let begun = || {
        let blobs = fs::read_dir(&blobs).ok()?;
        blobs.flatten().filter_map(|blob| blob.metadata().ok()).map(|about| about.len()).max()
    };
    while begun().is_none_or(|length| length < 1 << 20) {
        std::thread::yield_now();
    }
    drop(running);
    let result = pull(&bench.sandbox, &["--type=model", "local/large"]).result();
    assert!(result["fetched"].as_u64().unwrap() < bytes.len() as u64, "{result}");
    let path = Path::new(result["path"].as_str().unwrap()).join("model.safetensors");
    assert!(fs::read(path).unwrap() == bytes);
}

#[test]
fn a_dataset_on_the_hub_is_edited_into_another_only() {
    let bench = Bench::new();
    bench.put_dataset("v30_video", "local/pick", Some("v3.0"));
    let edit = ["dataset", "delete-episodes", "local/pick", "--episodes=0"];
    let ended = bench.sandbox.run(&[&edit[..], &["--yes"]].concat());
    assert!(ended.code == 2 && ended.err.contains("--local-dir"), "{ended:?}");
    let out = bench.sandbox.path("less");
    let ended = bench.sandbox.run(&[&edit[..], &["--out", out.to_str().unwrap()]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let info = bench.sandbox.run(&["--json", "dataset", "info", out.to_str().unwrap()]);
    assert_eq!(info.result()["total_episodes"], 1);
}

#[test]
fn an_arm_does_what_the_hub_has() {
    let bench = Bench::new();
    let recorded = [
        "record",
        "--robot.type=so101_follower",
        "--robot.port=sim",
        "--teleop.type=so101_leader",
        "--teleop.port=sim",
        "--task=Move",
        "--dataset=me/moves",
        "--dataset.no_stamp",
        "--dataset.num_episodes=1",
        "--dataset.episode_time_s=1",
        "--dry_run_s=0",
    ];
    let ended = bench.sandbox.run(&recorded);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let moves = bench.sandbox.path(".cache/huggingface/lerobot/me/moves");
    bench.put(Kind::Dataset, "local/moves", &moves, Some("v3.0"));
    bench.put(Kind::Model, "local/act", &policy(&bench.sandbox, 64), None);

    let machine = bench.elsewhere();
    let words = [
        "--json",
        "replay",
        "--robot=sim",
        "--dataset=local/moves",
        "--episode=0",
        "--dry_run_s=0",
    ];
    let replayed = machine.run(&words);
    assert_eq!(replayed.code, 0, "{}", replayed.err);
    assert_eq!(replayed.result()["rows"], 30, "{replayed:?}");
    let words = [
        "--json",
        "rollout",
        "--policy=local/act",
        "--robot=sim",
        "--camera=top=sim@64x64x30",
        "--duration=1",
        "--dry_run_s=0",
    ];
    let driven = machine.run(&words);
    assert_eq!(driven.code, 0, "{}", driven.err);
    assert!(driven.result()["chunks"].as_u64().unwrap() > 0, "{driven:?}");
}

#[test]
fn what_lerobot_fetched_is_found_where_lerobot_keeps_it() {
    let bench = Bench::new();
    bench.put_dataset("v30_video", "local/pick", Some("v3.0"));
    let home = bench.sandbox.path(".cache/huggingface");
    let lerobots = home.join("lerobot/hub");
    // LeRobot has the Hub's client use a folder of its own.
    let machine = bench.elsewhere().with("HF_HUB_CACHE", lerobots.to_str().unwrap());
    assert_eq!(machine.run(&["hub", "pull", "local/pick"]).code, 0);
    let offline = bench.sandbox.with("HF_HUB_OFFLINE", "1");
    let ended = offline.run(&["--json", "hub", "pull", "local/pick"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(Path::new(ended.result()["path"].as_str().unwrap()).starts_with(lerobots));
}
