//! A folder, a hub, and the proxy between them.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sinew_hub::serve::{self, Server};
use sinew_hub::{
    Client, Entry, Error, Flow, Hub, Kind, Ledger, Local, Options, Push, Pushed, Repo, Result,
};

use crate::proxy::Proxy;

/// The token that nobody may ever read.
pub const TOKEN: &str = "hf_markedtokenthatnobodymayread";

/// Files from this size on go in parts.
pub const PART: u64 = 32 << 10;

/// How long the hub may be silent: long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_millis(800);

pub struct Stand {
    pub folder: tempfile::TempDir,
    pub proxy: Proxy,
    pub server: Server,
    pub repo: Repo,
}

impl Stand {
    pub fn new() -> Self {
        Self::with_parts(PART)
    }

    pub fn with_parts(part: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = serve::Options::new(folder.path().join("hub"));
        options.limits.part = part;
        // What a cut leaves behind there is not waited for.
        options.limits.requests = 256;
        let server = Server::start(options).unwrap();
        let proxy = Proxy::before(&server.url());
        Self { folder, proxy, server, repo: repo() }
    }

    pub fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    pub fn ledger_path(&self) -> PathBuf {
        self.folder.path().join("push.ledger")
    }

    /// Writes a file of so many bytes that belong to its name and `state`.
    pub fn write(&self, path: &str, size: u64, state: u64) {
        write(&self.source(), path, size, state);
    }

    /// Small files and large ones, of those some in parts.
    pub fn fill(&self) {
        self.write("README.md", 900, 0);
        self.write("meta/info.json", 2500, 0);
        self.write("empty.txt", 0, 0);
        self.write("data/file-000.parquet", 9000, 0);
        for number in 0..4 {
            self.write(&format!("videos/file-{number:03}.mp4"), PART * number + 77, number);
        }
    }

    /// A push through the proxy, with what earlier ones have learned.
    pub fn push(&self) -> Result<Pushed> {
        push(&self.proxy.url(), &self.source(), &self.ledger_path(), PATIENCE)
    }

    /// The hub as it is without the proxy.
    pub fn hub(&self) -> Hub {
        hub(&self.server.url(), PATIENCE * 10)
    }

    /// What is there, without what the hub put there itself.
    pub fn there(&self) -> Vec<Entry> {
        let mut files = self.hub().files(&self.repo, "main", "").unwrap();
        files.retain(|file| file.path != ".gitattributes");
        files
    }

    /// The commits, the first one first.
    pub fn commits(&self) -> Vec<String> {
        let client = Client::new(Options { token: Some(TOKEN.into()), ..Options::default() });
        let repo = self.repo.id();
        let url = format!("{}/api/datasets/{repo}/commits/main?limit=1000", self.server.url());
        let said: Value =
            serde_json::from_slice(&client.unwrap().get(&url, 1 << 24).unwrap()).unwrap();
        let mut ids: Vec<_> = said.as_array().unwrap().iter().map(|one| &one["id"]).collect();
        ids.reverse();
        ids.into_iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// The files there are the files here, byte for byte, and no commit did what another had done.
    pub fn is_whole(&self) {
        let client =
            Client::new(Options { token: Some(TOKEN.into()), ..Options::default() }).unwrap();
        let here = Local::below(&self.source(), |_| true).unwrap();
        let paths = |paths: Vec<&str>| paths.join("\n");
        assert_eq!(
            paths(here.iter().map(Local::path).collect()),
            paths(self.there().iter().map(|entry| entry.path.as_str()).collect())
        );
        for file in here {
            let url =
                format!("{}/{}/resolve/main/{}", self.server.url(), self.repo.place(), file.path());
            let there = client.get(&url, 1 << 32).unwrap();
            let same = there == fs::read(self.source().join(file.path())).unwrap();
            assert!(same, "{} is not what it is here", file.path());
        }
        self.nothing_was_done_twice();
    }

    /// Every commit changed something, and none brought what was there before.
    pub fn nothing_was_done_twice(&self) {
        let hub = self.hub();
        let mut before: BTreeMap<String, String> = BTreeMap::new();
        let mut brought = HashSet::new();
        for (at, commit) in self.commits().iter().enumerate() {
            let files = hub.files(&self.repo, commit, "").unwrap();
            let now: BTreeMap<_, _> = files.into_iter().map(|file| (file.path, file.oid)).collect();
            assert!(at == 0 || now != before, "commit {at} changed nothing");
            for (path, oid) in now.iter().filter(|(path, oid)| before.get(*path) != Some(*oid)) {
                assert!(brought.insert((path.clone(), oid.clone())), "{path} was brought twice");
            }
            before = now;
        }
    }
}

pub fn repo() -> Repo {
    Repo::new(Kind::Dataset, "local/pick").unwrap()
}

pub fn hub(url: &str, patience: Duration) -> Hub {
    let token = Some(TOKEN.to_owned());
    let first_wait = Duration::from_millis(2);
    Hub::new(url, Options { token, patience, first_wait, ..Options::default() }).unwrap()
}

pub fn push(url: &str, source: &Path, ledger: &Path, patience: Duration) -> Result<Pushed> {
    push_to(&hub(url, patience), source, ledger)
}

pub fn push_to(hub: &Hub, source: &Path, ledger: &Path) -> Result<Pushed> {
    let (files, repo) = (Local::below(source, |_| true)?, repo());
    push_of(hub, &repo, &files).run(&Ledger::open(ledger)?, &Arc::new(Flow::default()))
}

pub fn push_of<'a>(hub: &'a Hub, repo: &'a Repo, files: &'a [Local]) -> Push<'a> {
    Push {
        hub,
        repo,
        branch: "main",
        private: false,
        title: "Record",
        files,
        mirror: true,
        replace: false,
        request: false,
    }
}

/// Writes a file of so many bytes that belong to its name and `state`.
pub fn write(folder: &Path, path: &str, size: u64, state: u64) {
    let to = folder.join(path);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let seed = path.bytes().fold(state, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; size as usize];
    random.fill(&mut bytes);
    fs::write(to, bytes).unwrap();
}

/// An error says what, and to whom it may be shown.
pub fn is_clear(error: &Error) {
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(TOKEN) && text.len() < 2000, "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
    assert!(error.to_string().len() > 5);
}
