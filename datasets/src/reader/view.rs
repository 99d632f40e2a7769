//! What training looks at: the frames of some episodes, each with neighbours in time.

use std::ops::Range;

use super::Dataset;
use crate::frame::Value;
use crate::image::Image;
use crate::schema::Dtype;
use crate::{Error, Result};

/// Which neighbours of a frame are wanted, as steps in frames, by feature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deltas(Vec<(String, Vec<i64>)>);

impl Deltas {
    /// From times in seconds, which must be multiples of the frame time within the tolerance.
    pub fn from_seconds(fps: u32, wanted: &[(&str, &[f64])], tolerance_s: f64) -> Result<Self> {
        let fps = f64::from(fps);
        let steps = |(name, times): &(&str, &[f64])| {
            let step = |time: &f64| {
                let frames = (time * fps).round_ties_even();
                match (time * fps - frames).abs() / fps <= tolerance_s {
                    true => Ok(frames as i64),
                    false => Err(Error::Feature {
                        feature: (*name).to_owned(),
                        what: format!("{time} s is not a multiple of 1/{fps} s"),
                    }),
                }
            };
            Ok(((*name).to_owned(), times.iter().map(step).collect::<Result<_>>()?))
        };
        Ok(Self(wanted.iter().map(steps).collect::<Result<_>>()?))
    }

    /// The steps wanted of a feature; none: only the frame itself.
    fn of(&self, name: &str) -> Option<&[i64]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, steps)| &steps[..])
    }
}

/// What one feature holds in a frame and its neighbours.
#[derive(Clone, Debug, PartialEq)]
pub enum Series {
    /// The values, one step after the other.
    Values(Value),
    /// An image per step.
    Images(Vec<Image>),
}

/// One frame with its neighbours.
#[derive(Clone, Debug)]
pub struct Item {
    /// The number of the frame in the dataset.
    pub index: u64,
    /// The episode.
    pub episode: u64,
    /// What is done in it.
    pub task: String,
    /// Every feature in order.
    pub features: Vec<(String, Series)>,
    /// Of the features that neighbours are wanted of: which lie outside the episode, so that the
    /// nearest frame stands for them.
    pub padded: Vec<(String, Vec<bool>)>,
}

impl Item {
    /// What the item holds of a feature.
    pub fn get(&self, name: &str) -> Option<&Series> {
        self.features.iter().find(|(known, _)| known == name).map(|(_, series)| series)
    }
}

/// The frames of some episodes.
pub struct View<'a> {
    dataset: &'a Dataset,
    deltas: Deltas,
    /// The frames, as ranges that follow each other, with how many come before each.
    ranges: Vec<(u64, Range<u64>)>,
    length: u64,
}

impl<'a> View<'a> {
    /// The frames of these episodes, of all where none are named.
    pub fn new(dataset: &'a Dataset, deltas: Deltas, episodes: Option<&[u64]>) -> Result<Self> {
        for (name, _) in &deltas.0 {
            let feature = dataset.info().feature(name);
            let refuse =
                |what: &str| Error::Feature { feature: name.clone(), what: what.to_owned() };
            match feature.map(|feature| feature.dtype) {
                None => return Err(refuse("there is no such feature to take neighbours of")),
                Some(Dtype::Text) => return Err(refuse("a text has no neighbours in time")),
                Some(_) => {}
            }
        }
        let ranges: Vec<Range<u64>> = match episodes {
            None => std::iter::once(0..dataset.len()).collect(),
            Some(wanted) => {
                let range = |index: &u64| {
                    dataset.episode(*index).map(|episode| episode.from_index..episode.to_index())
                };
                wanted.iter().map(range).collect::<Result<_>>()?
            }
        };
        let mut length = 0;
        let counted = ranges.into_iter().map(|range| {
            let before = length;
            length += range.end - range.start;
            (before, range)
        });
        let ranges = counted.collect();
        Ok(Self { dataset, deltas, ranges, length })
    }

    /// How many frames there are.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The frame at a place in this view.
    pub fn item(&self, at: u64) -> Result<Item> {
        let beyond = Error::OutOfRange { what: "frame", index: at, count: self.length };
        let after = self.ranges.partition_point(|(before, _)| *before <= at);
        let Some((before, range)) = after.checked_sub(1).and_then(|found| self.ranges.get(found))
        else {
            return Err(beyond);
        };
        match range.start + (at - before) {
            frame if frame < range.end => self.item_at(frame),
            _ => Err(beyond),
        }
    }

    /// The frame of this number in the dataset.
    pub(super) fn item_at(&self, frame: u64) -> Result<Item> {
        let episode = self.dataset.episode_of(frame)?;
        let bounds = episode.from_index..episode.to_index();
        let mut features = Vec::new();
        let mut padded = Vec::new();
        for (name, feature) in &self.dataset.info().features {
            let steps = self.deltas.of(name);
            let wanted = |step: &i64| frame.checked_add_signed(*step);
            let clamped = |step: &i64| {
                let moved = wanted(step).unwrap_or(if *step < 0 { 0 } else { u64::MAX });
                moved.clamp(bounds.start, bounds.end - 1)
            };
            let picks: Vec<u64> = steps.unwrap_or(&[0]).iter().map(clamped).collect();
            if let Some(steps) = steps {
                let outside = |step: &i64| !wanted(step).is_some_and(|at| bounds.contains(&at));
                padded.push((name.clone(), steps.iter().map(outside).collect()));
            }
            let series = match feature.is_camera() {
                true => {
                    let images = picks.iter().map(|pick| self.dataset.image(name, *pick));
                    Series::Images(images.collect::<Result<_>>()?)
                }
                false => Series::Values(self.dataset.picked(name, &picks)?),
            };
            features.push((name.clone(), series));
        }
        let task = self.dataset.values("task_index", frame, 1)?.int().unwrap_or(-1);
        let count = self.dataset.tasks().len() as u64;
        let known = usize::try_from(task).ok().and_then(|task| self.dataset.tasks().get(task));
        let task = known.cloned().ok_or(Error::OutOfRange {
            what: "task",
            index: task.cast_unsigned(),
            count,
        })?;
        Ok(Item { index: frame, episode: episode.index, task, features, padded })
    }
}
