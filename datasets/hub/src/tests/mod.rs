//! Servers that do what servers do: answer, fail for a while, send elsewhere, and lie.

mod secret;
pub(crate) mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{Client, Error, Link, Options, Part, Piece};
use server::{Server, answer, part};

const TEN: Part = Part::From { first: 2, length: 3 };

fn client(token: Option<&str>) -> Arc<Client> {
    Arc::new(Client::new(options(token)).unwrap())
}

fn options(token: Option<&str>) -> Options {
    Options {
        token: token.map(str::to_owned),
        tries: 3,
        first_wait: Duration::from_millis(1),
        patience: Duration::from_millis(300),
        ..Options::default()
    }
}

fn link(server: &Server, token: Option<&str>) -> Link {
    let url = server.url("127.0.0.1");
    let (base, name) = url.rsplit_once('/').unwrap();
    Link::new(&client(token), base, [name])
}

/// What comes of asking for three bytes where these answers wait, and how often it was asked.
fn asked(answers: Vec<String>) -> (Result<Piece, Error>, Vec<String>) {
    let server = Server::with(answers);
    let result = link(&server, None).part(TEN);
    (result, server.asked())
}

#[test]
fn a_part_comes_with_its_place_and_the_length_of_the_whole() {
    let (sent, questions) = asked(vec![part(2, "234")]);
    assert_eq!(sent.unwrap(), Piece { first: 2, bytes: b"234".to_vec(), total: 10 });
    assert!(questions[0].starts_with("get /pick/file.mp4 http/1.1\r\n"), "{questions:?}");
    assert!(questions[0].contains("\r\nrange: bytes=2-4\r\n"), "{questions:?}");
    assert!(questions[0].contains("\r\naccept-encoding: identity\r\n"), "{questions:?}");

    let server = Server::with(vec![part(6, "6789"), part(8, "89"), part(0, "0123456789")]);
    let link = link(&server, None);
    assert_eq!(link.part(Part::Last(4)).unwrap().first, 6);
    let behind = Part::From { first: 8, length: 100 };
    assert_eq!(link.part(behind).unwrap().bytes, b"89", "as many as there are");
    assert_eq!(link.part(Part::Last(100)).unwrap().bytes.len(), 10);
}

#[test]
fn a_wait_that_a_server_asks_for_ends_when_somebody_ends_it() {
    let slow = answer(429, &["Retry-After: 300", "Content-Length: 0"], "");
    let server = Server::with(vec![slow]);
    let end = Arc::new(AtomicBool::new(false));
    let client = Client::new(Options { end: Some(Arc::clone(&end)), ..options(None) }).unwrap();
    let (url, began) = (server.url("127.0.0.1"), Instant::now());
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| client.get(&url, 10));
        while server.asked().is_empty() {
            std::thread::yield_now();
        }
        end.store(true, Ordering::Relaxed);
        assert!(matches!(asking.join().unwrap(), Err(Error::Ended)));
    });
    assert!(began.elapsed() < Duration::from_secs(200), "it did not wait for what was asked");
    assert!(matches!(client.get(&url, 10), Err(Error::Ended)), "and asks no more");
}

#[test]
fn what_passes_is_tried_again() {
    let busy = answer(503, &["Content-Length: 0"], "");
    let slow = answer(429, &["Retry-After: 0", "Content-Length: 0"], "");
    let (sent, questions) = asked(vec![busy.clone(), slow, part(2, "234")]);
    assert_eq!((sent.unwrap().bytes, questions.len()), (b"234".to_vec(), 3));

    let half = answer(206, &["Content-Range: bytes 2-4/10", "Content-Length: 3"], "2");
    let (sent, questions) = asked(vec![half.clone(), String::new(), part(2, "234")]);
    assert_eq!(
        (sent.unwrap().bytes, questions.len()),
        (b"234".to_vec(), 3),
        "cut off, then silent"
    );

    let (sent, questions) = asked(vec![half; 3]);
    let error = sent.unwrap_err();
    assert!(matches!(error, Error::GaveUp { tries: 3, .. }), "{error}");
    assert_eq!(questions.len(), 3);
    let (sent, _) = asked(vec![busy; 3]);
    let error = sent.unwrap_err().to_string();
    assert!(error.contains("503") && error.ends_with("/pick/file.mp4 (tried 3 times)"), "{error}");
}

#[test]
fn what_does_not_pass_is_said_at_once() {
    let empty = |status| vec![answer(status, &["Content-Length: 0"], "")];
    let (sent, _) = asked(empty(401));
    let error = sent.unwrap_err();
    assert!(matches!(error, Error::Denied { status: 401, with_token: false, .. }), "{error}");
    assert!(error.to_string().contains("token"), "{error}");
    let (sent, _) = asked(empty(404));
    assert!(sent.unwrap_err().is_missing());
    let (sent, _) = asked(empty(416));
    assert!(matches!(sent.unwrap_err(), Error::Status { status: 416, .. }));
    let (sent, _) = asked(vec![answer(200, &["Content-Length: 10"], "0123456789")]);
    let error = sent.unwrap_err();
    assert!(matches!(error, Error::NoRanges { .. }), "{error}");

    let server = Server::with(empty(403));
    let error = link(&server, Some("hf_secret")).part(TEN).unwrap_err();
    assert!(matches!(error, Error::Denied { with_token: true, .. }), "{error}");
    assert!(!format!("{error:?} {:?}", client(Some("hf_secret"))).contains("hf_secret"));
}

#[test]
fn an_answer_that_does_not_fit_is_refused() {
    for range in [
        "bytes 3-5/10",
        "bytes 2-5/10",
        "bytes 2-3/10",
        "bytes 4-2/10",
        "bytes 2-4/3",
        "bytes 2-4/*",
        "bytes */10",
        "bytes 2-4",
        "bytes -2-4/10",
        "bytes 2-18446744073709551615/18446744073709551615",
        "bytes 2-99999999999999999999/10",
        "apples 2-4/10",
        "",
    ] {
        let header = format!("Content-Range: {range}");
        let (sent, questions) = asked(vec![answer(206, &[&header, "Content-Length: 3"], "234")]);
        let error = sent.unwrap_err();
        assert!(matches!(error, Error::Nonsense { .. }), "{range}: {error}");
        assert_eq!(questions.len(), 1);
    }
    let right = "Content-Range: bytes 2-4/10";
    let (sent, _) = asked(vec![answer(206, &[right, "Content-Length: 999999999999"], "234")]);
    assert!(matches!(sent.unwrap_err(), Error::Nonsense { .. }));
    let (sent, _) = asked(vec![answer(206, &[right], "2345678")]);
    assert!(matches!(sent.unwrap_err(), Error::Nonsense { .. }), "more than was said");
    let (sent, _) = asked(vec![answer(206, &["Content-Length: 3"], "234")]);
    assert!(matches!(sent.unwrap_err(), Error::Nonsense { .. }), "no place at all");
}

#[test]
fn a_whole_file_is_bounded() {
    let get = |answer: String| {
        let server = Server::with(vec![answer]);
        client(None).get(&server.url("127.0.0.1"), 10)
    };
    assert_eq!(get(answer(200, &["Content-Length: 3"], "abc")).unwrap(), b"abc");
    assert_eq!(get(answer(200, &[], "0123456789")).unwrap(), b"0123456789", "to the end");
    let announced = get(answer(200, &["Content-Length: 18446744073709551615"], ""));
    assert!(matches!(announced.unwrap_err(), Error::TooLarge { limit: 10, .. }));
    let sent = get(answer(200, &[], "0123456789a"));
    assert!(matches!(sent.unwrap_err(), Error::TooLarge { .. }));
}

#[test]
fn the_token_goes_where_the_address_points_and_nowhere_else() {
    let elsewhere = Server::with(vec![part(2, "234"); 2]);
    // Another host, and another port of the same host.
    for host in ["localhost", "127.0.0.1"] {
        let location = format!("Location: {}", elsewhere.url(host));
        let server = Server::with(vec![answer(302, &[&location, "Content-Length: 0"], "")]);
        assert_eq!(link(&server, Some("hf_secret")).part(TEN).unwrap().bytes, b"234");
        assert!(server.asked()[0].contains("\r\nauthorization: bearer hf_secret\r\n"));
    }
    assert_eq!(elsewhere.asked().len(), 2);
    for question in elsewhere.asked() {
        assert!(!question.contains("authorization"), "{question}");
        assert!(question.contains("range: bytes=2-4"), "{question}");
    }
    let here = "Location: /other/file.mp4";
    let server = Server::with(vec![answer(307, &[here, "Content-Length: 0"], ""), part(2, "234")]);
    assert_eq!(link(&server, Some("hf_secret")).part(TEN).unwrap().bytes, b"234");
    assert!(server.asked()[1].starts_with("get /other/file.mp4"));
    assert!(server.asked()[1].contains("authorization"), "the same server may see it again");

    let round = vec![answer(302, &["Location: file.mp4", "Content-Length: 0"], ""); 20];
    assert!(matches!(asked(round).0.unwrap_err(), Error::Nonsense { .. }));
    let nowhere = vec![answer(302, &["Content-Length: 0"], "")];
    assert!(matches!(asked(nowhere).0.unwrap_err(), Error::Nonsense { .. }));
}

#[test]
fn the_way_to_a_file_is_gone_once_and_again_when_it_has_expired() {
    let expired = answer(403, &["Content-Length: 0"], "");
    let elsewhere = Server::with(vec![part(2, "234"), part(2, "234"), expired, part(2, "234")]);
    let location = format!("Location: {}", elsewhere.url("127.0.0.1"));
    let server = Server::with(vec![answer(302, &[&location, "Content-Length: 0"], ""); 2]);
    let link = link(&server, None);
    for (round, directly) in [(1, 1), (1, 2), (2, 4)] {
        assert_eq!(link.part(TEN).unwrap().bytes, b"234");
        assert_eq!((server.asked().len(), elsewhere.asked().len()), (round, directly));
    }
}

#[test]
fn a_file_that_changes_is_not_mixed_with_what_it_was() {
    let state = |tag: &str, total: u64| {
        let range = format!("Content-Range: bytes 2-4/{total}");
        answer(206, &[&range, "Content-Length: 3", &format!("ETag: {tag}")], "234")
    };
    for (before, after) in
        [(state("\"a\"", 10), state("\"b\"", 10)), (state("\"a\"", 10), state("\"a\"", 11))]
    {
        let server = Server::with(vec![before, after]);
        let link = link(&server, None);
        link.part(TEN).unwrap();
        assert!(matches!(link.part(TEN).unwrap_err(), Error::Changed { .. }));
    }
}
