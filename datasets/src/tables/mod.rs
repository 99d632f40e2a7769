//! The Parquet tables of a v3.0 dataset, laid out as LeRobot lays them out.

pub mod column;
pub mod data;
pub mod episodes;
pub mod tasks;
pub mod timing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;

use crate::durable::{self, File};
use crate::{Error, Result};

/// What a parquet file failed at, as our error.
pub(crate) fn unreadable(path: &Path) -> impl Fn(ParquetError) -> Error {
    move |error| {
        let text = error.to_string();
        let footer = text.contains("footer") || text.contains("EOF") || text.contains("Corrupt");
        let place = if footer { "the footer" } else { "the table" };
        Error::malformed(path, place, format!("not a whole Parquet file: {text}"))
    }
}

/// What arrow refused, as our error.
pub(crate) fn unfit(path: &Path) -> impl Fn(arrow::error::ArrowError) -> Error {
    move |error| Error::malformed(path, "the table", error.to_string())
}

/// A table that is being written, a row group per batch.
pub(crate) struct TableWriter {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl TableWriter {
    /// Begins a table; the folder it goes into is made where it is missing.
    pub fn begin(path: &Path, schema: &SchemaRef) -> Result<Self> {
        if let Some(folder) = path.parent() {
            durable::make_folders(folder)?;
        }
        let file = File::create(path).map_err(Error::io("cannot write", path))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("sinew ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(schema), Some(properties));
        Ok(Self { path: path.to_owned(), writer: writer.map_err(unwritten(path))? })
    }

    /// Adds a row group.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = self.writer.write(batch).and_then(|()| self.writer.flush());
        written.map_err(unwritten(&self.path))
    }

    /// How large the file is so far.
    pub fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Ends the table. Whoever gathers a dataset's files makes them durable together.
    pub fn finish(self) -> Result<()> {
        self.writer.close().map(|_metadata| ()).map_err(unwritten(&self.path))
    }
}

/// Why a table was not written, as our error.
fn unwritten(path: &Path) -> impl Fn(ParquetError) -> Error {
    move |error| match error {
        ParquetError::External(source) => {
            let known = source.downcast::<std::io::Error>();
            Error::io("cannot write", path)(
                known.map_or_else(std::io::Error::other, |known| *known),
            )
        }
        other => Error::malformed(path, "the table", other.to_string()),
    }
}

/// Writes a table, one row group per batch.
pub(crate) fn write(path: &Path, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let mut table = TableWriter::begin(path, schema)?;
    batches.iter().try_for_each(|batch| table.push(batch))?;
    table.finish()
}

/// Runs what unpacks foreign Parquet bytes.
///
/// The parquet crate checks most of them, but some that make no sense (levels that do not fit, a
/// dictionary that is too short) end in a panic within it. It holds nothing of ours then, so here, and
/// only here, a panic becomes an error.
pub(crate) fn contained<T>(path: &Path, unpack: impl FnOnce() -> Result<T>) -> Result<T> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(unpack));
    caught.unwrap_or_else(|_panic| {
        Err(Error::malformed(
            path,
            "the table",
            "not a whole Parquet file: its bytes make no sense",
        ))
    })
}

/// A table's footer. The Arrow schema that some writers put in besides is left aside: the Parquet
/// schema says all that is needed, and has one parser less.
pub(crate) fn metadata(path: &Path) -> Result<ArrowReaderMetadata> {
    let file = std::fs::File::open(path).map_err(Error::io("cannot open", path))?;
    metadata_of(&file, path)
}

/// The footer of a table that lies somewhere else than the path says.
pub(crate) fn metadata_of(table: &impl ChunkReader, path: &Path) -> Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    contained(path, || ArrowReaderMetadata::load(table, options).map_err(unreadable(path)))
}

/// Opens a table and reads its footer.
pub(crate) fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>> {
    let metadata = metadata(path)?;
    let file = std::fs::File::open(path).map_err(Error::io("cannot open", path))?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata))
}

/// A table's rows, so many at once.
pub(crate) fn batches(
    path: &Path,
    at_once: usize,
) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
    unpack(path, open(path)?.with_batch_size(at_once))
}

/// The rows of a table that was opened.
pub(crate) fn unpack(
    path: &Path,
    builder: ParquetRecordBatchReaderBuilder<impl ChunkReader + 'static>,
) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
    let mut reader = contained(path, || builder.build().map_err(unreadable(path)))?;
    let mut broken = false;
    Ok(std::iter::from_fn(move || {
        if broken {
            return None;
        }
        let next = contained(path, || reader.next().transpose().map_err(unfit(path)));
        broken = next.is_err();
        next.transpose()
    }))
}

/// Every batch of a table.
pub(crate) fn read(path: &Path) -> Result<Vec<RecordBatch>> {
    unpack(path, open(path)?)?.collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn a_full_disk_is_told_as_such_wherever_it_is_met() {
        let schema: SchemaRef =
            Arc::new(Schema::new(vec![Field::new("index", DataType::Int64, false)]));
        // The small one is met at the end, the large one on the way.
        for rows in [3, 300_000] {
            let column = Int64Array::from_iter_values((0..rows).map(|row: i64| row * row));
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(column)]).unwrap();
            let error = write(Path::new("/dev/full"), &schema, &[batch]).unwrap_err();
            let Error::Io { source, path, .. } = &error else { panic!("{error:?}") };
            assert_eq!(source.kind(), std::io::ErrorKind::StorageFull, "{error:?}");
            assert_eq!(path, Path::new("/dev/full"));
        }
    }
}
