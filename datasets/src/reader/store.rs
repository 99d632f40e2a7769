//! The rows that were read so far: unpacked once from Parquet into an unnamed temporary file, where
//! any frame, or a run of frames, is one read away. The system keeps in memory what is in use; the
//! process itself holds a few numbers per row group.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};

use crate::schema::Info;
use crate::tables::column::Cells;
use crate::tables::{self, data};
use crate::{Error, Result};

/// One data file and the number of its first frame in the dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// The file.
    pub path: PathBuf,
    /// Its first frame.
    pub first: u64,
}

/// The data files of a dataset and what was read of them.
pub struct Store {
    files: Vec<DataFile>,
    layout: Layout,
    /// Whether every row's `index` must be the one that its place gives.
    strict: bool,
    inner: Mutex<Inner>,
}

/// Where each column lies in an unpacked row.
struct Layout {
    info: Info,
    /// Offset in the row, bytes, whether the bytes are kept elsewhere (texts, images).
    columns: Vec<(usize, usize, bool)>,
    stride: usize,
    /// Which column is `index`.
    index: Option<usize>,
}

/// How a text or an image is named in its row: where it lies, and how long it is.
const ELSEWHERE: usize = 16;

struct Inner {
    spill: Option<File>,
    end: u64,
    opened: Vec<Option<Opened>>,
}

/// A file whose footer was read.
struct Opened {
    metadata: ArrowReaderMetadata,
    /// First row, rows and, once unpacked, where it is.
    groups: Vec<(u64, u64, Option<u64>)>,
}

impl Store {
    /// The rows of these files, in the order of their first frames.
    pub fn new(info: &Info, files: Vec<DataFile>) -> Self {
        let mut stride = 0;
        let mut columns = Vec::new();
        for (_, feature) in info.columns() {
            let elsewhere = feature.dtype.bytes().is_none();
            let bytes = feature.dtype.bytes().map_or(ELSEWHERE, |bytes| bytes * feature.width());
            columns.push((stride, bytes, elsewhere));
            stride += bytes;
        }
        let index = info.columns().position(|(name, _)| name == "index");
        let opened = files.iter().map(|_| None).collect();
        let inner = Mutex::new(Inner { spill: None, end: 0, opened });
        let layout = Layout { info: info.clone(), columns, stride, index };
        Self { files, layout, strict: true, inner }
    }

    /// The rows of these files whatever number they give themselves, for mending what is damaged.
    pub fn lenient(info: &Info, files: Vec<DataFile>) -> Self {
        let mut store = Self::new(info, files);
        store.layout.index = None;
        store.strict = false;
        store
    }

    /// The bytes of one column (by its place in [`Info::columns`]) over `count` frames from `first`.
    pub fn numbers(&self, column: usize, first: u64, count: u64) -> Result<Vec<u8>> {
        let rows = self.rows(first, count)?;
        let (offset, bytes, _) = self.layout.columns[column];
        let rows = rows.chunks_exact(self.layout.stride.max(1));
        Ok(rows.flat_map(|row| &row[offset..offset + bytes]).copied().collect())
    }

    /// The text or the image file that one column holds in one frame.
    pub fn blob(&self, column: usize, index: u64) -> Result<Vec<u8>> {
        let (at, length) = place(&self.numbers(column, index, 1)?);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.read(at, length)
    }

    /// The columns that `info` declares over `count` frames of one file from `first`, read straight
    /// from the file and not kept: for a look at everything once.
    pub fn straight(&self, info: &Info, first: u64, count: u64) -> Result<data::Rows> {
        let (at, metadata) = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let at = self.file_of(first)?;
            (at, self.opened(&mut inner, at)?.metadata.clone())
        };
        let file = &self.files[at];
        let beyond = |_too_large| Error::OutOfRange { what: "frame", index: first, count };
        let row = usize::try_from(first - file.first).map_err(beyond)?;
        let rows = usize::try_from(count).map_err(beyond)?;
        let path = &file.path;
        let source = File::open(path).map_err(Error::io("cannot open", path))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, metadata);
        let fields = builder.schema().fields().iter().enumerate();
        let wanted = fields.filter(|(_, field)| info.feature(field.name()).is_some());
        let wanted: Vec<usize> = wanted.map(|(at, _)| at).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let builder = builder.with_projection(mask).with_offset(row).with_limit(rows);
        let batches: Result<Vec<_>> =
            tables::unpack(path, builder.with_batch_size(rows.max(1)))?.collect();
        let batches = batches?;
        let none = || Error::malformed(path, "the table", format!("has no row {row}"));
        let schema = batches.first().ok_or_else(none)?.schema();
        let batch = arrow::compute::concat_batches(&schema, &batches);
        let batch = batch.map_err(tables::unfit(path))?;
        if batch.num_rows() != rows {
            let what = format!("has {} rows of the {rows} from row {row}", batch.num_rows());
            return Err(Error::malformed(path, "the table", what));
        }
        let columns = data::rows(info, &batch, path)?;
        let index = info.columns().position(|(name, _)| name == "index").filter(|_| self.strict);
        check_index(file, first - file.first, index.map(|at| &columns[at]))?;
        Ok(columns)
    }

    /// Which file a frame is in.
    fn file_of(&self, index: u64) -> Result<usize> {
        let after = self.files.partition_point(|file| file.first <= index);
        after.checked_sub(1).ok_or(Error::OutOfRange { what: "frame", index, count: 0 })
    }

    /// A file with its footer read.
    fn opened<'a>(&self, inner: &'a mut Inner, at: usize) -> Result<&'a mut Opened> {
        match &mut inner.opened[at] {
            Some(opened) => Ok(opened),
            closed => Ok(closed.insert(Opened::new(&self.files[at].path)?)),
        }
    }

    /// The unpacked rows of `count` frames from `first`.
    fn rows(&self, first: u64, count: u64) -> Result<Vec<u8>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let stride = self.layout.stride as u64;
        let mut rows = Vec::new();
        let mut at = first;
        let end = first.saturating_add(count);
        while at < end {
            let (from, left) = self.find(&mut inner, at)?;
            let some = left.min(end - at);
            rows.extend(inner.read(from, (some * stride) as usize)?);
            at += some;
        }
        Ok(rows)
    }

    /// Where the row of a frame is, and how many follow it there; unpacks them if need be.
    fn find(&self, inner: &mut Inner, index: u64) -> Result<(u64, u64)> {
        let beyond = |count| Error::OutOfRange { what: "frame", index, count };
        let at = self.file_of(index)?;
        let file = &self.files[at];
        let opened = self.opened(inner, at)?;
        let row = index - file.first;
        let group = opened.groups.partition_point(|(first, ..)| *first <= row).saturating_sub(1);
        let Some(&(first, rows, known)) = opened.groups.get(group) else { return Err(beyond(0)) };
        if row >= first + rows {
            return Err(beyond(file.first + first + rows));
        }
        let start = match known {
            Some(start) => start,
            None => {
                let packed = self.layout.unpack(file, opened, group)?;
                let start = inner.append(&packed)?;
                if let Some(opened) = &mut inner.opened[at] {
                    opened.groups[group].2 = Some(start);
                }
                start
            }
        };
        Ok((start + (row - first) * self.layout.stride as u64, first + rows - row))
    }
}

impl Opened {
    fn new(path: &Path) -> Result<Self> {
        let metadata = tables::metadata(path)?;
        let mut first: u64 = 0;
        let groups = metadata.metadata().row_groups().iter().map(|group| {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            let from = first;
            first = first.saturating_add(rows);
            (from, first - from, None)
        });
        let groups = groups.collect();
        Ok(Self { metadata, groups })
    }
}

/// An unpacked row group: its rows, and the texts and images that they name.
struct Unpacked {
    rows: Vec<u8>,
    blobs: Vec<Bytes>,
    /// Where in the rows the blobs' places have to be filled in.
    places: Vec<usize>,
}

impl Layout {
    fn unpack(&self, file: &DataFile, opened: &Opened, group: usize) -> Result<Unpacked> {
        let path = &file.path;
        let source = File::open(path).map_err(Error::io("cannot open", path))?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(source, opened.metadata.clone());
        let builder = builder.with_row_groups(vec![group]).with_batch_size(16_384);
        let (first, count, _) = opened.groups[group];
        let mut unpacked = Unpacked { rows: Vec::new(), blobs: Vec::new(), places: Vec::new() };
        for batch in tables::unpack(path, builder)? {
            let batch = batch?;
            let columns = data::rows(&self.info, &batch, path)?;
            let before = unpacked.rows.len() / self.stride.max(1);
            check_index(file, first + before as u64, self.index.map(|at| &columns[at]))?;
            unpacked.rows.resize(unpacked.rows.len() + batch.num_rows() * self.stride, 0);
            for (cells, &(offset, bytes, _)) in columns.into_iter().zip(&self.columns) {
                let place = |row: usize| (before + row) * self.stride + offset;
                match cells {
                    Cells::Numbers(all) => {
                        for (row, cell) in all.chunks_exact(bytes).enumerate() {
                            unpacked.rows[place(row)..place(row) + bytes].copy_from_slice(cell);
                        }
                    }
                    Cells::Texts(texts) => {
                        let texts = texts.into_iter().enumerate();
                        texts.for_each(|(row, text)| unpacked.keep(place(row), text.into()));
                    }
                    Cells::Images(images) => {
                        let images = images.into_iter().enumerate();
                        images.for_each(|(row, image)| unpacked.keep(place(row), image));
                    }
                }
            }
        }
        if Some(unpacked.rows.len() as u64) != count.checked_mul(self.stride as u64) {
            return Err(Error::malformed(
                path,
                format!("row group {group}"),
                "has not the rows it says",
            ));
        }
        Ok(unpacked)
    }
}

/// Every row must be the frame that its place in the dataset says.
fn check_index(file: &DataFile, first_row: u64, index: Option<&Cells>) -> Result<()> {
    let Some(Cells::Numbers(bytes)) = index else { return Ok(()) };
    let found = bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
    for (row, index) in (first_row..).zip(found) {
        let expected = file.first + row;
        if u64::try_from(index) != Ok(expected) {
            let what = format!("is {index}, the episodes' table says {expected}");
            return Err(Error::malformed(&file.path, format!("column index, row {row}"), what));
        }
    }
    Ok(())
}

impl Unpacked {
    fn keep(&mut self, place: usize, blob: Bytes) {
        self.places.push(place);
        self.blobs.push(blob);
    }
}

/// Where a text or an image lies.
fn place(cell: &[u8]) -> (u64, usize) {
    let number = |at: usize| {
        cell[at..at + 8].iter().rev().fold(0_u64, |all, byte| all << 8 | u64::from(*byte))
    };
    (number(0), number(8) as usize)
}

impl Inner {
    fn spill(&mut self) -> Result<&mut File> {
        if self.spill.is_none() {
            let file = tempfile::tempfile();
            self.spill = Some(
                file.map_err(Error::io("cannot make a temporary file", &std::env::temp_dir()))?,
            );
        }
        match &mut self.spill {
            Some(file) => Ok(file),
            None => Err(Error::Refused { what: "there is no temporary file".into() }),
        }
    }

    fn append(&mut self, unpacked: &Unpacked) -> Result<u64> {
        let start = self.end;
        let mut rows = unpacked.rows.clone();
        let mut at = start + rows.len() as u64;
        for (place, blob) in unpacked.places.iter().zip(&unpacked.blobs) {
            rows[*place..place + 8].copy_from_slice(&at.to_le_bytes());
            rows[place + 8..place + 16].copy_from_slice(&(blob.len() as u64).to_le_bytes());
            at += blob.len() as u64;
        }
        let file = self.spill()?;
        let folder = std::env::temp_dir();
        let failed = Error::io("cannot write a temporary file", &folder);
        let write = |file: &mut File| {
            file.seek(SeekFrom::Start(start))?;
            file.write_all(&rows)?;
            unpacked.blobs.iter().try_for_each(|blob| file.write_all(blob))
        };
        write(file).map_err(failed)?;
        self.end = at;
        Ok(start)
    }

    fn read(&mut self, at: u64, length: usize) -> Result<Vec<u8>> {
        let file = self.spill()?;
        let mut bytes = vec![0; length];
        let mut read = || {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(Error::io("cannot read a temporary file", &std::env::temp_dir()))?;
        Ok(bytes)
    }
}
