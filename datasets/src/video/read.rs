//! A video's frames by their time or number.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::VideoInfo;
use super::decode::{Decoder, Ready};
use super::mp4::read::{bytes, track};
use super::mp4::{Sample, Track};
use super::source::{FileSource, ReadAt};
use crate::error::{Error, Result};
use crate::image::Image;

/// How many decoded frames are kept: enough for what a policy looks back.
const KEPT: usize = 8;

/// So near to its keyframe a frame is sooner decoded again than copied in case somebody wants it.
const NEAR: usize = 2;

/// How many pictures a decoder may hold back at most.
const MOST_HELD_BACK: usize = 17;

/// How many keyframes are begun at before a frame is given up. HEVC has keyframes after which some
/// pictures come that need those before it.
const MOST_BEGINNINGS: usize = 3;

/// Reads one video.
pub struct VideoReader {
    path: PathBuf,
    source: Box<dyn ReadAt>,
    track: Track,
    info: VideoInfo,
    /// The samples in the order in which they are shown.
    shown: Vec<u32>,
    running: Option<Running>,
    kept: VecDeque<(i64, Image)>,
}

/// A decoder in the middle of the video.
struct Running {
    decoder: Decoder,
    /// The sample that it takes next.
    next: usize,
}

impl VideoReader {
    /// Opens a file; reads only its tables.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_source(path, Box::new(FileSource::open(path)?))
    }

    /// Opens a video whose bytes lie elsewhere; `name` stands for it in errors.
    pub fn from_source(name: &Path, mut source: Box<dyn ReadAt>) -> Result<Self> {
        let track = track(source.as_mut(), name)?;
        let info = track.info();
        let mut shown: Vec<u32> = (0..).take(track.samples.len()).collect();
        let time = |index: &u32| track.samples.get(*index as usize).map(|sample| sample.pts);
        shown.sort_by_key(time);
        let kept = VecDeque::with_capacity(KEPT);
        Ok(Self { path: name.to_owned(), source, track, info, shown, running: None, kept })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the video says about itself.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// When each frame is shown, in seconds, in the order in which they are shown.
    pub fn times(&self) -> impl Iterator<Item = f64> {
        let samples = self.shown.iter().filter_map(|at| self.track.samples.get(*at as usize));
        samples.map(|sample| self.track.seconds(sample.pts))
    }

    /// The frame nearest to a time, which must be within the tolerance.
    pub fn frame_at(&mut self, time_s: f64, tolerance_s: f64) -> Result<Image> {
        let seconds = |index: &u32| {
            let sample = self.track.samples.get(*index as usize);
            sample.map_or(f64::NAN, |sample| self.track.seconds(sample.pts))
        };
        let after = self.shown.partition_point(|index| seconds(index) < time_s);
        let around = self.shown.get(after.saturating_sub(1)..).unwrap_or_default().iter().take(2);
        let distance = |index: &&u32| (seconds(index) - time_s).abs();
        let nearest = around.min_by(|a, b| distance(a).total_cmp(&distance(b))).copied();
        let nearest_s = nearest.as_ref().map_or(f64::NAN, seconds);
        match nearest {
            Some(index) if (nearest_s - time_s).abs() <= tolerance_s => self.sample(index as usize),
            _ => Err(Error::NoFrameAt {
                wanted_s: time_s,
                nearest_s,
                tolerance_s,
                path: self.path.clone(),
            }),
        }
    }

    /// The frame with this number, counted from 0 in the order in which they are shown.
    pub fn frame(&mut self, n: u64) -> Result<Image> {
        let index = usize::try_from(n).ok().and_then(|n| self.shown.get(n)).copied();
        let count = self.info.frames;
        let index = index.ok_or(Error::OutOfRange { what: "video frame", index: n, count })?;
        self.sample(index as usize)
    }

    fn sample(&mut self, index: usize) -> Result<Image> {
        let Some(wanted) = self.track.samples.get(index).copied() else {
            return Err(Error::OutOfRange {
                what: "video frame",
                index: index as u64,
                count: self.info.frames,
            });
        };
        if let Some((_, image)) = self.kept.iter().find(|(pts, _)| *pts == wanted.pts) {
            return Ok(image.clone());
        }
        let decoded = self.decode(index, wanted);
        if decoded.is_err() {
            self.running = None;
        }
        decoded
    }

    fn decode(&mut self, index: usize, wanted: Sample) -> Result<Image> {
        let mut key = self.keyframe_before(index)?;
        for _ in 0..MOST_BEGINNINGS {
            if let Some(image) = self.decode_from(key, index, wanted)? {
                return Ok(image);
            }
            self.running = None;
            key = self.keyframe_before(key.saturating_sub(1))?;
        }
        Err(Error::Video {
            what: format!("frame {index} cannot be decoded"),
            path: self.path.clone(),
        })
    }

    /// The image of a sample, if it comes out of a decoder that begins at this keyframe.
    fn decode_from(&mut self, key: usize, index: usize, wanted: Sample) -> Result<Option<Image>> {
        let mut running = self.decoder_for(index, key, wanted.pts)?;
        // Some decoders hand out a picture only once they have seen what follows it.
        let mut ready = Ready::from(self.first_kept(key, index, wanted));
        let last = index.saturating_add(MOST_HELD_BACK).min(self.track.samples.len() - 1);
        while running.next <= index || (running.next <= last && ready.get(wanted.pts).is_none()) {
            self.feed(&mut running, &mut ready)?;
        }
        if ready.get(wanted.pts).is_some() {
            self.running = Some(running);
        } else {
            running.decoder.end(&self.path, &mut ready)?;
        }
        let image = ready.get(wanted.pts).cloned();
        for frame in ready.into_images() {
            if self.kept.len() >= KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(frame);
        }
        Ok(image)
    }

    /// From when on the frames are kept that a decoder makes on its way from a keyframe to a sample.
    fn first_kept(&self, key: usize, index: usize, wanted: Sample) -> i64 {
        if index - key < NEAR {
            return wanted.pts;
        }
        let time = |at: &u32| self.track.samples.get(*at as usize).map(|sample| sample.pts);
        let before = self.shown.partition_point(|at| time(at) < Some(wanted.pts));
        let first = self.shown.get((before + 1).saturating_sub(KEPT));
        first.and_then(time).unwrap_or(wanted.pts)
    }

    /// A decoder on its way to a sample, which goes on where it is unless the keyframe before the
    /// sample is further on.
    fn decoder_for(&mut self, index: usize, key: usize, pts: i64) -> Result<Running> {
        if let Some(mut running) = self.running.take() {
            let on_its_way = running.next >= key && running.next <= index;
            if on_its_way || running.decoder.holds(pts) {
                return Ok(running);
            }
            if running.decoder.jump() {
                return Ok(Running { next: key, ..running });
            }
        }
        Ok(Running { decoder: Decoder::new(&self.track, &self.path)?, next: key })
    }

    /// Decodes the next sample.
    fn feed(&mut self, running: &mut Running, ready: &mut Ready) -> Result<()> {
        let Some(sample) = self.track.samples.get(running.next) else { return Ok(()) };
        let end = sample.offset + u64::from(sample.size);
        let coded = bytes(self.source.as_mut(), &self.path, sample.offset, end)?;
        running.next += 1;
        running.decoder.feed(coded, sample.pts, &self.path, ready)
    }

    fn keyframe_before(&self, index: usize) -> Result<usize> {
        let before = self.track.samples.get(..=index).unwrap_or_default();
        before.iter().rposition(|sample| sample.keyframe).ok_or_else(|| Error::Video {
            what: format!("there is no keyframe before frame {index}"),
            path: self.path.clone(),
        })
    }
}
