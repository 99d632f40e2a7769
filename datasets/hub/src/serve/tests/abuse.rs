//! What nobody should send, and somebody will.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::*;

const COMMIT: &str = "/api/datasets/me/pick/commit/main";

fn head(bench: &Bench) -> Value {
    bench.get("/api/datasets/me/pick").json()["sha"].clone()
}

/// Sends bytes as they are, and gives what comes back until the other side has done.
fn raw(bench: &Bench, bytes: &[u8], end: bool) -> String {
    let address = bench.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).unwrap();
    // The other side may have heard enough.
    drop(stream.write_all(bytes));
    if end {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn no_name_leads_out_of_a_repository() {
    let bench = Bench::new();
    bench.create("pick");
    let before = head(&bench);
    for path in ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", ".git/config", "a\0b", "", "a//b"]
    {
        assert_eq!(bench.commit("pick", &[file(path, b"x")]).status, 400, "{path:?}");
        let asked = json!({ "files": [{ "path": path, "size": 1, "sample": "" }] });
        let asked = bench.post("/api/datasets/me/pick/preupload/main", asked);
        assert_eq!(asked.status, 400, "{path:?}");
    }
    assert_eq!(head(&bench), before);
    for at in [
        "/datasets/me/pick/resolve/main/..%2f..%2f..%2fstore.json",
        "/datasets/me/pick/resolve/main/../../../store.json",
        "/datasets/me/pick/resolve/main/%00",
        "/datasets/me/pick/resolve/..%2f..%2frefs.json/x",
        "/datasets/..%2f..%2fetc/pick/resolve/main/x",
        "/api/datasets/me/..%2f..%2fx",
        "/api/lfs/..%2f..%2fstore.json/1",
    ] {
        let method = if at.starts_with("/api/lfs") { "PUT" } else { "GET" };
        let reply = bench.ask(method, at, &[], b"");
        assert!(matches!(reply.status, 403 | 404), "{at}: {}", reply.status);
    }
    for name in ["../x", "a/../b", ".", "api/x", "datasets/x", "a/b/c", "a b", "me/x.git", ""] {
        let made = bench.post("/api/repos/create", json!({ "name": name, "type": "dataset" }));
        assert_eq!(made.status, 400, "{name:?}");
    }
    for tag in ["../x", "refs/heads/main", "a b", "-x", &"0".repeat(40)] {
        let tagged = bench.post("/api/datasets/me/pick/tag/main", json!({ "tag": tag }));
        assert_eq!(tagged.status, 400, "{tag:?}");
    }
}

#[test]
fn a_commit_is_whole_or_not_at_all() {
    let bench = Bench::with(|options| {
        options.limits.inline = 10_000;
        options.limits.commit = 200_000;
    });
    bench.create("pick");
    bench.commit("pick", &[file("dir/a", b"a")]);
    let before = head(&bench);
    let good = file("good", b"x");
    let unknown = large_file("b.bin", b"never uploaded");
    let deleted = |key: &str, path: &str| json!({ "key": key, "value": { "path": path } });
    for (what, lines, status) in [
        ("contents that never came", vec![good.clone(), unknown], 400),
        ("a file below a file", vec![good.clone(), file("dir/a/b", b"x")], 400),
        ("a file in a folder's place", vec![good.clone(), file("dir", b"x")], 400),
        ("both at once", vec![file("n", b"x"), file("n/m", b"x")], 400),
        ("what is not there", vec![good.clone(), deleted("deletedFile", "nope")], 404),
        ("no such folder", vec![good.clone(), deleted("deletedFolder", "nope")], 404),
        ("an unknown line", vec![good.clone(), deleted("renamedFile", "x")], 400),
        ("a file that is too large", vec![good.clone(), file("l", &[0; 20_000])], 413),
        ("a line that is too long", vec![good.clone(), file("l", &[0; 120_000])], 413),
        ("too much together", (0..60).map(|n| file(&format!("{n}"), &[0; 5000])).collect(), 413),
        (
            "no base64",
            vec![json!({ "key": "file", "value":
            { "path": "x", "content": "%%", "encoding": "base64" } })],
            400,
        ),
    ] {
        assert_eq!(bench.commit("pick", &lines).status, status, "{what}");
        assert_eq!(head(&bench), before, "{what}");
    }
    let body = |text: &str| bench.ask("POST", COMMIT, &[], text.as_bytes()).status;
    assert_eq!(body(""), 400);
    assert_eq!(body("not json\n"), 400);
    assert_eq!(body(&good.to_string()), 400);
    let stale =
        json!({ "key": "header", "value": { "summary": "", "parentCommit": "0".repeat(40) } });
    assert_eq!(body(&format!("{stale}\n{good}\n")), 412);
    assert_eq!(bench.ask("POST", &COMMIT.replace("main", "nope"), &[], b"{}").status, 404);
    assert_eq!(head(&bench), before);
}

#[test]
fn a_commit_has_no_more_than_it_is_about() {
    let bench = Bench::new();
    bench.create("pick");
    let large = vec![7; 500];
    assert_eq!(bench.large("pick", &large).status, 200);
    assert_eq!(bench.commit("pick", &[file("dir/a", b"a"), file("b", b"b")]).status, 200);
    let before = head(&bench);
    let deleted = |key: &str, path: &str| json!({ "key": key, "value": { "path": path } });
    let long = "x".repeat(30_000);
    let nonsense = json!({ "key": "renamedFile" });
    for line in
        [deleted("deletedFile", &long), deleted("deletedFolder", &long), large_file(&long, &large)]
    {
        // Before the next line is looked at.
        let refused = bench.commit("pick", &[line, nonsense.clone()]);
        assert_eq!(refused.status, 400);
        assert!(refused.header("x-error-message").contains("at most 1024"), "{refused:?}");
        assert!(refused.header("x-error-message").len() < 2000);
    }
    let header = json!({ "key": "header", "value": { "summary": "x".repeat(70_000) } });
    assert_eq!(bench.commit("pick", &[header]).status, 413);
    let headers = vec![json!({ "key": "header", "value": {} }); 100_001];
    assert_eq!(bench.commit("pick", &headers).status, 400);
    assert_eq!(head(&bench), before);
    let folders = ["dir", "dir/", "", "/", ""].map(|path| deleted("deletedFolder", path));
    assert_eq!(bench.commit("pick", &folders).status, 200);
    let record = bench.folder.path().join("hub/repositories/datasets/me/pick/commits");
    let record = std::fs::read_to_string(record).unwrap();
    let last: Value = serde_json::from_str(&record.lines().last().unwrap()[41..]).unwrap();
    assert_eq!(last["gone"], json!(["b", "dir/a"]));
}

#[test]
fn half_a_commit_is_none() {
    let bench = Bench::new();
    bench.create("pick");
    let before = head(&bench);
    let header = json!({ "key": "header", "value": { "summary": "half" } });
    let lines = format!("{header}\n{}\n", file("a", b"a"));
    let request = |length: usize| {
        format!(
            "POST {COMMIT} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n\
             content-length: {length}\r\n\r\n{lines}"
        )
    };
    // It ends where a line ends, and before it said it would.
    raw(&bench, request(lines.len() + 100).as_bytes(), true);
    assert_eq!(head(&bench), before);
    let chunked = request(0).replace("content-length: 0", "transfer-encoding: chunked");
    let chunked = chunked.replace(&lines, &format!("{:x}\r\n{lines}\r\n", lines.len()));
    raw(&bench, chunked.as_bytes(), true);
    assert_eq!(head(&bench), before);
    let whole = request(lines.len()).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    assert!(raw(&bench, whole.as_bytes(), false).starts_with("HTTP/1.1 200"));
    assert_ne!(head(&bench), before);
}

#[test]
fn large_files_are_what_they_were_announced_as() {
    let bench = Bench::with(|options| options.limits.file = 1_000_000);
    bench.create("pick");
    let content = vec![1; 1000];
    let batch = |oid: &str, size: u64| {
        let object = json!({ "oid": oid, "size": size });
        let batch = json!({ "operation": "upload", "objects": [object] });
        bench.post("/datasets/me/pick.git/info/lfs/objects/batch", batch).json()["objects"][0]
            .clone()
    };
    assert_eq!(batch(&sha256(&content), 2_000_000)["error"]["code"], 413);
    assert_eq!(batch("../../x", 1)["error"]["code"], 422);
    let href = batch(&sha256(&content), 1000)["actions"]["upload"]["href"].clone();
    let href = href.as_str().unwrap();
    let put = |at: &str, bytes: &[u8]| bench.ask("PUT", at, &[], bytes).status;
    assert_eq!(put(href, &[2; 1000]), 400);
    assert_eq!(put(href, &content[1..]), 400);
    assert_eq!(put(href, &[content.clone(), vec![0]].concat()), 400);
    let ticket = href.rsplit_once('/').unwrap().1.to_owned();
    assert_eq!(put(&href.replace("-1000-", "-9999-"), &content), 403);
    assert_eq!(put("/api/lfs/x", &content), 403);
    assert_eq!(put(&format!("/api/lfs/{ticket}/1"), &content), 404);
    let half = format!(
        "PUT /api/lfs/{ticket} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nhalf"
    );
    raw(&bench, half.as_bytes(), true);
    assert_eq!(bench.commit("pick", &[large_file("a", &content)]).status, 400);
    assert_eq!(put(href, &content), 200);
    assert_eq!(bench.commit("pick", &[large_file("a", &content)]).status, 200);
    let verify =
        |size: u64| bench.post("/api/lfs/verify", json!({ "oid": sha256(&content), "size": size }));
    assert_eq!((verify(1000).status, verify(999).status), (200, 400));
    assert!(batch(&sha256(&content), 1000)["actions"].is_null());
}

#[test]
fn parts_are_asked_for_and_no_others_taken() {
    let bench = Bench::with(|options| options.limits.part = 1000);
    bench.create("pick");
    let content = vec![9; 2500];
    let object = json!({ "oid": sha256(&content), "size": content.len() });
    let batch = json!({ "operation": "upload", "transfers": ["multipart"], "objects": [object] });
    let batch = bench.post("/datasets/me/pick.git/info/lfs/objects/batch", batch).json();
    let upload = &batch["objects"][0]["actions"]["upload"];
    let href = upload["href"].as_str().unwrap();
    let put =
        |number: &str, bytes: &[u8]| bench.ask("PUT", &format!("{href}/{number}"), &[], bytes);
    let part = |number: u64| json!({ "partNumber": number, "etag": "\"x\"" });
    let complete = |numbers: &[u64]| {
        let parts: Vec<_> = numbers.iter().map(|number| part(*number)).collect();
        bench.post(href, json!({ "oid": sha256(&content), "parts": parts })).status
    };
    for (number, status) in [("0", 404), ("4", 404), ("-1", 404), ("x", 404), ("3", 400)] {
        assert_eq!(put(number, &content[..1000]).status, status, "{number}");
    }
    assert_eq!(put("1", &content[..1000]).status, 200);
    assert_eq!(put("2", &[8; 1000]).status, 200);
    assert_eq!(complete(&[1, 2, 3]), 400);
    assert_eq!(put("3", &content[2000..]).status, 200);
    assert_eq!((complete(&[1, 2]), complete(&[3, 2, 1]), complete(&[1, 2, 3])), (400, 400, 400));
    assert_eq!(put("2", &content[1000..2000]).status, 200);
    assert_eq!(complete(&[1, 2, 3]), 200);
}

#[test]
fn whoever_asks_again_gets_the_answer_of_the_first() {
    let bench = Bench::with(|options| options.limits.part = 1 << 20);
    bench.create("pick");
    let content = vec![9; 8 << 20];
    let object = json!({ "oid": sha256(&content), "size": content.len() });
    let batch = json!({ "operation": "upload", "transfers": ["multipart"], "objects": [object] });
    let batch = bench.post("/datasets/me/pick.git/info/lfs/objects/batch", batch).json();
    let href = batch["objects"][0]["actions"]["upload"]["href"].as_str().unwrap();
    let parts: Vec<_> = (1..=8).map(|n| json!({ "partNumber": n, "etag": "\"x\"" })).collect();
    for (number, part) in (1..).zip(content.chunks(1 << 20)) {
        assert_eq!(bench.ask("PUT", &format!("{href}/{number}"), &[], part).status, 200);
    }
    let complete = json!({ "oid": sha256(&content), "parts": parts });
    std::thread::scope(|scope| {
        let ask = || scope.spawn(|| bench.post(href, complete.clone()).status);
        let asked: Vec<_> = std::iter::repeat_with(ask).take(8).collect();
        for asked in asked {
            assert_eq!(asked.join().unwrap(), 200);
        }
    });
    assert_eq!(bench.commit("pick", &[large_file("a", &content)]).status, 200);
}

#[test]
fn heads_and_questions_are_bounded() {
    let bench = Bench::with(|options| options.limits.question = 10_000);
    bench.create("pick");
    let long = "x".repeat(2_000_000);
    for head in [format!("GET /api/datasets HTTP/1.1\r\nx: {long}"), format!("GET /{long}")] {
        // Who is cut off while still sending may not get to hear why.
        let heard = raw(&bench, head.as_bytes(), false);
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 4"), "{heard}");
    }
    let many = "x: y\r\n".repeat(1000);
    let head = format!("GET /api/datasets HTTP/1.1\r\nhost: localhost\r\n{many}\r\n");
    assert!(raw(&bench, head.as_bytes(), false).starts_with("HTTP/1.1 431"));
    assert!(raw(&bench, b"\x16\x03\x01nonsense\r\n\r\n", false).starts_with("HTTP/1.1 400"));
    let paths = json!({ "paths": [long] });
    assert_eq!(bench.post("/api/datasets/me/pick/paths-info/main", paths).status, 413);
    let deep = "[".repeat(5000);
    let nested = bench.ask("POST", "/api/repos/create", &[], deep.as_bytes());
    assert_eq!(nested.status, 400);
    assert_eq!(bench.get("/api/datasets").json().as_array().unwrap().len(), 1);
}

#[test]
fn contents_are_never_looked_into() {
    let bench = Bench::new();
    bench.create("pick");
    // A table that says it has more rows than there are bytes in the world.
    let bomb = [&b"PAR1"[..], &[0xff; 100], b"\x64\0\0\0PAR1"].concat();
    let page = b"<script>alert(1)</script>";
    bench.large("pick", &bomb);
    bench.commit("pick", &[large_file("data.parquet", &bomb), file("x.html", page)]);
    assert_eq!(bench.get("/datasets/me/pick/resolve/main/data.parquet").bytes, bomb);
    let shown = bench.get("/datasets/me/pick/resolve/main/x.html");
    assert_eq!(shown.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(shown.header("x-content-type-options"), "nosniff");
    assert!(shown.header("content-security-policy").contains("sandbox"));
}
