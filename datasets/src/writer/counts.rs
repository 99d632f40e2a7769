//! What is kept of each frame of a camera beside its images: a digest for the statistics, and a
//! checksum of the frame's bytes in the video, so that a recovered episode holds nothing torn.
//!
//! ```text
//! checksum of the record │ checksum of the frame │ digest │ …
//! ```

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use crate::schema::Feature;
use crate::stats::image::Digest;
use crate::{Error, Result};

/// How many bytes there are of each frame of a camera.
fn bytes(camera: &Feature) -> usize {
    8 + Digest::bytes_of(camera)
}

/// The record of a frame.
pub fn record(frame: u32, digest: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 4];
    record.extend(frame.to_le_bytes());
    record.extend(digest);
    let checksum = crc32fast::hash(&record[4..]).to_le_bytes();
    record[..4].copy_from_slice(&checksum);
    record
}

/// The frames' checksums, up to the first record that is not whole. None where there is no file.
pub fn read(path: &Path, camera: &Feature) -> Result<Vec<u32>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("cannot open", path)(error)),
    };
    // Those of a long episode of depth do not fit into memory.
    let (mut from, mut record) = (BufReader::new(file), vec![0; bytes(camera)]);
    let mut sums = Vec::new();
    loop {
        match from.read_exact(&mut record) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(sums),
            Err(error) => return Err(Error::io("cannot read", path)(error)),
        }
        match parse(&record) {
            Some(sum) => sums.push(sum),
            None => return Ok(sums),
        }
    }
}

/// The checksum of the frame in its record; none where that is not whole.
fn parse(record: &[u8]) -> Option<u32> {
    let [a, b, c, d, e, f, g, h] = *record.first_chunk::<8>()?;
    let sound = crc32fast::hash(record.get(4..)?) == u32::from_le_bytes([a, b, c, d]);
    sound.then_some(u32::from_le_bytes([e, f, g, h]))
}

/// Where the record of a frame begins.
pub fn at(frame: u64, camera: &Feature) -> u64 {
    frame * bytes(camera) as u64
}

/// Where the digest of a frame begins.
pub fn digest_at(frame: u64, camera: &Feature) -> u64 {
    at(frame, camera) + 8
}
