//! Servers of pictures, as they are and as they might be.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jpeg_encoder::{ColorType, Encoder};
use proptest::prelude::*;

use super::*;
use crate::camera::{self, Camera};

/// A picture of one colour, as LeRobot's server codes it.
fn file(color: [u8; 3]) -> String {
    let mut file = Vec::new();
    let pixels = color.repeat(32 * 16);
    Encoder::new(&mut file, 95).encode(&pixels, 32, 16, ColorType::Bgr).unwrap();
    STANDARD.encode(file)
}

fn message(pictures: &[(&str, [u8; 3])]) -> String {
    let images: serde_json::Map<_, _> =
        pictures.iter().map(|(name, color)| ((*name).to_owned(), file(*color).into())).collect();
    serde_json::json!({ "timestamps": {}, "images": images }).to_string()
}

/// What publishes does this with every subscriber, and how to reach it.
fn server(
    subscribers: usize,
    mut publish: impl FnMut(usize, &mut TcpStream) + Send + 'static,
) -> (Address, JoinHandle<Vec<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let serve = |number| {
            let (mut stream, _) = listener.accept().unwrap();
            zmtp::greet(&mut stream, Socket::Publish).unwrap();
            assert_eq!(zmtp::receive(&mut stream, 10).unwrap(), [b"\x01".to_vec()]);
            publish(number, &mut stream);
            stream
        };
        (0..subscribers).map(serve).collect()
    };
    let thread = std::thread::Builder::new().name("server".into()).spawn(serve).unwrap();
    (Address::new("127.0.0.1", port, None), thread)
}

fn say(stream: &mut TcpStream, words: &str) {
    zmtp::send(stream, &[words.as_bytes()]).unwrap();
}

fn open(at: &Address) -> Zmq {
    Zmq::open("top", at, (32, 16), Clock::Real).unwrap()
}

fn is(picture: &camera::Picture, color: [u8; 3]) -> bool {
    let mut pixels = picture.pixels.iter().zip(color.iter().cycle());
    pixels.all(|(pixel, sent)| pixel.abs_diff(*sent) <= 4)
}

const ORANGE: [u8; 3] = [200, 120, 10];
const SEA: [u8; 3] = [10, 120, 160];

#[test]
fn addresses_are_read_as_they_are_told() {
    let read = |url: &str| Address::parse(url).map(|at| at.to_string());
    for (url, told) in [
        ("zmq://robot:7000/head", "zmq://robot:7000/head"),
        ("zmq://10.0.0.2", "zmq://10.0.0.2:5555"),
        ("zmq://[::1]/a", "zmq://[::1]:5555/a"),
    ] {
        assert_eq!(read(url).as_deref(), Some(told));
        assert_eq!(read(told).as_deref(), Some(told));
    }
    for wrong in ["zmq://", "http://robot", "zmq://robot:port", "zmq://a b"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn the_camera_that_is_meant_is_seen_in_its_colours() {
    let (mut at, server) = server(3, |_, stream| {
        say(stream, &message(&[]));
        say(stream, &message(&[("wrist", SEA)]));
        zmtp::send(stream, &[b"topic", message(&[("wrist", SEA), ("front", ORANGE)]).as_bytes()])
            .unwrap();
    });
    at.camera = Some("front".to_owned());
    assert!(is(&open(&at).shoot().unwrap().picture, ORANGE));
    at.exchanged = false;
    assert!(is(&open(&at).shoot().unwrap().picture, [10, 120, 200]));
    assert_eq!(look("top", &at, Clock::Real).unwrap(), (32, 16));
    server.join().unwrap();
}

#[test]
fn whose_name_is_not_given_is_the_only_one_or_refused() {
    let (at, server) = server(2, |number, stream| {
        (0..LISTENED - 1).for_each(|_| say(stream, &message(&[("front", ORANGE)])));
        say(stream, &message(&[(["front", "wrist"][number], SEA)]));
        say(stream, &message(&[("front", SEA)]));
    });
    assert!(is(&open(&at).shoot().unwrap().picture, SEA));
    let refused = open(&at).shoot().unwrap_err().to_string();
    assert!(refused.contains("front and wrist") && refused.contains("/front"), "{refused}");
    server.join().unwrap();
}

#[test]
fn a_camera_that_is_not_there_is_told_with_those_that_are() {
    // Not each message has a picture of all.
    let (mut at, server) = server(1, |_, stream| {
        say(stream, &message(&[("head", ORANGE)]));
        say(stream, &message(&[("front", SEA)]));
    });
    (at.camera, at.silence) = (Some("hand".to_owned()), Duration::from_millis(100));
    // It stays connected meanwhile.
    let mut camera = open(&at);
    let _open = server.join().unwrap();
    let refused = camera.shoot().unwrap_err().to_string();
    assert!(refused.contains("/hand") && refused.contains("front and head"), "{refused}");
}

#[test]
fn whoever_is_slow_sees_the_newest_picture() {
    let (mut at, server) = server(1, |_, stream| {
        let mut all = Vec::new();
        for grey in (10..=200).step_by(10) {
            zmtp::send(&mut all, &[message(&[("front", [grey; 3])]).as_bytes()]).unwrap();
        }
        stream.write_all(&all).unwrap();
    });
    at.camera = Some("front".to_owned());
    let mut camera = open(&at);
    // All twenty have been sent before one is looked at.
    let _open = server.join().unwrap();
    let taken = camera.shoot().unwrap();
    assert!(is(&taken.picture, [200; 3]), "{}", taken.picture.pixels[0]);
}

#[test]
fn a_picture_that_is_here_is_shown_whatever_follows_it() {
    const PING: &[u8] = b"\x04\x07\x04PING\0\0";
    const HALF_A_MESSAGE: &[u8] = b"\x01\x01x";
    for (follows, fails) in [(PING, false), (HALF_A_MESSAGE, true)] {
        let (mut at, server) = server(1, move |_, stream| {
            let mut all = Vec::new();
            zmtp::send(&mut all, &[message(&[("front", ORANGE)]).as_bytes()]).unwrap();
            stream.write_all(&[&all, follows].concat()).unwrap();
        });
        (at.camera, at.silence) = (Some("front".to_owned()), Duration::from_millis(200));
        let mut camera = open(&at);
        let mut streams = server.join().unwrap();
        assert!(is(&camera.shoot().unwrap().picture, ORANGE));
        if fails {
            camera.shoot().unwrap_err();
        } else {
            say(&mut streams[0], &message(&[("front", SEA)]));
            assert!(is(&camera.shoot().unwrap().picture, SEA));
        }
    }
}

/// Tells when somebody begins to wait for a picture.
struct Watched(Zmq, SyncSender<()>);

impl Source for Watched {
    fn shoot(&mut self) -> Result<Taken, Error> {
        self.1.send(()).unwrap();
        self.0.shoot()
    }

    fn heed(&mut self, over: &Arc<AtomicBool>) {
        self.0.heed(over);
    }
}

#[test]
fn a_camera_that_waits_for_long_ends_at_once() {
    let (mut at, server) = server(1, |_, stream| say(stream, &message(&[("front", ORANGE)])));
    (at.camera, at.silence) = (Some("front".to_owned()), Duration::from_secs(600));
    let (begins, begun) = sync_channel(4);
    let opener =
        move || Ok(Box::new(Watched(open(&at), SyncSender::clone(&begins))) as Box<dyn Source>);
    let camera = Camera::start("top", Box::new(opener), &Clock::Real, camera::PATIENCE).unwrap();
    let _open = server.join().unwrap();
    (0..2).for_each(|_| begun.recv().unwrap());
    drop(camera);
}

#[test]
fn a_server_that_goes_away_comes_back() {
    let (mut at, server) = server(2, |number, stream| {
        (0..3).for_each(|_| say(stream, &message(&[("front", [ORANGE, SEA][number])])));
        // In the middle of a picture.
        stream.write_all(&[2, 0, 0, 0, 0, 0, 0, 9, 0, b'{']).unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    });
    at.camera = Some("front".to_owned());
    let opener = move || Ok(Box::new(open(&at)) as Box<dyn Source>);
    let camera = Camera::start("top", Box::new(opener), &Clock::Real, camera::PATIENCE).unwrap();
    while !camera.newest().is_some_and(|shot| is(&shot.picture, SEA)) {
        std::thread::yield_now();
    }
    assert!(camera.counts().failures >= 1);
    server.join().unwrap();
}

#[test]
fn what_is_no_server_of_pictures_is_told() {
    let long = format!("{{\"images\": {{\"a\": \"{}\"}}}}", "A".repeat(jpeg::LARGEST * 4 / 3 + 8));
    let many: Vec<String> = (0..100).map(|number| format!("\"{number}\":\"\"")).collect();
    let many = format!("{{\"images\": {{{}}}}}", many.join(","));
    for (words, told) in [
        ("pictures", "not what an image server does"),
        ("{}", "images"),
        (r#"{"images": {"a": 1}}"#, "not what an image server does"),
        (r#"{"images": {"a": "%"}}"#, "damaged"),
        (r#"{"images": {"a": "AAAA"}}"#, "damaged"),
        (long.as_str(), "larger"),
        (many.as_str(), "more cameras"),
    ] {
        let words = words.to_owned();
        let (mut at, server) = server(1, move |_, stream| say(stream, &words));
        at.camera = Some("a".to_owned());
        let refused = open(&at).shoot().unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
        server.join().unwrap();
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = Address::new("127.0.0.1", nobody.port(), None);
    let refused = Zmq::open("top", &at, (32, 16), Clock::Real).err().unwrap().to_string();
    assert!(refused.contains("cannot be reached"), "{refused}");
}

proptest! {
    #[test]
    fn any_words_are_pictures_or_an_error(words in r#"[{}":,a-zA-Z0-9 \[\]\\]{0,80}"#, name in ".{0,9}") {
        for words in [words.clone(), format!("{{\"images\":{words}}}"), message(&[(&name, SEA)])] {
            let Ok(read) = Message::read(words.as_bytes()) else { continue };
            let names: Vec<String> = read.names().map(str::to_owned).collect();
            for name in &names {
                prop_assert!(!matches!(read.file(name), Ok(None)));
            }
        }
        let sent = message(&[(&name, SEA)]);
        let sent = Message::read(sent.as_bytes()).unwrap();
        prop_assert_eq!(sent.names().collect::<Vec<_>>(), [&name]);
        prop_assert!(sent.file(&name).unwrap().is_some());
    }
}
