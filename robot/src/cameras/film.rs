//! A video file for a camera: without a device, what a camera once saw is there again, over and over.

use std::path::Path;

use sinew_datasets::video::VideoReader;
use sinew_datasets::{Image, PixelFormat};
use sinew_drivers::camera::{Layout, Moment, Picture, Source, Taken};
use sinew_drivers::clock::SECOND;
use sinew_drivers::{Clock, Error, Nanos};

/// A video that is played in a loop, at a rate of its own.
pub struct Film {
    name: String,
    reader: VideoReader,
    clock: Clock,
    period: Nanos,
    /// When the next picture is due.
    due: Nanos,
    /// Which one that is.
    next: u64,
}

/// The kinds of files that are taken for a video even where there is none of that name.
const KINDS: [&str; 6] = ["mp4", "mov", "m4v", "mkv", "webm", "avi"];

/// Whether a source is a video and no device.
pub fn is_film(path: &Path) -> bool {
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known)) || path.is_file()
}

/// Width, height and whole pictures per second of a video.
pub fn look(path: &Path) -> Result<(u32, u32, u32), sinew_datasets::Error> {
    let reader = VideoReader::open(path)?;
    let info = reader.info();
    Ok((info.width, info.height, info.fps.round().clamp(1.0, 240.0) as u32))
}

impl Film {
    /// Opens the video, which has to be of this size.
    pub fn open(
        name: &str,
        path: &Path,
        (width, height): (u32, u32),
        fps: u32,
        clock: Clock,
    ) -> Result<Self, Error> {
        let failed = |what: String| Error::Camera { camera: name.to_owned(), what };
        let reader = VideoReader::open(path).map_err(|error| failed(error.to_string()))?;
        let info = reader.info();
        if (info.width, info.height) != (width, height) {
            return Err(failed(format!(
                "{} is {}x{}, not {width}x{height}: leave the size out, or make a video of that size",
                path.display(),
                info.width,
                info.height,
            )));
        }
        if info.frames == 0 {
            return Err(failed(format!("{} holds no picture", path.display())));
        }
        let (period, due) = (SECOND / Nanos::from(fps.max(1)), clock.now());
        Ok(Self { name: name.to_owned(), reader, clock, period, due, next: 0 })
    }

    fn picture(&mut self) -> Result<Picture, String> {
        let image = self.reader.frame(self.next).map_err(|error| error.to_string())?;
        self.next = (self.next + 1) % self.reader.info().frames;
        picture(&image).ok_or_else(|| "it shows depth and no colours".to_owned())
    }
}

impl Source for Film {
    fn shoot(&mut self) -> Result<Taken, Error> {
        let picture = self.picture();
        let picture = picture.map_err(|what| Error::Camera { camera: self.name.clone(), what });
        let picture = picture?;
        self.clock.sleep_until(self.due);
        let at = self.clock.now();
        // One that comes late shifts all that follow: none is left out.
        self.due = (self.due + self.period).max(at);
        Ok(Taken { at, moment: Moment::Exposure, picture })
    }
}

/// An image as cameras give them: the pixels are shared.
fn picture(image: &Image) -> Option<Picture> {
    let layout = match image.format() {
        PixelFormat::Rgb8 => Layout::Rgb8,
        PixelFormat::I420 => Layout::I420,
        PixelFormat::Gray16 => return None,
    };
    let (width, height, pixels) = (image.width(), image.height(), image.pixels().clone());
    Some(Picture { width, height, layout, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_datasets::video::VideoWriter;

    /// A video whose pictures are grey, each brighter than the one before.
    fn greys(path: &Path, pictures: u8) {
        let mut writer = VideoWriter::create(path, 32, 16, 25).unwrap();
        for grey in 0..pictures {
            let pixels = vec![grey * 40 + 20; 32 * 16 * 3];
            writer.push(&Image::new(32, 16, PixelFormat::Rgb8, pixels).unwrap()).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn its_pictures_come_in_order_over_and_over_at_the_rate_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("greys.mp4");
        greys(&path, 5);
        assert_eq!(look(&path).unwrap(), (32, 16, 25));
        let clock = Clock::virtual_time();
        clock.sleep(7 * SECOND);
        let mut film = Film::open("front", &path, (32, 16), 50, clock.clone()).unwrap();
        let shots: Vec<Taken> = (0..12).map(|_| film.shoot().unwrap()).collect();
        for (nth, shot) in (0..).zip(&shots) {
            assert_eq!(shot.at, 7 * SECOND + nth * SECOND / 50);
            let bright = &shots[(nth % 5) as usize].picture;
            assert_eq!(&shot.picture, bright, "picture {nth}");
        }
        let brightness = |at: usize| shots[at].picture.pixels[0];
        assert!((1..5).all(|at| brightness(at) > brightness(at - 1) + 20));
    }

    #[test]
    fn another_size_and_what_is_no_video_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("greys.mp4");
        greys(&path, 1);
        let open = |path: &Path, size| Film::open("front", path, size, 30, Clock::Real);
        let error = open(&path, (640, 480)).err().unwrap().to_string();
        assert!(error.contains("32x16") && error.contains("640x480"), "{error}");
        std::fs::write(&path, "no video").unwrap();
        let error = open(&path, (32, 16)).err().unwrap().to_string();
        assert!(error.contains("front") && error.contains("greys.mp4"), "{error}");
    }

    #[test]
    fn a_video_is_told_from_a_device() {
        assert!(is_film(Path::new("clip.MP4")));
        assert!(!is_film(Path::new("/dev/video0")) && !is_film(Path::new("/dev/null")));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(is_film(file.path()));
    }
}
