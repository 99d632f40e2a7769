//! Repositories from beginning to end.

use super::*;

const REPO: &str = "/api/datasets/me/pick";
const FILE: &str = "/datasets/me/pick/resolve/main";

#[test]
fn a_repository_is_made_filled_read_and_removed() {
    let bench = Bench::new();
    assert_eq!(bench.get("/api/whoami-v2").json()["name"], "local");
    assert_eq!(bench.get(REPO).verdict(), (404, "RepoNotFound"));
    bench.create("pick");
    let again = json!({ "name": "pick", "organization": "me", "type": "dataset" });
    let again = bench.post("/api/repos/create", again);
    assert_eq!(again.status, 409);
    assert_eq!(again.json()["url"], format!("{}/datasets/me/pick", bench.url()));

    let video = vec![7; 100_000];
    assert_eq!(bench.large("pick", &video).status, 200);
    let made = bench.commit("pick", &[file("meta/info.json", b"{}"), large_file("a.mp4", &video)]);
    assert_eq!(made.status, 200, "{made:?}");
    let head = made.json()["commitOid"].as_str().unwrap().to_owned();

    let info = bench.get(&format!("{REPO}?blobs=true")).json();
    assert_eq!(info["sha"], head.as_str());
    assert_eq!(info["siblings"][0]["lfs"]["sha256"], sha256(&video));
    assert_eq!(info["siblings"][1]["blobId"], "9e26dfeeb6e641a33dae4961196235bdb965b21b");
    let read = bench.get(&format!("{FILE}/a.mp4"));
    assert_eq!((read.status, &read.bytes), (200, &video));
    assert_eq!(read.header("etag"), format!("\"{}\"", sha256(&video)));
    assert_eq!(read.header("x-repo-commit"), head);
    let head_only = bench.ask("HEAD", &format!("{FILE}/a.mp4"), &[], b"");
    assert_eq!(head_only.header("content-length"), "100000");
    assert!(head_only.bytes.is_empty());

    let gone =
        bench.commit("pick", &[json!({ "key": "deletedFile", "value": { "path": "a.mp4" } })]);
    assert_eq!(gone.status, 200);
    let missing = bench.get(&format!("{FILE}/a.mp4"));
    assert_eq!(missing.verdict(), (404, "EntryNotFound"));
    assert_ne!(missing.header("x-repo-commit"), "");
    assert_eq!(bench.get(&format!("/datasets/me/pick/resolve/{head}/a.mp4")).status, 200);

    let body = json!({ "name": "pick", "organization": "me", "type": "dataset" }).to_string();
    assert_eq!(bench.ask("DELETE", "/api/repos/delete", &[], body.as_bytes()).status, 200);
    assert_eq!(bench.get(REPO).verdict(), (404, "RepoNotFound"));
}

#[test]
fn nobody_else_on_the_machine_reads_what_a_hub_has() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    bench.create("pick");
    bench.large("pick", b"large");
    bench.commit("pick", &[file("small", b"small"), large_file("large", b"large")]);
    let (mut open, mut seen) = (vec![bench.options.folder.clone()], 0);
    while let Some(path) = open.pop() {
        let about = std::fs::metadata(&path).unwrap();
        // Its lock says nothing.
        if path.file_name().is_some_and(|name| name != "lock") {
            assert_eq!(about.permissions().mode() & 0o077, 0, "{}", path.display());
            seen += 1;
        }
        if about.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn parts_of_a_file_are_the_parts_asked_for() {
    let bench = Bench::new();
    bench.create("pick");
    let content: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    bench.large("pick", &content);
    bench.commit("pick", &[large_file("x.bin", &content)]);
    let at = format!("{FILE}/x.bin");
    let part = |range| bench.ask("GET", &at, &[("range", range)], b"");
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=299000-", 299_000, 299_999),
        ("bytes=-5", 299_995, 299_999),
        ("bytes=100000-200000", 100_000, 200_000),
    ] {
        let reply = part(range);
        assert_eq!(reply.status, 206, "{range}");
        assert_eq!(reply.header("content-range"), format!("bytes {first}-{last}/300000"));
        assert!(reply.bytes == content[first..=last], "{range}");
    }
    let outside = part("bytes=300000-");
    assert_eq!((outside.status, outside.header("content-range")), (416, "bytes */300000"));
    let tag = bench.get(&at).header("etag").to_owned();
    let known = bench.ask("GET", &at, &[("if-none-match", &tag)], b"");
    assert_eq!((known.status, known.bytes.len()), (304, 0));
    let changed = bench.ask("GET", &at, &[("range", "bytes=0-9"), ("if-range", "\"old\"")], b"");
    assert_eq!((changed.status, changed.bytes.len()), (200, 300_000));
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let mut bench = Bench::with(|options| options.limits.part = 1000);
    bench.create("pick");
    bench.commit("pick", &[file("a.txt", b"a")]);
    bench.post(&format!("{REPO}/tag/main"), json!({ "tag": "v3.0" }));
    let content = vec![3; 2500];
    let object = json!({ "oid": sha256(&content), "size": content.len() });
    let batch =
        json!({ "operation": "upload", "transfers": ["basic", "multipart"], "objects": [object] });
    let batch = bench.post("/datasets/me/pick.git/info/lfs/objects/batch", batch).json();
    assert_eq!(batch["transfer"], "multipart");
    let upload = &batch["objects"][0]["actions"]["upload"];
    assert_eq!(upload["header"]["chunk_size"], "1000");
    let mut parts = Vec::new();
    for (number, part) in (1..).zip(content.chunks(1000)) {
        let href = upload["header"][number.to_string()].as_str().unwrap();
        let reply = bench.ask("PUT", href, &[], part);
        assert_eq!(reply.status, 200);
        parts.push(json!({ "partNumber": number, "etag": reply.header("etag") }));
        bench.restart();
    }
    let complete = json!({ "oid": sha256(&content), "parts": parts });
    let done = bench.post(upload["href"].as_str().unwrap(), complete.clone());
    assert_eq!(done.status, 200, "{done:?}");
    bench.restart();
    assert_eq!(bench.post(upload["href"].as_str().unwrap(), complete).status, 200);
    assert_eq!(bench.commit("pick", &[large_file("b.bin", &content)]).status, 200);
    bench.restart();
    assert_eq!(bench.get("/datasets/me/pick/resolve/main/b.bin").bytes, content);
    assert_eq!(bench.get("/datasets/me/pick/resolve/v3.0/a.txt").bytes, b"a");
    assert_eq!(bench.get("/datasets/me/pick/resolve/v3.0/b.bin").verdict(), (404, "EntryNotFound"));
    assert_eq!(std::fs::read_dir(bench.folder.path().join("hub/uploads")).unwrap().count(), 0);
}

#[test]
fn what_nobody_speaks_of_is_cleared_away_when_it_is_old() {
    let mut bench = Bench::with(|options| options.limits.part = 1000);
    bench.create("pick");
    let (kept, left) = (vec![1; 500], vec![2; 500]);
    assert_eq!((bench.large("pick", &kept).status, bench.large("pick", &left).status), (200, 200));
    assert_eq!(bench.commit("pick", &[large_file("a", &kept), file("b", b"b")]).status, 200);
    let batch = |bench: &Bench, content: &[u8]| {
        let object = json!({ "oid": sha256(content), "size": content.len() });
        let batch =
            json!({ "operation": "upload", "transfers": ["multipart"], "objects": [object] });
        let batch = bench.post("/datasets/me/pick.git/info/lfs/objects/batch", batch);
        batch.json()["objects"][0]["actions"]["upload"].clone()
    };
    let parts = batch(&bench, &[3; 1500]);
    let part = bench.ask("PUT", parts["header"]["1"].as_str().unwrap(), &[], &[3; 1000]);
    assert_eq!(part.status, 200);
    bench.restart();
    assert!(batch(&bench, &left).is_null());
    let hub = bench.folder.path().join("hub");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 3600);
    let mut open = vec![hub.join("objects"), hub.join("packs"), hub.join("uploads")];
    while let Some(path) = open.pop() {
        match path.is_dir() {
            true => {
                open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()))
            }
            false => std::fs::File::open(path).unwrap().set_modified(old).unwrap(),
        }
    }
    bench.restart();
    assert!(!batch(&bench, &left).is_null());
    assert!(batch(&bench, &kept).is_null());
    assert_eq!(std::fs::read_dir(hub.join("uploads")).unwrap().count(), 0);
    assert_eq!(bench.get("/datasets/me/pick/resolve/main/a").bytes, kept);
    assert_eq!(bench.get("/datasets/me/pick/resolve/main/b").bytes, b"b");
}

#[test]
fn damaged_names_of_before_keep_nobody_from_anything_but_new_names() {
    let mut bench = Bench::new();
    bench.create("pick");
    let names = bench.folder.path().join("hub/moved.json");
    std::fs::write(&names, "[[").unwrap();
    bench.restart();
    let aside = bench.server.as_ref().unwrap().aside();
    assert!(matches!(aside, [crate::Error::Damaged { path, .. }] if *path == names), "{aside:?}");
    bench.create("other");
    let renamed = json!({ "fromRepo": "me/pick", "toRepo": "me/new", "type": "dataset" });
    assert_eq!(bench.post("/api/repos/move", renamed.clone()).status, 500);
    assert_eq!(bench.get(REPO).status, 200);
    assert_eq!(std::fs::read(&names).unwrap(), b"[[", "somebody may mend it");
    std::fs::write(&names, "[]").unwrap();
    bench.restart();
    assert_eq!(bench.post("/api/repos/move", renamed).status, 200);
}

#[test]
fn a_damaged_repository_keeps_nobody_from_the_others() {
    let mut bench = Bench::new();
    bench.create("pick");
    bench.create("other");
    let content = vec![5; 500];
    assert_eq!(bench.large("pick", &content).status, 200);
    assert_eq!(bench.commit("pick", &[large_file("a", &content)]).status, 200);
    let hub = bench.folder.path().join("hub");
    let refs = hub.join("repositories/datasets/me/pick/refs.json");
    let whole = std::fs::read(&refs).unwrap();
    std::fs::write(&refs, &whole[1..]).unwrap();
    let object = hub.join("objects").join(&sha256(&content)[..2]).join(sha256(&content));
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 3600);
    std::fs::File::open(object).unwrap().set_modified(old).unwrap();
    bench.restart();
    let aside = bench.server.as_ref().unwrap().aside();
    assert!(matches!(aside, [crate::Error::Damaged { path, .. }] if *path == refs), "{aside:?}");
    assert_eq!(bench.get("/api/datasets/me/other").status, 200);
    assert_eq!(bench.get(REPO).verdict(), (404, "RepoNotFound"));
    let again = json!({ "name": "pick", "organization": "me", "type": "dataset" });
    assert_eq!(bench.post("/api/repos/create", again).status, 500);
    let renamed = json!({ "fromRepo": "me/other", "toRepo": "me/pick", "type": "dataset" });
    assert_eq!(bench.post("/api/repos/move", renamed).status, 500);
    // Put back from a copy, it has all it had.
    std::fs::write(&refs, whole).unwrap();
    bench.restart();
    assert!(bench.server.as_ref().unwrap().aside().is_empty());
    assert_eq!(bench.get(&format!("{FILE}/a")).bytes, content);
}

#[test]
fn who_asks_by_a_name_of_before_is_sent_to_the_one_of_today() {
    let mut bench = Bench::new();
    bench.create("pick");
    bench.commit("pick", &[file("a b.txt", b"one")]);
    let to = |to: &str| json!({ "fromRepo": "me/pick", "toRepo": to, "type": "dataset" });
    assert_eq!(bench.post("/api/repos/move", to("lab/place")).status, 200);
    let sent = |reply: &Reply| (reply.status, reply.header("location").to_owned());
    let place = "/datasets/lab/place/resolve/main/a%20b.txt?download=1";
    for _ in 0..2 {
        let file = bench.get(&format!("{FILE}/a%20b.txt?download=1"));
        assert_eq!(sent(&file), (307, place.to_owned()));
        assert_eq!(bench.get(place).bytes, b"one");
        assert_eq!(sent(&bench.get(REPO)), (307, "/api/datasets/lab/place".to_owned()));
        assert_eq!(bench.get("/api/datasets/lab/place").json()["id"], "lab/place");
        let batch = "/datasets/me/pick.git/info/lfs/objects/batch";
        let to = "/datasets/lab/place.git/info/lfs/objects/batch";
        assert_eq!(sent(&bench.post(batch, json!({}))), (307, to.to_owned()));
        let to = "/api/datasets/lab/place/commit/main";
        assert_eq!(sent(&bench.commit("pick", &[file_of("x")])), (307, to.to_owned()));
        bench.restart();
    }
    // Who may not see it is not told where it is.
    let settings = json!({ "private": true }).to_string();
    let at = "/api/datasets/lab/place/settings";
    assert_eq!(bench.ask("PUT", at, &[], settings.as_bytes()).status, 200);
    bench.token = None;
    assert_eq!(bench.get(REPO).verdict(), (404, "RepoNotFound"));
    bench.token = Some("hf_any");
    // A new one takes the name.
    bench.create("pick");
    assert_eq!(bench.get(REPO).json()["id"], "me/pick");
}

fn file_of(path: &str) -> Value {
    file(path, path.as_bytes())
}
