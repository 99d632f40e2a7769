//! LeRobot's table of cameras.

use std::time::Duration;

use serde_json::Value;
use sinew_drivers::camera::{CameraSpec, Origin, Sent, Settings, Turn, zmq};

use super::{Asked, device_or_film, device_path};
use crate::cli::failure::Failure;

/// What each camera can have.
const COMMON: [&str; 4] = ["type", "width", "height", "fps"];
/// What a device can have beside it, LeRobot's first.
const DEVICE: [&str; 8] = [
    "index_or_path",
    "color_mode",
    "rotation",
    "warmup_s",
    "fourcc",
    "backend",
    "lock",
    "controls",
];
/// What a camera of an image server can have.
const SERVER: [&str; 6] =
    ["server_address", "port", "camera_name", "color_mode", "timeout_ms", "warmup_s"];

/// The cameras of the table behind a flag, by their names.
pub(super) fn read(flag: &str, text: &str) -> Result<Vec<(String, CameraSpec)>, Failure> {
    let wrong = |why: String| {
        Failure::usage(
            format!("{flag}: {why}"),
            "for instance '{front: {type: opencv, index_or_path: 0, width: 640, height: 480, fps: 30}}'",
        )
    };
    let table: Value = serde_yaml_ng::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let cameras = match table {
        Value::Null => return Ok(Vec::new()),
        Value::Object(cameras) => cameras,
        _ => return Err(wrong("is no table of cameras".to_owned())),
    };
    let spec = |(name, fields): (String, Value)| {
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        let number = |key: &str| match fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                number.map(Some).ok_or_else(|| {
                    wrong(format!("{name}: {key} {value} is no number of pixels or pictures"))
                })
            }
        };
        check_fields(&fields).map_err(|why| wrong(format!("{name}: {why}")))?;
        let origin = match text("type") {
            Some("opencv" | "v4l2") => match fields.get("index_or_path") {
                Some(Value::Number(number)) => Origin::Device(device_path(&number.to_string())),
                Some(Value::String(path)) => device_or_film(path),
                _ => return Err(wrong(format!("{name}: index_or_path is missing"))),
            },
            Some("http") => match text("url") {
                Some(url) if url.starts_with("http://") => Origin::Http(url.to_owned()),
                _ => return Err(wrong(format!("{name}: url has to be an http:// address"))),
            },
            Some("zmq") => {
                Origin::Zmq(zmq_address(&fields).map_err(|why| wrong(format!("{name}: {why}")))?)
            }
            Some("sim") => Origin::World,
            Some("pattern") => Origin::Pattern,
            Some("robot") => Origin::Robot,
            Some("intelrealsense" | "realsense") => {
                return Err(wrong(format!(
                    "{name}: a RealSense is a device of the system here: {{type: opencv, index_or_path: \
                     /dev/video4}}; sinew find-cameras shows which"
                )));
            }
            Some(other) => {
                let known = "opencv, http, zmq, sim, pattern and robot are there";
                return Err(wrong(format!(
                    "{name}: a camera of type {other} is not there; {known}"
                )));
            }
            None => return Err(wrong(format!("{name}: type is missing"))),
        };
        let (width, height, fps) = (number("width")?, number("height")?, number("fps")?);
        let settings = table_settings(&fields).map_err(|why| wrong(format!("{name}: {why}")))?;
        let spec = Asked { width, height, fps }.of(&name, origin, settings)?;
        Ok((name, spec))
    };
    cameras.into_iter().map(spec).collect()
}

/// `lock: true` and `controls: {exposure: 156}` of a camera in the table.
fn table_settings(fields: &Value) -> Result<Settings, String> {
    let locked = match fields.get("lock") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(locked)) => *locked,
        Some(other) => return Err(format!("lock is true or false, not {other}")),
    };
    let values = match fields.get("controls") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(controls)) => {
            let number = |(name, value): (&String, &Value)| {
                let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
                number
                    .map(|number| (name.clone(), number))
                    .ok_or_else(|| format!("{name} {value} is no whole number"))
            };
            controls.iter().map(number).collect::<Result<_, String>>()?
        }
        Some(other) => return Err(format!("controls are a table, not {other}")),
    };
    let sent = match fields.get("fourcc") {
        None | Some(Value::Null) => None,
        Some(code) => {
            let mut known = [Sent::Mjpg, Sent::Yuyv].into_iter();
            let sent = known.find(|sent| code.as_str() == Some(sent.name()));
            Some(sent.ok_or_else(|| format!("fourcc is MJPG or YUYV, not {code}"))?)
        }
    };
    Ok(Settings { locked, values, sent, turn: turn(fields)? })
}

/// LeRobot's `rotation`: degrees, or the name of the setting.
fn turn(fields: &Value) -> Result<Turn, String> {
    let Some(rotation) = fields.get("rotation") else { return Ok(Turn::None) };
    let named = rotation.as_str().map(|name| name.trim_start_matches("ROTATE_"));
    let degrees = match named {
        Some("NO_ROTATION") => Some(0),
        Some(number) => number.parse().ok(),
        None => rotation.as_i64(),
    };
    match degrees {
        _ if rotation.is_null() => Ok(Turn::None),
        Some(0) => Ok(Turn::None),
        Some(90) => Ok(Turn::Quarter),
        Some(180 | -180) => Ok(Turn::Half),
        Some(270 | -90) => Ok(Turn::ThreeQuarters),
        _ => Err(format!("rotation is 0, 90, 180 or 270, not {rotation}")),
    }
}

/// Refuses what a camera of its type does not have, and what would make other pictures than are asked for.
fn check_fields(fields: &Value) -> Result<(), String> {
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    let own: &[&str] = match kind {
        "opencv" | "v4l2" => &DEVICE,
        "zmq" => &SERVER,
        "http" => &["url"],
        "sim" | "pattern" | "robot" => &[],
        // That there is none is told elsewhere.
        _ => return Ok(()),
    };
    let known = || COMMON.iter().chain(own).copied();
    let given = fields.as_object().into_iter().flat_map(|fields| fields.keys());
    if let Some(other) = given.into_iter().find(|name| !known().any(|known| known == *name)) {
        let all: Vec<&str> = known().collect();
        return Err(format!("a camera of type {kind} has no {other}; it has {}", all.join(", ")));
    }
    match (kind, fields.get("color_mode").and_then(Value::as_str)) {
        // Those of a server may be sent either way, and that is what it says there.
        ("zmq", _) | (_, None | Some("rgb" | "RGB")) => Ok(()),
        (_, Some(other)) => {
            Err(format!("pictures are red, green, blue: leave color_mode {other} out"))
        }
    }
}

/// The fields of LeRobot's `ZMQCameraConfig`, with their bounds.
fn zmq_address(fields: &Value) -> Result<zmq::Address, String> {
    let text = |key: &str| match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(format!("{key} is a name, not {other}")),
    };
    let number = |key: &str, most: u32| match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            let number = number.filter(|number| (1..=most).contains(number));
            number
                .map(Some)
                .ok_or_else(|| format!("{key} is a number from 1 to {most}, not {value}"))
        }
    };
    let host = text("server_address")?.filter(|host| !host.is_empty());
    let host = host.ok_or("server_address is missing")?;
    let port = number("port", u16::MAX.into())?.and_then(|port| u16::try_from(port).ok());
    let mut at = zmq::Address::new(host, port.unwrap_or(zmq::PORT), text("camera_name")?);
    at.exchanged = match text("color_mode")? {
        None | Some("rgb") => true,
        Some("bgr") => false,
        Some(other) => return Err(format!("color_mode is rgb or bgr, not {other}")),
    };
    if let Some(silence) = number("timeout_ms", 600_000)? {
        at.silence = Duration::from_millis(silence.into());
    }
    Ok(at)
}
