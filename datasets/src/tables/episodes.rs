//! The table of episodes: where each one's frames and videos lie, and its statistics.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;

use crate::stats::{AllStats, Stats};
use crate::{Error, Result};

/// Which file of which chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileAt {
    /// The chunk.
    pub chunk: u64,
    /// The file in it.
    pub file: u64,
}

impl FileAt {
    /// The place after this one.
    pub fn next(self, chunks_size: u64) -> Self {
        match self.file + 1 {
            file if file < chunks_size => Self { file, ..self },
            _ => Self { chunk: self.chunk + 1, file: 0 },
        }
    }
}

/// Where an episode's video of one camera lies.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoPart {
    /// The camera.
    pub key: String,
    /// The file.
    pub at: FileAt,
    /// When the episode begins in it.
    pub from_s: f64,
    /// When it ends.
    pub to_s: f64,
}

/// One episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Its number.
    pub index: u64,
    /// What was done in it.
    pub tasks: Vec<String>,
    /// How many frames it has.
    pub length: u64,
    /// The file with its rows.
    pub data: FileAt,
    /// The number of its first frame in the whole dataset.
    pub from_index: u64,
    /// Its videos.
    pub videos: Vec<VideoPart>,
    /// Its statistics; empty where they were not read.
    pub stats: AllStats,
    /// The file with this row itself.
    pub meta: FileAt,
}

impl Episode {
    /// The number after its last frame's.
    pub fn to_index(&self) -> u64 {
        self.from_index + self.length
    }
}

/// Writes a table of episodes. All must have the same cameras and statistics.
pub fn write(path: &Path, episodes: &[Episode]) -> Result<()> {
    let Some(first) = episodes.first() else { return Ok(()) };
    let mut table = Table { episodes, fields: Vec::new(), columns: Vec::new() };
    table.int("episode_index", |episode| episode.index);
    table.texts("tasks", |episode| &episode.tasks);
    table.int("length", |episode| episode.length);
    table.int("data/chunk_index", |episode| episode.data.chunk);
    table.int("data/file_index", |episode| episode.data.file);
    table.int("dataset_from_index", |episode| episode.from_index);
    table.int("dataset_to_index", Episode::to_index);
    for (at, video) in first.videos.iter().enumerate() {
        let name = |column: &str| format!("videos/{}/{column}", video.key);
        let part = |episode: &Episode| episode.videos.get(at).cloned();
        table.int(&name("chunk_index"), |episode| part(episode).map_or(0, |part| part.at.chunk));
        table.int(&name("file_index"), |episode| part(episode).map_or(0, |part| part.at.file));
        table.float(&name("from_timestamp"), |e| part(e).map_or(0.0, |part| part.from_s));
        table.float(&name("to_timestamp"), |e| part(e).map_or(0.0, |part| part.to_s));
    }
    for (feature, stats) in &first.stats {
        table.stats(feature, stats)?;
    }
    table.int("meta/episodes/chunk_index", |episode| episode.meta.chunk);
    table.int("meta/episodes/file_index", |episode| episode.meta.file);
    let schema = Arc::new(Schema::new(table.fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), table.columns)
        .map_err(|error| Error::Refused { what: error.to_string() })?;
    super::write(path, &schema, &[batch])
}

/// The columns of a table as they are put together.
struct Table<'a> {
    episodes: &'a [Episode],
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Table<'_> {
    fn add(&mut self, name: &str, column: ArrayRef) {
        self.fields.push(Field::new(name, column.data_type().clone(), true));
        self.columns.push(column);
    }

    fn int(&mut self, name: &str, value: impl Fn(&Episode) -> u64) {
        let values = self.episodes.iter().map(|episode| value(episode).cast_signed());
        let column: Int64Array = values.collect();
        self.add(name, Arc::new(column));
    }

    fn float(&mut self, name: &str, value: impl Fn(&Episode) -> f64) {
        let column: Float64Array = self.episodes.iter().map(value).collect();
        self.add(name, Arc::new(column));
    }

    fn texts(&mut self, name: &str, value: impl Fn(&Episode) -> &Vec<String>) {
        let lengths = OffsetBuffer::from_lengths(self.episodes.iter().map(|e| value(e).len()));
        let texts: Vec<&String> = self.episodes.iter().flat_map(value).collect();
        let texts = StringArray::from_iter_values(texts);
        let list = ListArray::new(element(DataType::Utf8), lengths, Arc::new(texts), None);
        self.add(name, Arc::new(list));
    }

    /// The columns of one feature's statistics. Of an episode without them: empty lists.
    fn stats(&mut self, feature: &str, like: &Stats) -> Result<()> {
        let of = |episode: &Episode| {
            let found = episode.stats.iter().find(|(name, _)| name == feature);
            found.map(|(_, stats)| stats.clone())
        };
        let counts: Int64Array = self
            .episodes
            .iter()
            .map(|e| of(e).map_or(0, |stats| stats.count.cast_signed()))
            .collect();
        for (name, _) in like.lists() {
            let lists: Vec<Vec<f64>> = self.episodes.iter().map(|e| named(of(e), name)).collect();
            let flat: Float64Array = lists.iter().flatten().copied().collect();
            let mut inner: ArrayRef = Arc::new(flat);
            if like.of_image {
                for _ in 0..2 {
                    inner = Arc::new(list_of(inner.clone(), std::iter::repeat_n(1, inner.len()))?);
                }
            }
            let list = list_of(inner, lists.iter().map(Vec::len))?;
            self.add(&format!("stats/{feature}/{name}"), Arc::new(list));
            if name == "std" {
                let list = list_of(Arc::new(counts.clone()), std::iter::repeat_n(1, counts.len()))?;
                self.add(&format!("stats/{feature}/count"), Arc::new(list));
            }
        }
        Ok(())
    }
}

fn named(stats: Option<Stats>, name: &str) -> Vec<f64> {
    let Some(stats) = stats else { return Vec::new() };
    stats.lists().find(|(known, _)| *known == name).map_or(Vec::new(), |(_, list)| list.to_vec())
}

fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, true))
}

fn list_of(inner: ArrayRef, lengths: impl IntoIterator<Item = usize>) -> Result<ListArray> {
    let field = element(inner.data_type().clone());
    ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), inner, None)
        .map_err(|error| Error::Refused { what: error.to_string() })
}

/// Reads a table of episodes; `cameras` are the keys of the videos, `stats` tells whether the
/// statistics are wanted (they are most of the table).
pub fn read(path: &Path, cameras: &[&str], stats: bool) -> Result<Vec<Episode>> {
    let builder = super::open(path)?;
    let wanted: Vec<usize> = builder
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| stats || !field.name().starts_with("stats/"))
        .map(|(at, _)| at)
        .collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let reader = super::unpack(path, builder.with_projection(mask))?;
    let mut episodes = Vec::new();
    for batch in reader {
        let batch = batch?;
        let rows = Rows { batch: &batch, path };
        for row in 0..batch.num_rows() {
            episodes.push(rows.episode(row, cameras, stats)?);
        }
    }
    Ok(episodes)
}

/// The rows of a batch that was read.
struct Rows<'a> {
    batch: &'a RecordBatch,
    path: &'a Path,
}

impl Rows<'_> {
    fn wrong(&self, column: &str, row: usize, what: &str) -> Error {
        Error::malformed(self.path, format!("column {column}, row {row}"), what)
    }

    fn column(&self, name: &str, as_type: &DataType, row: usize) -> Result<ArrayRef> {
        let column = self.batch.column_by_name(name);
        let column = column.ok_or_else(|| self.wrong(name, row, "is missing"))?.slice(row, 1);
        if column.is_null(0) {
            return Err(self.wrong(name, row, "has no value"));
        }
        arrow::compute::cast(&column, as_type).map_err(|e| self.wrong(name, row, &e.to_string()))
    }

    fn int(&self, name: &str, row: usize) -> Result<u64> {
        let column = self.column(name, &DataType::Int64, row)?;
        let value = column.as_primitive::<Int64Type>().value(0);
        u64::try_from(value).map_err(|_negative| self.wrong(name, row, &format!("is {value}")))
    }

    fn float(&self, name: &str, row: usize) -> Result<f64> {
        let column = self.column(name, &DataType::Float64, row)?;
        let value = column.as_primitive::<Float64Type>().value(0);
        match value.is_finite() {
            true => Ok(value),
            false => Err(self.wrong(name, row, &format!("is {value}"))),
        }
    }

    fn at(&self, prefix: &str, row: usize) -> Result<FileAt> {
        Ok(FileAt {
            chunk: self.int(&format!("{prefix}/chunk_index"), row)?,
            file: self.int(&format!("{prefix}/file_index"), row)?,
        })
    }

    fn episode(&self, row: usize, cameras: &[&str], stats: bool) -> Result<Episode> {
        let videos = cameras.iter().map(|key| {
            Ok(VideoPart {
                key: (*key).to_owned(),
                at: self.at(&format!("videos/{key}"), row)?,
                from_s: self.float(&format!("videos/{key}/from_timestamp"), row)?,
                to_s: self.float(&format!("videos/{key}/to_timestamp"), row)?,
            })
        });
        let (from_index, length) = (self.int("dataset_from_index", row)?, self.int("length", row)?);
        let to_index = self.int("dataset_to_index", row)?;
        if from_index.checked_add(length) != Some(to_index) {
            let what = format!("is {to_index}, not dataset_from_index + length");
            return Err(self.wrong("dataset_to_index", row, &what));
        }
        Ok(Episode {
            index: self.int("episode_index", row)?,
            tasks: self.texts("tasks", row),
            length,
            data: self.at("data", row)?,
            from_index,
            videos: videos.collect::<Result<_>>()?,
            stats: if stats { self.stats(row) } else { AllStats::new() },
            meta: self.at("meta/episodes", row).unwrap_or_default(),
        })
    }

    fn texts(&self, name: &str, row: usize) -> Vec<String> {
        let Some(column) = self.batch.column_by_name(name) else { return Vec::new() };
        let Some(list) = list_at(column, row) else { return Vec::new() };
        let Ok(texts) = arrow::compute::cast(&list, &DataType::Utf8) else { return Vec::new() };
        texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
    }

    /// Every feature's statistics that are whole; what is not is for `verify` to tell.
    fn stats(&self, row: usize) -> AllStats {
        let schema = self.batch.schema();
        let names = schema.fields().iter().filter_map(|field| {
            field.name().strip_prefix("stats/").and_then(|name| name.strip_suffix("/mean"))
        });
        let one = |feature: &str| {
            let list = |name: &str| {
                let column = self.batch.column_by_name(&format!("stats/{feature}/{name}"))?;
                let mut inner = list_at(column, row)?;
                let mut depth = 1;
                while let Some(list) = inner.as_list_opt::<i32>() {
                    let offsets = list.value_offsets();
                    let (from, to) = (offsets[0] as usize, offsets[list.len()] as usize);
                    inner = list.values().slice(from, to - from);
                    depth += 1;
                }
                let numbers = arrow::compute::cast(&inner, &DataType::Float64).ok()?;
                let numbers = numbers.as_primitive::<Float64Type>();
                Some((depth, numbers.iter().flatten().collect::<Vec<f64>>()))
            };
            let count = *list("count")?.1.first()? as u64;
            let of_image = list("mean")?.0 == 3;
            Stats::from_lists(of_image, count, |name| Some(list(name)?.1))
        };
        names.filter_map(|feature| Some((feature.to_owned(), one(feature)?))).collect()
    }
}

/// The list in this row of a column of lists.
fn list_at(column: &ArrayRef, row: usize) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::List(_) if column.is_valid(row) => Some(column.as_list::<i32>().value(row)),
        DataType::LargeList(_) if column.is_valid(row) => Some(column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) if column.is_valid(row) => {
            Some(column.as_fixed_size_list().value(row))
        }
        _ => None,
    }
}
