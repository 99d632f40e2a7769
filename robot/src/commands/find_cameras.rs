//! `sinew find-cameras`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sinew_datasets::image::png;
use sinew_datasets::report::{Page, escape};
use sinew_drivers::Clock;
use sinew_drivers::camera::{Camera, CameraSpec, Found, Origin, PATIENCE, Settings, Shot, devices};
use sinew_drivers::clock::SECOND;

use crate::cameras::{self, image};
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// Which camera is which? Takes a picture with each
///
/// Example: sinew find-cameras
///
/// The pictures and a page with all of them go to a folder. Phones and IP cameras are looked at as
/// well when they are named: --camera phone=http://phone:8080/video
#[derive(Debug, Args)]
pub struct FindCameras {
    /// LeRobot's word for how cameras are reached
    #[arg(hide = true)]
    kind: Option<Reached>,
    /// Where the pictures and the page go
    #[arg(
        long,
        alias = "output_dir",
        value_name = "DIR",
        default_value = "outputs/captured_images"
    )]
    out: PathBuf,
    #[command(flatten)]
    cameras: CameraFlags,
}

/// How LeRobot reaches a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Reached {
    Opencv,
    Realsense,
}

/// A camera that is looked at.
struct Candidate {
    /// What its picture is called.
    name: String,
    /// What is typed to mean it.
    source: String,
    /// What it is.
    about: String,
    spec: CameraSpec,
}

/// A camera's exposure takes a moment to settle.
const SETTLES: i64 = SECOND;

impl FindCameras {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let (found, failed) = devices();
        for why in &failed {
            report.warn(why);
        }
        if self.kind == Some(Reached::Realsense) {
            report.note("a RealSense's colours are a camera like any other; its depth is not read");
        }
        let mut candidates: Vec<Candidate> = found.iter().map(candidate).collect();
        for (name, spec) in self.cameras.specs()? {
            let source = match &spec.origin {
                Origin::World => "sim".to_owned(),
                Origin::Pattern => "pattern".to_owned(),
                Origin::Robot => "robot".to_owned(),
                Origin::Http(url) => url.clone(),
                Origin::Zmq(at) => at.to_string(),
                Origin::Device(path) | Origin::Film(path) => path.display().to_string(),
            };
            let about = format!("{}x{} at {} Hz, as named", spec.width, spec.height, spec.fps);
            candidates.push(Candidate { name, source, about, spec });
        }
        if candidates.is_empty() {
            return Err(Failure::advise(
                Exit::Hardware,
                "no camera is plugged in",
                "plug one in; a phone is one with an app that serves MJPEG: --camera \
                 phone=http://phone:8080/video",
            ));
        }
        std::fs::create_dir_all(&self.out).map_err(|error| unwritten(&self.out, &error))?;
        let mut page = Page::new("Cameras");
        page.raw("<section><div class=\"grid\">");
        let (mut told, mut with_picture) = (Vec::new(), 0);
        for one in &candidates {
            report.progress(&format!("looking through {}", one.source));
            let picture = take(one).and_then(|shot| keep(&self.out, &one.name, &shot));
            report.progress("");
            let text = match &picture {
                Ok(path) => report.tone(Tone::Good, &path.display().to_string()),
                Err(failure) => report.tone(Tone::Bad, &failure.what),
            };
            report.say(format!("{:<16} {}\n{:<16} {text}", one.source, one.about, ""));
            show(&mut page, one, &picture);
            with_picture += u32::from(picture.is_ok());
            let entry = entry(one, &picture);
            report.event(&entry);
            told.push(entry);
        }
        page.raw("</div></section>");
        let sheet = self.out.join("cameras.html");
        std::fs::write(&sheet, page.finish()).map_err(|error| unwritten(&sheet, &error))?;
        report.say(sheet.display().to_string());
        report.result(json!({ "cameras": told, "page": sheet }));
        Ok(if with_picture > 0 { Exit::Done } else { Exit::Hardware })
    }
}

/// How a device is looked through: at the usual size if it has it, else at its smallest.
fn candidate(found: &Found) -> Candidate {
    let usual = (640, 480);
    let smallest = found.sizes.first().copied().unwrap_or(usual);
    let (width, height) = if found.sizes.contains(&usual) { usual } else { smallest };
    let path = found.by_path.as_ref().unwrap_or(&found.path);
    let name = found.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Candidate {
        source: path.display().to_string(),
        about: format!("{}: {}", found.title, found.offers),
        spec: CameraSpec {
            origin: Origin::Device(found.path.clone()),
            width,
            height,
            fps: 30,
            settings: Settings::default(),
        },
        name,
    }
}

/// Takes a picture, once the camera has settled.
fn take(one: &Candidate) -> Result<Shot, Failure> {
    let opener = cameras::device(&one.name, &one.spec);
    let camera = Camera::start(&one.name, opener, &Clock::Real, PATIENCE)?;
    Clock::Real.sleep(SETTLES);
    let nothing = || Failure::new(Exit::Hardware, format!("camera {} saw nothing", one.name));
    camera.newest().map(|shot| (*shot).clone()).ok_or_else(nothing)
}

fn keep(folder: &Path, name: &str, shot: &Shot) -> Result<PathBuf, Failure> {
    let bytes = image(shot).ok_or_else(|| "it is not whole".to_owned());
    let bytes = bytes.and_then(|image| png::encode(&image.to_rgb()));
    let bytes = bytes.map_err(|what| Failure::new(Exit::Failed, format!("the picture: {what}")))?;
    let path = folder.join(format!("{name}.png"));
    std::fs::write(&path, bytes).map_err(|error| unwritten(&path, &error))?;
    Ok(path)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::advise(
        Exit::Failed,
        format!("cannot write {}: {error}", path.display()),
        "name another folder: --out DIR",
    )
}

fn show(page: &mut Page, one: &Candidate, picture: &Result<PathBuf, Failure>) {
    let (source, about) = (escape(&one.source), escape(&one.about));
    let seen = match picture {
        Ok(_) => format!("<img src=\"{}.png\" alt=\"\">", escape(&one.name)),
        Err(failure) => format!("<p class=\"error\">{}</p>", escape(&failure.what)),
    };
    page.raw(&format!(
        "<figure>{seen}<figcaption><b>{source}</b><br>{about}</figcaption></figure>"
    ));
}

fn entry(one: &Candidate, picture: &Result<PathBuf, Failure>) -> Value {
    json!({
        "type": "camera",
        "source": one.source,
        "about": one.about,
        "picture": picture.as_ref().ok(),
        "error": picture.as_ref().err().map(|failure| &failure.what),
    })
}
