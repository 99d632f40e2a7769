//! Encodes what a camera's images still waited for when an episode was cut off.

use std::path::Path;

use super::camera::{Files, read_images};
use super::counts;
use super::encoder::Encoder;
use super::journal::Contents;
use super::queue::Job;
use super::spool::{halves, spooled};
use crate::schema::Dtype;
use crate::{Error, Result, video};

/// Adds the frames that lie in the spools behind the whole frames of the videos, as far as there are
/// rows for them. Can be cut off and done again: what it adds is what the recording would have added.
pub fn catch_up(folder: &Path, contents: &Contents) -> Result<()> {
    let (info, rows) = (&contents.info, contents.rows.len());
    for (key, feature) in info.features.iter().filter(|(_, feature)| feature.is_camera()) {
        let files = Files::of(folder, key, feature.dtype);
        if !halves(&files.spool).iter().any(|half| half.exists()) {
            continue;
        }
        let mut sums = counts::read(&files.counts, feature)?;
        sums.truncate(rows);
        let whole = match feature.dtype {
            Dtype::Video => video::whole_frames(&files.images, &sums)?,
            _ => read_images(&files.images)?.len() as u64,
        };
        sums.truncate(usize::try_from(whole).unwrap_or(usize::MAX));
        let Some(frames) = spooled(&files.spool, sums.len() as u64)? else { continue };
        let mut shots = frames.take(rows - sums.len()).peekable();
        if shots.peek().is_none() {
            continue;
        }
        let Some(coding) = &contents.coding else {
            let what = "the encoder of this recording is not known here; recover it with the build \
                        that recorded it";
            return Err(Error::Video { what: what.into(), path: files.images });
        };
        let mut encoder = Encoder::resume(files, (key, feature), info.fps, coding, &sums)?;
        for (at, shot) in shots.enumerate() {
            // A new encoder has no last image.
            let again = shot.again && at > 0;
            encoder.encode(if again { Job::Repeat } else { Job::New(shot.image) })?;
        }
        encoder.end()?;
    }
    Ok(())
}
