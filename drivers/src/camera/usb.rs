//! Whether the cameras that hang on one USB bus or hub fit on it together: they share what it carries,
//! and the last one to begin is the one that fails.

use std::path::Path;

use super::{CameraSpec, Origin, Sent};

/// The share of a bus that may be promised to devices which need it at fixed times, in percent.
const PROMISED: u64 = 80;

/// Bits that a pixel takes in JPEG pictures of a camera: twice what a quiet scene takes, because the
/// camera reserves what its worst picture needs.
const BITS_PER_PIXEL: u64 = 4;

/// The same of pictures that are sent as they are.
const PLAIN: u64 = 16;

/// Cameras that ask for more than the bus or hub they share carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// The bus or hub, as the system calls it: `usb1`, `1-4`.
    pub hub: String,
    /// Their names.
    pub cameras: Vec<String>,
    /// About what they need together, in megabits per second.
    pub need: u64,
    /// What the hub can promise, in megabits per second.
    pub room: u64,
}

/// What the devices among these cameras overfill, by what the system tells below `sysfs` (`/sys`).
pub fn crowds(specs: &[(String, CameraSpec)], sysfs: &Path) -> Vec<Crowd> {
    let mut hubs: Vec<Crowd> = Vec::new();
    for (name, spec) in specs {
        let Origin::Device(path) = &spec.origin else { continue };
        let sides = [spec.width, spec.height, spec.fps].map(u64::from);
        let is_plain = spec.settings.sent == Some(Sent::Yuyv);
        let bits = if is_plain { PLAIN } else { BITS_PER_PIXEL };
        let bits = sides.into_iter().fold(bits, u64::saturating_mul);
        let need = bits.div_ceil(1_000_000);
        for (hub, speed) in way(path, sysfs) {
            match hubs.iter_mut().find(|known| known.hub == hub) {
                Some(known) => {
                    known.need = known.need.saturating_add(need);
                    known.cameras.push(name.clone());
                }
                None => hubs.push(Crowd {
                    hub,
                    cameras: vec![name.clone()],
                    need,
                    room: speed * PROMISED / 100,
                }),
            }
        }
    }
    hubs.retain(|hub| hub.need > hub.room);
    // The same cameras may be too much for several hubs on their way: the narrowest tells enough.
    hubs.sort_by_key(|hub| hub.room);
    let mut told: Vec<Crowd> = Vec::new();
    for hub in hubs {
        if !told.iter().any(|known| known.cameras == hub.cameras) {
            told.push(hub);
        }
    }
    told
}

/// What lies between a camera and the machine: itself, hubs, and the bus, with the megabits per second
/// of each. Nothing for a camera that is on no USB bus.
fn way(device: &Path, sysfs: &Path) -> Vec<(String, u64)> {
    // Names by socket are links to the device.
    let device = std::fs::canonicalize(device).unwrap_or_else(|_| device.to_owned());
    let Some(file) = device.file_name() else { return Vec::new() };
    let place = sysfs.join("class/video4linux").join(file).join("device");
    let Ok(place) = std::fs::canonicalize(place) else { return Vec::new() };
    let name = |folder: &Path| Some(folder.file_name()?.to_str()?.to_owned());
    let is_bus = |name: &str| name.strip_prefix("usb").is_some_and(|n| n.parse::<u32>().is_ok());
    let Some(bus) = place.ancestors().position(|at| name(at).is_some_and(|name| is_bus(&name)))
    else {
        return Vec::new();
    };
    let hubs = place.ancestors().take(bus + 1);
    hubs.filter_map(|folder| Some((name(folder)?, speed(folder)?))).collect()
}

/// Megabits per second of a hub or device; 1.5 counts as one.
fn speed(folder: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(folder.join("speed")).ok()?;
    text.trim().split('.').next()?.parse::<u32>().ok().map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Settings;
    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A camera that hangs in a tree like the system's: its number, and the hubs from its bus on.
    fn plug(sysfs: &Path, number: u32, hubs: &[(&str, &str)]) {
        let mut place = sysfs.join("devices/pci0000:00/0000:00:14.0");
        for (hub, speed) in hubs {
            place.push(hub);
            create_dir_all(&place).unwrap();
            write(place.join("speed"), format!("{speed}\n")).unwrap();
        }
        let last = hubs.last().unwrap().0;
        let interface = place.join(format!("{last}:1.0"));
        create_dir_all(&interface).unwrap();
        let class = sysfs.join(format!("class/video4linux/video{number}"));
        create_dir_all(&class).unwrap();
        symlink(&interface, class.join("device")).unwrap();
    }

    fn camera(name: &str, number: u32, size: (u32, u32)) -> (String, CameraSpec) {
        let origin = Origin::Device(PathBuf::from(format!("/dev/video{number}")));
        let (width, height) = size;
        let settings = Settings::default();
        (name.to_owned(), CameraSpec { origin, width, height, fps: 30, settings })
    }

    #[test]
    fn cameras_that_do_not_fit_on_their_bus_together_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let sysfs = folder.path();
        plug(sysfs, 0, &[("usb1", "480"), ("1-2", "480")]);
        plug(sysfs, 2, &[("usb1", "480"), ("1-3", "480"), ("1-3.1", "480")]);
        plug(sysfs, 4, &[("usb2", "5000"), ("2-1", "5000")]);
        let (large, small) = ((1920, 1080), (640, 480));
        let told = crowds(&[camera("front", 0, large), camera("side", 2, large)], sysfs);
        let cameras = vec!["front".to_owned(), "side".to_owned()];
        assert_eq!(told, [Crowd { hub: "usb1".into(), cameras, need: 498, room: 384 }]);
        for fitting in [
            [camera("front", 0, large), camera("side", 4, large)],
            [camera("front", 0, small), camera("side", 2, small)],
            [camera("front", 0, large), camera("nowhere", 9, large)],
        ] {
            assert_eq!(crowds(&fitting, sysfs), []);
        }
    }

    #[test]
    fn one_in_a_slow_socket_is_too_much_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let hub = [("usb3", "480"), ("3-1", "12")];
        plug(folder.path(), 0, &[&hub[..], &[("3-1.1", "12")]].concat());
        plug(folder.path(), 1, &[("usb3", "480"), ("3-2", "480")]);
        let size = (640, 480);
        let told = crowds(&[camera("front", 0, size), camera("side", 1, size)], folder.path());
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].need, told[0].room), (37, 9));
        assert_eq!(told[0].cameras, ["front"]);
    }

    #[test]
    fn pictures_that_are_sent_as_they_are_take_four_times_as_much() {
        let folder = tempfile::tempdir().unwrap();
        plug(folder.path(), 0, &[("usb1", "12")]);
        let mut front = camera("front", 0, (640, 480));
        front.1.settings.sent = Some(Sent::Yuyv);
        let told = crowds(&[front], folder.path());
        assert_eq!(told[0].need, 148, "{told:?}");
    }

    #[test]
    fn what_is_on_no_bus_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let sysfs = folder.path();
        create_dir_all(sysfs.join("class/video4linux/video0")).unwrap();
        create_dir_all(sysfs.join("devices/platform/csi")).unwrap();
        symlink(sysfs.join("devices/platform/csi"), sysfs.join("class/video4linux/video0/device"))
            .unwrap();
        plug(sysfs, 1, &[("usb1", "fast"), ("1-1", "")]);
        let cameras = [camera("csi", 0, (8192, 8192)), camera("odd", 1, (8192, 8192))];
        assert_eq!(crowds(&cameras, sysfs), []);
        let mut phone = camera("phone", 0, (8192, 8192));
        phone.1.origin = Origin::Http("http://phone/video".into());
        assert_eq!(crowds(&[phone], Path::new("/nowhere")), []);
    }
}
