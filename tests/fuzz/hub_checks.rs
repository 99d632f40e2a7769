//! What must hold for any bytes in the place of what a hub answers, and of what is kept of it.

use std::path::{Component, Path};
use std::sync::LazyLock;

use sinew_hub::{
    Client, Options, Stored, read_batch, read_commit, read_ledger, read_list, read_person,
    read_plan, read_tree, write_tree,
};

/// A page of a hub's list of files: what passes names files below a folder, by hashes that can be
/// names, and is read again as it was kept.
pub fn hub_list(bytes: &[u8]) {
    let Some(entries) = read_list(bytes) else { return };
    let mut good: Vec<_> = entries.into_iter().filter(|entry| entry.check().is_ok()).collect();
    for entry in &good {
        let mut parts = Path::new(&entry.path).components();
        assert!(parts.all(|part| matches!(part, Component::Normal(_))), "{:?}", entry.path);
        assert!(entry.digest.text().bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
    good.sort_by(|a, b| a.path.cmp(&b.path));
    good.dedup_by(|a, b| a.path == b.path);
    assert_eq!(read_tree(&write_tree(&good)).map(|again| again.len()), Some(good.len()));
}

/// The list of a commit's files that is kept in the cache, which other programs write too.
pub fn hub_tree(bytes: &[u8]) {
    let Some(entries) = read_tree(&String::from_utf8_lossy(bytes)) else { return };
    assert!(entries.iter().all(|entry| entry.check().is_ok()));
    assert_eq!(read_tree(&write_tree(&entries)), Some(entries));
}

/// The list of tokens that other programs write too.
pub fn hub_tokens(bytes: &[u8]) {
    let mut stored = Stored::parse(&String::from_utf8_lossy(bytes));
    assert_eq!(Stored::parse(&stored.render()), stored);
    stored.put("mine", "hf_mine");
    assert_eq!(Stored::parse(&stored.render()).token("mine"), Some("hf_mine"));
    assert!(stored.forget("mine") && stored.names().all(|name| name != "mine"));
}

/// Where a hub wants large files: the parts are those that the file has.
pub fn hub_batch(bytes: &[u8]) {
    for size in [1, 25, u64::MAX] {
        for (chunk, parts) in read_batch(bytes, size) {
            assert!(parts <= 10_000 && size.div_ceil(chunk) == parts as u64, "{parts} of {chunk}");
        }
    }
}

/// What is known of a push, after whatever became of the disk: no line says more than one thing.
pub fn hub_ledger(bytes: &[u8]) {
    let (hashes, given, started) = read_ledger(bytes);
    assert!(hashes + given + started <= bytes.split(|byte| *byte == b'\n').count());
}

/// What a hub wants of files before a commit: it is said of each, and an empty one never goes ahead.
pub fn hub_plan(bytes: &[u8]) {
    let files = [("meta/info.json", 2), ("a b.bin", 3), ("empty.bin", 0)];
    for files in [&files[..], &files[..1], &[]] {
        let Some(wanted) = read_plan(bytes, files) else { continue };
        assert_eq!(wanted.len(), files.len());
        assert!(files.iter().zip(wanted).all(|((_, size), (ahead, _))| *size > 0 || !ahead));
    }
}

/// What a hub says of a commit: it has a name that can be one, by which others ask for it.
pub fn hub_commit(bytes: &[u8]) {
    let Some((commit, _)) = read_commit(bytes) else { return };
    assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{commit}");
}

/// As long as the Hub's are: a shorter one may be somebody's name.
const TOKEN: &str = "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";

/// Whom a hub takes somebody for: nothing of that is the token.
pub fn hub_person(bytes: &[u8]) {
    static CLIENT: LazyLock<Option<Client>> = LazyLock::new(|| {
        Client::new(Options { token: Some(TOKEN.to_owned()), ..Options::default() }).ok()
    });
    let Some(client) = CLIENT.as_ref() else { panic!("no client can be made") };
    let Some(person) = read_person(bytes, client) else { return };
    assert!(!format!("{person:?}").contains(TOKEN) && person.token_name() != Some(""));
}
