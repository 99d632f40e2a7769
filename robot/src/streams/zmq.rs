//! Cameras as LeRobot's camera of type `zmq` takes them: a ZeroMQ publisher (ZMTP 3.0 without
//! security) whose messages are JSON with every camera's newest picture.
//!
//! ```text
//! greeting     FF 00×8 7F  3 0  "NULL" 00×16  0  00×31                      64 bytes, either way
//! READY        04 length  5 "READY"  11 "Socket-Type"  0 0 0 3 "PUB"        either way
//! message      02 length×8  {"timestamps": {name: s}, "images": {name: base64 of a JPEG file}}
//! ```
//! Subscriptions are not looked at: LeRobot's camera wants everything, and others drop what they do
//! not want themselves.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sinew_drivers::clock::SECOND;

use super::Shown;

/// Bits of a frame's first byte.
pub(super) const LONG: u8 = 2;
pub(super) const COMMAND: u8 = 4;
/// What says that a publisher is ready.
const READY: &[u8] = b"\x05READY\x0bSocket-Type\0\0\0\x03PUB";

/// Sends pictures as they come.
pub(super) fn serve(shown: &Shown, mut stream: TcpStream) -> io::Result<()> {
    greet(&mut stream)?;
    let mut seen = vec![0; shown.cameras.len()];
    while let Some(message) = shown.wait(|| message(shown, &mut seen)) {
        let body = message.to_string();
        let mut frame = vec![LONG];
        frame.extend((body.len() as u64).to_be_bytes());
        frame.extend(body.as_bytes());
        stream.write_all(&frame)?;
    }
    Ok(())
}

/// Shakes hands with a peer.
fn greet(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut greeting = [0; 64];
    for (place, bytes) in [(0, &b"\xff"[..]), (9, b"\x7f"), (10, b"\x03"), (12, b"NULL")] {
        greeting.iter_mut().skip(place).zip(bytes).for_each(|(place, byte)| *place = *byte);
    }
    stream.write_all(&greeting)?;
    let mut theirs = [0; 64];
    stream.read_exact(&mut theirs)?;
    let known = |at: usize, bytes: &[u8]| theirs.get(at..).is_some_and(|of| of.starts_with(bytes));
    if !(known(0, b"\xff") && known(9, b"\x7f") && known(12, b"NULL\0")) {
        return Err(ErrorKind::InvalidData.into());
    }
    stream.write_all(&[COMMAND, READY.len() as u8])?;
    stream.write_all(READY)?;
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let [COMMAND, length] = head else { return Err(ErrorKind::InvalidData.into()) };
    let mut ready = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut ready)?;
    if ready.starts_with(b"\x05READY") { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

/// The cameras that have a newer picture than was seen, as LeRobot's own server puts them.
fn message(shown: &Shown, seen: &mut [u64]) -> Option<Value> {
    let (mut timestamps, mut images) = (Map::new(), Map::new());
    for (place, (camera, seen)) in shown.cameras.iter().zip(seen).enumerate() {
        let Some(file) = shown.newer(place, *seen) else { continue };
        *seen = file.number;
        let time = (shown.wall + file.at) as f64 / SECOND as f64;
        timestamps.insert(camera.name().to_owned(), json!(time));
        images.insert(camera.name().to_owned(), STANDARD.encode(&file.jpeg).into());
    }
    (!images.is_empty()).then(|| json!({ "timestamps": timestamps, "images": images }))
}
