//! A device of the system: a webcam that sends JPEG pictures, as nearly every one does, or plain ones.
//!
//! The format asked for is the format there is, or an error that lists what the camera offers: a
//! driver that silently chooses another size would spoil a whole recording.

use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use linuxvideo::controls::{ControlDesc, CtrlType};
use linuxvideo::format::{FrameIntervals, FrameSizes, PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use linuxvideo::{BufType, CapabilityFlags, Fract};

use super::settings::{self, Control, Sent};
use super::{CameraSpec, Source, Taken, jpeg, stamp, yuyv};
use crate::{Clock, Error};

/// How long nothing may come before the camera is taken for dead, in milliseconds.
const SILENCE_MS: i32 = 3000;

/// A camera of the system.
pub struct Device {
    name: String,
    size: (u32, u32),
    sent: Sent,
    /// How many bytes a row of a plain picture takes.
    line: u32,
    clock: Clock,
    stream: ReadStream,
}

impl Device {
    /// Opens the camera at this path.
    pub fn open(name: &str, path: &Path, spec: &CameraSpec, clock: Clock) -> Result<Self, Error> {
        let failed = |what: String| Error::Camera { camera: name.to_owned(), what };
        let system = |error: std::io::Error| failed(explain(path, &error));
        let mut device = linuxvideo::Device::open(path).map_err(system)?;
        let (width, height, fps) = (spec.width, spec.height, spec.fps);
        let controls = controls(&device);
        let (write, read) =
            (linuxvideo::Device::write_control_raw, linuxvideo::Device::read_control_raw);
        let set = settings::apply(&mut device, &controls, &spec.settings, write, read);
        set.map_err(|what| failed(format!("{}: {what}", path.display())))?;
        let offered = offers(&device);
        let sent = spec.settings.sent.unwrap_or_else(|| usual(&device));
        let coding = coding(sent);
        let wanted = PixFormat::new(width, height, coding);
        let capture = device.video_capture(wanted).map_err(system)?;
        let is = capture.format();
        if (is.width(), is.height(), is.pixel_format()) != (width, height, coding) {
            return Err(failed(format!(
                "{} has no {} pictures of {width}x{height}; it offers {offered}",
                path.display(),
                sent.name()
            )));
        }
        let line = is.bytes_per_line();
        let interval = capture.set_frame_interval(Fract::new(1, fps)).map_err(system)?;
        let rate = f64::from(interval.denominator()) / f64::from(interval.numerator().max(1));
        if (rate - f64::from(fps)).abs() > 0.5 {
            return Err(failed(format!(
                "{} gives {rate:.0} {} pictures per second at {width}x{height}, not {fps}: put \
                 @{width}x{height}x{rate:.0} behind it; it offers {offered}",
                path.display(),
                sent.name()
            )));
        }
        let stream = capture.into_stream().map_err(system)?;
        Ok(Self { name: name.to_owned(), size: (width, height), sent, line, clock, stream })
    }

    fn wait(&self) -> Result<(), String> {
        let descriptor = self.stream.as_raw_fd();
        let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to the one descriptor that is told of.
        match unsafe { libc::poll(&raw mut poll, 1, SILENCE_MS) } {
            0 => Err(format!("no picture came for {} seconds", SILENCE_MS / 1000)),
            _ => Ok(()),
        }
    }
}

impl Source for Device {
    fn shoot(&mut self) -> Result<Taken, Error> {
        let failed = |what: String| Error::Camera { camera: self.name.clone(), what };
        let ((width, height), sent, line) = (self.size, self.sent, self.line);
        let stream = self.stream.as_raw_fd();
        loop {
            self.wait().map_err(failed)?;
            let clock = &self.clock;
            let taken = self.stream.dequeue(|buffer| {
                // The first pictures of a stream are often not whole.
                if buffer.is_error() {
                    return Ok(None);
                }
                let here = clock.now();
                let held = stamp::in_hand(|index| stamp::ask(stream, index));
                let (age, moment) = stamp::age(held, Clock::Real.now());
                let picture = match sent {
                    Sent::Mjpg => jpeg::decode(&buffer, width, height),
                    Sent::Yuyv => yuyv::decode(&buffer, width, height, line),
                };
                Ok(Some(picture.map(|picture| Taken { at: here - age, moment, picture })))
            });
            if let Some(taken) = taken.map_err(|error| failed(error.to_string()))? {
                return taken.map_err(failed);
            }
        }
    }
}

/// A camera that the system knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its device.
    pub path: PathBuf,
    /// A name of the device that stays the same, as long as the camera stays in its socket.
    pub by_path: Option<PathBuf>,
    /// What its maker calls it.
    pub title: String,
    /// What it offers, in words.
    pub offers: String,
    /// Sizes of the pictures that it is asked for where nobody says how they are sent.
    pub sizes: Vec<(u32, u32)>,
}

/// All cameras that the system knows of and lets be opened, and why others could not be.
pub fn devices() -> (Vec<Found>, Vec<String>) {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for path in paths() {
        match linuxvideo::Device::open(&path) {
            Ok(device) => found.extend(look(&device, &path)),
            Err(error) => failed.push(explain(&path, &error)),
        }
    }
    (found, failed)
}

/// Every device that may be a camera, by its number.
fn paths() -> Vec<PathBuf> {
    let number =
        |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix("video")?.parse::<u32>().ok();
    let entries = std::fs::read_dir("/dev").into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| number(path).is_some()).collect();
    paths.sort_by_key(number);
    paths
}

/// What a device is, if it takes pictures: many cameras have a second device for their settings.
fn look(device: &linuxvideo::Device, path: &Path) -> Option<Found> {
    let can = device.capabilities().ok()?;
    if !can.device_capabilities().contains(CapabilityFlags::VIDEO_CAPTURE) {
        return None;
    }
    let mut sizes = sizes(device, coding(usual(device)));
    sizes.sort_unstable();
    Some(Found {
        by_path: by_path(path),
        title: can.card().to_owned(),
        offers: offers(device),
        path: path.to_owned(),
        sizes,
    })
}

fn coding(sent: Sent) -> PixelFormat {
    match sent {
        Sent::Mjpg => PixelFormat::MJPG,
        Sent::Yuyv => PixelFormat::YUYV,
    }
}

/// How a camera sends its pictures where nobody says: plain only where it has nothing else.
fn usual(device: &linuxvideo::Device) -> Sent {
    let formats = device.formats(BufType::VIDEO_CAPTURE).filter_map(Result::ok);
    let formats: Vec<_> = formats.map(|format| format.pixel_format()).collect();
    let has = |sent| formats.contains(&coding(sent));
    if !has(Sent::Mjpg) && has(Sent::Yuyv) { Sent::Yuyv } else { Sent::Mjpg }
}

/// The sizes that it has in a format, where it lists them.
fn sizes(device: &linuxvideo::Device, format: PixelFormat) -> Vec<(u32, u32)> {
    match device.frame_sizes(format) {
        Ok(FrameSizes::Discrete(sizes)) => {
            sizes.iter().map(|size| (size.width(), size.height())).collect()
        }
        _ => Vec::new(),
    }
}

/// How many pictures a second it gives of a size, as they are typed behind it.
fn rates(device: &linuxvideo::Device, format: PixelFormat, (width, height): (u32, u32)) -> String {
    let Ok(FrameIntervals::Discrete(intervals)) = device.frame_intervals(format, width, height)
    else {
        return String::new();
    };
    let rate = |of: &Fract| f64::from(of.denominator()) / f64::from(of.numerator().max(1));
    let rates = intervals.iter().map(|interval| format!("{:.0}", rate(interval.fract())));
    format!("x{}", rates.collect::<Vec<_>>().join("/"))
}

fn by_path(path: &Path) -> Option<PathBuf> {
    let links = std::fs::read_dir("/dev/v4l/by-path").ok()?.filter_map(Result::ok);
    let mut links = links.map(|entry| entry.path());
    links.find(|link| std::fs::canonicalize(link).is_ok_and(|target| target == path))
}

/// The controls of a camera.
fn controls(device: &linuxvideo::Device) -> Vec<Control> {
    let controls = device.controls().filter_map(Result::ok);
    // Headings, buttons and texts have no number for a value.
    let valued = controls.filter(|control| {
        let kinds = [CtrlType::INTEGER, CtrlType::BOOLEAN, CtrlType::MENU, CtrlType::INTEGER_MENU];
        kinds.contains(&control.control_type())
    });
    let control = |control: ControlDesc| Control {
        id: control.id(),
        title: control.name().to_owned(),
        least: control.minimum(),
        most: control.maximum(),
    };
    valued.map(control).collect()
}

/// What the camera offers, in words.
fn offers(device: &linuxvideo::Device) -> String {
    let formats = device.formats(BufType::VIDEO_CAPTURE).filter_map(Result::ok);
    let offers: Vec<String> = formats
        .map(|format| {
            let format = format.pixel_format();
            let sizes = sizes(device, format).into_iter().map(|(width, height)| {
                format!("{width}x{height}{}", rates(device, format, (width, height)))
            });
            match sizes.collect::<Vec<_>>() {
                none if none.is_empty() => format!("{format} (sizes that it does not list)"),
                sizes => format!("{format} ({})", sizes.join(", ")),
            }
        })
        .collect();
    if offers.is_empty() { "nothing".to_owned() } else { offers.join("; ") }
}

fn explain(path: &Path, error: &std::io::Error) -> String {
    let path = path.display();
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::NotFound, _) => format!("{path} is not there: is it plugged in?"),
        (ErrorKind::PermissionDenied, _) => {
            format!("{path} may not be opened: sudo usermod -aG video $USER, then log in again")
        }
        (_, Some(libc::ENOSPC)) => format!(
            "{path} finds no room on its USB bus beside the other cameras: plug it into a socket of \
             another bus, or take smaller or fewer pictures"
        ),
        (_, Some(libc::EBUSY)) => format!("{path} is in use by another program"),
        (_, Some(libc::ENOTTY | libc::EINVAL)) => format!("{path} is no camera ({error})"),
        _ => format!("{path}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{Origin, Settings};

    #[test]
    fn what_is_not_there_or_no_camera_is_told() {
        let open = |path: &str| {
            let path = PathBuf::from(path);
            let origin = Origin::Device(path.clone());
            let settings = Settings::default();
            let spec = CameraSpec { origin, width: 640, height: 480, fps: 30, settings };
            let opened = Device::open("front", &path, &spec, Clock::Real);
            opened.err().unwrap().to_string()
        };
        assert!(open("/dev/video-none").contains("is not there"), "{}", open("/dev/video-none"));
        assert!(open("/dev/null").contains("no camera"), "{}", open("/dev/null"));
    }

    #[test]
    fn a_full_bus_is_told_with_the_way_out() {
        let full = std::io::Error::from_raw_os_error(libc::ENOSPC);
        let told = explain(Path::new("/dev/video4"), &full);
        assert!(told.contains("/dev/video4") && told.contains("another bus"), "{told}");
    }
}
