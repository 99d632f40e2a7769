//! The unnamed temporary file that unpacked rows are kept in.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;

use crate::{Error, Result};

/// An unpacked row group: its rows, and the texts and images that they name.
#[derive(Default)]
pub struct Unpacked {
    /// The rows.
    pub rows: Vec<u8>,
    blobs: Vec<Bytes>,
    /// Where in the rows the blobs' places have to be filled in.
    places: Vec<usize>,
}

impl Unpacked {
    /// Keeps a text or an image beside the rows; its cell is at this place in them.
    pub fn keep(&mut self, place: usize, blob: Bytes) {
        self.places.push(place);
        self.blobs.push(blob);
    }
}

/// Where an unpacked row group lies, as long as the file was not emptied since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    fill: u64,
    /// Its first byte.
    pub start: u64,
}

/// The file.
pub struct Spill {
    file: Option<File>,
    end: u64,
    /// How large it may grow; then it is emptied.
    most: u64,
    /// How often it was emptied.
    fill: u64,
}

/// How a text or an image is named in its row: where it lies, and how long it is.
pub const ELSEWHERE: usize = 16;

impl Spill {
    /// An empty one, which grows to this many bytes before it is emptied.
    pub fn new(most: u64) -> Self {
        Self { file: None, end: 0, most, fill: 0 }
    }

    /// Where a row group begins, if it is still there.
    pub fn start(&self, kept: Kept) -> Option<u64> {
        (kept.fill == self.fill).then_some(kept.start)
    }

    /// Takes up a row group.
    pub fn append(&mut self, mut unpacked: Unpacked) -> Result<Kept> {
        let blobs = unpacked.blobs.iter().map(|blob| blob.len() as u64);
        let bytes = unpacked.rows.len() as u64 + blobs.sum::<u64>();
        if self.end > 0 && self.end.saturating_add(bytes) > self.most {
            (self.file, self.end, self.fill) = (None, 0, self.fill + 1);
        }
        let start = self.end;
        let rows = &mut unpacked.rows;
        let mut at = start + rows.len() as u64;
        for (place, blob) in unpacked.places.iter().zip(&unpacked.blobs) {
            rows[*place..place + 8].copy_from_slice(&at.to_le_bytes());
            rows[place + 8..place + 16].copy_from_slice(&(blob.len() as u64).to_le_bytes());
            at += blob.len() as u64;
        }
        let file = self.file()?;
        let folder = std::env::temp_dir();
        let failed = Error::io("cannot write a temporary file", &folder);
        let write = |file: &mut File| {
            file.seek(SeekFrom::Start(start))?;
            file.write_all(rows)?;
            unpacked.blobs.iter().try_for_each(|blob| file.write_all(blob))
        };
        write(file).map_err(failed)?;
        self.end = at;
        Ok(Kept { fill: self.fill, start })
    }

    /// The bytes at a place.
    pub fn read(&mut self, at: u64, length: usize) -> Result<Vec<u8>> {
        let file = self.file()?;
        let mut bytes = vec![0; length];
        let mut read = || {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(Error::io("cannot read a temporary file", &std::env::temp_dir()))?;
        Ok(bytes)
    }

    /// The text or image that the cell at a place names.
    pub fn blob(&mut self, cell: u64) -> Result<Vec<u8>> {
        let cell = self.read(cell, ELSEWHERE)?;
        let number = |at: usize| {
            cell[at..at + 8].iter().rev().fold(0_u64, |all, byte| all << 8 | u64::from(*byte))
        };
        self.read(number(0), number(8) as usize)
    }

    fn file(&mut self) -> Result<&mut File> {
        if self.file.is_none() {
            let file = tempfile::tempfile();
            self.file = Some(
                file.map_err(Error::io("cannot make a temporary file", &std::env::temp_dir()))?,
            );
        }
        match &mut self.file {
            Some(file) => Ok(file),
            None => Err(Error::Refused { what: "there is no temporary file".into() }),
        }
    }
}
