//! The table of measured instants beside an episode: what the recorder's clock really said, which
//! LeRobot's `timestamp` (a multiple of the frame time) does not tell.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::episodes::Episode;
use crate::frame::{Stages, Stamps};
use crate::{Error, Result};

/// The instants of one frame and which cameras' images were repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instant {
    /// As the recorder measured them.
    pub stamps: Stamps,
    /// Whether each camera's image is the one before it once more.
    pub repeated: Vec<bool>,
}

/// A table of instants that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The cameras.
    pub cameras: Vec<String>,
    /// The number of each frame in the whole dataset, and its instants; in order.
    pub rows: Vec<(u64, Instant)>,
}

impl Instant {
    /// How many milliseconds after the joints a camera's picture was taken, where that is known.
    pub fn apart_ms(&self, camera: usize) -> Option<f64> {
        let taken = self.stamps.images_ns.get(camera).filter(|taken| **taken != 0)?;
        Some(taken.saturating_sub(self.stamps.joints_ns) as f64 / 1e6)
    }
}

impl Timing {
    /// The rows of an episode.
    pub fn of(&self, episode: &Episode) -> &[(u64, Instant)] {
        let before = |end: u64| self.rows.partition_point(|(index, _)| *index < end);
        let (from, to) = (before(episode.from_index), before(episode.to_index()));
        self.rows.get(from..to).unwrap_or_default()
    }
}

/// Writes the table of one episode.
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
    for (at, stage) in Stages::NAMES.iter().enumerate() {
        fields.push(Field::new(name_of(stage), DataType::Int64, false));
        columns.push(int(&|instant| instant.stamps.stages.list()[at]));
    }
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

/// Reads a table, of one or of several episodes.
pub fn read(path: &Path) -> Result<Timing> {
    let mut timing = Timing::default();
    for batch in super::read(path)? {
        let schema = batch.schema();
        let cameras = schema.fields().iter().filter_map(|field| {
            field.name().strip_prefix("sinew.").and_then(|name| name.strip_suffix(".captured_ns"))
        });
        timing.cameras = cameras.map(str::to_owned).collect();
        let columns = Columns { batch: &batch, path };
        let index = columns.ints("index")?;
        let (tick, joints) = (columns.ints("sinew.tick_ns")?, columns.ints("sinew.joints_ns")?);
        let late = columns.flags("sinew.late")?;
        let mut stages = Vec::new();
        for stage in Stages::NAMES.iter().filter(|_| has_stages(&schema)) {
            stages.push(columns.ints(&name_of(stage))?);
        }
        let stages = |row: usize| match stages.as_slice() {
            [wake, bus, work] => [wake[row], bus[row], work[row]].into(),
            _ => Stages::default(),
        };
        let mut instants: Vec<Instant> = (0..batch.num_rows())
            .map(|row| Instant {
                stamps: Stamps {
                    tick_ns: tick[row],
                    joints_ns: joints[row],
                    images_ns: Vec::new(),
                    late: late[row],
                    stages: stages(row),
                },
                repeated: Vec::new(),
            })
            .collect();
        for camera in &timing.cameras {
            let captured = columns.ints(&format!("sinew.{camera}.captured_ns"))?;
            let repeated = columns.flags(&format!("sinew.{camera}.repeated"))?;
            for (instant, (at, again)) in instants.iter_mut().zip(captured.iter().zip(repeated)) {
                instant.stamps.images_ns.push(*at);
                instant.repeated.push(again);
            }
        }
        let index = index.into_iter().map(i64::cast_unsigned);
        timing.rows.extend(index.zip(instants));
    }
    match timing.rows.is_sorted_by_key(|(index, _)| *index) {
        true => Ok(timing),
        false => Err(Error::malformed(path, "column index", "is not in order")),
    }
}

/// A table of before the stages were measured, with zeros for them, so that it goes with others.
pub fn complete(table: RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
    let schema = table.schema();
    let late = schema.column_with_name("sinew.late");
    let Some((late, _)) = late.filter(|_| !has_stages(&schema)) else { return Ok(table) };
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    let mut columns = table.columns().to_vec();
    let none: ArrayRef = Arc::new(Int64Array::from(vec![0; table.num_rows()]));
    for (at, stage) in (late + 1..).zip(Stages::NAMES) {
        fields.insert(at, Arc::new(Field::new(name_of(stage), DataType::Int64, false)));
        columns.insert(at, Arc::clone(&none));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn has_stages(schema: &Schema) -> bool {
    schema.column_with_name(&name_of(Stages::NAMES[0])).is_some()
}

fn name_of(stage: &str) -> String {
    format!("sinew.{stage}_ns")
}

/// Every table of instants in a dataset, and what cannot be read; none where nothing was measured.
pub fn load(root: &Path) -> (Vec<Timing>, Vec<Error>) {
    let folder = root.join("meta/sinew/timing");
    if !folder.is_dir() {
        return Default::default();
    }
    let (mut tables, mut errors) = (Vec::new(), Vec::new());
    match crate::reader::v30::files(&folder) {
        Ok(paths) => paths.iter().for_each(|path| match read(path) {
            Ok(timing) => tables.push(timing),
            Err(error) => errors.push(error),
        }),
        Err(error) => errors.push(error),
    }
    (tables, errors)
}

/// The columns of a batch that was read, each as long as the batch.
struct Columns<'a> {
    batch: &'a RecordBatch,
    path: &'a Path,
}

impl Columns<'_> {
    fn column(&self, name: &str, data_type: &DataType) -> Result<ArrayRef> {
        let wrong = |what: &str| Error::malformed(self.path, format!("column {name}"), what);
        let column = self.batch.column_by_name(name).ok_or_else(|| wrong("is missing"))?;
        match column.data_type() == data_type && column.null_count() == 0 {
            true => Ok(Arc::clone(column)),
            false => Err(wrong(&format!("is not {data_type} in every row"))),
        }
    }

    fn ints(&self, name: &str) -> Result<Vec<i64>> {
        Ok(self.column(name, &DataType::Int64)?.as_primitive::<Int64Type>().values().to_vec())
    }

    fn flags(&self, name: &str) -> Result<Vec<bool>> {
        Ok(self.column(name, &DataType::Boolean)?.as_boolean().values().iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_back_as_they_went_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.parquet");
        let instant = |n: i64| Instant {
            stamps: Stamps {
                tick_ns: n,
                joints_ns: n + 1,
                images_ns: vec![n - 2, 0],
                late: n > 3,
                stages: [n + 3, n + 4, n + 5].into(),
            },
            repeated: vec![n == 2, false],
        };
        let instants: Vec<Instant> = (0..5).map(instant).collect();
        let cameras = ["top".to_owned(), "observation.images.wrist".to_owned()];
        write(&path, 40, &cameras, &instants).unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read.cameras, cameras);
        assert_eq!(read.rows, (40..).zip(instants).collect::<Vec<_>>());
    }

    #[test]
    fn a_table_of_before_the_stages_were_measured_goes_with_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.parquet");
        let stamps = Stamps { tick_ns: 7, stages: [1, 2, 3].into(), ..Stamps::default() };
        let instant = Instant { stamps, repeated: vec![true] };
        write(&path, 0, &["top".to_owned()], &[instant]).unwrap();
        let new = super::super::read(&path).unwrap().remove(0);
        let old = new.project(&[0, 1, 2, 3, 7, 8]).unwrap();
        let completed = complete(old.clone()).unwrap();
        assert_eq!(completed.schema(), new.schema());
        assert_eq!(complete(new.clone()).unwrap(), new);
        for (table, stages) in [(old, [0; 3]), (completed, [0; 3]), (new, [1, 2, 3])] {
            super::super::write(&path, &table.schema(), &[table]).unwrap();
            let (_, read) = read(&path).unwrap().rows.remove(0);
            assert_eq!((read.stamps.tick_ns, read.stamps.stages), (7, stages.into()));
            assert_eq!(read.repeated, [true]);
        }
    }
}
