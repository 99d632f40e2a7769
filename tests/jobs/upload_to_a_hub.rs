//! Somebody records, and what is recorded goes up to a hub by itself, whatever happens on the way.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sinew_datasets::Dataset;
use sinew_hub::serve::{Access, Options, Server};
use sinew_hub::{Client, Hub, Kind, Link, Repo};

use super::use_a_policy::policy;
use crate::sandbox::Sandbox;

const TOKEN: &str = "hf_of_the_test";

/// A hub in a folder of its own, at a port or at any.
fn serve(folder: &Path, port: u16) -> Server {
    let access = |token: &str, write| Access { token: token.into(), name: "me".into(), write };
    let tokens = vec![access(TOKEN, true), access("hf_that_reads", false)];
    Server::start(Options { port, tokens, ..Options::new(folder) }).unwrap()
}

/// A home whose user is logged in at a hub.
fn sandbox(url: &str) -> Sandbox {
    Sandbox::new().with("HF_ENDPOINT", url).with("HF_TOKEN", TOKEN)
}

fn hub(url: &str) -> Hub {
    let token = Some(TOKEN.to_owned());
    Hub::new(url, sinew_hub::Options { token, ..sinew_hub::Options::default() }).unwrap()
}

fn pick() -> Repo {
    Repo::new(Kind::Dataset, "me/pick").unwrap()
}

/// Records so many episodes of a second each, with these flags besides.
fn record(sandbox: &Sandbox, more: &[&str]) -> crate::sandbox::Ended {
    let words = ["--json", "record", "--dry_run_s=0", "--robot=sim", "--teleop=sim"];
    let set = ["--task=Pick the cube", "--dataset=me/pick", "--dataset.no_stamp"];
    let quick = ["--dataset.episode_time_s=1", "--dataset.reset_time_s=0"];
    let camera = ["--camera=front=pattern@64x48x30"];
    sandbox.run(&[&words[..], &set, &quick, &camera, more].concat())
}

fn folder(sandbox: &Sandbox) -> PathBuf {
    sandbox.path(".cache/huggingface/lerobot/me/pick")
}

/// Every file of the dataset is on the hub as it is here, and the newest commit has the tag of its
/// version. Returns the paths there.
fn is_there(url: &str, root: &Path) -> Vec<String> {
    let (hub, repo) = (hub(url), pick());
    let refs = hub.refs(&repo).unwrap();
    assert_eq!(refs.tags["v3.0"], refs.branches["main"], "tagged once all is there");
    let there = hub.files(&repo, "main", "").unwrap();
    let local = sinew_datasets::upload::files(root).unwrap();
    let base = hub.files_of(&repo, "v3.0");
    let server = sinew_hub::Options { token: Some(TOKEN.into()), ..Default::default() };
    let client = Arc::new(Client::new(server.clone()).unwrap());
    for file in &local {
        assert!(there.iter().any(|entry| entry.path == file.path()), "{}", file.path());
        let here = std::fs::read(root.join(file.path())).unwrap();
        let link = Link::new(&client, &base, file.path().split('/'));
        assert!(link.whole(1 << 30).unwrap() == here, "{} is another", file.path());
    }
    let options = sinew_datasets::remote::Options { server, ..Default::default() };
    let remote = Dataset::stream(&base, &options).unwrap();
    assert_eq!(remote.len(), Dataset::open(root).unwrap().len());
    there.into_iter().map(|entry| entry.path).collect()
}

#[test]
fn every_episode_goes_up_beside_the_recording() {
    let server_folder = tempfile::tempdir().unwrap();
    let server = serve(server_folder.path(), 0);
    let sandbox = sandbox(&server.url());
    let more = ["--dataset.num_episodes=2", "--push", "--dataset.private", "--dataset.tags=so101"];
    let ended = record(&sandbox, &more);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let upload = &ended.result()["upload"];
    assert_eq!(upload["done"], true, "{upload}");
    let paths = is_there(&server.url(), &folder(&sandbox));
    assert!(paths.contains(&"README.md".to_owned()), "{paths:?}");
    assert!(hub(&server.url()).state(&pick(), None).unwrap().private);
    assert!(!ended.err.contains(TOKEN) && !ended.out.contains(TOKEN));
    assert!(!folder(&sandbox).join(".sinew-upload").exists());

    let status = sandbox.run(&["--json", "hub", "status"]);
    assert_eq!(status.result()["uploads"][0]["standing"], "done", "{status:?}");
    // Going on with it adds to what is there.
    let ended = record(&sandbox, &["--resume", "--dataset.num_episodes=1", "--push"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.result()["upload"]["done"], true, "{}", ended.err);
    is_there(&server.url(), &folder(&sandbox));
    // By hand nothing is new but for what is asked for.
    let pushed = sandbox.run(&["--json", "hub", "push", "me/pick"]);
    assert_eq!(pushed.code, 0, "{}", pushed.err);
    assert_eq!(pushed.result()["changed"], 0, "{pushed:?}");
    // Others are asked elsewhere.
    let words = ["--json", "hub", "push", "me/pick", "me/other", "--create-pr"];
    let asked = sandbox.run(&words);
    assert_eq!(asked.code, 0, "{}", asked.err);
    let address = format!("{}/datasets/me/other/discussions/1", server.url());
    assert_eq!(asked.result()["pull_request"], address.as_str(), "{asked:?}");
    let other = Repo::new(Kind::Dataset, "me/other").unwrap();
    let (hub, refs) = (hub(&server.url()), hub(&server.url()).refs(&other).unwrap());
    assert!(refs.tags.is_empty(), "what is only asked for is no version: {refs:?}");
    assert!(hub.files(&other, "main", "").unwrap().iter().all(|file| file.path.starts_with('.')));
    assert!(hub.files(&other, "refs/pr/1", "").unwrap().len() > 3);
    // Programs are told how far it is.
    let told = asked.json();
    let told: Vec<_> = told.iter().filter(|line| line["type"] == "progress").collect();
    let last = told.last().unwrap();
    assert_eq!((&last["repo"], &last["files"]), (&"me/other".into(), &last["of_files"]), "{last}");
    assert!(last["files"].as_u64().unwrap() > 3 && last["bytes"] == last["of_bytes"], "{last}");
}

#[test]
fn without_a_network_nothing_is_lost_and_retry_brings_it_up() {
    // A port where nobody listens yet.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let sandbox = sandbox(&url);
    let ended = record(&sandbox, &["--dataset.num_episodes=1", "--push"]);
    assert_eq!(ended.code, 0, "a recording is no worse for it: {}", ended.err);
    let upload = &ended.result()["upload"];
    assert_eq!(upload["done"], false, "{upload}");
    assert!(ended.err.contains("sinew hub retry me/pick"), "{}", ended.err);
    let status = sandbox.run(&["--json", "hub", "status"]);
    let row = &status.result()["uploads"][0];
    assert_eq!((&row["standing"], &row["repo"]), (&"waits".into(), &"me/pick".into()), "{row}");
    let failed = sandbox.run(&["--json", "hub", "retry", "--once"]);
    assert_ne!(failed.code, 0, "{failed:?}");

    let server_folder = tempfile::tempdir().unwrap();
    let server = serve(server_folder.path(), port);
    let retried = sandbox.run(&["--json", "hub", "retry"]);
    assert_eq!(retried.code, 0, "{}", retried.err);
    is_there(&server.url(), &folder(&sandbox));
    let again = sandbox.run(&["--json", "hub", "retry"]);
    assert_eq!(again.result()["uploads"], serde_json::json!([]));
    let cleared = sandbox.run(&["--json", "hub", "status", "--clear"]);
    assert_eq!(cleared.code, 0);
    assert_eq!(
        sandbox.run(&["--json", "hub", "status"]).result()["uploads"],
        serde_json::json!([])
    );
}

#[test]
fn two_who_record_under_one_name_do_not_overwrite_each_other() {
    let server_folder = tempfile::tempdir().unwrap();
    let server = serve(server_folder.path(), 0);
    let (one, other) = (sandbox(&server.url()), sandbox(&server.url()));
    assert_eq!(record(&one, &["--dataset.num_episodes=2", "--push"]).code, 0);
    let ended = record(&other, &["--dataset.num_episodes=1", "--push"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.result()["upload"]["done"], false, "{ended:?}");
    assert!(ended.err.contains("somebody else changed"), "{}", ended.err);
    is_there(&server.url(), &folder(&one));
    let status = other.run(&["--json", "hub", "status"]);
    assert_eq!(status.result()["uploads"][0]["standing"], "needs you", "{status:?}");
    // Who knows what they do replaces it by hand.
    let pushed = other.run(&["--json", "hub", "push", "me/pick"]);
    assert_eq!(pushed.code, 0, "{}", pushed.err);
    is_there(&server.url(), &folder(&other));
}

#[test]
fn who_may_not_write_is_told_before_anything_moves() {
    let server_folder = tempfile::tempdir().unwrap();
    let server = serve(server_folder.path(), 0);
    let nobody = Sandbox::new().with("HF_ENDPOINT", &server.url());
    let ended = record(&nobody, &["--dataset.num_episodes=1", "--push"]);
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(ended.err.contains("sinew hub login"), "{}", ended.err);
    assert!(!folder(&nobody).exists());
    let reader =
        Sandbox::new().with("HF_ENDPOINT", &server.url()).with("HF_TOKEN", "hf_that_reads");
    assert_eq!(record(&reader, &["--dataset.num_episodes=1"]).code, 0);
    let pushed = reader.run(&["--json", "hub", "push", "me/pick"]);
    assert_eq!(pushed.code, 5, "{pushed:?}");
    assert!(!pushed.err.contains("hf_that_reads") && !pushed.out.contains("hf_that_reads"));
    for (words, says) in [
        (&["hub", "push", "nothing/here"][..], "no dataset or policy"),
        (&["hub", "push", "me/pick", "me/../x"], "not a repository's name"),
    ] {
        let ended = reader.run(words);
        assert!(ended.code != 0 && ended.err.contains(says), "{words:?}: {}", ended.err);
    }
}

#[test]
fn a_policy_goes_up_with_its_page() {
    let server_folder = tempfile::tempdir().unwrap();
    let server = serve(server_folder.path(), 0);
    let sandbox = sandbox(&server.url());
    let checkpoint = policy(&sandbox, 64);
    let words = ["--json", "hub", "push", checkpoint.to_str().unwrap(), "act_pick", "--tags=so101"];
    let pushed = sandbox.run(&words);
    assert_eq!(pushed.code, 0, "{}", pushed.err);
    assert_eq!(pushed.result()["repo"], "me/act_pick");
    let repo = Repo::new(Kind::Model, "me/act_pick").unwrap();
    let there = hub(&server.url()).files(&repo, "main", "").unwrap();
    let paths: Vec<&str> = there.iter().map(|entry| entry.path.as_str()).collect();
    for file in ["README.md", "config.json", "model.safetensors"] {
        assert!(paths.contains(&file), "{paths:?}");
    }
}
