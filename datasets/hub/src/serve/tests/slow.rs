//! Those who send so slowly that they would never be done.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

/// Sends a body a byte at a time, and gives what comes back.
fn trickle(bench: &Bench, to: &str) -> String {
    let mut stream = TcpStream::connect(bench.url().replace("http://", "")).unwrap();
    let head = format!(
        "POST {to} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n\
         connection: close\r\ncontent-length: 100\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _byte in 0..100 {
        if stream.write_all(b" ").is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut answer = Vec::new();
    // What came before the other side closed is in there all the same.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_question_comes_within_its_time() {
    let bench = Bench::with(|options| options.limits.asking = Duration::from_millis(100));
    let answer = trickle(&bench, "/api/validate-yaml");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn a_commit_takes_its_time_at_a_pace() {
    let mut bench = Bench::with(|options| options.limits.slow = Duration::from_millis(100));
    bench.create("pick");
    let commit = "/api/datasets/me/pick/commit/main";
    let answer = trickle(&bench, commit);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    bench.options.limits.pace = 0;
    bench.restart();
    // Whole, and no commit.
    let answer = trickle(&bench, commit);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn strangers_leave_turns_to_those_who_show_a_token() {
    let mut bench = Bench::with(|options| {
        let (token, name) = ("hf_lab".to_owned(), "lab".to_owned());
        options.tokens = vec![Access { token, name, write: true }];
        options.limits.requests = 2;
        options.limits.patience = Duration::from_secs(3600);
    });
    bench.token = Some("hf_lab");
    let address = bench.url().replace("http://", "");
    let half = "POST /api/validate-yaml HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{";
    let open = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(half.as_bytes()).unwrap();
        stream
    };
    let strangers: Vec<_> = std::iter::repeat_with(open).take(8).collect();
    assert_eq!(bench.get("/api/whoami-v2").status, 200);
    drop(strangers);
}
