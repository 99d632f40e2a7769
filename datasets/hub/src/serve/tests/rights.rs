//! Who may see and change what.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::Error;

fn guarded() -> Bench {
    let access = |token: &str, write| Access { token: token.into(), name: "lab".into(), write };
    let mut bench = Bench::with(|options| {
        options.tokens = vec![access("hf_writer", true), access("hf_reader", false)];
    });
    bench.token = Some("hf_writer");
    bench
}

#[test]
fn a_token_may_do_what_it_is_for() {
    let mut bench = guarded();
    bench.create("pick");
    bench.commit("pick", &[file("a.txt", b"a")]);
    let who = bench.get("/api/whoami-v2").json();
    assert_eq!(
        (&who["name"], &who["auth"]["accessToken"]["role"]),
        (&json!("lab"), &json!("write"))
    );
    let read = "/datasets/me/pick/resolve/main/a.txt";
    let changes = [
        ("POST", "/api/repos/create", r#"{"name":"x"}"#),
        ("DELETE", "/api/repos/delete", r#"{"name":"pick","organization":"me","type":"dataset"}"#),
        ("POST", "/api/repos/move", r#"{"fromRepo":"me/pick","toRepo":"me/x","type":"dataset"}"#),
        ("PUT", "/api/datasets/me/pick/settings", r#"{"private":true}"#),
        ("POST", "/api/datasets/me/pick/tag/main", r#"{"tag":"v1"}"#),
        ("DELETE", "/api/datasets/me/pick/tag/v1", ""),
        ("POST", "/api/datasets/me/pick/branch/x", ""),
        ("DELETE", "/api/datasets/me/pick/branch/x", ""),
        ("POST", "/api/datasets/me/pick/preupload/main", r#"{"files":[]}"#),
        ("POST", "/api/datasets/me/pick/commit/main", "{}"),
        (
            "POST",
            "/datasets/me/pick.git/info/lfs/objects/batch",
            r#"{"operation":"upload","objects":[]}"#,
        ),
        ("POST", "/api/lfs/verify", r#"{"oid":"","size":0}"#),
    ];
    for (token, whoami, reading, writing) in [
        (Some("hf_reader"), 200, 200, 403),
        (None, 401, 200, 401),
        (Some("hf_stranger"), 401, 401, 401),
    ] {
        bench.token = token;
        assert_eq!(bench.get("/api/whoami-v2").status, whoami, "{token:?}");
        assert_eq!(bench.get(read).status, reading, "{token:?}");
        for (method, at, body) in changes {
            let reply = bench.ask(method, at, &[], body.as_bytes());
            assert_eq!(reply.status, writing, "{token:?} {method} {at}");
            let said = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.bytes));
            assert!(!said.contains("hf_"), "{said}");
        }
    }
    bench.token = Some("hf_reader");
    assert_eq!(bench.get(read).bytes, b"a");
}

#[test]
fn a_private_repository_is_none_to_whoever_shows_nothing() {
    let mut bench = guarded();
    let private = json!({ "name": "me/secret", "type": "dataset", "visibility": "private" });
    assert_eq!(bench.post("/api/repos/create", private).status, 200);
    bench.commit("secret", &[file("a.txt", b"a")]);
    let places = [
        "/api/datasets/me/secret",
        "/api/datasets/me/secret/refs",
        "/api/datasets/me/secret/tree/main",
        "/api/datasets/me/secret/commits/main",
        "/datasets/me/secret/resolve/main/a.txt",
    ];
    for (token, verdict) in [
        (Some("hf_reader"), (200, "")),
        (Some("hf_writer"), (200, "")),
        (None, (404, "RepoNotFound")),
    ] {
        bench.token = token;
        for place in places {
            assert_eq!(bench.get(place).verdict(), verdict, "{token:?} {place}");
        }
        let listed = bench.get("/api/datasets").json().as_array().unwrap().len();
        assert_eq!(listed, usize::from(token.is_some()));
    }
    bench.token = Some("hf_writer");
    let open = bench.ask(
        "PUT",
        &places[0].replace("secret", "secret/settings"),
        &[],
        b"{\"private\":false}",
    );
    assert_eq!(open.status, 200);
    bench.restart();
    bench.token = None;
    assert_eq!(bench.get(places[0]).json()["private"], false);
}

#[test]
fn without_tokens_a_hub_is_for_its_own_machine() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path());
    options.host = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    assert!(matches!(Server::start(options.clone()), Err(Error::Open { .. })));
    let bench = Bench::new();
    let foreign = bench.ask("GET", "/api/datasets", &[("host", "evil.example")], b"");
    assert_eq!(foreign.status, 403);
    // A page in a browser can make it ask without a token, and change nothing so.
    let mut bench = bench;
    bench.token = None;
    assert_eq!(bench.post("/api/repos/create", json!({ "name": "x" })).status, 401);
}

#[test]
fn a_folder_has_one_hub() {
    let bench = Bench::new();
    let second = Server::start(bench.options.clone());
    assert!(matches!(second, Err(Error::Busy { .. })), "{second:?}");
}
