//! Everything that passed over a virtual bus, as JSON lines.

use std::io::Write;

use serde_json::{Value, json};

use super::ServoState;
use crate::Nanos;

/// One piece of traffic.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When its last byte was on the line.
    pub at: Nanos,
    /// Sent by the host, or by a servo.
    pub from_host: bool,
    /// Its bytes, as they really went.
    pub bytes: &'a [u8],
}

/// Told of every packet.
pub type Observer = Box<dyn FnMut(&Packet) + Send>;

/// An observer that writes each packet as a line of JSON. A full disk silences it: the bus goes on.
pub fn json_lines(mut out: impl Write + Send + 'static) -> Observer {
    let mut broken = false;
    Box::new(move |packet| {
        let line = json!({
            "type": "packet",
            "t_ns": packet.at,
            "from": if packet.from_host { "host" } else { "servo" },
            "bytes": hex(packet.bytes),
        });
        broken = broken || writeln!(out, "{line}").is_err();
    })
}

/// The line that says how a servo was left.
pub fn final_state(state: &ServoState) -> Value {
    json!({
        "type": "servo",
        "id": state.id,
        "model": state.model,
        "torque": state.torque,
        "position": state.position,
        "goal": state.goal,
        "registers": hex(&state.registers),
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
