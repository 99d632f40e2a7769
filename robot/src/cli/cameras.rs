//! Cameras from the command line: LeRobot's table, and the short form.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use sinew_drivers::camera::{CameraSpec, Origin, Settings};

use super::failure::Failure;
use crate::cameras::film;

/// Which cameras.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cameras")]
pub struct CameraFlags {
    /// A camera as NAME=SOURCE, or with its size and rate as NAME=SOURCE@WIDTHxHEIGHTxFPS: a device
    /// such as /dev/video0, an address such as http://phone:8080/video, a video such as clip.mp4, which
    /// is played over and over at its own rate or @FPS, sim, which sees a simulated SO-101 from where its
    /// name says (front, side, top, wrist), pattern, bars that show a simulated arm's joints, or robot, the
    /// camera of that name of a robot that another machine hosts; once for
    /// each camera. Behind a device, `,lock` keeps it from adjusting exposure, white balance, focus and gain, and `,exposure=156` or
    /// any other of its controls sets that
    #[arg(long = "camera", value_name = "NAME=SOURCE")]
    camera: Vec<String>,
    /// Cameras as LeRobot's table: '{front: {type: opencv, index_or_path: 0, width: 640, height: 480,
    /// fps: 30}}'; opencv means a device of the system, or a video file; lock: true and
    /// controls: {exposure: 156} as above
    #[arg(long = "robot.cameras", value_name = "TABLE")]
    cameras: Option<String>,
}

/// The size and rate of a camera of which nothing is said: every webcam has it.
const USUAL: (u32, u32, u32) = (640, 480, 30);

impl CameraFlags {
    /// Whether anything is said of cameras.
    pub fn any(&self) -> bool {
        self.cameras.is_some() || !self.camera.is_empty()
    }

    /// The cameras by their names.
    pub fn specs(&self) -> Result<Vec<(String, CameraSpec)>, Failure> {
        let mut specs = match &self.cameras {
            Some(table) => from_table(table)?,
            None => Vec::new(),
        };
        for text in &self.camera {
            specs.push(from_short(text)?);
        }
        for (at, (name, _)) in specs.iter().enumerate() {
            let plain =
                |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
            if name.is_empty() || !name.chars().all(plain) {
                return Err(Failure::usage(
                    format!("{name:?} is no name for a camera"),
                    "letters, digits and _ make one: --camera front=/dev/video0",
                ));
            }
            if specs.iter().take(at).any(|(other, _)| other == name) {
                return Err(Failure::usage(
                    format!("two cameras are called {name}"),
                    "give each a name of its own",
                ));
            }
        }
        Ok(specs)
    }
}

fn from_short(text: &str) -> Result<(String, CameraSpec), Failure> {
    let wrong = |why: &str| {
        Failure::usage(
            format!("--camera {text}: {why}"),
            "for instance front=/dev/video0@640x480x30, front=http://phone:8080/video or front=sim",
        )
    };
    let (name, rest) = text.split_once('=').ok_or_else(|| wrong("which name, which source?"))?;
    // An address may hold commas of its own.
    let (rest, settings) = match rest.split_once(',') {
        Some((source, settings)) if !rest.starts_with("http") => (source, told(settings)),
        _ => (rest, Ok(Settings::default())),
    };
    let settings = settings.map_err(|why| wrong(&why))?;
    // An address may hold an @, but none that is followed by a size.
    let sized = rest.rsplit_once('@').and_then(|(source, size)| Some((source, sizes(size)?)));
    let (source, asked) = sized.unwrap_or((rest, Asked::default()));
    if source.is_empty() {
        return Err(wrong("where is it?"));
    }
    let origin = match source {
        "sim" => Origin::World,
        "pattern" => Origin::Pattern,
        "robot" => Origin::Robot,
        address if address.starts_with("http://") => Origin::Http(address.to_owned()),
        address if address.starts_with("https://") => {
            return Err(wrong(
                "a camera's stream is reached without TLS: is there an http:// one?",
            ));
        }
        path => device_or_film(path),
    };
    Ok((name.to_owned(), asked.of(name, origin, settings)?))
}

/// What is said of a camera's size and rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asked {
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<u32>,
}

impl Asked {
    /// With what is not said: a video has a size and a rate of its own, others the usual ones.
    fn of(self, name: &str, origin: Origin, settings: Settings) -> Result<CameraSpec, Failure> {
        if settings != Settings::default() && !matches!(origin, Origin::Device(_)) {
            return Err(Failure::usage(
                format!("camera {name} has no controls"),
                "only a device of the system can be locked, such as /dev/video0",
            ));
        }
        if self != Self::default() && origin == Origin::Robot {
            return Err(Failure::usage(
                format!("the size and rate of camera {name} are decided where the robot is"),
                format!("leave them out here: --camera {name}=robot"),
            ));
        }
        let (width, height, fps) = match &origin {
            Origin::Film(path) => film::look(path).map_err(|error| {
                let remedy = format!("a camera is a video too: --camera {name}=clip.mp4");
                Failure::usage(format!("camera {name}: {error}"), remedy)
            })?,
            _ => USUAL,
        };
        let (width, height) = (self.width.unwrap_or(width), self.height.unwrap_or(height));
        let fps = self.fps.unwrap_or(fps);
        sensible(CameraSpec { origin, width, height, fps, settings }, name)
    }
}

/// `640x480x30`, `640x480` at the usual rate, or `30` at the usual size.
fn sizes(text: &str) -> Option<Asked> {
    let numbers: Option<Vec<u32>> = text.split('x').map(|number| number.parse().ok()).collect();
    let (size, fps) = match numbers?[..] {
        [fps] => (None, Some(fps)),
        [width, height] => (Some((width, height)), None),
        [width, height, fps] => (Some((width, height)), Some(fps)),
        _ => return None,
    };
    Some(Asked { width: size.map(|size| size.0), height: size.map(|size| size.1), fps })
}

/// `lock`, and controls with their values: `lock,exposure=156`.
fn told(text: &str) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for word in text.split(',') {
        match word.split_once('=') {
            None if word == "lock" => settings.locked = true,
            Some((name, value)) if !name.is_empty() => {
                let value = value.parse().map_err(|error| format!("{word}: {error}"))?;
                settings.values.push((name.to_owned(), value));
            }
            _ => {
                return Err(format!("{word:?} is neither lock nor a control such as exposure=156"));
            }
        }
    }
    Ok(settings)
}

fn device_or_film(path: &str) -> Origin {
    match device_path(path) {
        film if film::is_film(&film) => Origin::Film(film),
        device => Origin::Device(device),
    }
}

fn device_path(device: &str) -> PathBuf {
    match device.parse::<u32>() {
        Ok(number) => PathBuf::from(format!("/dev/video{number}")),
        Err(_) => PathBuf::from(device),
    }
}

fn from_table(text: &str) -> Result<Vec<(String, CameraSpec)>, Failure> {
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
            Some("sim") => Origin::World,
            Some("pattern") => Origin::Pattern,
            Some("robot") => Origin::Robot,
            Some(other) => {
                let known = "opencv, http, sim, pattern and robot are there";
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

/// Sizes and rates that no camera has are a slip of the finger.
fn sensible(spec: CameraSpec, name: &str) -> Result<CameraSpec, Failure> {
    let CameraSpec { width, height, fps, .. } = spec;
    let sides = 16..=8192;
    if sides.contains(&width) && sides.contains(&height) && (1..=240).contains(&fps) {
        return Ok(spec);
    }
    Err(Failure::usage(
        format!("camera {name}: {width}x{height} at {fps} pictures per second is not possible"),
        "sides are 16 to 8192 pixels, rates 1 to 240",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Exit;
    use sinew_datasets::video::VideoWriter;
    use sinew_datasets::{Image, PixelFormat};

    fn device(number: u32, width: u32, height: u32, fps: u32) -> CameraSpec {
        let origin = Origin::Device(PathBuf::from(format!("/dev/video{number}")));
        CameraSpec { origin, width, height, fps, settings: Settings::default() }
    }

    fn flags(camera: &[&str], cameras: Option<&str>) -> CameraFlags {
        let camera = camera.iter().map(|text| (*text).to_owned()).collect();
        CameraFlags { camera, cameras: cameras.map(str::to_owned) }
    }

    #[test]
    fn the_short_form_and_lerobots_table_mean_the_same() {
        let table = "{front: {type: opencv, index_or_path: 0, width: 1280, height: 720, fps: 60}, \
                     side: {type: opencv, index_or_path: /dev/video2}}";
        let long = flags(&[], Some(table)).specs().unwrap();
        let short = flags(&["front=0@1280x720x60", "side=/dev/video2"], None).specs().unwrap();
        assert_eq!(long, short);
        let expected = [
            ("front".to_owned(), device(0, 1280, 720, 60)),
            ("side".to_owned(), device(2, 640, 480, 30)),
        ];
        assert_eq!(long, expected);
    }

    #[test]
    fn an_address_keeps_its_at_sign() {
        let specs = flags(&["a=http://me@phone:80/v", "b=http://phone@320x240"], None).specs();
        let specs = specs.unwrap();
        assert_eq!(specs[0].1.origin, Origin::Http("http://me@phone:80/v".into()));
        assert_eq!((specs[1].1.width, specs[1].1.fps), (320, 30));
    }

    #[test]
    fn a_video_has_the_size_and_rate_it_was_made_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let mut writer = VideoWriter::create(&path, 64, 48, 20).unwrap();
        let grey = Image::new(64, 48, PixelFormat::Rgb8, vec![99; 64 * 48 * 3]).unwrap();
        writer.push(&grey).unwrap();
        writer.finish().unwrap();
        let path = path.to_str().unwrap();
        let texts = [&format!("a={path}"), &format!("b={path}@64x48"), &format!("c={path}@10")];
        let table = format!("{{d: {{type: opencv, index_or_path: {path}}}}}");
        let specs = flags(&texts.map(|text| text.as_str()), Some(&table)).specs().unwrap();
        let origin = Origin::Film(PathBuf::from(path));
        assert!(specs.iter().all(|(_, spec)| spec.origin == origin));
        let seen = specs.iter().map(|(name, spec)| (&name[..], spec.width, spec.height, spec.fps));
        let expected = [("d", 64, 48, 20), ("a", 64, 48, 20), ("b", 64, 48, 20), ("c", 64, 48, 10)];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        let none = flags(&["front=none.mp4"], None).specs().unwrap_err();
        assert!(none.what.contains("none.mp4"), "{}", none.what);
    }

    #[test]
    fn controls_are_typed_behind_a_device_or_stand_in_the_table() {
        let table = "{front: {type: opencv, index_or_path: 0, lock: true, \
                     controls: {exposure: 156, focus: -1}}}";
        let long = flags(&[], Some(table)).specs().unwrap();
        for short in
            ["front=0,lock,exposure=156,focus=-1", "front=0@640x480,exposure=156,focus=-1,lock"]
        {
            assert_eq!(flags(&[short], None).specs().unwrap(), long);
        }
        let values = vec![("exposure".to_owned(), 156), ("focus".to_owned(), -1)];
        assert_eq!(long[0].1.settings, Settings { locked: true, values });
        let address = flags(&["a=http://phone/v?x=1,lock"], None).specs().unwrap();
        assert_eq!(address[0].1.origin, Origin::Http("http://phone/v?x=1,lock".into()));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_is_a_camera_or_is_refused(text in "[a-z=@x0-9,:/.{}\\[\\]-]{0,40}") {
            let typed = [text.as_str()];
            for flags in [flags(&typed, None), flags(&[], Some(&text))] {
                for (name, spec) in flags.specs().unwrap_or_default() {
                    proptest::prop_assert!(!name.is_empty() && spec.width >= 16 && spec.fps >= 1);
                }
            }
        }
    }

    #[test]
    fn what_makes_no_camera_is_refused_with_its_name() {
        for (short, table) in [
            (&["front"][..], None),
            (&["front="], None),
            (&["../x=sim"], None),
            (&["a=sim", "a=sim"], None),
            (&["a=sim@0x480x30"], None),
            (&["a=sim@640x480x1000"], None),
            (&["a=0,bright"], None),
            (&["a=0,=1"], None),
            (&["a=0,exposure=much"], None),
            (&["a=sim,lock"], None),
            (&[], Some("{a: {type: opencv, index_or_path: 0, lock: 1}}")),
            (&[], Some("{a: {type: opencv, index_or_path: 0, controls: [1]}}")),
            (&[], Some("{a: {type: opencv, index_or_path: 0, controls: {gain: x}}}")),
            (&[], Some("{a: {type: sim, lock: true}}")),
            (&[], Some("{front: {type: realsense}}")),
            (&[], Some("{front: {type: opencv}}")),
            (&[], Some("{front: {index_or_path: 0}}")),
            (&[], Some("{front: {type: opencv, index_or_path: 0, width: -1}}")),
            (&[], Some("[1]")),
            (&[], Some("{")),
        ] {
            let failure = flags(short, table).specs().unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{short:?} {table:?}");
        }
    }
}
