//! The Parquet tables of a v3.0 dataset, laid out as LeRobot lays them out.

pub mod column;
pub mod data;
pub mod episodes;
pub mod tasks;
pub mod timing;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::{Error, Result};

/// What a parquet file failed at, as our error.
pub(crate) fn unreadable(path: &Path) -> impl Fn(parquet::errors::ParquetError) -> Error {
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

/// Writes a table, one row group per batch, and makes it durable.
pub(crate) fn write(path: &Path, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("cannot make the folder", folder))?;
    }
    let file = File::create(path).map_err(Error::io("cannot write", path))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("sinew ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let failed = |error: parquet::errors::ParquetError| match error {
        parquet::errors::ParquetError::External(source) => {
            Error::io("cannot write", path)(std::io::Error::other(source))
        }
        other => Error::malformed(path, "the table", other.to_string()),
    };
    let mut writer =
        ArrowWriter::try_new(file, Arc::clone(schema), Some(properties)).map_err(failed)?;
    for batch in batches {
        writer.write(batch).map_err(failed)?;
        writer.flush().map_err(failed)?;
    }
    let file = writer.into_inner().map_err(failed)?;
    file.sync_all().map_err(Error::io("cannot make durable", path))
}

/// Opens a table and reads its footer.
pub(crate) fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("cannot open", path))?;
    let metadata =
        ArrowReaderMetadata::load(&file, Default::default()).map_err(unreadable(path))?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata))
}

/// A table's rows, so many at once.
pub(crate) fn batches(
    path: &Path,
    at_once: usize,
) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
    let reader = open(path)?.with_batch_size(at_once).build().map_err(unreadable(path))?;
    Ok(reader.map(move |batch| batch.map_err(unfit(path))))
}

/// Every batch of a table.
pub(crate) fn read(path: &Path) -> Result<Vec<RecordBatch>> {
    let reader = open(path)?.build().map_err(unreadable(path))?;
    reader.map(|batch| batch.map_err(unfit(path))).collect()
}
