//! What the cameras of a loop see, a few times a second.
//!
//! Pictures are taken from the cameras' newest and coded on the viewer's thread, one between two looks
//! at the loop's ticks. On a machine that is slow at it there are fewer of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use re_sdk::{EntityPath, RecordingStream};
use re_sdk_types::archetypes::EncodedImage;
use re_sdk_types::components::MediaType;
use sinew_drivers::Nanos;
use sinew_drivers::camera::{Camera, Shot};

use super::blueprint::entity;
use super::dataset::Wrong;
use crate::cameras::jpeg::jpeg;
use crate::cameras::{feature_of, image};

/// From one picture of a camera to the next: a little less than three at 30 a second.
const EVERY: Duration = Duration::from_millis(95);
/// Coding rests so many times as long as it took: it never has more than a quarter of a core.
const REST: u32 = 3;
/// What a picture is worth that is looked at once.
const QUALITY: u8 = 80;

/// The cameras of a loop.
pub struct Pictures {
    cameras: Arc<[Camera]>,
    eyes: Vec<Eye>,
    /// Whose turn it is.
    turn: usize,
    /// When coding has rested.
    rested: Instant,
    /// What became of them.
    pub counts: Counts,
}

/// What became of the cameras' pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Shown.
    pub shown: u64,
    /// Taken in between, and not shown.
    pub left_out: u64,
    /// What coding those took that were shown.
    pub took: Duration,
}

/// What was shown of one camera.
struct Eye {
    entity: EntityPath,
    number: u64,
    due: Instant,
}

impl Pictures {
    /// None shown yet.
    pub fn new(cameras: Arc<[Camera]>) -> Self {
        let now = Instant::now();
        let eye = |entity| Eye { entity, number: 0, due: now };
        let eyes = entities(&cameras).into_iter().map(eye).collect();
        Self { cameras, eyes, turn: 0, rested: now, counts: Counts::default() }
    }

    /// Shows a camera's newest picture, if one is new and it is time for it. Instants are on the
    /// cameras' clock, and `wall` is what makes them times of day.
    pub fn show(&mut self, recording: &RecordingStream, wall: Nanos) -> Result<(), Wrong> {
        let now = Instant::now();
        let Some((entity, shot)) = self.next(now) else { return Ok(()) };
        let image =
            image(&shot).ok_or_else(|| Wrong::Picture("a picture without pixels".into()))?;
        let file = jpeg(&image, QUALITY).map_err(Wrong::Picture)?;
        let archetype =
            EncodedImage::update_fields().with_media_type(MediaType::jpeg()).with_blob(file);
        recording.set_timestamp_nanos_since_epoch("time", wall.saturating_add(shot.at));
        recording.log(entity, &archetype)?;
        let took = now.elapsed();
        self.rested = now + took * (1 + REST);
        self.counts.shown += 1;
        self.counts.took += took;
        Ok(())
    }

    /// The first camera that has something to show, beginning behind the one that was last.
    fn next(&mut self, now: Instant) -> Option<(EntityPath, Arc<Shot>)> {
        if now < self.rested {
            return None;
        }
        let count = self.eyes.len();
        (self.turn..self.turn + count).find_map(|turn| {
            let at = turn % count;
            let (camera, eye) = (self.cameras.get(at)?, self.eyes.get_mut(at)?);
            let shot = camera.newest().filter(|shot| now >= eye.due && shot.number > eye.number)?;
            if eye.number > 0 {
                self.counts.left_out += shot.number - eye.number - 1;
            }
            (eye.number, eye.due, self.turn) = (shot.number, now + EVERY, at + 1);
            Some((eye.entity.clone(), shot))
        })
    }
}

/// The cameras' entities, named as datasets name them.
pub fn entities(cameras: &[Camera]) -> Vec<EntityPath> {
    cameras.iter().map(|camera| entity(&feature_of(camera.name()))).collect()
}

#[cfg(test)]
mod tests {
    use sinew_drivers::Clock;
    use sinew_drivers::camera::{CameraSpec, Origin, PATIENCE, Settings};

    use super::*;
    use crate::cameras::device;
    use crate::view::rerun::dataset::tests::Kept;

    fn cameras() -> Arc<[Camera]> {
        let (origin, settings) = (Origin::Pattern, Settings::default());
        let spec = CameraSpec { origin, width: 64, height: 48, fps: 100, settings };
        let start =
            |name| Camera::start(name, device(name, &spec), &Clock::Real, PATIENCE).unwrap();
        ["front", "side"].map(start).into()
    }

    #[test]
    fn every_camera_has_its_turn_and_what_is_left_out_is_counted() {
        let (kept, mut pictures) = (Kept::default(), Pictures::new(cameras()));
        let recording = kept.recording();
        while pictures.counts.shown < 6 {
            pictures.show(&recording, 0).unwrap();
            std::thread::yield_now();
        }
        recording.flush_blocking().unwrap();
        for name in ["front", "side"] {
            let entity = format!("/observation.images.{name}");
            assert_eq!(kept.rows(&entity, "EncodedImage:blob"), 3, "{name}");
        }
        let taken = pictures.eyes.iter().map(|eye| eye.number).sum::<u64>();
        let counts = pictures.counts;
        assert!(counts.left_out > 6 && counts.shown + counts.left_out <= taken, "{counts:?}");
    }

    #[test]
    fn a_camera_shows_no_picture_twice_and_coding_rests() {
        let mut pictures = Pictures::new(cameras());
        let now = Instant::now();
        let (entity, shot) = pictures.next(now).unwrap();
        let (other, _) = pictures.next(now).unwrap();
        assert_ne!(entity, other);
        assert!(pictures.next(now).is_none(), "both have just been shown");
        let later = now + EVERY;
        pictures.rested = later + EVERY;
        assert!(pictures.next(later).is_none());
        pictures.rested = later;
        pictures.eyes.iter_mut().for_each(|eye| eye.number = u64::MAX);
        assert!(pictures.next(later).is_none());
        assert!(shot.number > 0);
    }
}
