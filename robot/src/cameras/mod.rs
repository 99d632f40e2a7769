//! From a robot's cameras as they are named to cameras that run, and what datasets call them and
//! their pictures.

pub mod film;

use sinew_datasets::{Image, PixelFormat};
use sinew_drivers::Clock;
use sinew_drivers::camera::{
    self, Camera, CameraSpec, Layout, Opener, Origin, PATIENCE, Shot, Source,
};

use crate::cli::failure::Failure;
use crate::cli::report::Report;
use crate::robot::Robot;

/// Starts them all; each has given its first picture when this returns.
pub fn start(
    specs: &[(String, CameraSpec)],
    robot: &Robot,
    report: &Report,
) -> Result<Vec<Camera>, Failure> {
    let mut cameras = Vec::new();
    for (name, spec) in specs {
        report.detail(format!("camera {name}: {spec:?}"));
        cameras.push(Camera::start(name, opener(name, spec, robot), &Clock::Real, PATIENCE)?);
    }
    Ok(cameras)
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

#[cfg(feature = "sim")]
fn opener(name: &str, spec: &CameraSpec, robot: &Robot) -> Opener {
    use sinew_drivers::camera::{Look, Pattern};
    if spec.origin != Origin::Pattern {
        return device(name, spec);
    }
    let (joints, spec) = (robot.simulated_joints(), spec.clone());
    Box::new(move || {
        let joints = joints.clone();
        let look: Look = Box::new(move |shares| joints.shares(shares));
        let (width, height, fps) = (spec.width, spec.height, spec.fps);
        let pattern = Pattern::new(Clock::Real, width, height, fps, Some(look));
        Ok(Box::new(pattern) as Box<dyn Source>)
    })
}

#[cfg(not(feature = "sim"))]
fn opener(name: &str, spec: &CameraSpec, _robot: &Robot) -> Opener {
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
