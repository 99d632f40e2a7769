//! Cameras as LeRobot's camera of type `zmq` takes them: a ZeroMQ publisher whose messages are JSON with
//! every camera's newest picture.
//!
//! ```text
//! {"timestamps": {name: s}, "images": {name: base64 of a JPEG file}}
//! ```
//! Subscriptions are not looked at: LeRobot's camera wants everything, and others drop what they do
//! not want themselves.

use std::io;
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sinew_drivers::clock::SECOND;
use sinew_drivers::zmtp::{Socket, greet, send};

use super::{Form, Shown};

/// Sends pictures as they come.
pub(super) fn serve(shown: &Shown, mut stream: TcpStream) -> io::Result<()> {
    greet(&mut stream, Socket::Publish)?;
    let mut seen = vec![0; shown.cameras.len()];
    while let Some(message) = shown.wait(|| message(shown, &mut seen)) {
        send(&mut stream, &[message.to_string().as_bytes()])?;
    }
    Ok(())
}

/// All cameras' pictures as LeRobot's own server puts them, once one of them is newer than was seen. None
/// is ever left out: LeRobot's camera takes another one's picture for its own then.
fn message(shown: &Shown, seen: &mut [u64]) -> Option<Value> {
    let places = 0..shown.cameras.len();
    let files = places.map(|place| shown.newer(place, 0, Form::Exchanged));
    let files: Vec<_> = files.collect::<Option<_>>()?;
    if files.iter().zip(&*seen).all(|(file, seen)| file.number == *seen) {
        return None;
    }
    let (mut timestamps, mut images) = (Map::new(), Map::new());
    for ((camera, file), seen) in shown.cameras.iter().zip(files).zip(seen) {
        *seen = file.number;
        let time = (shown.wall + file.at) as f64 / SECOND as f64;
        timestamps.insert(camera.name().to_owned(), json!(time));
        images.insert(camera.name().to_owned(), STANDARD.encode(&file.jpeg).into());
    }
    Some(json!({ "timestamps": timestamps, "images": images }))
}
