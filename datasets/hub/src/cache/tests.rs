//! What is fetched, how it lies on the disk, and servers that cut, lie and aim elsewhere.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::tests::server::{Server, answer};
use crate::{Account, Error, Kind, Local, Pulled, Repo, Result, Snapshot, Target, durable};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const LATER: &str = "89abcdef0123456789abcdef0123456701234567";

/// A machine that has fetched nothing yet, and the server that it asks.
struct Bench {
    home: TempDir,
    server: Server,
    repo: Repo,
}

impl Bench {
    fn new(answers: Vec<String>) -> Self {
        let repo = Repo::new(Kind::Dataset, "me/pick").unwrap();
        Self { home: tempfile::tempdir().unwrap(), server: Server::with(answers), repo }
    }

    fn endpoint(&self) -> String {
        self.server.url("127.0.0.1").strip_suffix("/pick/file.mp4").unwrap().to_owned()
    }

    fn account_at(&self, endpoint: &str, offline: bool) -> Account {
        let home = self.home.path().join("hf").into_os_string();
        let endpoint = OsString::from(endpoint);
        Account::of(&|name| match name {
            "HF_HOME" => Some(home.clone()),
            "HF_ENDPOINT" => Some(endpoint.clone()),
            "HF_TOKEN" => Some("hf_secret".into()),
            "HF_HUB_OFFLINE" => offline.then(|| "1".into()),
            _ => None,
        })
        .unwrap()
    }

    fn account(&self) -> Account {
        self.account_at(&self.endpoint(), false)
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join("hf/hub")
    }

    fn folder(&self) -> PathBuf {
        self.cache().join("datasets--me--pick")
    }

    fn snapshot(&self) -> Result<Snapshot> {
        self.account().snapshot(&self.repo, None, &Target::Cache(self.cache()))
    }

    fn pull(&self) -> Result<Pulled> {
        self.snapshot()?.fetch(&|_| true, &|_| {})
    }
}

fn text(body: &str) -> String {
    answer(200, &[&format!("Content-Length: {}", body.len())], body)
}

fn state(commit: &str) -> String {
    text(&json!({ "sha": commit, "private": false }).to_string())
}

fn digest(bytes: &str, large: bool) -> String {
    let file = Local::bytes("x", bytes.into()).unwrap();
    file.digest(large, bytes.len() as u64).unwrap().text().to_owned()
}

/// A list of one file as it should be.
fn listed(path: &str, bytes: &str) -> String {
    let entry =
        json!({ "type": "file", "path": path, "size": bytes.len(), "oid": digest(bytes, false) });
    text(
        &json!([{ "type": "directory", "path": "meta", "oid": "x", "size": 0 }, entry]).to_string(),
    )
}

/// The same of a large file.
fn listed_large(path: &str, bytes: &str) -> String {
    let lfs = json!({ "oid": digest(bytes, true), "size": bytes.len(), "pointerSize": 130 });
    text(&json!([{ "type": "file", "path": path, "size": bytes.len(), "oid": digest("", false), "lfs": lfs }])
        .to_string())
}

/// What a list says of one file, whatever it is.
fn listed_as(path: &str, size: u64, oid: &str) -> String {
    text(&json!([{ "type": "file", "path": path, "size": size, "oid": oid }]).to_string())
}

fn rest(bytes: &str, first: usize) -> String {
    let (last, total) = (bytes.len() - 1, bytes.len());
    let range = format!("Content-Range: bytes {first}-{last}/{total}");
    answer(206, &[&range, &format!("Content-Length: {}", total - first)], &bytes[first..])
}

#[test]
fn a_file_lies_where_the_official_client_looks_for_it() {
    let bench = Bench::new(vec![state(COMMIT), listed("meta/info.json", "{}"), text("{}")]);
    let pulled = bench.pull().unwrap();
    assert_eq!((pulled.files, pulled.of_files, pulled.came), (1, 1, 2));
    let folder = bench.folder();
    assert_eq!(fs::read_to_string(folder.join("refs/main")).unwrap(), COMMIT);
    let name = digest("{}", false);
    assert_eq!(fs::read_to_string(folder.join("blobs").join(&name)).unwrap(), "{}");
    let link = folder.join("snapshots").join(COMMIT).join("meta/info.json");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("../../../blobs").join(&name));
    assert_eq!(fs::read_to_string(&link).unwrap(), "{}");
    assert!(bench.cache().join(".locks/datasets--me--pick").join(format!("{name}.lock")).exists());
    let tag = fs::read_to_string(bench.cache().join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    let tree = fs::read_to_string(folder.join(format!("trees/{COMMIT}.json"))).unwrap();
    let tree: serde_json::Value = serde_json::from_str(&tree).unwrap();
    assert_eq!(tree["format_version"], 1);
    assert_eq!(tree["files"]["meta/info.json"], json!({ "size": 2, "blob_id": name }));
}

#[test]
fn what_did_not_change_is_asked_for_once() {
    let bench = Bench::new(vec![
        state(COMMIT),
        listed_large("a.bin", "abc"),
        text("abc"),
        state(COMMIT),
        state(LATER),
        listed_large("renamed.bin", "abc"),
    ]);
    bench.pull().unwrap();
    let again = bench.pull().unwrap();
    assert_eq!((again.files, again.bytes, again.came), (1, 3, 0));
    assert_eq!(bench.server.asked().len(), 4);
    // Under another name in another commit they are the same bytes.
    assert_eq!(bench.pull().unwrap().came, 0);
    assert_eq!(fs::read(bench.snapshot_path(LATER, "renamed.bin")).unwrap(), b"abc");
}

impl Bench {
    fn snapshot_path(&self, commit: &str, path: &str) -> PathBuf {
        self.folder().join("snapshots").join(commit).join(path)
    }
}

#[test]
fn a_cut_goes_on_where_it_was() {
    let bytes = "0123456789".repeat(30_000);
    let cut = answer(200, &["Content-Length: 300000"], &bytes[..200_000]);
    let bench =
        Bench::new(vec![state(COMMIT), listed_large("a.bin", &bytes), cut, rest(&bytes, 200_000)]);
    let pulled = bench.pull().unwrap();
    assert_eq!(pulled.came, 300_000);
    assert!(bench.server.asked()[3].contains("range: bytes=200000-"), "{:?}", bench.server.asked());
    assert_eq!(fs::read_to_string(bench.snapshot_path(COMMIT, "a.bin")).unwrap(), bytes);
}

/// A machine on which somebody began to fetch ten bytes.
fn begun(with: &str, answers: Vec<String>) -> Bench {
    let mut all = vec![state(COMMIT), listed_large("a.bin", "0123456789")];
    all.extend(answers);
    let bench = Bench::new(all);
    let part =
        bench.folder().join("blobs").join(format!("{}.incomplete", digest("0123456789", true)));
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(part, with).unwrap();
    bench
}

#[test]
fn what_another_process_began_is_gone_on_with() {
    let bench = begun("0123", vec![rest("0123456789", 4)]);
    assert_eq!(bench.pull().unwrap().came, 6);
    assert!(bench.server.asked()[2].contains("range: bytes=4-"));
    // All of it was there: nothing is asked.
    let bench = begun("0123456789", vec![]);
    assert_eq!(bench.pull().unwrap().came, 0);
    // A server that gives files only whole.
    let bench = begun("0123", vec![text("0123456789")]);
    assert_eq!(bench.pull().unwrap().came, 10);
    assert_eq!(fs::read_to_string(bench.snapshot_path(COMMIT, "a.bin")).unwrap(), "0123456789");
}

#[test]
fn what_was_begun_as_another_file_is_begun_again() {
    let bench = begun("xxxx", vec![rest("0123456789", 4), text("0123456789")]);
    let pulled = bench.pull().unwrap();
    assert_eq!((pulled.bytes, pulled.came), (10, 16));
    let bench = begun("longer than it should be", vec![text("0123456789")]);
    assert_eq!(bench.pull().unwrap().bytes, 10);
    assert_eq!(fs::read_to_string(bench.snapshot_path(COMMIT, "a.bin")).unwrap(), "0123456789");
}

#[test]
fn bytes_that_hash_to_something_else_are_not_kept() {
    for list in [listed("a.bin", "right"), listed_large("a.bin", "right")] {
        let bench = Bench::new(vec![state(COMMIT), list, text("wrong")]);
        let error = bench.pull().unwrap_err();
        assert!(matches!(error, Error::WrongHash { .. }), "{error}");
        assert!(!bench.snapshot_path(COMMIT, "a.bin").exists());
        let blobs: Vec<_> = fs::read_dir(bench.folder().join("blobs")).unwrap().collect();
        assert!(
            blobs.iter().flatten().all(|blob| blob.metadata().unwrap().len() == 0),
            "{blobs:?}"
        );
    }
}

#[test]
fn a_file_of_another_length_than_its_list_says_is_refused() {
    let endless = answer(200, &[], "0123456789 and more");
    for body in [text("0123"), text("0123456789 and more"), endless] {
        let bench = Bench::new(vec![state(COMMIT), listed_large("a.bin", "0123456789"), body]);
        let error = bench.pull().unwrap_err();
        assert!(matches!(error, Error::Nonsense { .. }), "{error}");
        assert!(!bench.snapshot_path(COMMIT, "a.bin").exists());
    }
}

#[test]
fn more_than_the_disk_holds_is_not_begun() {
    let bench = Bench::new(vec![state(COMMIT), listed_as("a.bin", 1 << 60, &digest("", false))]);
    assert!(matches!(bench.pull().unwrap_err(), Error::NoRoom { needed, .. } if needed == 1 << 60));
    assert_eq!(bench.server.asked().len(), 2);
}

#[test]
fn nothing_is_written_where_a_hostile_server_wants_it() {
    let oid = digest("x", false);
    for path in [
        "../evil",
        "/tmp/evil",
        "a/../../../../../evil",
        ".git/hooks/evil",
        "a\\..\\evil",
        "a//evil",
        "",
        "a/\0evil",
    ] {
        let bench = Bench::new(vec![state(COMMIT), listed_as(path, 1, &oid), text("x")]);
        let error = bench.pull().unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{path}: {error}");
        assert_eq!(bench.server.asked().len(), 2, "{path}");
    }
    for oid in ["", "../../evil", "0123", &"g".repeat(40), &"A".repeat(40)] {
        let bench = Bench::new(vec![state(COMMIT), listed_as("a", 1, oid), text("x")]);
        assert!(matches!(bench.pull().unwrap_err(), Error::Nonsense { .. }), "{oid}");
    }
    for commit in ["", "../../evil", "main", &COMMIT[1..]] {
        let bench = Bench::new(vec![state(commit), listed("a", "x"), text("x")]);
        assert!(matches!(bench.pull().unwrap_err(), Error::Nonsense { .. }), "{commit}");
        assert!(!bench.cache().exists(), "{commit}");
    }
    let bench = Bench::new(vec![]);
    let up = bench.account_at("http://127.0.0.1:9", true).snapshot(
        &bench.repo,
        Some("../../../evil"),
        &Target::Cache(bench.cache()),
    );
    assert!(matches!(up.err().unwrap(), Error::Name { .. }));
}

#[test]
fn a_list_that_leads_to_itself_is_refused() {
    let url = format!("/api/datasets/me/pick/tree/{COMMIT}?recursive=true&expand=false");
    let next = format!("Link: <{url}>; rel=\"next\"");
    let bench = Bench::new(vec![state(COMMIT), answer(200, &[&next, "Content-Length: 2"], "[]")]);
    assert!(matches!(bench.pull().unwrap_err(), Error::Nonsense { .. }));
    assert_eq!(bench.server.asked().len(), 2);
}

#[test]
fn the_way_to_another_server_is_gone_without_the_token() {
    let store = Server::with(vec![text("abc")]);
    let location = format!("Location: {}", store.url("127.0.0.1"));
    let away = answer(302, &[&location, "Content-Length: 0"], "");
    let bench = Bench::new(vec![state(COMMIT), listed_large("a.bin", "abc"), away]);
    bench.pull().unwrap();
    assert!(bench.server.asked().iter().all(|asked| asked.contains("bearer hf_secret")));
    assert!(!store.asked()[0].contains("authorization"), "{:?}", store.asked());
}

#[test]
fn who_waited_for_another_finds_what_that_one_fetched() {
    let bench = Bench::new(vec![state(COMMIT), listed_large("a.bin", "abc")]);
    let name = digest("abc", true);
    let locks = bench.cache().join(".locks/datasets--me--pick");
    fs::create_dir_all(&locks).unwrap();
    let held = durable::lock(&locks.join(format!("{name}.lock"))).unwrap();
    std::thread::scope(|scope| {
        let pulled = scope.spawn(|| bench.pull().unwrap());
        while !bench.folder().join(format!("trees/{COMMIT}.json")).exists() {
            std::thread::yield_now();
        }
        fs::write(bench.folder().join("blobs").join(&name), "abc").unwrap();
        drop(held);
        assert_eq!(pulled.join().unwrap().came, 0);
    });
    assert_eq!(bench.server.asked().len(), 2);
}

#[test]
fn offline_what_was_fetched_is_found_and_what_was_not_is_named() {
    let both = json!([
        { "type": "file", "path": "a", "size": 1, "oid": digest("a", false) },
        { "type": "file", "path": "b", "size": 1, "oid": digest("b", false) },
    ]);
    let bench = Bench::new(vec![state(COMMIT), text(&both.to_string()), text("a")]);
    let target = Target::Cache(bench.cache());
    let offline = bench.account_at("http://127.0.0.1:9", true);
    let nothing = offline.snapshot(&bench.repo, None, &target).err().unwrap();
    assert!(matches!(nothing, Error::NotFetched { .. }), "{nothing}");
    bench.snapshot().unwrap().fetch(&|path| path == "a", &|_| {}).unwrap();

    let kept = offline.snapshot(&bench.repo, None, &target).unwrap();
    assert_eq!((kept.commit(), kept.files()), (COMMIT, vec![("a", 1), ("b", 1)]));
    assert_eq!(kept.fetch(&|path| path == "a", &|_| {}).unwrap().files, 1);
    let missing = kept.fetch(&|_| true, &|_| {}).unwrap_err();
    assert!(matches!(&missing, Error::NotFetched { what, .. } if what == "b"), "{missing}");
    // Older clients kept no list: what is there is all that there is.
    fs::remove_dir_all(bench.folder().join("trees")).unwrap();
    let kept = offline.snapshot(&bench.repo, None, &target).unwrap();
    assert_eq!((kept.files(), kept.fetch(&|_| true, &|_| {}).unwrap().files), (vec![("a", 1)], 1));
    // A commit is its own name.
    assert!(offline.snapshot(&bench.repo, Some(COMMIT), &target).is_ok());
    assert!(offline.snapshot(&bench.repo, Some(LATER), &target).is_err());
}

#[test]
fn a_hub_that_is_not_reached_is_told_beside_what_was_fetched() {
    let bench = Bench::new(vec![state(COMMIT), listed("a", "a"), text("a")]);
    let target = Target::Cache(bench.cache());
    bench.pull().unwrap();
    let alone = bench.account_at("http://127.0.0.1:9", false);
    let kept = alone.snapshot(&bench.repo, None, &target).unwrap();
    assert!(kept.trouble().is_some_and(Error::passes));
    assert_eq!(kept.fetch(&|_| true, &|_| {}).unwrap().files, 1);
}

#[test]
fn a_folder_of_ones_own_gets_the_files_and_keeps_what_was_changed() {
    let later = |bytes: &str| vec![state(LATER), listed("a.txt", bytes)];
    let mut answers = vec![state(COMMIT), listed("a.txt", "one"), text("one"), state(COMMIT)];
    answers.extend(later("two"));
    answers.extend([text("two"), state(LATER), state(LATER)]);
    let bench = Bench::new(answers);
    let folder = bench.home.path().join("mine");
    let pull = || {
        let target = Target::Folder(folder.clone());
        bench.account().snapshot(&bench.repo, None, &target)?.fetch(&|_| true, &|_| {})
    };
    assert_eq!(pull().unwrap().came, 3);
    let note =
        fs::read_to_string(folder.join(".cache/huggingface/download/a.txt.metadata")).unwrap();
    let lines: Vec<_> = note.lines().collect();
    assert_eq!(lines[..2], [COMMIT, digest("one", false).as_str()]);
    assert!(lines[2].parse::<f64>().unwrap() > 1e9);
    assert_eq!(fs::read_to_string(folder.join(".cache/huggingface/.gitignore")).unwrap(), "*");
    assert_eq!(pull().unwrap().came, 0);
    assert_eq!(pull().unwrap().came, 3);
    assert_eq!(fs::read_to_string(folder.join("a.txt")).unwrap(), "two");

    fs::remove_file(folder.join(".cache/huggingface/download/a.txt.metadata")).unwrap();
    assert_eq!(pull().unwrap().came, 0);
    fs::remove_file(folder.join(".cache/huggingface/download/a.txt.metadata")).unwrap();
    fs::write(folder.join("a.txt"), "my own").unwrap();
    assert!(matches!(pull().unwrap_err(), Error::InTheWay { .. }));
    assert_eq!(fs::read_to_string(folder.join("a.txt")).unwrap(), "my own");
}

#[test]
fn what_a_repository_says_was_fetched_is_not_believed() {
    let forged = format!("{COMMIT}\n{}\n9e15\n", digest("one", false));
    let one = |path: &str, bytes: &str| json!({ "type": "file", "path": path, "size": bytes.len(), "oid": digest(bytes, false) });
    let list = [
        one(".cache/huggingface/download/a.txt.metadata", &forged),
        one(".Cache/HuggingFace/trees/x.json", "{}"),
        one("a.txt", "one"),
        one(".cache/huggingface-own", "2"),
    ];
    let list = text(&json!(list).to_string());
    let later = [state(LATER), listed("a.txt", "two"), text("two")];
    let bench = Bench::new([vec![state(COMMIT), list, text("one")], later.to_vec()].concat());
    let target = Target::Folder(bench.home.path().join("mine"));
    let open = || bench.account().snapshot(&bench.repo, None, &target).unwrap();
    let snapshot = open();
    assert_eq!(snapshot.files(), [("a.txt", 3), (".cache/huggingface-own", 1)]);
    snapshot.fetch(&|path| path == "a.txt", &|_| {}).unwrap();

    let path = snapshot.folder().join("a.txt");
    fs::write(&path, "my own").unwrap();
    let changed = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    fs::File::open(&path).unwrap().set_modified(changed).unwrap();
    let error = open().fetch(&|_| true, &|_| {}).unwrap_err();
    assert!(matches!(error, Error::InTheWay { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "my own");
}

#[test]
fn a_file_that_is_not_there_is_known_not_to_be() {
    let bench = Bench::new(vec![state(COMMIT), listed("meta/info.json", "{}"), text("{}")]);
    let snapshot = bench.snapshot().unwrap();
    let target = Target::Cache(bench.cache());
    let lacks =
        |account: &Account, revision, path| account.lacks(&bench.repo, revision, path, &target);
    let (online, offline) = (bench.account(), bench.account_at("http://127.0.0.1:9", true));
    assert!(!lacks(&offline, None, "meta/tasks.json"));
    for path in ["meta/tasks.json", "tasks.json"] {
        assert!(snapshot.file(path, &|_| {}).unwrap().is_none());
        assert!(bench.folder().join(".no_exist").join(COMMIT).join(path).is_file());
        // What a branch stands for is asked where that may be, what a commit has stays so.
        assert!(lacks(&offline, None, path) && lacks(&offline, Some(COMMIT), path));
        assert!(lacks(&online, Some(COMMIT), path) && !lacks(&online, None, path));
        assert!(!lacks(&online, Some(LATER), path) && !lacks(&offline, Some("v3.0"), path));
    }
    assert!(matches!(snapshot.file("../x", &|_| {}), Err(Error::Name { .. })));
    assert!(!lacks(&offline, None, "../../x") && !lacks(&offline, None, "meta"));
    assert_eq!(snapshot.file("meta/info.json", &|_| {}).unwrap().unwrap().files, 1);
}
