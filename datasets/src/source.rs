//! Where a dataset's rows and videos are read from: files of this machine, or a server.

use std::fs::File;
use std::io::{Cursor, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::remote::Remote;
use crate::schema::Info;
use crate::tables;
use crate::video::VideoReader;
use crate::{Error, Result};

/// Who has the bytes.
#[derive(Clone)]
pub(crate) enum Source {
    /// This machine: paths are files.
    Disk,
    /// A server: paths are addresses below its base.
    Remote(Arc<Remote>),
}

/// A Parquet file, as far as its reader needs it.
pub(crate) enum Table {
    /// All of it, in a file.
    Disk(File),
    /// Parts of it, in memory: the reader below never waits for a server, whose errors it would
    /// make into texts.
    Held(Held),
}

/// Parts of a file.
#[derive(Default)]
pub(crate) struct Held {
    /// How long the whole file is.
    pub total: u64,
    /// Where each part begins, and its bytes.
    pub parts: Vec<(u64, Bytes)>,
}

impl Source {
    /// A Parquet file's footer.
    pub fn footer(&self, path: &Path) -> Result<ArrowReaderMetadata> {
        let table = match self {
            Self::Disk => Table::Disk(File::open(path).map_err(Error::io("cannot open", path))?),
            Self::Remote(remote) => Table::Held(remote.footer(path)?),
        };
        tables::metadata_of(&table, path)
    }

    /// Row groups of a Parquet file, in the columns that `info` declares.
    pub fn groups(
        &self,
        path: &Path,
        metadata: &ArrowReaderMetadata,
        groups: Range<usize>,
        info: &Info,
    ) -> Result<ParquetRecordBatchReaderBuilder<Table>> {
        let fields = metadata.schema().fields().iter().enumerate();
        let wanted = fields.filter(|(_, field)| info.feature(field.name()).is_some());
        let wanted: Vec<usize> = wanted.map(|(at, _)| at).collect();
        let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
        let table = match self {
            Self::Disk => Table::Disk(File::open(path).map_err(Error::io("cannot open", path))?),
            Self::Remote(remote) => {
                let wanted = tables::contained(path, || Ok(chunks(metadata, &groups, &mask)))?;
                Table::Held(remote.hold(path, wanted)?)
            }
        };
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(table, metadata.clone());
        Ok(builder.with_row_groups(groups.collect()).with_projection(mask))
    }

    /// A video.
    pub fn video(&self, path: &Path) -> Result<VideoReader> {
        match self {
            Self::Disk => VideoReader::open(path),
            Self::Remote(remote) => VideoReader::from_source(path, remote.video(path)?),
        }
    }
}

/// Where the wanted columns of some row groups lie in their file.
fn chunks(
    metadata: &ArrowReaderMetadata,
    groups: &Range<usize>,
    mask: &ProjectionMask,
) -> Vec<Range<u64>> {
    let groups = metadata.metadata().row_groups().get(groups.clone()).unwrap_or_default();
    let columns = groups.iter().flat_map(|group| group.columns().iter().enumerate());
    let wanted = columns.filter(|(leaf, _)| mask.leaf_included(*leaf)).map(|(_, column)| {
        let (first, length) = column.byte_range();
        first..first.saturating_add(length)
    });
    wanted.collect()
}

impl Held {
    /// The bytes that are held from an offset on.
    fn from(&self, start: u64) -> parquet::errors::Result<Bytes> {
        let found = self.parts.iter().find_map(|(first, bytes)| {
            let skip = usize::try_from(start.checked_sub(*first)?).ok()?;
            (skip <= bytes.len()).then(|| bytes.slice(skip..))
        });
        found.ok_or_else(|| ParquetError::EOF(format!("byte {start} belongs to no column")))
    }
}

impl Length for Table {
    fn len(&self) -> u64 {
        match self {
            Self::Disk(file) => Length::len(file),
            Self::Held(held) => held.total,
        }
    }
}

impl ChunkReader for Table {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(match self {
            Self::Disk(file) => Box::new(file.get_read(start)?),
            Self::Held(held) => Box::new(Cursor::new(held.from(start)?)),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Self::Disk(file) => file.get_bytes(start, length),
            Self::Held(held) => {
                let bytes = held.from(start)?;
                let short =
                    || ParquetError::EOF(format!("{length} bytes from {start} are cut off"));
                (length <= bytes.len()).then(|| bytes.slice(..length)).ok_or_else(short)
            }
        }
    }
}
