//! The rows that were read so far: unpacked once from Parquet into an unnamed temporary file, where
//! any frame, or a run of frames, is one read away. The system keeps in memory what is in use; the
//! process itself holds a few numbers per row group.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::spill::{ELSEWHERE, Kept, Spill, Unpacked};
use crate::schema::Info;
use crate::source::Source;
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
    source: Source,
    files: Vec<DataFile>,
    layout: Layout,
    /// Whether every row's `index` must be the one that its place gives.
    strict: bool,
    /// The files whose footers were read. Who needs one that is being read waits for it.
    opened: Vec<Mutex<Option<Arc<Opened>>>>,
    /// Never locked by who waits for anything else than this file.
    spill: Mutex<Spill>,
}

/// Where each column lies in an unpacked row.
struct Layout {
    info: Info,
    /// Offset in the row, bytes.
    columns: Vec<(usize, usize)>,
    stride: usize,
    /// Which column is `index`.
    index: Option<usize>,
}

/// A file whose footer was read.
struct Opened {
    metadata: ArrowReaderMetadata,
    groups: Vec<Group>,
}

/// A row group.
struct Group {
    first: u64,
    rows: u64,
    /// Where it is, once unpacked. Who needs one that is being unpacked waits for it.
    kept: Mutex<Option<Kept>>,
}

impl Store {
    /// The rows of these files, in the order of their first frames; so many bytes of them are kept
    /// unpacked.
    pub fn new(info: &Info, files: Vec<DataFile>, source: Source, most: u64) -> Self {
        let mut stride = 0;
        let mut columns = Vec::new();
        for (_, feature) in info.columns() {
            let bytes = feature.dtype.bytes().map_or(ELSEWHERE, |bytes| bytes * feature.width());
            columns.push((stride, bytes));
            stride += bytes;
        }
        let index = info.columns().position(|(name, _)| name == "index");
        let opened = files.iter().map(|_| Mutex::new(None)).collect();
        let layout = Layout { info: info.clone(), columns, stride, index };
        Self { source, files, layout, strict: true, opened, spill: Mutex::new(Spill::new(most)) }
    }

    /// The rows of these files whatever number they give themselves, for mending what is damaged.
    pub fn lenient(info: &Info, files: Vec<DataFile>) -> Self {
        let mut store = Self::new(info, files, Source::Disk, u64::MAX);
        store.layout.index = None;
        store.strict = false;
        store
    }

    /// The bytes of one column (by its place in [`Info::columns`]) over `count` frames from `first`.
    pub fn numbers(&self, column: usize, first: u64, count: u64) -> Result<Vec<u8>> {
        let (offset, bytes) = self.layout.columns[column];
        let stride = self.layout.stride;
        let mut cells = Vec::new();
        let mut at = first;
        let end = first.saturating_add(count);
        while at < end {
            at += self.with(at, |spill, start, left| {
                let some = left.min(end - at);
                let rows = spill.read(start, some as usize * stride)?;
                let rows = rows.chunks_exact(stride.max(1));
                cells.extend(rows.flat_map(|row| &row[offset..offset + bytes]));
                Ok(some)
            })?;
        }
        Ok(cells)
    }

    /// The text or the image file that one column holds in one frame.
    pub fn blob(&self, column: usize, index: u64) -> Result<Vec<u8>> {
        let (offset, _) = self.layout.columns[column];
        self.with(index, |spill, start, _| spill.blob(start + offset as u64))
    }

    /// The columns that `info` declares over `count` frames of one file from `first`, read straight
    /// from the file and not kept: for a look at everything once.
    pub fn straight(&self, info: &Info, first: u64, count: u64) -> Result<data::Rows> {
        let at = self.file_of(first)?;
        let (file, opened) = (&self.files[at], self.opened(at)?);
        let path = &file.path;
        let row = first - file.first;
        let before = opened.group_of(row);
        let after = opened.groups.partition_point(|group| group.first < row.saturating_add(count));
        let begin = opened.groups.get(before).map_or(0, |group| group.first);
        let beyond = |_too_large| Error::OutOfRange { what: "frame", index: first, count };
        let skip = usize::try_from(row.saturating_sub(begin)).map_err(beyond)?;
        let rows = usize::try_from(count).map_err(beyond)?;
        let groups = before..after.max(before);
        let builder = self.source.groups(path, &opened.metadata, groups, info)?;
        let builder = builder.with_offset(skip).with_limit(rows);
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
        check_index(file, row, index.map(|at| &columns[at]))?;
        Ok(columns)
    }

    /// Which file a frame is in.
    fn file_of(&self, index: u64) -> Result<usize> {
        let after = self.files.partition_point(|file| file.first <= index);
        after.checked_sub(1).ok_or(Error::OutOfRange { what: "frame", index, count: 0 })
    }

    /// A file with its footer read.
    fn opened(&self, at: usize) -> Result<Arc<Opened>> {
        let mut opened = locked(&self.opened[at]);
        if let Some(opened) = &*opened {
            return Ok(Arc::clone(opened));
        }
        let metadata = self.source.footer(&self.files[at].path)?;
        Ok(Arc::clone(opened.insert(Arc::new(Opened::new(metadata)))))
    }

    /// Does something with the row of a frame, unpacked if need be: in the file, from where it is, with
    /// how many rows follow there, itself included.
    fn with<T>(
        &self,
        index: u64,
        then: impl FnOnce(&mut Spill, u64, u64) -> Result<T>,
    ) -> Result<T> {
        let beyond = |count| Error::OutOfRange { what: "frame", index, count };
        let at = self.file_of(index)?;
        let (file, opened) = (&self.files[at], self.opened(at)?);
        let row = index - file.first;
        let number = opened.group_of(row);
        let Some(group) = opened.groups.get(number) else { return Err(beyond(0)) };
        let end = group.first + group.rows;
        if row >= end {
            return Err(beyond(file.first + end));
        }
        let skip = (row - group.first) * self.layout.stride as u64;
        let mut kept = locked(&group.kept);
        let mut spill = locked(&self.spill);
        if let Some(start) = kept.and_then(|kept| spill.start(kept)) {
            drop(kept);
            return then(&mut spill, start + skip, end - row);
        }
        drop(spill);
        let unpacked = self.layout.unpack(&self.source, file, &opened.metadata, group, number)?;
        let mut spill = locked(&self.spill);
        let unpacked = spill.append(unpacked)?;
        *kept = Some(unpacked);
        then(&mut spill, unpacked.start + skip, end - row)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opened {
    fn new(metadata: ArrowReaderMetadata) -> Self {
        let mut next: u64 = 0;
        let groups = metadata.metadata().row_groups().iter().map(|group| {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            let first = next;
            next = first.saturating_add(rows);
            Group { first, rows: next - first, kept: Mutex::new(None) }
        });
        let groups = groups.collect();
        Self { metadata, groups }
    }

    /// Which row group a row is in.
    fn group_of(&self, row: u64) -> usize {
        self.groups.partition_point(|group| group.first <= row).saturating_sub(1)
    }
}

impl Layout {
    /// Unpacks the row group of this number.
    fn unpack(
        &self,
        source: &Source,
        file: &DataFile,
        metadata: &ArrowReaderMetadata,
        group: &Group,
        number: usize,
    ) -> Result<Unpacked> {
        let path = &file.path;
        let builder = source.groups(path, metadata, number..number + 1, &self.info)?;
        let mut unpacked = Unpacked::default();
        for batch in tables::unpack(path, builder.with_batch_size(16_384))? {
            let batch = batch?;
            let columns = data::rows(&self.info, &batch, path)?;
            let before = unpacked.rows.len() / self.stride.max(1);
            check_index(file, group.first + before as u64, self.index.map(|at| &columns[at]))?;
            unpacked.rows.resize(unpacked.rows.len() + batch.num_rows() * self.stride, 0);
            for (cells, &(offset, bytes)) in columns.into_iter().zip(&self.columns) {
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
        if Some(unpacked.rows.len() as u64) != group.rows.checked_mul(self.stride as u64) {
            return Err(Error::malformed(
                path,
                format!("row group {number}"),
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
