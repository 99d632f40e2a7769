//! How much of the disk a recording takes, before it begins.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sinew_datasets::schema::{Dtype, Info};

use super::dataset::bytes;
use crate::cli::report::Report;

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

/// Says how much a recording takes at most, and warns where there is less.
pub fn look(root: &Path, need: u64, report: &Report) {
    let Some(free) = free(root) else { return };
    let line =
        format!("all episodes at full length take about {}, {} are free", bytes(need), bytes(free));
    if need > free {
        report.warn(format!("{line}: what is finished is kept when the disk is full"));
    } else {
        report.note(line);
    }
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
    fn free_space_is_that_of_the_nearest_folder_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(&folder.path().join("not/there/yet")).unwrap() > 0);
        assert!(free(Path::new("not/there/yet")).unwrap() > 0);
    }
}
