//! From a robot's cameras as they are named to cameras that run, and what datasets call them and
//! their pictures.

pub mod film;
#[cfg(any(feature = "rerun", feature = "sim", feature = "zenoh"))]
pub mod jpeg;
#[cfg(feature = "sim")]
pub mod painted;

use std::path::Path;
use std::sync::Arc;

use sinew_datasets::{Image, PixelFormat};
use sinew_drivers::Clock;
use sinew_drivers::camera::{
    self, Camera, CameraSpec, Crowd, Layout, Opener, Origin, PATIENCE, Shot, Source,
};
#[cfg(feature = "sim")]
use sinew_drivers::camera::{Look, Pattern};

use crate::cli::cameras::CameraFlags;
use crate::cli::failure::Failure;
use crate::cli::report::Report;
use crate::robot::Robot;
#[cfg(feature = "sim")]
use crate::simulated::Joints;
#[cfg(feature = "sim")]
use painted::{Painted, Sight};

/// The cameras that the flags mean; where they say nothing, the robot's own.
pub fn chosen(flags: &CameraFlags, robot: &Robot) -> Result<Vec<(String, CameraSpec)>, Failure> {
    let own = robot.own_cameras();
    if !flags.any() {
        return Ok(own);
    }
    let mut specs = flags.specs()?;
    for (name, spec) in specs.iter_mut().filter(|(_, spec)| spec.origin == Origin::Robot) {
        let known = own.iter().find(|(known, _)| known == name);
        *spec = known.map(|(_, spec)| spec.clone()).ok_or_else(|| {
            let names: Vec<_> = own.iter().map(|(name, _)| name.as_str()).collect();
            Failure::usage(
                format!("{} has no camera of its own that is called {name}", robot.name),
                match names[..] {
                    [] => "only a robot that another machine hosts has: zenoh://NAME".to_owned(),
                    _ => format!("it has {}", names.join(", ")),
                },
            )
        })?;
    }
    Ok(specs)
}

/// Starts them all, before this robot; each has given its first picture when this returns.
pub fn start(
    specs: &[(String, CameraSpec)],
    robot: &Robot,
    report: &Report,
) -> Result<Arc<[Camera]>, Failure> {
    start_with(specs, |name, spec| opener(name, spec, robot), report)
}

/// Starts what these open.
pub fn start_with(
    specs: &[(String, CameraSpec)],
    opener: impl Fn(&str, &CameraSpec) -> Opener,
    report: &Report,
) -> Result<Arc<[Camera]>, Failure> {
    for crowd in camera::crowds(specs, Path::new("/sys")) {
        report.warn(told(&crowd));
    }
    let mut cameras = Vec::new();
    for (name, spec) in specs {
        report.detail(format!("camera {name}: {spec:?}"));
        cameras.push(Camera::start(name, opener(name, spec), &Clock::Real, PATIENCE)?);
    }
    Ok(cameras.into())
}

/// What datasets and policies call a camera.
pub fn feature_of(name: &str) -> String {
    format!("observation.images.{name}")
}

/// A camera's picture as datasets have them: the pixels are shared.
pub fn image(shot: &Shot) -> Option<Image> {
    let format = match shot.picture.layout {
        Layout::Rgb8 => PixelFormat::Rgb8,
        Layout::I420 => PixelFormat::I420,
    };
    let picture = &shot.picture;
    Image::new(picture.width, picture.height, format, picture.pixels.clone())
}

/// What is said of cameras that do not fit together.
fn told(crowd: &Crowd) -> String {
    format!(
        "{} ask for about {} Mbit/s of USB {}, which carries {} for cameras: if one gives no picture, \
         plug it into a socket of another bus, or take smaller or fewer pictures",
        crowd.cameras.join(" and "),
        crowd.need,
        crowd.hub,
        crowd.room
    )
}

fn opener(name: &str, spec: &CameraSpec, robot: &Robot) -> Opener {
    if let (Origin::Robot, Some(kiwi)) = (&spec.origin, robot.kiwi()) {
        return kiwi.camera(name);
    }
    #[cfg(feature = "zenoh")]
    if let (Origin::Robot, Some(remote)) = (&spec.origin, robot.remote()) {
        return remote.camera(name);
    }
    here(name, spec, robot)
}

#[cfg(feature = "sim")]
fn here(name: &str, spec: &CameraSpec, robot: &Robot) -> Opener {
    before(name, spec, robot.simulated_joints(), robot.sight())
}

/// Opens what a spec names, before simulated arms with these joints, of which so much is to be seen.
#[cfg(feature = "sim")]
pub fn before(name: &str, spec: &CameraSpec, joints: Joints, sight: Option<Sight>) -> Opener {
    let (name, spec) = (name.to_owned(), spec.clone());
    match (&spec.origin, sight) {
        (Origin::Pattern, _) => Box::new(move || {
            let joints = joints.clone();
            let look: Look = Box::new(move |shares| joints.shares(shares));
            let (width, height, fps) = (spec.width, spec.height, spec.fps);
            let pattern = Pattern::new(Clock::Real, width, height, fps, Some(look));
            Ok(Box::new(pattern) as Box<dyn Source>)
        }),
        (Origin::World, Some(sight)) => Box::new(move || {
            Ok(Box::new(Painted::new(&name, &spec, sight.clone())) as Box<dyn Source>)
        }),
        _ => device(&name, &spec),
    }
}

#[cfg(not(feature = "sim"))]
fn here(name: &str, spec: &CameraSpec, _robot: &Robot) -> Opener {
    device(name, spec)
}

/// Opens what a spec names, without a robot whose joints a pattern could show.
pub fn device(name: &str, spec: &CameraSpec) -> Opener {
    let (name, spec) = (name.to_owned(), spec.clone());
    Box::new(move || match &spec.origin {
        Origin::Film(path) => {
            let size = (spec.width, spec.height);
            let film = film::Film::open(&name, path, size, spec.fps, Clock::Real)?;
            Ok(Box::new(film) as Box<dyn Source>)
        }
        _ => camera::open(&name, &spec, Clock::Real),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowded_bus_is_told_with_its_cameras_and_the_way_out() {
        let cameras = vec!["front".to_owned(), "side".to_owned()];
        let told = told(&Crowd { hub: "usb1".into(), cameras, need: 498, room: 384 });
        for part in ["front and side", "498", "usb1", "384", "another bus", "smaller"] {
            assert!(told.contains(part), "{told}");
        }
    }
}
