//! The text of a calibration file: what LeRobot reads is read, what it writes is written.

use std::cell::Cell;
use std::str::Utf8Error;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use sinew_core::calibration::Calibration;

/// Every joint has these, in this order.
const KEYS: [&str; 5] = ["id", "drive_mode", "homing_offset", "range_min", "range_max"];

/// Why a text is no calibration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {}{reason}", place(joint, *key))]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1; 0 where the whole line is meant.
    pub column: usize,
    /// In which joint.
    pub joint: Option<String>,
    /// At which key of the joint.
    pub key: Option<&'static str>,
    /// What is wrong there.
    pub reason: String,
}

fn place(joint: &Option<String>, key: Option<&str>) -> String {
    match (joint, key) {
        (Some(joint), Some(key)) => format!("{joint}.{key}: "),
        (Some(joint), None) => format!("{joint}: "),
        (None, _) => String::new(),
    }
}

impl Malformed {
    pub(super) fn too_large(largest: u64) -> Self {
        let reason = format!("the file is longer than {largest} bytes, which no calibration is");
        Self { line: 1, column: 0, joint: None, key: None, reason }
    }

    pub(super) fn not_text(bytes: &[u8], at: Utf8Error) -> Self {
        let before = bytes.get(..at.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Self { line, column: 0, joint: None, key: None, reason: "not UTF-8 text".into() }
    }
}

/// The joints in `text`, in its order. As in LeRobot a joint or key given twice counts as given
/// last, and whole numbers may stand in quotes.
pub fn parse(text: &str) -> Result<Vec<(String, Calibration)>, Malformed> {
    let at = At::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let joints = File { at: &at }.deserialize(&mut json);
    joints.and_then(|joints| json.end().map(|()| joints)).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        let reason = said.strip_suffix(&format!(" at line {line} column {column}"));
        let reason = reason.unwrap_or(&said).to_owned();
        Malformed { line, column, joint: at.joint.take(), key: at.key.get(), reason }
    })
}

/// Where the parser is, for the error to say.
#[derive(Default)]
struct At {
    joint: Cell<Option<String>>,
    key: Cell<Option<&'static str>>,
}

struct File<'a> {
    at: &'a At,
}

impl<'de> DeserializeSeed<'de> for File<'_> {
    type Value = Vec<(String, Calibration)>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = Vec<(String, Calibration)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("joints by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut joints: Vec<(String, Calibration)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            self.at.joint.set(Some(name.clone()));
            let joint = map.next_value_seed(Joint { at: self.at })?;
            self.at.joint.set(None);
            match joints.iter_mut().find(|(known, _)| *known == name) {
                Some((_, earlier)) => *earlier = joint,
                None => joints.push((name, joint)),
            }
        }
        Ok(joints)
    }
}

struct Joint<'a> {
    at: &'a At,
}

impl<'de> DeserializeSeed<'de> for Joint<'_> {
    type Value = Calibration;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Calibration, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Joint<'_> {
    type Value = Calibration;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a joint's {}", KEYS.join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Calibration, A::Error> {
        let mut values = [None; KEYS.len()];
        while let Some(name) = map.next_key::<String>()? {
            let known = KEYS.iter().zip(&mut values).find(|(key, _)| **key == name);
            let Some((key, value)) = known else {
                let message = format!("unknown key `{name}`: a joint has {}", KEYS.join(", "));
                return Err(A::Error::custom(message));
            };
            self.at.key.set(Some(key));
            *value = Some(map.next_value_seed(Whole)?);
            self.at.key.set(None);
        }
        let [id, drive_mode, homing_offset, range_min, range_max] = values;
        let value = |at: usize, value: Option<i64>| {
            self.at.key.set(KEYS.get(at).copied());
            value.ok_or_else(|| A::Error::custom("missing"))
        };
        let joint = Calibration {
            id: fit(value(0, id)?)?,
            drive_mode: fit(value(1, drive_mode)?)?,
            homing_offset: fit(value(2, homing_offset)?)?,
            range_min: fit(value(3, range_min)?)?,
            range_max: fit(value(4, range_max)?)?,
        };
        self.at.key.set(None);
        Ok(joint)
    }
}

fn fit<T: TryFrom<i64>, E: serde::de::Error>(value: i64) -> Result<T, E> {
    T::try_from(value).map_err(|_too_far| E::custom(format!("{value} is out of range")))
}

/// A whole number, however LeRobot takes one: bare, in quotes, or as `true` and `false`.
struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<i64, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<i64, E> {
        Ok(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<i64, E> {
        i64::try_from(value).map_err(|_too_far| E::custom(format!("{value} is out of range")))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<i64, E> {
        Ok(i64::from(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<i64, E> {
        let number = value.trim().parse();
        number.map_err(|_not_whole| E::custom(format!("\"{value}\" is not a whole number")))
    }
}

/// The text LeRobot would write for these joints.
pub fn render(joints: &[(String, Calibration)]) -> String {
    let mut text = String::from("{");
    for (index, (name, joint)) in joints.iter().enumerate() {
        text.push_str(if index == 0 { "\n    " } else { ",\n    " });
        quote(name, &mut text);
        text.push_str(": {");
        let values = [
            i64::from(joint.id),
            i64::from(joint.drive_mode),
            i64::from(joint.homing_offset),
            i64::from(joint.range_min),
            i64::from(joint.range_max),
        ];
        let mut comma = "";
        for (key, value) in KEYS.iter().zip(values) {
            text.push_str(&format!("{comma}\n        \"{key}\": {value}"));
            comma = ",";
        }
        text.push_str("\n    }");
    }
    text.push_str(if joints.is_empty() { "}" } else { "\n}" });
    text
}

/// Python's quoting: plain ASCII, everything else as UTF-16 escapes.
fn quote(name: &str, text: &mut String) {
    text.push('"');
    for letter in name.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text.push('"');
}
