//! LeRobot's table of cameras.

use std::time::Duration;

use serde_json::Value;
use sinew_drivers::camera::{CameraSpec, Origin, Settings, zmq};

use super::{Asked, device_or_film, device_path};
use crate::cli::failure::Failure;

/// The cameras of the table by their names.
pub(super) fn read(text: &str) -> Result<Vec<(String, CameraSpec)>, Failure> {
    let wrong = |why: String| {
        Failure::usage(
            format!("--robot.cameras: {why}"),
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
    Ok(Settings { locked, values })
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
