//! The images of one camera in one episode, one after the other, however the source keeps them.

use bytes::Bytes;

use crate::depth;
use crate::image::{self, Image};
use crate::reader::Dataset;
use crate::schema::{Dtype, Feature, Info};
use crate::tables::column::Cells;
use crate::tables::episodes::{Episode, VideoPart};
use crate::video::VideoReader;
use crate::{Error, Result};

/// Where the images come from.
enum Kept {
    Files(Vec<Bytes>),
    Video { video: Box<VideoReader>, from_s: f64, fps: f64 },
}

/// The images of an episode.
pub struct Pictures<'a> {
    kept: Kept,
    episode: &'a Episode,
    camera: &'a str,
    feature: &'a Feature,
}

impl<'a> Pictures<'a> {
    /// Opens them.
    pub fn open(source: &'a Dataset, episode: &'a Episode, camera: &'a str) -> Result<Self> {
        let feature = source.info().feature(camera).ok_or_else(|| Error::Feature {
            feature: camera.to_owned(),
            what: format!("is not in {}", source.root().display()),
        })?;
        let kept = match feature.dtype {
            Dtype::Image => {
                let mut only = source.info().clone();
                only.features.retain(|(name, _)| name == camera);
                Kept::Files(files(source, episode, &only)?)
            }
            _ => {
                let part = part(episode, camera)?;
                let video = Box::new(VideoReader::open(&source.video_file(camera, part.at))?);
                let fps = f64::from(source.info().fps);
                Kept::Video { video, from_s: part.from_s, fps }
            }
        };
        Ok(Self { kept, episode, camera, feature })
    }

    /// The image of a frame as the camera saw it.
    pub fn seen(&self, kept: &Image) -> Result<Image> {
        match self.kept {
            Kept::Files(_) => Ok(kept.clone()),
            Kept::Video { .. } => depth::seen(self.camera, self.feature, kept.clone()),
        }
    }

    /// The image of a frame as it is kept: depth in a video in the steps of its scale.
    pub fn get(&mut self, frame: u64) -> Result<Image> {
        match &mut self.kept {
            Kept::Files(files) => {
                let count = files.len() as u64;
                let file = usize::try_from(frame).ok().and_then(|at| files.get(at));
                let beyond = Error::OutOfRange { what: "frame", index: frame, count };
                image::decode(file.ok_or(beyond)?).map_err(|what| Error::Frame {
                    frame: self.episode.from_index + frame,
                    feature: self.camera.to_owned(),
                    what,
                })
            }
            // Any frame but the nearest is more than half a frame away.
            Kept::Video { video, from_s, fps } => {
                video.frame_at(*from_s + frame as f64 / *fps, 0.49 / *fps)
            }
        }
    }
}

fn files(source: &Dataset, episode: &Episode, only: &Info) -> Result<Vec<Bytes>> {
    match source.rows(episode, only)?.pop() {
        Some(Cells::Images(files)) => Ok(files),
        _ => Ok(Vec::new()),
    }
}

/// Where an episode's video of a camera lies.
pub fn part<'e>(episode: &'e Episode, camera: &str) -> Result<&'e VideoPart> {
    let part = episode.videos.iter().find(|part| part.key == camera);
    part.ok_or_else(|| Error::Feature {
        feature: camera.to_owned(),
        what: format!("episode {} has no video of it", episode.index),
    })
}
