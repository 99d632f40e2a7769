//! Cameras as other programs meet them.

use std::io::{BufRead, BufReader, Read, Write};

use sinew_drivers::camera::{CameraSpec, Origin, PATIENCE, Settings};

use super::*;
use crate::cameras::device;

/// Bits of a frame's first byte.
const LONG: u8 = 2;
const COMMAND: u8 = 4;

fn streams() -> Streams {
    let spec = |name: &str| {
        let (origin, settings) = (Origin::Pattern, Settings::default());
        let spec = CameraSpec { origin, width: 64, height: 48, fps: 50, settings };
        Camera::start(name, device(name, &spec), &Clock::Real, PATIENCE).unwrap()
    };
    Streams::start(["front", "wrist"].map(spec).into(), 0).unwrap()
}

/// What comes back for these bytes, to its end.
fn answer(streams: &Streams, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(streams.http).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // One who is cut off has had what there was.
    stream.read_to_end(&mut answer).unwrap_or_default();
    answer
}

#[test]
fn our_own_camera_opens_a_stream_and_gets_new_pictures() {
    let streams = streams();
    let address = streams.address("wrist");
    let (origin, settings) = (Origin::Http(address), Settings::default());
    let spec = CameraSpec { origin, width: 64, height: 48, fps: 50, settings };
    let camera = Camera::start("w", device("w", &spec), &Clock::Real, PATIENCE).unwrap();
    while camera.counts().shots < 5 {
        Clock::Real.sleep(MILLI);
    }
    assert_eq!(camera.counts().failures, 0);
}

#[test]
fn a_page_and_single_pictures_are_there_and_nothing_else() {
    let streams = streams();
    let text = |request: &[u8]| String::from_utf8_lossy(&answer(&streams, request)).into_owned();
    let page = text(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(page.starts_with("HTTP/1.0 200") && page.contains("/front.mjpg"), "{page}");
    let picture = answer(&streams, b"GET /front.jpg?now HTTP/1.0\r\n\r\n");
    let at = picture.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(picture[at..at + 3], [0xff, 0xd8, 0xff]);
    for (request, code) in [
        (&b"GET /back.mjpg HTTP/1.0\r\n\r\n"[..], "404"),
        (b"GET /front HTTP/1.0\r\n\r\n", "404"),
        (b"POST / HTTP/1.0\r\n\r\n", "400"),
        (b"nonsense\r\n\r\n", "400"),
        (&[b'x'; 20_000], "400"),
    ] {
        let answer = text(request);
        // Whoever sends without end may be cut off before the answer reaches him.
        let cut_off = answer.is_empty() && request.len() > 10_000;
        assert!(cut_off || answer.starts_with(&format!("HTTP/1.0 {code}")), "{answer}");
    }
}

#[test]
fn there_are_only_so_many_viewers_and_places_get_free_again() {
    let streams = streams();
    let look = || {
        let mut stream = TcpStream::connect(streams.http).unwrap();
        stream.write_all(b"GET /front.mjpg HTTP/1.0\r\n\r\n").unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(stream);
        // One too many is not let in.
        reader.read_line(&mut line).unwrap_or_default();
        line.starts_with("HTTP/1.0 200").then_some(reader)
    };
    let viewers: Vec<_> = (0..VIEWERS).map(|_| look().unwrap()).collect();
    assert!(look().is_none());
    drop(viewers);
    while look().is_none() {
        Clock::Real.sleep(MILLI);
    }
}

/// One frame of ZMTP, and its flags.
fn frame(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut flags = [0];
    stream.read_exact(&mut flags).unwrap();
    let mut length = [0; 8];
    let digits = if flags[0] & LONG != 0 { 0 } else { 7 };
    stream.read_exact(&mut length[digits..]).unwrap();
    let mut body = vec![0; usize::try_from(u64::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut body).unwrap();
    (flags[0], body)
}

#[test]
fn a_subscriber_gets_pictures_of_every_camera_as_lerobots_server_sends_them() {
    let streams = streams();
    let mut stream = TcpStream::connect(("127.0.0.1", streams.zmq_port())).unwrap();
    let mut greeting = [0; 64];
    stream.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting[..16], *b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL");
    stream.write_all(&greeting).unwrap();
    let (flags, ready) = frame(&mut stream);
    assert_eq!((flags, &ready[..6]), (COMMAND, &b"\x05READY"[..]));
    stream.write_all(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB\0\x01\x01").unwrap();
    for _ in 0..20 {
        let (flags, body) = frame(&mut stream);
        assert_eq!(flags, LONG);
        let message: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let images = message["images"].as_object().unwrap();
        assert_eq!(images.len(), 2, "LeRobot's camera takes whichever there is for its own");
        for (name, picture) in images {
            // The begin of a JPEG file in base 64.
            assert!(picture.as_str().unwrap().starts_with("/9j/"));
            assert!(message["timestamps"][name].as_f64().unwrap() > 1.7e9);
        }
    }
}

#[test]
fn whoever_speaks_otherwise_is_let_go() {
    let streams = streams();
    for words in
        [&b"GET / HTTP/1.0\r\n\r\n                                            "[..], &[0xff; 64]]
    {
        let mut stream = TcpStream::connect(("127.0.0.1", streams.zmq_port())).unwrap();
        stream.write_all(words).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap_or_default();
        assert!(answer.len() <= 64);
    }
}
