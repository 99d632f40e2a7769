//! Cameras from the command line: LeRobot's table, and the short form.

mod table;

use std::path::PathBuf;

use clap::Args;
use sinew_drivers::Clock;
use sinew_drivers::camera::{CameraSpec, Origin, Settings, zmq};

use super::failure::Failure;
use crate::cameras::film;

/// Which cameras.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cameras")]
pub struct CameraFlags {
    /// A camera as NAME=SOURCE, or with its size and rate as NAME=SOURCE@WIDTHxHEIGHTxFPS: a device
    /// such as /dev/video0, an address such as http://phone:8080/video or zmq://robot:5555/head, which is
    /// the camera head of LeRobot's image server, a video such as clip.mp4, which is played over and over at its own rate or @FPS, sim, which sees a simulated SO-101 from where its
    /// name says (front, side, top, wrist), pattern, bars that show a simulated arm's joints, or robot, the
    /// camera of that name of a robot that another machine hosts; once for
    /// each camera. Behind a device, `,lock` keeps it from adjusting exposure, white balance, focus and gain, and `,exposure=156` or
    /// any other of its controls sets that
    #[arg(long = "camera", value_name = "NAME=SOURCE")]
    camera: Vec<String>,
    /// Cameras as LeRobot's table: '{front: {type: opencv, index_or_path: 0, width: 640, height: 480,
    /// fps: 30}}'; opencv means a device of the system, or a video file, with lock: true and
    /// controls: {exposure: 156} as above; {type: zmq, server_address: robot, port: 5555, camera_name: head} is
    /// one of LeRobot's image server, and with color_mode: bgr one whose pictures have true colours
    #[arg(long = "robot.cameras", value_name = "TABLE")]
    cameras: Option<String>,
    /// The same for cameras that are called left_NAME, as LeRobot has those of a pair's left arm
    #[arg(long = "robot.left_arm_config.cameras", value_name = "TABLE")]
    left: Option<String>,
    /// And right_NAME
    #[arg(long = "robot.right_arm_config.cameras", value_name = "TABLE")]
    right: Option<String>,
}

/// The size and rate of a camera of which nothing is said: every webcam has it.
const USUAL: (u32, u32, u32) = (640, 480, 30);

impl CameraFlags {
    /// Whether anything is said of cameras.
    pub fn any(&self) -> bool {
        let tables = [&self.cameras, &self.left, &self.right];
        tables.into_iter().any(Option::is_some) || !self.camera.is_empty()
    }

    /// The cameras by their names.
    pub fn specs(&self) -> Result<Vec<(String, CameraSpec)>, Failure> {
        let mut specs = match &self.cameras {
            Some(table) => table::read("--robot.cameras", table)?,
            None => Vec::new(),
        };
        for (side, table) in [("left", &self.left), ("right", &self.right)] {
            let Some(table) = table else { continue };
            let cameras = table::read(&format!("--robot.{side}_arm_config.cameras"), table)?;
            specs.extend(cameras.into_iter().map(|(name, spec)| (format!("{side}_{name}"), spec)));
        }
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
        Some((source, settings)) if !rest.contains("://") => (source, told(settings)),
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
        address if address.starts_with("zmq://") => {
            let read = zmq::Address::parse(address);
            Origin::Zmq(read.ok_or_else(|| wrong("which host? zmq://robot:5555/head has one"))?)
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
    /// With what is not said: a video has a size and a rate of its own, a server's pictures a size, others
    /// the usual ones.
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
            Origin::Zmq(at) if self.width.is_none() || self.height.is_none() => {
                let (width, height) = zmq::look(name, at, Clock::Real)?;
                (width, height, USUAL.2)
            }
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
mod tests;
