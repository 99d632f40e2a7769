//! A file that is written.

use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::path::Path;

use super::step;
#[cfg(test)]
use super::watch::{Opened, Step};

/// A file that is written, as the system's own; in tests its writes are watched.
#[derive(Debug)]
pub struct File {
    file: std::fs::File,
    #[cfg(test)]
    opened: Opened,
}

impl File {
    /// Begins a file; what was there is gone.
    pub fn create(path: &Path) -> Result<Self> {
        let mut how = std::fs::File::options();
        Self::open(path, how.read(true).write(true).create(true).truncate(true), true)
    }

    /// Begins a file where there may be none yet.
    pub fn create_new(path: &Path) -> Result<Self> {
        let mut how = std::fs::File::options();
        Self::open(path, how.read(true).write(true).create_new(true), true)
    }

    /// Opens a file to change it.
    pub fn edit(path: &Path) -> Result<Self> {
        Self::open(path, std::fs::File::options().read(true).write(true), false)
    }

    #[cfg_attr(not(test), expect(unused_variables, reason = "tests are told"))]
    fn open(path: &Path, how: &std::fs::OpenOptions, fresh: bool) -> Result<Self> {
        #[cfg(test)]
        let opened = Opened::new(path);
        let file = step!(path, Step::Open { file: opened.id, path: path.into(), fresh }, || how
            .open(path))?;
        Ok(Self {
            file,
            #[cfg(test)]
            opened,
        })
    }

    /// Makes the file this long.
    pub fn set_len(&self, length: u64) -> Result<()> {
        step!(&self.opened.path, Step::SetLen { file: self.opened.id, length }, || self
            .file
            .set_len(length))
    }

    /// How long it is.
    pub fn len(&self) -> Result<u64> {
        self.file.metadata().map(|known| known.len())
    }

    /// Waits until its bytes are on the disk.
    pub fn sync(&self) -> Result<()> {
        step!(&self.opened.path, Step::Sync { file: self.opened.id }, || self.file.sync_all())
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        #[cfg(test)]
        {
            let at = self.file.stream_position()?;
            let bytes = &bytes[..super::watch::room(&self.opened.path, bytes.len())];
            let step = || Step::Write { file: self.opened.id, at, bytes: bytes.to_vec() };
            let file = &mut self.file;
            super::watch::step(&self.opened.path, step, || file.write_all(bytes))?;
            Ok(bytes.len())
        }
        #[cfg(not(test))]
        self.file.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

impl Read for File {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        self.file.read(bytes)
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.file.seek(to)
    }
}
