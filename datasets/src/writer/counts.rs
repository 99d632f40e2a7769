//! What is kept of each frame of a camera beside its images: the histogram for the statistics, and a
//! checksum of the frame's bytes in the video, so that a recovered episode holds nothing torn.
//!
//! ```text
//! checksum of the record │ checksum of the frame │ histogram │ …
//! ```

use std::path::Path;

use crate::stats::image::Histogram;
use crate::{Error, Result};

/// How many bytes there are of each frame.
pub const BYTES: usize = 8 + Histogram::BYTES;

/// The record of a frame.
pub fn record(frame: u32, histogram: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 4];
    record.extend(frame.to_le_bytes());
    record.extend(histogram);
    let checksum = crc32fast::hash(&record[4..]).to_le_bytes();
    record[..4].copy_from_slice(&checksum);
    record
}

/// The frames' checksums, up to the first record that is not whole. None where there is no file.
pub fn read(path: &Path) -> Result<Vec<u32>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("cannot read", path)(error)),
    }
}

fn parse(bytes: &[u8]) -> Vec<u32> {
    let (records, _cut) = bytes.as_chunks::<BYTES>();
    let frame = |record: &[u8; BYTES]| {
        let [a, b, c, d, e, f, g, h] = *record.first_chunk::<8>()?;
        let sound = crc32fast::hash(&record[4..]) == u32::from_le_bytes([a, b, c, d]);
        sound.then_some(u32::from_le_bytes([e, f, g, h]))
    };
    records.iter().map_while(frame).collect()
}

/// Where the record of a frame begins.
pub fn at(frame: u64) -> u64 {
    frame * BYTES as u64
}

/// Where the histogram of a frame begins.
pub fn histogram_at(frame: u64) -> u64 {
    at(frame) + 8
}
