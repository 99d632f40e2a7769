//! A hub of one's own, from the command line: it says where it is, and keeps what it said it has.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sandbox::{Running, Sandbox};

/// A hub in this home, and where it is.
fn hub(sandbox: &Sandbox) -> (Running, String) {
    let folder = sandbox.path("hub");
    let words = ["--json", "hub", "serve", folder.to_str().unwrap(), "--port", "0"];
    let mut hub = sandbox.start(&words);
    let ready = hub.next();
    let endpoint = ready["endpoint"].as_str().unwrap();
    let address = endpoint.strip_prefix("http://").unwrap().to_owned();
    (hub, address)
}

/// Asks once; a whole answer or nothing.
fn ask(address: &str, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer any\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Commits a file whose name is its content.
fn commit(address: &str, number: usize) -> bool {
    let line = |key: &str, value: &str| format!("{{\"key\":\"{key}\",\"value\":{value}}}\n");
    let file = format!("{{\"path\":\"{number}\",\"content\":\"{number}\",\"encoding\":\"utf-8\"}}");
    let body = line("header", "{\"summary\":\"one more\"}") + &line("file", &file);
    ask(address, "POST", "/api/models/me/kept/commit/main", &body)
        .is_some_and(|(status, _)| status == 200)
}

#[test]
fn what_a_hub_said_it_has_survives_every_kill() {
    let sandbox = Sandbox::new();
    let (mut running, mut address) = hub(&sandbox);
    let made = ask(&address, "POST", "/api/repos/create", "{\"name\":\"me/kept\"}").unwrap();
    assert_eq!(made.0, 200, "{made:?}");
    let mut kept: Vec<usize> = Vec::new();
    for round in 0..6 {
        let done = AtomicUsize::new(0);
        let first = round * 1000;
        std::thread::scope(|scope| {
            // It goes on until nobody answers: the kill comes while something is on its way.
            let sender = std::thread::Builder::new().name("sender".to_owned());
            let sending = || {
                for number in first.. {
                    if !commit(&address, number) {
                        return;
                    }
                    done.fetch_add(1, Ordering::Release);
                }
            };
            sender.spawn_scoped(scope, sending).unwrap();
            while done.load(Ordering::Acquire) < 3 + 2 * round {
                std::thread::yield_now();
            }
            running.signal("KILL");
        });
        kept.extend(first..first + done.load(Ordering::Acquire));
        assert_ne!(running.end().0, 0);
        (running, address) = hub(&sandbox);
        for number in &kept {
            let path = format!("/me/kept/resolve/main/{number}");
            let (status, content) = ask(&address, "GET", &path, "").unwrap();
            assert_eq!((status, content), (200, number.to_string()), "round {round}");
        }
    }
    running.signal("TERM");
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_hub_without_tokens_is_for_its_own_machine() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("hub");
    let words = ["hub", "serve", folder.to_str().unwrap(), "--port", "0", "--host", "0.0.0.0"];
    let ended = sandbox.run(&words);
    assert_ne!(ended.code, 0);
    assert!(ended.err.contains("--token"), "{}", ended.err);
    assert!(!folder.exists());
}
