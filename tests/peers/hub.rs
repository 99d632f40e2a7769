//! The Hub's official clients, unmodified, against a hub of our own: every version that changed what
//! is sent, `datasets`, and LeRobot.
//!
//! The newest clients and LeRobot do not go into one Python. `SINEW_PEER_HUB_PYTHONS` names those that
//! have other versions, with colons between them.

use std::path::{Path, PathBuf};
use std::process::Command;

use sinew_hub::serve::{Access, Options, Server};
use tempfile::TempDir;

use super::{PYTHON, report, with_python};
use crate::jobs::use_a_policy::policy;
use crate::sandbox::{Sandbox, binary};

/// Names the other Pythons.
const OTHERS: &str = "SINEW_PEER_HUB_PYTHONS";

const WRITER: &str = "hf_writerwriterwriter";
const READER: &str = "hf_readerreaderreader";

/// A hub in a folder of its own, and a home for a client.
struct Bench {
    folder: TempDir,
    server: Server,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path().join("hub"));
        let access = |token: &str, name: &str, write| Access {
            token: token.to_owned(),
            name: name.to_owned(),
            write,
        };
        options.tokens = vec![access(WRITER, "writer", true), access(READER, "reader", false)];
        // Clients that know parts send some.
        options.limits.part = 1_000_000;
        Self { server: Server::start(options).unwrap(), folder }
    }

    /// A script in a Python that knows this hub and no other.
    fn command(&self, python: &Path, script: &str) -> Command {
        let home = self.path("home");
        let mut command = with_python(python, script, &home);
        command
            .env_remove("HF_HUB_OFFLINE")
            .env("HF_ENDPOINT", self.server.url())
            .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
            .env("HF_TOKEN", WRITER);
        command
    }

    /// A folder for a client.
    fn path(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

/// All Pythons that have the client; says so where there are none.
fn pythons(test: &str) -> Vec<PathBuf> {
    let first = std::env::var_os(PYTHON);
    let others = std::env::var_os(OTHERS).unwrap_or_default();
    let others = std::env::split_paths(&others).filter(|path| !path.as_os_str().is_empty());
    let all: Vec<_> = first.map(PathBuf::from).into_iter().chain(others).collect();
    if all.is_empty() {
        eprintln!("SKIPPED {test}: set {PYTHON} or {OTHERS} to Pythons with huggingface_hub");
    } else if std::env::var_os(OTHERS).is_none() {
        eprintln!("SKIPPED {test}, other versions: set {OTHERS} to Pythons with them");
    }
    all
}

#[test]
fn official_clients_take_it_for_the_hub() {
    for python in pythons("huggingface_hub") {
        let bench = Bench::new();
        let mut command = bench.command(&python, "hub_client.py");
        command.env_remove("HF_TOKEN").args([WRITER, READER]).arg(bench.path("files"));
        report("huggingface_hub", &mut command).unwrap();
    }
}

#[test]
fn tables_are_pushed_loaded_and_streamed() {
    for python in pythons("datasets") {
        let bench = Bench::new();
        report("datasets", &mut bench.command(&python, "hub_datasets.py"));
    }
}

#[test]
fn lerobot_pushes_and_loads_by_name() {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("SKIPPED lerobot: set {PYTHON} to a Python with LeRobot");
        return;
    };
    let bench = Bench::new();
    let mut command = bench.command(python.as_ref(), "hub_lerobot.py");
    report("lerobot", command.arg(bench.path("sets")).arg("2")).unwrap();
}

#[test]
fn what_one_program_fetched_no_other_has_to_fetch() {
    for python in pythons("hub_cache") {
        let bench = Bench::new();
        let mut command = bench.command(&python, "hub_cache.py");
        report("hub_cache", command.arg(binary()).arg(bench.path("files"))).unwrap();
    }
}

#[test]
fn what_was_recorded_and_pushed_opens_in_lerobot_by_its_name() {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("SKIPPED lerobot: set {PYTHON} to a Python with LeRobot");
        return;
    };
    let bench = Bench::new();
    let url = bench.server.url();
    let sandbox = Sandbox::new().with("HF_ENDPOINT", &url).with("HF_TOKEN", WRITER);
    let words = ["--json", "record", "--dry_run_s=0", "--robot=sim", "--teleop=sim"];
    let set = ["--task=Pick the cube", "--dataset=writer/pick", "--dataset.no_stamp"];
    let short = ["--dataset.episode_time_s=1", "--dataset.reset_time_s=0"];
    let more = ["--dataset.num_episodes=2", "--camera=front=pattern@64x48x30"];
    let push = ["--push", "--dataset.tags=so101"];
    let ended = sandbox.run(&[&words[..], &set, &short, &more, &push].concat());
    assert_eq!((ended.code, &ended.result()["upload"]["done"]), (0, &true.into()), "{ended:?}");
    let checkpoint = policy(&sandbox, 64);
    let pushed = sandbox.run(&["hub", "push", checkpoint.to_str().unwrap(), "writer/act"]);
    assert_eq!(pushed.code, 0, "{}", pushed.err);

    let root = sandbox.path(".cache/huggingface/lerobot/writer/pick");
    let opens = |folder: &str, files: &str| {
        let mut command = bench.command(python.as_ref(), "hub_opens.py");
        command.arg(bench.path(folder)).arg("writer/pick").arg(&root);
        report("pushed", command.arg("writer/act").arg(&checkpoint).arg(files)).unwrap();
    };
    opens("as recorded", "2");
    // Rolled up, the files of the single episodes go there too.
    let compacted = sandbox.run(&["dataset", "compact", "writer/pick", "--yes"]);
    assert_eq!(compacted.code, 0, "{}", compacted.err);
    let pushed = sandbox.run(&["--json", "hub", "push", "writer/pick"]);
    assert_eq!(pushed.code, 0, "{}", pushed.err);
    assert!(pushed.result()["removed"].as_u64().unwrap() > 0, "{pushed:?}");
    opens("rolled up", "1");
}
