//! What a dataset's files say of what info.json should: the columns of the rows, the cameras, the rate.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use crate::image::{self, PixelFormat};
use crate::reader::{TOLERANCE_S, v30};
use crate::schema::{BUILT_IN, Dtype, Feature, Version};
use crate::tables::column::{self, Cells};
use crate::video::{Footage, VideoInfo};
use crate::{Error, Result, Value, tables};

/// How many rows are looked at.
const ROWS: usize = 4096;

/// What the files say.
#[derive(Debug)]
pub struct Evidence {
    /// The layout.
    pub version: Version,
    /// How many files or episodes share a folder, where that shows.
    pub chunks_size: Option<u64>,
    /// What the columns of the rows hold, in their order.
    pub columns: Vec<(String, Feature)>,
    /// The cameras with videos, and what one of them says of itself; none where all are damaged.
    pub cameras: Vec<(String, Option<VideoInfo>)>,
    /// The features in the order in which the tables have their statistics.
    pub order: Vec<String>,
    /// Frames per second: as the times of the rows say, and as a video says.
    pub fps: (Option<u32>, Option<u32>),
}

impl Evidence {
    /// Looks at the files below a dataset's folder.
    pub fn gather(root: &Path) -> Result<Self> {
        let data = v30::files(&root.join("data"))?;
        let is_old = |path: &PathBuf| name(path).starts_with("episode_");
        let version = match data.iter().any(is_old) {
            true if root.join("meta/episodes_stats.jsonl").exists() => Version::V21,
            true => Version::V20,
            false => Version::V30,
        };
        let batch = data.iter().find_map(|path| Some((path, first_rows(path)?)));
        let (path, batch) = batch.ok_or_else(|| {
            Error::malformed(root, "data", "no file with rows can be read: nothing can be known")
        })?;
        let mut columns = Vec::new();
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            if let Some(feature) = feature(field.name(), array, path)? {
                columns.push((field.name().clone(), feature));
            }
        }
        let cameras = cameras(root, version);
        let video = cameras.iter().find_map(|(_, video)| video.as_ref()).map(|video| video.fps);
        let fps = (rate_of_rows(&batch, path), video.and_then(whole_rate));
        let chunks_size = chunks_size(&data, version);
        Ok(Self { version, chunks_size, columns, cameras, order: order(root), fps })
    }
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default()
}

/// The number at the end of a file's or folder's name.
fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.rsplit(['-', '_']).next()?.parse().ok()
}

/// How many files lie in the first chunk, where there is a second.
fn chunks_size(data: &[PathBuf], version: Version) -> Option<u64> {
    let chunk = |path: &PathBuf| number(path.parent()?);
    let first = data.iter().filter(|path| chunk(path) == Some(0)).filter_map(|path| number(path));
    let second = data.iter().filter(|path| chunk(path) == Some(1)).filter_map(|path| number(path));
    match version {
        Version::V30 => second.min().and(first.max().map(|last| last + 1)),
        _ => second.min(),
    }
}

/// The first rows of a data file that can be read.
fn first_rows(path: &Path) -> Option<RecordBatch> {
    let batch = tables::batches(path, ROWS).ok()?.next()?.ok()?;
    (batch.num_rows() > 0).then_some(batch)
}

/// What a column holds; none where no feature can.
fn feature(name: &str, array: &ArrayRef, path: &Path) -> Result<Option<Feature>> {
    if let Some((_, dtype)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        return Ok(Some(Feature::scalar(*dtype)));
    }
    let wrong = |what: String| Error::malformed(path, format!("column {name}"), what);
    if matches!(array.data_type(), DataType::Struct(_) | DataType::Binary | DataType::LargeBinary) {
        let camera = Feature::camera(Dtype::Image, 1, 1);
        let Cells::Images(files) = column::from_array(name, &camera, array, path)? else {
            return Ok(None);
        };
        let image = files.iter().find_map(|file| image::decode(file).ok());
        let image = image.ok_or_else(|| wrong("none of its images can be decoded".into()))?;
        let camera = match image.format() {
            PixelFormat::Gray16 => Feature::depth,
            _ => Feature::camera,
        };
        return Ok(Some(camera(Dtype::Image, image.width(), image.height())));
    }
    let (mut shape, mut inner) = (Vec::new(), array.clone());
    loop {
        let lengths: BTreeSet<usize> = match inner.data_type() {
            DataType::FixedSizeList(_, width) => [usize::try_from(*width).unwrap_or(0)].into(),
            DataType::List(_) => inner.as_list::<i32>().iter().flatten().map(|l| l.len()).collect(),
            _ => break,
        };
        let mut lengths = lengths.into_iter();
        let (Some(length), None) = (lengths.next(), lengths.next()) else {
            return Err(wrong("its rows are not equally long, which no feature is".into()));
        };
        shape.push(length as u64);
        inner = match inner.data_type() {
            DataType::List(_) => inner.as_list::<i32>().values().clone(),
            _ => inner.as_fixed_size_list().values().clone(),
        };
    }
    let Some(dtype) = dtype(inner.data_type()) else { return Ok(None) };
    let shape = if shape.is_empty() { vec![1] } else { shape };
    let feature = Feature { shape, ..Feature::scalar(dtype) };
    Ok(feature.check().is_ok().then_some(feature))
}

fn dtype(data_type: &DataType) -> Option<Dtype> {
    Some(match data_type {
        DataType::Float32 => Dtype::F32,
        DataType::Float64 => Dtype::F64,
        DataType::Int8 => Dtype::I8,
        DataType::Int16 => Dtype::I16,
        DataType::Int32 => Dtype::I32,
        DataType::Int64 => Dtype::I64,
        DataType::UInt8 => Dtype::U8,
        DataType::UInt16 => Dtype::U16,
        DataType::UInt32 => Dtype::U32,
        DataType::UInt64 => Dtype::U64,
        DataType::Boolean => Dtype::Bool,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Dtype::Text,
        _ => return None,
    })
}

/// The folders of videos by camera, in the order of their names.
fn cameras(root: &Path, version: Version) -> Vec<(String, Option<VideoInfo>)> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let videos = root.join("videos");
    let mut found = match version {
        Version::V30 => folders(&videos),
        _ => folders(&videos).iter().flat_map(|chunk| folders(chunk)).collect(),
    };
    found.sort_by_key(|path| name(path).into_owned());
    found.dedup_by_key(|path| name(path).into_owned());
    let camera = |folder: &PathBuf| {
        let chunks = if version == Version::V30 { folders(folder) } else { vec![folder.clone()] };
        let files = chunks.iter().flat_map(|chunk| std::fs::read_dir(chunk).into_iter().flatten());
        let mut files: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut infos = files.iter().filter_map(|path| Some(Footage::open(path).ok()?.info()));
        (name(folder).into_owned(), infos.next())
    };
    found.iter().map(camera).collect()
}

/// The features in the order of the columns with their statistics.
fn order(root: &Path) -> Vec<String> {
    let files = v30::files(&root.join("meta/episodes")).unwrap_or_default();
    let schema = files.iter().find_map(|path| Some(tables::metadata(path).ok()?.schema().clone()));
    let mut order: Vec<String> = Vec::new();
    for field in schema.iter().flat_map(|schema| schema.fields()) {
        let name = field.name().strip_prefix("stats/").and_then(|name| name.rsplit_once('/'));
        if let Some((name, _)) = name
            && order.iter().all(|known| known != name)
        {
            order.push(name.to_owned());
        }
    }
    order
}

/// A rate that a dataset can have.
fn whole_rate(fps: f64) -> Option<u32> {
    let whole = fps.round();
    ((1.0..=1000.0).contains(&whole) && (fps - whole).abs() < 0.01 * whole).then_some(whole as u32)
}

/// The rate at which one row follows the other within an episode, where nearly all agree.
fn rate_of_rows(batch: &RecordBatch, path: &Path) -> Option<u32> {
    let numbers = |name: &str, dtype: Dtype| -> Option<Vec<f64>> {
        let array = batch.column_by_name(name)?;
        let cells = column::from_array(name, &Feature::scalar(dtype), array, path).ok()?;
        let Cells::Numbers(bytes) = cells else { return None };
        Some(Value::read(dtype, &bytes).numbers())
    };
    let times = numbers("timestamp", Dtype::F32)?;
    let frames = numbers("frame_index", Dtype::I64)?;
    let steps = times.windows(2).zip(frames.windows(2)).filter(|(_, f)| f[1] - f[0] == 1.0);
    let mut steps: Vec<f64> = steps.map(|(times, _)| times[1] - times[0]).collect();
    steps.sort_by(f64::total_cmp);
    let middle = *steps.get(steps.len() / 2)?;
    let fps = whole_rate(1.0 / middle)?;
    let same = steps.iter().filter(|step| (*step - 1.0 / f64::from(fps)).abs() < TOLERANCE_S);
    (same.count() * 10 >= steps.len() * 9).then_some(fps)
}
