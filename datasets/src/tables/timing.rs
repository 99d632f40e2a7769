//! The table of measured instants beside an episode: what the recorder's clock really said, which
//! LeRobot's `timestamp` (a multiple of the frame time) does not tell.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;

use crate::frame::Stamps;
use crate::{Error, Result};

/// The instants of one frame and which cameras' images were repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instant {
    /// As the recorder measured them.
    pub stamps: Stamps,
    /// Whether each camera's image is the one before it once more.
    pub repeated: Vec<bool>,
}

/// Writes the table of one episode, durably.
pub fn write(
    path: &Path,
    first_index: u64,
    cameras: &[String],
    instants: &[Instant],
) -> Result<()> {
    let mut fields = vec![
        Field::new("index", DataType::Int64, false),
        Field::new("sinew.tick_ns", DataType::Int64, false),
        Field::new("sinew.joints_ns", DataType::Int64, false),
        Field::new("sinew.late", DataType::Boolean, false),
    ];
    let int = |value: &dyn Fn(&Instant) -> i64| -> ArrayRef {
        Arc::new(instants.iter().map(value).collect::<Int64Array>())
    };
    let flag = |value: &dyn Fn(&Instant) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from(instants.iter().map(value).collect::<Vec<bool>>()))
    };
    let index: Int64Array =
        (0..instants.len() as i64).map(|n| first_index.cast_signed() + n).collect();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(index),
        int(&|instant| instant.stamps.tick_ns),
        int(&|instant| instant.stamps.joints_ns),
        flag(&|instant| instant.stamps.late),
    ];
    for (at, camera) in cameras.iter().enumerate() {
        fields.push(Field::new(format!("sinew.{camera}.captured_ns"), DataType::Int64, false));
        columns.push(int(&|instant| instant.stamps.images_ns.get(at).copied().unwrap_or(0)));
        fields.push(Field::new(format!("sinew.{camera}.repeated"), DataType::Boolean, false));
        columns.push(flag(&|instant| instant.repeated.get(at).copied().unwrap_or(false)));
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
        .map_err(|error| Error::Refused { what: error.to_string() })?;
    super::write(path, &schema, &[batch])
}
