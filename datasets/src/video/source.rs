//! Where a video's bytes come from.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes that can be read anywhere: a file, or ranges of something far away.
pub trait ReadAt: Send {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills the buffer with the bytes that begin at the offset.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A file, with the length it had when it was opened.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    /// Opens the file for reading.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("cannot open", path))?;
        let len = file.metadata().map_err(Error::io("cannot read", path))?.len();
        Ok(Self { file, len })
    }
}

impl ReadAt for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(buffer)
    }
}
