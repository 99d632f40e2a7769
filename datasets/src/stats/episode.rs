//! The statistics of one feature in one episode, from the rows while recording, or from a dataset
//! that is read.

use super::{Stats, image, vector};
use crate::Result;
use crate::frame::Value;
use crate::reader::Dataset;
use crate::schema::{Dtype, Feature};
use crate::tables::column::Cells;
use crate::tables::episodes::Episode;

/// The statistics of a column; none of texts, and none without rows.
///
/// LeRobot takes the statistics of `timestamp` before it rounds the column to 32 bits.
pub fn of_column(name: &str, feature: &Feature, cells: &Cells, fps: u32) -> Option<Stats> {
    let Cells::Numbers(bytes) = cells else { return None };
    let row = feature.dtype.bytes()? * feature.width();
    let frames = bytes.len().checked_div(row)?;
    let width = usize::try_from(*feature.shape.last()?).ok()?;
    if name == "timestamp" {
        let exact: Vec<f64> = (0..frames).map(|frame| frame as f64 / f64::from(fps)).collect();
        return vector::of(&exact, 1, frames as u64);
    }
    use Dtype::{Bool, F32, I8, I16, U8, U16};
    match Value::read(feature.dtype, bytes) {
        Value::F32(values) => vector::of(&values, width, frames as u64),
        // numpy computes with what fits into 32 bits in 32 bits.
        other if matches!(feature.dtype, Bool | F32 | I8 | I16 | U8 | U16) => {
            let values: Vec<f32> = other.numbers().iter().map(|value| *value as f32).collect();
            vector::of(&values, width, frames as u64)
        }
        other => vector::of(&other.numbers(), width, frames as u64),
    }
}

/// The statistics of a feature of an episode that is read, as LeRobot would compute them; of a video
/// from its decoded frames.
pub fn of_episode(dataset: &Dataset, episode: &Episode, name: &str) -> Result<Option<Stats>> {
    let Some(feature) = dataset.info().feature(name) else { return Ok(None) };
    match feature.dtype {
        Dtype::Text => Ok(None),
        Dtype::Image | Dtype::Video => image::of(feature, episode.length, |frame| {
            let image = dataset.image(name, episode.from_index + frame)?;
            Ok(image::Digest::of(&image))
        }),
        _ => {
            let cells = dataset.cells(name, episode.from_index, episode.length)?;
            Ok(of_column(name, feature, &cells, dataset.info().fps))
        }
    }
}
