//! How much of the disk a recording takes, before it begins.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sinew_datasets::schema::{Dtype, Info};

use super::dataset::bytes;
use crate::cli::report::Report;
use crate::run::record::{Cut, Plan};

/// What a pixel of a video takes, in hundredths of a byte: busy scenes at the usual quality, with every
/// other picture a keyframe.
const VIDEO: u64 = 6;
/// And one of a picture of its own, which is not lossy.
const PICTURE: u64 = 150;
/// A row's times, numbers of episode and frame, and its line in the journal.
const ROW: u64 = 120;

/// How many bytes a row takes, about.
pub fn of_a_row(info: &Info) -> u64 {
    let features = info.features.iter().map(|(_, feature)| {
        let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
        let pixels = feature.image_size().filter(|_| feature.is_camera()).map(pixels);
        match pixels {
            Some(pixels) if feature.dtype == Dtype::Video => pixels * VIDEO / 100,
            Some(pixels) => pixels * PICTURE / 100,
            None => feature.width() as u64 * 8,
        }
    });
    features.sum::<u64>() + ROW
}

/// Says how much a recording takes at most, or an hour of one without an end, and warns where there is
/// less.
pub fn look(root: &Path, plan: &Plan, info: &Info, report: &Report) {
    let Some(free) = free(root) else { return };
    let (what, rows) = match plan.cut {
        Cut::Apart => ("all episodes at full length take", plan.episodes.saturating_mul(plan.rows)),
        Cut::Seamless | Cut::Asked(_) => ("an hour takes", u64::from(info.fps) * 3600),
    };
    let need = rows.saturating_mul(of_a_row(info));
    let line = format!("{what} about {}, {} are free", bytes(need), bytes(free));
    if need > free {
        report.warn(format!("{line}: what is finished is kept when the disk is full"));
    } else {
        report.note(line);
    }
}

/// How many rows have a video of at least so many megabytes, or of what a file of the dataset holds: as
/// LeRobot reckons it, with a tenth of a bit for a pixel and the smallest camera. Without video, rows for
/// five minutes.
pub fn rows_of_video(info: &Info, megabytes: Option<u64>) -> u64 {
    let videos = info.features.iter().filter(|(_, feature)| feature.dtype == Dtype::Video);
    let pixels = videos.filter_map(|(_, feature)| feature.image_size());
    let least = pixels.map(|(width, height)| u64::from(width) * u64::from(height)).min();
    let bits = megabytes.unwrap_or(info.video_files_size_in_mb).saturating_mul(8 << 20);
    let rows = match least {
        Some(pixels) => (bits as f64 / (pixels as f64 * 0.1)).ceil() as u64,
        None => u64::from(info.fps) * 300,
    };
    rows.max(1)
}

/// How many bytes are free where a folder is, or is to be.
pub fn free(root: &Path) -> Option<u64> {
    let there = root.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new("."));
    let path = CString::new(there.as_os_str().as_bytes()).ok()?;
    let mut about = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with a zero, and `about` is a valid place for one statvfs.
    let asked = unsafe { libc::statvfs(path.as_ptr(), about.as_mut_ptr()) };
    // SAFETY: all zeros make a statvfs, and the call has filled it in.
    let about = unsafe { about.assume_init() };
    (asked == 0).then(|| about.f_bavail.saturating_mul(about.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_datasets::schema::Feature;

    #[test]
    fn pictures_take_more_than_videos_and_both_more_than_numbers() {
        let of = |features: Vec<(&str, Feature)>| {
            let features = features.into_iter().map(|(name, feature)| (name.to_owned(), feature));
            of_a_row(&Info::new(30, None, features.collect()).unwrap())
        };
        let names = vec!["a".to_owned(), "b".to_owned()];
        let numbers = of(vec![("action", Feature::vector(Dtype::F32, names))]);
        let camera = |dtype| of(vec![("observation.images.a", Feature::camera(dtype, 640, 480))]);
        assert!(numbers < 1000);
        assert!((10_000..40_000).contains(&camera(Dtype::Video)), "{}", camera(Dtype::Video));
        assert!(camera(Dtype::Image) > 10 * camera(Dtype::Video));
    }

    #[test]
    fn an_episode_fills_a_video_as_lerobot_reckons_it() {
        let names = vec!["a".to_owned()];
        let mut features = vec![("action".to_owned(), Feature::vector(Dtype::F32, names.clone()))];
        let rows = |features: &[(String, Feature)], megabytes| {
            rows_of_video(&Info::new(30, None, features.to_vec()).unwrap(), megabytes)
        };
        assert_eq!(rows(&features, Some(1)), 9000, "five minutes");
        for (name, width, height) in [("big", 1280, 720), ("small", 640, 480)] {
            let camera = Feature::camera(Dtype::Video, width, height);
            features.push((format!("observation.images.{name}"), camera));
        }
        // LeRobot's estimate_max_episode_seconds says 1820.444 s and 9.102 s for these at 30 Hz.
        assert_eq!(rows(&features, None), 54_614);
        assert_eq!(rows(&features, Some(1)), 274);
        assert_eq!(rows(&features, Some(0)), 1, "an episode has a row");
    }

    #[test]
    fn free_space_is_that_of_the_nearest_folder_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(&folder.path().join("not/there/yet")).unwrap() > 0);
        assert!(free(Path::new("not/there/yet")).unwrap() > 0);
    }
}
