//! An upload that is killed, or whose network is cut, at random bytes: it is finished all the same, and
//! no end costs more than the part that was on its way, or as many bytes of smaller files.
//!
//! `SINEW_UPLOAD_ENDS=200` makes it the size that is promised: 2 GB in 300 files.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::proxy::Passed;
use crate::stand::{Stand, push, write};

/// What the killed process is told.
const URL: &str = "SINEW_UPLOAD_URL";
const SOURCE: &str = "SINEW_UPLOAD_SOURCE";
const LEDGER: &str = "SINEW_UPLOAD_LEDGER";

/// How many files are on their way at once, and how many bytes of them.
const SENDING: u64 = 8;
const ROOM: u64 = 8 << 20;

/// How large it is.
struct Size {
    ends: u64,
    files: u64,
    bytes: u64,
    part: u64,
}

fn size() -> Size {
    match std::env::var("SINEW_UPLOAD_ENDS") {
        Err(_) => Size { ends: 20, files: 40, bytes: 6 << 20, part: 128 << 10 },
        Ok(ends) => Size { ends: ends.parse().unwrap(), files: 300, bytes: 2 << 30, part: 8 << 20 },
    }
}

/// What the killed process does.
#[test]
#[ignore = "the process that is killed: cargo test -p sinew-hub --features serve --test faults whatever_ends starts it"]
fn uploads_until_it_is_killed() {
    let path = |name| PathBuf::from(std::env::var_os(name).unwrap());
    let url = std::env::var(URL).unwrap();
    // As the queue does: what may pass is tried again.
    while let Err(error) = push(&url, &path(SOURCE), &path(LEDGER), Duration::from_secs(15)) {
        assert!(error.may_pass(), "{error}");
    }
}

fn uploader(stand: &Stand) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "interrupted::uploads_until_it_is_killed"])
        .env(URL, stand.proxy.url())
        .env(SOURCE, stand.source())
        .env(LEDGER, stand.ledger_path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A few files of many parts, more of one or two, and many that go in one piece or inside a commit.
fn fill(stand: &Stand, size: &Size) {
    let mut left = size.bytes;
    for number in 0..size.files {
        let (name, bytes) = match number % 10 {
            0 => ("videos/long", size.bytes / size.files * 5),
            1 | 2 => ("videos/short", size.bytes / size.files * 2),
            3..7 => ("data/file", size.part / 2 + number),
            _ => ("meta/note", 900 + number),
        };
        let end = if name.starts_with("meta") { "json" } else { "mp4" };
        let bytes = bytes.min(left);
        left -= bytes;
        write(&stand.source(), &format!("{name}-{number:03}.{end}"), bytes, number);
    }
    write(&stand.source(), "videos/last.mp4", left, 0);
}

/// What a question carries: a part of a file, or a whole one; changes; nothing that counts.
fn carried(passed: &Passed) -> Option<(String, String)> {
    let path = &passed.question.path;
    if path.contains("/commit/") {
        return Some(("commit".into(), passed.question.number.to_string()));
    }
    if passed.question.method != "PUT" {
        return None;
    }
    let (ticket, part) =
        path.strip_prefix("/api/lfs/")?.split_once('/').unwrap_or((&path[9..], ""));
    Some((ticket.split('-').next()?.to_owned(), part.to_owned()))
}

#[test]
fn whatever_ends_an_upload_no_more_than_a_part_is_sent_again() {
    let size = size();
    let stand = Stand::with_parts(size.part);
    fill(&stand, &size);
    let mut random = fastrand::Rng::with_seed(size.ends);
    let (mut kills, mut cuts) = (0, 0);
    let mut child = uploader(&stand);
    // Spread over all of it, with room for what is sent again.
    let step = size.bytes / size.ends;
    while kills + cuts < size.ends {
        stand.proxy.stop_at(stand.proxy.sent() + random.u64(1..2 * step));
        let mut ended = None;
        stand.proxy.wait_for_stop(|| {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
        if ended.is_some_and(|ended| ended.success()) {
            break;
        }
        assert!(ended.is_none(), "it failed by itself: {ended:?}");
        if random.bool() {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            stand.proxy.cut();
            child = uploader(&stand);
        } else {
            cuts += 1;
            stand.proxy.cut();
        }
    }
    assert!(child.wait().unwrap().success());
    stand.is_whole();
    assert_eq!(stand.push().unwrap().changed, 0);

    let told = Told::of(&stand.proxy.passed());
    eprintln!(
        "{kills} kills and {cuts} cuts of {} bytes in {} files, parts of {}: {} bytes sent again in \
         all, at most {} by all files and {} by one file at one end; {} bytes of changes",
        size.bytes,
        size.files + 1,
        size.part,
        told.again,
        told.most_at_once,
        told.most_of_one,
        told.changes_again,
    );
    assert!(kills > 2 && cuts > 2, "{kills} kills, {cuts} cuts");
    assert!(told.most_of_one <= size.part, "one file lost {} bytes", told.most_of_one);
    // One part of each file that is on its way, and no more than there is room for.
    let at_once = (SENDING * size.part).min(ROOM.max(size.part));
    assert!(told.most_at_once <= at_once, "{} bytes were lost at once", told.most_at_once);
    assert!(told.sent >= size.bytes, "{} of {} bytes were seen", told.sent, size.bytes);
}

/// What was sent, and what of it was sent again.
#[derive(Default)]
struct Told {
    sent: u64,
    again: u64,
    most_at_once: u64,
    most_of_one: u64,
    changes_again: u64,
}

impl Told {
    fn of(passed: &[Passed]) -> Self {
        let mut told = Self::default();
        let mut last: HashMap<(String, String), usize> = HashMap::new();
        for (at, passed) in passed.iter().enumerate() {
            if let Some(what) = carried(passed).filter(|_| passed.sent == passed.question.length) {
                last.insert(what, at);
            }
        }
        // What was not the last time that it was sent was sent in vain.
        let mut lost: BTreeMap<usize, BTreeMap<String, u64>> = BTreeMap::new();
        for (at, passed) in passed.iter().enumerate() {
            let Some(what) = carried(passed) else { continue };
            told.sent += passed.sent;
            if what.0 == "commit" {
                if passed.status != Some(200) {
                    told.changes_again += passed.sent;
                }
            } else if last.get(&what) != Some(&at) {
                *lost.entry(passed.after).or_default().entry(what.0).or_default() += passed.sent;
            }
        }
        for files in lost.values() {
            let all = files.values().sum();
            told.again += all;
            told.most_at_once = told.most_at_once.max(all);
            told.most_of_one = told.most_of_one.max(files.values().copied().max().unwrap_or(0));
        }
        told
    }
}
