//! What a phone says, some sixty times a second.
//!
//! ```text
//! {"n": 7, "held": true, "place": [x, y, z], "turn": [x, y, z, w], "move": [ahead, left, up],
//!  "open": 0, "scale": 1, "aim": 0, "press": [1, "next"]}
//! ```
//! Only `n` has to be there. Place and turn are the phone's own axes (right, towards its upper end, out of its
//! screen) in a room whose second axis points up, as WebXR has them.

use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use serde::Deserialize;

use crate::keys::Key;

/// The longest message, in bytes.
pub const LONGEST: usize = 1024;
/// The farthest place, in metres: no room is so large.
const FARTHEST: f64 = 1000.0;
/// How much a hand's way may be scaled.
const SCALES: std::ops::RangeInclusive<f64> = 0.05..=2.0;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Which one it is: they count up.
    pub number: u64,
    /// Whether the button is held without which nothing moves.
    pub held: bool,
    /// Where the phone is, in metres, if it knows.
    pub place: Option<Vector3<f64>>,
    /// How it is turned, if it knows.
    pub turn: Option<UnitQuaternion<f64>>,
    /// Where its pads are held: ahead, left, up, from -1 to 1.
    pub pads: [f64; 3],
    /// How the gripper's slider is held, from -1, closing, to 1.
    pub open: f64,
    /// How far something moves for each metre and degree of the phone.
    pub scale: f64,
    /// How often it was asked that ahead is where the phone points when its button is pressed next.
    pub aim: u64,
    /// What it asks of a recording, or of the program, and how often it asked for something: what is said again
    /// is not meant again.
    pub press: Option<(u64, Key)>,
}

/// Why a message is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is longer than any.
    #[error("a message of {0} bytes is longer than {LONGEST}")]
    Long(usize),
    /// It is not written as they are.
    #[error("a message that makes no sense: {0}")]
    Form(String),
    /// A number in it cannot be.
    #[error("a message whose {0} cannot be")]
    Value(&'static str),
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    n: u64,
    #[serde(default)]
    held: bool,
    place: Option<[f64; 3]>,
    turn: Option<[f64; 4]>,
    #[serde(default, rename = "move")]
    pads: [f64; 3],
    #[serde(default)]
    open: f64,
    scale: Option<f64>,
    #[serde(default)]
    aim: u64,
    press: Option<(u64, Press)>,
}

/// The page's buttons.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Press {
    Next,
    Again,
    Stop,
}

impl Message {
    /// Reads what a phone sent.
    pub fn read(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > LONGEST {
            return Err(MessageError::Long(bytes.len()));
        }
        let written: Written =
            serde_json::from_slice(bytes).map_err(|error| MessageError::Form(error.to_string()))?;
        let place = written.place.map(Vector3::from);
        if place.is_some_and(|place| !place.iter().all(|part| part.abs() <= FARTHEST)) {
            return Err(MessageError::Value("place"));
        }
        let turn = written.turn.map(|[x, y, z, w]| Quaternion::new(w, x, y, z));
        if turn.is_some_and(|turn| !(0.9..=1.1).contains(&turn.norm())) {
            return Err(MessageError::Value("turn"));
        }
        let held = |value: &f64| (-1.0..=1.0).contains(value);
        if !written.pads.iter().all(held) {
            return Err(MessageError::Value("move"));
        }
        if !held(&written.open) {
            return Err(MessageError::Value("open"));
        }
        let scale = written.scale.unwrap_or(1.0);
        if !SCALES.contains(&scale) {
            return Err(MessageError::Value("scale"));
        }
        Ok(Self {
            number: written.n,
            held: written.held,
            place,
            turn: turn.map(UnitQuaternion::from_quaternion),
            pads: written.pads,
            open: written.open,
            scale,
            aim: written.aim,
            press: written.press.map(|(count, press)| match press {
                Press::Next => (count, Key::Next),
                Press::Again => (count, Key::Again),
                Press::Stop => (count, Key::Quit),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_whole_or_with_its_number_alone() {
        let text = br#"{"n":7,"held":true,"place":[1,2,-3],"turn":[0,0,0,1],"move":[0.5,0,-1],
            "open":-1,"scale":0.25,"aim":2,"press":[3,"again"]}"#;
        let message = Message::read(text).unwrap();
        assert_eq!((message.number, message.held, message.aim), (7, true, 2));
        assert_eq!(message.place, Some(Vector3::new(1.0, 2.0, -3.0)));
        assert_eq!(message.turn, Some(UnitQuaternion::identity()));
        assert_eq!((message.pads, message.open, message.scale), ([0.5, 0.0, -1.0], -1.0, 0.25));
        assert_eq!(message.press, Some((3, Key::Again)));
        let message = Message::read(br#"{"n":0}"#).unwrap();
        assert!(!message.held && message.place.is_none() && message.scale == 1.0);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, told) in [
            ("", "makes no sense"),
            ("{}", "n"),
            (r#"{"n":-1}"#, "makes no sense"),
            (r#"{"n":1,"held":1}"#, "makes no sense"),
            (r#"{"n":1,"path":[0,0,0]}"#, "path"),
            (r#"{"n":1,"place":[0,0]}"#, "makes no sense"),
            (r#"{"n":1,"place":[0,0,NaN]}"#, "makes no sense"),
            (r#"{"n":1,"place":[0,0,1e999]}"#, "makes no sense"),
            (r#"{"n":1,"place":[0,0,1e9]}"#, "place"),
            (r#"{"n":1,"turn":[0,0,0,0]}"#, "turn"),
            (r#"{"n":1,"turn":[1,1,1,1]}"#, "turn"),
            (r#"{"n":1,"move":[2,0,0]}"#, "move"),
            (r#"{"n":1,"open":-1.5}"#, "open"),
            (r#"{"n":1,"scale":0}"#, "scale"),
            (r#"{"n":1,"press":[1,"limp"]}"#, "limp"),
            (r#"{"n":1,"press":"next"}"#, "makes no sense"),
        ] {
            let refused = Message::read(text.as_bytes()).map_err(|error| error.to_string());
            assert!(refused.as_ref().is_err_and(|what| what.contains(told)), "{text}: {refused:?}");
        }
        assert_eq!(Message::read(&[b' '; 2000]), Err(MessageError::Long(2000)));
    }
}
