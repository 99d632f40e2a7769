//! Somebody has a token, and a hub that repeats whatever it is shown: nobody else gets to read it, on the
//! screen or on the disk.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::look_at_a_dataset::golden;
use crate::sandbox::Sandbox;

const TOKEN: &str = "hf_that_nobody_else_may_read";

/// A hub that gives every question this answer, with the token in it that it was shown. It ends with the
/// test.
fn parrot(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            // Whoever has hung up needs no answer.
            answer(&mut connection, status).unwrap_or_default();
        }
    };
    std::thread::Builder::new().name("parrot".into()).spawn(serve).unwrap();
    url
}

fn answer(connection: &mut TcpStream, status: u16) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
        Some(line.split_once(": ")?.1.trim().to_owned())
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    std::io::copy(&mut connection.take(length), &mut std::io::sink())?;
    let shown = header("authorization").unwrap_or_default().replace("Bearer ", "");
    let body = json!({ "error": shown, "sha": shown, "name": shown, "files": shown }).to_string();
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status} {shown}\r\nX-Error-Message: no {shown} here\r\nX-Error-Code: {shown}\r\n\
         Location: ftp://x/{shown}\r\nX-Repo-Commit: {shown}\r\nETag: \"{shown}\"\r\nRetry-After: 0\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// No file below a folder has it.
fn is_not_below(folder: &Path) {
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        assert!(!path.to_string_lossy().contains(TOKEN), "{}", path.display());
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let text = fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(TOKEN), "{}: {text}", path.display());
        }
    }
}

#[test]
fn whatever_a_hub_repeats_is_not_told_on() {
    for status in [200, 302, 400, 401, 404, 409, 412, 503] {
        let mut sandbox = Sandbox::new().with("HF_ENDPOINT", &parrot(status));
        let mine = golden(&sandbox, "v30_image", "mine");
        let (mine, to) = (mine.to_str().unwrap(), sandbox.path("to"));
        let login = sandbox.run_with_input(&["-vv", "hub", "login"], &format!("{TOKEN}\n"));
        assert!(!format!("{login:?}").contains(TOKEN), "{login:?}");
        assert_eq!(login.code == 0, status == 200, "{login:?}");
        let out = sandbox.run(&["--json", "hub", "logout"]);
        assert_eq!(out.result()["was_in"], status == 200);
        sandbox = sandbox.with("HF_TOKEN", TOKEN);
        for words in [
            &["hub", "whoami"][..],
            &["hub", "pull", "me/pick"],
            &["hub", "pull", "me/pick", "--type=model"],
            &["hub", "pull", "me/pick", "--local-dir", to.to_str().unwrap()],
            &["dataset", "info", "me/pick"],
            &["dataset", "export", "me/pick", "--format=csv", "-o", to.to_str().unwrap()],
            &["policy", "info", "me/pick"],
            &["hub", "push", mine, "pick", "--once"],
            &["hub", "push", mine, "me/pick", "--once"],
            &["hub", "status"],
            &["hub", "retry", "--once"],
            &["hub", "status"],
        ] {
            for manner in ["-vv", "--json"] {
                let ended = sandbox.run(&[&[manner], words].concat());
                assert!(!format!("{ended:?}").contains(TOKEN), "{words:?}: {ended:?}");
                assert!(ended.code == 0 || !ended.err.is_empty(), "{words:?}: {ended:?}");
            }
        }
        let status = sandbox.run(&["--json", "hub", "status"]).result();
        assert!(status["uploads"][0]["error"].is_string(), "{status}");
        is_not_below(&sandbox.path(""));
    }
}

#[test]
fn a_hub_of_ones_own_keeps_what_it_was_shown_to_itself() {
    let sandbox = Sandbox::new();
    let (file, folder) = (sandbox.path("tokens"), sandbox.path("hub"));
    fs::write(&file, format!("write me {TOKEN}\n")).unwrap();
    let words =
        ["hub", "serve", folder.to_str().unwrap(), "--port=0", "--tokens", file.to_str().unwrap()];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = sandbox.run(&words);
    assert!(refused.code != 0 && refused.err.contains("chmod 600"), "{refused:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut hub = sandbox.start_as_seen(&words);
    let said = hub.read_to("export HF_ENDPOINT=");
    let url = said.rsplit_once('=').unwrap().1.trim().to_owned();
    // What other users see of it.
    let seen = fs::read(format!("/proc/{}/cmdline", hub.id())).unwrap();
    assert!(!String::from_utf8_lossy(&seen).contains(TOKEN));

    let ask = |path: &str, token: &str, body: &str| {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(!said.contains(TOKEN), "{said}");
        said.split(' ').nth(1).unwrap().to_owned()
    };
    let create = "/api/repos/create";
    assert_eq!(ask(create, TOKEN, "{\"name\":\"me/pick\"}"), "200");
    assert_eq!(ask(create, &format!("{TOKEN}x"), "{\"name\":\"me/pick\"}"), "401");
    assert_eq!(ask(create, TOKEN, "{"), "400");
    assert_eq!(ask("/api/models/me/pick/preupload/main", TOKEN, "[]"), "400");
    assert_eq!(ask("/api/models/me/pick/commit/main", TOKEN, "{}"), "400");
    assert_eq!(ask("/me/pick.git/info/lfs/objects/batch", TOKEN, "7"), "400");
    hub.signal("TERM");
    let (code, rest) = hub.end();
    assert_eq!(code, 0);
    assert!(!(said + &rest).contains(TOKEN), "{rest}");
    is_not_below(&folder);
}
