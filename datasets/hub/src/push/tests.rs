//! Pushes into the server of our own.
#![cfg(feature = "serve")]

use std::fs;
use std::path::Path;

use super::way::SENDING;
use super::*;
use crate::http::Options;
use crate::serve::{self, Server};
use crate::{Hub, Kind, Repo};

const PART: u64 = 64 << 10;

struct Bench {
    folder: tempfile::TempDir,
    server: Server,
    hub: Hub,
    repo: Repo,
}

fn hub(server: &Server) -> Hub {
    let options = Options { token: Some("hf_test".into()), ..Options::default() };
    Hub::new(&server.url(), options).unwrap()
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = serve::Options::new(folder.path().join("hub"));
        options.limits.part = PART;
        let server = Server::start(options).unwrap();
        let hub = hub(&server);
        Self { folder, server, hub, repo: Repo::new(Kind::Dataset, "local/pick").unwrap() }
    }

    fn source(&self) -> std::path::PathBuf {
        self.folder.path().join("source")
    }

    /// Writes a file of so many bytes that belong to its name and `state`.
    fn write(&self, path: &str, size: usize, state: u8) {
        let to = self.source().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let mut random = fastrand::Rng::with_seed(u64::from(state) + path.len() as u64);
        let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(size).collect();
        fs::write(to, bytes).unwrap();
    }

    fn files(&self) -> Vec<Local> {
        Local::below(&self.source(), |_| true).unwrap()
    }

    fn push(&self, ledger: &Ledger, flow: &Flow) -> Result<Pushed> {
        self.pushed(&self.files(), ledger, flow, |_| {})
    }

    fn pushed(
        &self,
        files: &[Local],
        ledger: &Ledger,
        flow: &Flow,
        change: impl FnOnce(&mut Push<'_>),
    ) -> Result<Pushed> {
        let mut push = Push {
            hub: &self.hub,
            repo: &self.repo,
            branch: "main",
            private: false,
            title: "Record",
            files,
            mirror: true,
            replace: false,
            request: false,
        };
        change(&mut push);
        push.run(ledger, flow)
    }

    fn there(&self) -> Vec<(String, u64)> {
        let files = self.hub.files(&self.repo, "main", "").unwrap();
        let files = files.into_iter().filter(|file| file.path != ".gitattributes");
        files.map(|file| (file.path, file.size)).collect()
    }

    fn get(&self, path: &str) -> Vec<u8> {
        self.hub.client.get(&self.hub.file(&self.repo, "main", path), 1 << 30).unwrap()
    }

    fn is_whole(&self) {
        for file in self.files() {
            let here = fs::read(self.source().join(file.path())).unwrap();
            assert!(self.get(file.path()) == here, "{} is not what it is here", file.path());
        }
    }
}

#[test]
fn a_folder_is_there_as_it_is_here_and_once_there_nothing_is_sent() {
    let bench = Bench::new();
    bench.write("README.md", 300, 0);
    bench.write("data/file-000.parquet", 5000, 0);
    bench.write("videos/front/file-000.mp4", 3 * PART as usize + 17, 0);
    bench.write("videos/front/same-000.mp4", 3 * PART as usize + 17, 0);
    bench.write("empty.bin", 0, 0);
    let flow = Flow::default();
    let first = bench.push(&Ledger::default(), &flow).unwrap();
    assert_eq!((first.changed, first.removed, first.ignored), (5, 0, 0));
    bench.is_whole();
    assert_eq!(flow.sent(), flow.waiting());
    assert_eq!(bench.there().len(), 5);

    let flow = Flow::default();
    let again = bench.push(&Ledger::default(), &flow).unwrap();
    assert_eq!((again.changed, flow.sent()), (0, 0));
    assert_eq!(again.commit, first.commit, "no commit without a change");
    assert_eq!(flow.files(), (5, 5));

    bench.write("data/file-000.parquet", 5000, 1);
    let changed = bench.push(&Ledger::default(), &Flow::default());
    assert!(
        matches!(changed, Err(Error::Theirs { .. })),
        "without a ledger nothing is known to be ours"
    );
    let changed = bench.pushed(&bench.files(), &Ledger::default(), &Flow::default(), |push| {
        push.replace = true;
    });
    assert_eq!(changed.unwrap().changed, 1);
    bench.is_whole();
}

#[test]
fn whatever_ends_it_no_more_than_the_part_on_its_way_is_sent_again() {
    let bench = Bench::new();
    let mut whole = 0;
    for number in 0..6 {
        let size = PART as usize * (number + 1) - 11;
        bench.write(&format!("videos/file-{number:03}.mp4"), size, number as u8);
        whole += size as u64;
    }
    let ledger = bench.folder.path().join("push.ledger");
    let mut random = fastrand::Rng::with_seed(7);
    let (mut sent, mut ends) = (0, 0);
    loop {
        let flow = std::sync::Arc::new(Flow::default());
        let (cut, ender) = (random.u64(1..=2 * PART), std::sync::Arc::clone(&flow));
        let watch = std::thread::Builder::new().name("watch".into()).spawn(move || {
            while ender.sent() < cut && !ender.is_ended() {
                std::thread::yield_now();
            }
            ender.end();
        });
        let result = bench.push(&Ledger::open(&ledger).unwrap(), &flow);
        flow.end();
        watch.unwrap().join().unwrap();
        sent += flow.sent();
        match result {
            Ok(_) => break,
            Err(Error::Ended) => ends += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(ends < 2000);
    }
    bench.is_whole();
    assert!(ends > 3, "it was ended {ends} times");
    // Each end loses what the senders had begun: at most a part each.
    assert!(sent <= whole + ends * SENDING as u64 * PART, "{sent} of {whole}, {ends} ends");
}

#[test]
fn what_others_wrote_is_left_alone_and_what_is_gone_here_goes_there() {
    let bench = Bench::new();
    bench.write("meta/info.json", 100, 0);
    bench.write("data/file-000.parquet", 2000, 0);
    bench.write("data/file-001.parquet", 3000, 0);
    let ledger = Ledger::default();
    bench.push(&ledger, &Flow::default()).unwrap();
    // Somebody adds a file of their own, and writes one of ours.
    let theirs = [Local::bytes("notes.txt", b"mine".to_vec()).unwrap()];
    let push = |files: &[Local]| {
        bench.pushed(files, &Ledger::default(), &Flow::default(), |push| push.replace = true)
    };
    push(&theirs).unwrap();
    fs::remove_file(bench.source().join("data/file-001.parquet")).unwrap();
    bench.write("data/file-000.parquet", 5000, 1);
    let pushed = bench.push(&ledger, &Flow::default()).unwrap();
    assert_eq!((pushed.changed, pushed.removed), (1, 1));
    let there: Vec<String> = bench.there().into_iter().map(|(path, _)| path).collect();
    assert_eq!(there, ["data/file-000.parquet", "meta/info.json", "notes.txt"]);

    push(&[Local::bytes("meta/info.json", b"theirs".to_vec()).unwrap()]).unwrap();
    bench.write("meta/info.json", 120, 3);
    let error = bench.push(&ledger, &Flow::default()).unwrap_err();
    assert!(matches!(&error, Error::Theirs { path, .. } if path == "meta/info.json"), "{error}");
    assert_eq!(bench.get("meta/info.json"), b"theirs");
    // What gives way stands behind.
    let files: Vec<Local> = bench.files().into_iter().map(Local::yielding).collect();
    bench.pushed(&files, &ledger, &Flow::default(), |_| {}).unwrap();
    assert_eq!(bench.get("meta/info.json"), b"theirs");
}

#[test]
fn what_a_lost_answer_left_there_is_still_ours() {
    let bench = Bench::new();
    bench.write("meta/info.json", 100, 0);
    let kept = bench.folder.path().join("push.ledger");
    let ledger = Ledger::open(&kept).unwrap();
    bench.push(&ledger, &Flow::default()).unwrap();
    drop(ledger);
    // As after a power cut between the commit and the note that it was made.
    let text = fs::read_to_string(&kept).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("\"given\"")).collect();
    assert!(lines.len() < text.lines().count() && !lines.is_empty(), "{text}");
    fs::write(&kept, lines.join("\n") + "\n").unwrap();
    bench.write("meta/info.json", 120, 1);
    bench.push(&Ledger::open(&kept).unwrap(), &Flow::default()).unwrap();
    bench.is_whole();
    bench.write("meta/info.json", 130, 2);
    let stranger = bench.push(&Ledger::default(), &Flow::default()).unwrap_err();
    assert!(matches!(stranger, Error::Theirs { .. }), "{stranger}");
}

#[test]
fn many_at_once_make_their_commits_one_after_the_other() {
    let bench = Bench::new();
    let push = |who: usize| {
        for round in 0..5 {
            let path = format!("data/{who}-{round}.txt");
            let file = Local::bytes(&path, format!("{who} {round}").into_bytes()).unwrap();
            let flow = Flow::default();
            let pushed = bench.pushed(&[file], &Ledger::default(), &flow, |_| {}).unwrap();
            assert_eq!(pushed.changed, 1);
        }
    };
    std::thread::scope(|scope| {
        for who in 0..4 {
            scope.spawn(move || push(who));
        }
    });
    assert_eq!(bench.there().len(), 20);
    // Two that write the same file: one of them is told, neither is lost silently.
    let write = |text: &str| {
        let file = Local::bytes("data/same.txt", text.as_bytes().to_vec()).unwrap();
        bench.pushed(&[file], &Ledger::default(), &Flow::default(), |_| {})
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| write("other"));
        (write("one"), other.join().unwrap())
    });
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let stays = if one.is_ok() { "one" } else { "other" };
    assert_eq!(bench.get("data/same.txt"), stays.as_bytes());
}

#[test]
fn a_branch_is_made_and_a_tag_follows_what_was_verified() {
    let bench = Bench::new();
    bench.write("meta/info.json", 100, 0);
    let files = bench.files();
    let pushed = bench.pushed(&files, &Ledger::default(), &Flow::default(), |push| {
        push.branch = "feat/x";
    });
    let commit = pushed.unwrap().commit;
    for _ in 0..2 {
        bench.hub.tag(&bench.repo, "v3.0", &commit).unwrap();
        let refs = bench.hub.refs(&bench.repo).unwrap();
        assert_eq!(refs.tags.get("v3.0"), Some(&commit));
        assert_eq!(refs.branches.get("feat/x"), Some(&commit));
    }
    bench.write("meta/info.json", 90, 1);
    let files = bench.files();
    let later = bench.pushed(&files, &Ledger::default(), &Flow::default(), |push| {
        (push.branch, push.replace) = ("feat/x", true);
    });
    let later = later.unwrap().commit;
    bench.hub.tag(&bench.repo, "v3.0", &later).unwrap();
    assert_eq!(bench.hub.state(&bench.repo, Some("v3.0")).unwrap().sha, later);
    assert_eq!(bench.hub.whoami().unwrap().name, "local");
    bench.hub.delete(&bench.repo).unwrap();
    let gone = bench.hub.state(&bench.repo, None).unwrap_err();
    assert!(matches!(gone, Error::Missing { what: crate::Absent::Repo, .. }), "{gone}");
}

#[test]
fn a_file_that_changes_on_its_way_is_told() {
    let bench = Bench::new();
    bench.write("videos/file-000.mp4", 3 * PART as usize, 0);
    let files = bench.files();
    let place = bench.source().join("videos/file-000.mp4");
    let ledger = Ledger::open(&bench.folder.path().join("push.ledger")).unwrap();
    let stamp = files[0].stamp().unwrap();
    // Looked at once, and another file by the time it is sent.
    ledger.hashed(&place.to_string_lossy(), &stamp, &"ab".repeat(32)).unwrap();
    let error = bench.pushed(&files, &ledger, &Flow::default(), |_| {}).unwrap_err();
    assert!(
        error.to_string().contains("sha256") || matches!(error, Error::Status { .. }),
        "{error}"
    );
    assert!(bench.there().is_empty(), "nothing false is kept");
    assert!(Path::new(&place).exists());
    drop(bench.server);
}

#[test]
fn a_page_that_cannot_be_read_is_told_before_anything_moves() {
    let bench = Bench::new();
    bench.write("videos/file-000.mp4", 3000, 0);
    let page = |text: &str| {
        fs::write(bench.source().join("README.md"), text).unwrap();
        bench.push(&Ledger::default(), &Flow::default())
    };
    for (text, says) in [
        ("---\nlicense: [mit\n---\n# Pick\n", "line 2"),
        ("---\n- robotics\n---\n", "table"),
        (
            "---\ntags: 7\nlicense: {a: b}\n---\n",
            "\"license\" is a text or a list of texts; \"tags\"",
        ),
    ] {
        let error = page(text).unwrap_err();
        let Error::Page { path, message, .. } = &error else { panic!("{error}") };
        assert!(path == "README.md" && message.contains(says), "{text:?}: {error}");
        assert!(bench.there().is_empty() && !error.may_pass(), "{error}");
    }
    let odd = page("# Pick\n").unwrap();
    assert!(odd.remarks.len() == 1 && odd.remarks[0].contains("---"), "{odd:?}");
    fs::remove_file(bench.source().join("README.md")).unwrap();
    fs::write(bench.source().join("readme.MD"), [0xFF]).unwrap();
    let pushed = bench.push(&Ledger::default(), &Flow::default()).unwrap();
    assert_eq!(pushed.remarks, [""; 0], "what is no text is no page");
}

#[test]
fn a_repository_that_was_moved_is_found_and_not_made_again() {
    let bench = Bench::new();
    bench.write("meta/info.json", 100, 0);
    bench.write("videos/file-000.mp4", 3 * PART as usize, 0);
    let ledger = Ledger::default();
    assert_eq!(bench.push(&ledger, &Flow::default()).unwrap().repo, bench.repo);
    let to = Repo::new(Kind::Dataset, "lab/place").unwrap();
    let body =
        serde_json::json!({ "fromRepo": "local/pick", "toRepo": "lab/place", "type": "dataset" });
    let url = format!("{}/api/repos/move", bench.server.url());
    let ask = crate::http::Ask::post(&url, crate::http::Content::Json(&body));
    bench.hub.client.ask(&ask).unwrap();

    bench.write("meta/info.json", 120, 1);
    bench.write("videos/file-001.mp4", 2 * PART as usize, 1);
    let pushed = bench.push(&ledger, &Flow::default()).unwrap();
    assert_eq!((&pushed.repo, pushed.changed), (&to, 2));
    // By its old name all of it is there as well, and on a branch that is not there yet.
    bench.is_whole();
    let files = bench.files();
    let branch = bench.pushed(&files, &ledger, &Flow::default(), |push| push.branch = "more");
    assert_eq!(branch.unwrap().repo, to);
    bench.hub.tag(&bench.repo, "v3.0", &pushed.commit).unwrap();
    let refs = bench.hub.refs(&to).unwrap();
    assert!(refs.branches.contains_key("more") && refs.tags["v3.0"] == pushed.commit, "{refs:?}");
}

#[test]
fn a_pull_request_leaves_the_branch_as_it_is() {
    let bench = Bench::new();
    bench.write("meta/info.json", 100, 0);
    bench.write("meta/gone.json", 100, 0);
    let ledger = Ledger::default();
    let before = bench.push(&ledger, &Flow::default()).unwrap();
    assert_eq!(before.request, None);
    fs::remove_file(bench.source().join("meta/gone.json")).unwrap();
    bench.write("meta/info.json", 120, 1);
    bench.write("videos/file-000.mp4", 3 * PART as usize, 0);
    // More than goes into one commit.
    for number in 0..1100 {
        bench.write(&format!("more/{number}.txt"), 10, number as u8);
    }
    let files = bench.files();
    let ask = || bench.pushed(&files, &ledger, &Flow::default(), |push| push.request = true);
    let pushed = ask().unwrap();
    let page = format!("{}/datasets/local/pick/discussions", bench.server.url());
    assert_eq!((pushed.request.clone(), pushed.changed), (Some(format!("{page}/1")), 1102));
    let head = |revision| bench.hub.state(&bench.repo, Some(revision)).unwrap().sha;
    assert_eq!((head("main"), head("refs/pr/1")), (before.commit.clone(), pushed.commit.clone()));
    let there = bench.hub.files(&bench.repo, "refs/pr/1", "").unwrap();
    assert!(there.len() >= 1102, "{}", there.len());
    assert_eq!(pushed.removed, 0);
    assert!(there.iter().any(|entry| entry.path == "meta/gone.json"), "nothing is taken away");
    assert_eq!(ask().unwrap().request, Some(format!("{page}/2")));
    // What is there already is not asked for.
    bench.pushed(&files, &ledger, &Flow::default(), |push| push.replace = true).unwrap();
    assert_eq!(ask().unwrap().request, None);
    bench.is_whole();
    assert_eq!(bench.get("meta/info.json").len(), 120);
}

#[test]
fn a_short_token_may_be_somebodys_name() {
    let bench = Bench::new();
    for (token, name) in [("local", "local"), ("hf_that_is_as_long_as_one_is", "local")] {
        let options = Options { token: Some(token.into()), ..Options::default() };
        let hub = Hub::new(&bench.server.url(), options).unwrap();
        assert_eq!(hub.whoami().unwrap().name, name);
    }
}
