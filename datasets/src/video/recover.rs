//! A video that was cut off, finished after the fact.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::concat::{keep_first, save};
use super::mp4::Sample;
use super::mp4::read::{cut_track, find_outer, track};
use super::nal::Nal;
use super::records::Records;
use super::source::{FileSource, ReadAt};
use super::write::{Header, Written, end_of, seal};
use crate::durable::File;
use crate::error::{Error, Result};

/// The parameter sets are this long at most; the real ones have about 20 bytes.
const LONGEST_SET: u32 = 4096;

/// Finishes a video whose writer was killed: keeps its whole frames, but at most `frames`.
///
/// A finished video is cut to `frames` where it has more, and else left as it is. With no whole
/// frame at all the result has 0 frames and the file cannot be played.
pub fn recover(path: &Path, frames: Option<u64>) -> Result<Written> {
    let mut source = FileSource::open(path)?;
    let finished = matches!(find_outer(&mut source, path, b"moov"), Ok(Some(_)));
    // A finished file that was cut off since is walked like one that never was finished.
    if finished && let Ok(track) = track(&mut source, path) {
        let count = track.samples.len() as u64;
        if frames.is_none_or(|frames| frames >= count) {
            let info = match records(path)? {
                Some(made) => made.describe(track.info()),
                None => track.info(),
            };
            return Ok(Written { frames: count, bytes: source.len(), info });
        }
        return keep_first(source, path, track, frames.unwrap_or(count));
    }
    drop(source);
    walk_and_seal(path, frames.unwrap_or(u64::MAX), None)
}

/// Finishes a video of which a power cut may have kept anything: keeps the frames up to the first whose
/// checksum is not the one that [`VideoWriter::take_sums`](super::VideoWriter::take_sums) gave.
pub fn recover_checked(path: &Path, sums: &[u32]) -> Result<Written> {
    walk_and_seal(path, sums.len() as u64, Some(sums))
}

/// What a file says of how it was encoded, if it is one that FFmpeg encoded here.
pub fn records(path: &Path) -> Result<Option<Records>> {
    let mut file = std::fs::File::open(path).map_err(Error::io("cannot open", path))?;
    Ok(Records::read(&mut file).map(|(records, _)| records))
}

fn walk_and_seal(path: &Path, most: u64, sums: Option<&[u32]>) -> Result<Written> {
    let mut file = File::edit(path).map_err(Error::io("cannot open", path))?;
    if let Some((records, heads)) = Records::read(&mut file) {
        let body = records.bytes().len() as u64;
        let len = file.len().map_err(Error::io("cannot read", path))?;
        let len = end_of(&heads, body).map_or(len, |end| end.min(len));
        let mut reader = BufReader::new(&mut file);
        let found = walk_records(&mut reader, body, len, most, sums);
        let (samples, end) = found.map_err(Error::io("cannot read", path))?;
        if samples.is_empty() {
            file.set_len(body).map_err(Error::io("cannot write", path))?;
            let info = records.describe(records.track(samples).info());
            return Ok(Written { frames: 0, bytes: body, info });
        }
        let mut written = seal(&mut file, path, (body, end), &records.track(samples), true)?;
        written.info = records.describe(written.info);
        return Ok(written);
    }
    file.seek(SeekFrom::Start(0)).map_err(Error::io("cannot read", path))?;
    let mut start = [0; Header::LEN];
    let header = file.read_exact(&mut start).ok().and_then(|()| Header::read(&start));
    let header = header.ok_or_else(|| {
        Error::malformed(path, "the first bytes", "this is not a video that was being recorded")
    })?;
    let len = file.len().map_err(Error::io("cannot read", path))?;
    let len =
        end_of(&start[Header::LEN - 16..], Header::LEN as u64).map_or(len, |end| end.min(len));
    let mut units = BufReader::new(&mut file);
    let found = walk(&mut units, &header, len, most, sums);
    let found = found.map_err(Error::io("cannot read", path))?;
    let entry = header.entry(&found.sps, &found.pps);
    let Some(entry) = entry.filter(|_| !found.samples.is_empty()) else {
        file.set_len(Header::LEN as u64).map_err(Error::io("cannot write", path))?;
        let info = header.no_frames();
        return Ok(Written { frames: 0, bytes: Header::LEN as u64, info });
    };
    let range = (Header::LEN as u64, found.end);
    seal(&mut file, path, range, &header.track(entry, found.samples), false)
}

/// Copies what is whole of a video that was cut off: the frames up to the first that is not there.
/// The original is left alone.
pub fn salvage(from: &Path, to: &Path) -> Result<Written> {
    let mut source = FileSource::open(from)?;
    if let Ok(mut track) = cut_track(&mut source, from) {
        let len = source.len();
        let inside = |sample: &&Sample| {
            sample.offset.checked_add(u64::from(sample.size)).is_some_and(|end| end <= len)
        };
        let whole = track.samples.iter().take_while(inside).count();
        track.samples.truncate(whole);
        return save(&mut source, from, track, to);
    }
    std::fs::copy(from, to).map_err(Error::io("cannot copy", from))?;
    recover(to, None)
}

/// What a walk over the units found.
#[derive(Debug, Default)]
struct Found {
    sps: Vec<u8>,
    pps: Vec<u8>,
    samples: Vec<Sample>,
    /// Where the last whole frame ends.
    end: u64,
}

/// Walks from unit to unit until one is not whole, or is nothing that the writer makes.
fn walk(
    file: &mut (impl Read + Seek),
    header: &Header,
    len: u64,
    most: u64,
    sums: Option<&[u32]>,
) -> std::io::Result<Found> {
    let mut found = Found::default();
    let mut at = Header::LEN as u64;
    let mut sum = crc32fast::Hasher::new();
    file.seek(SeekFrom::Start(at))?;
    while (found.samples.len() as u64) < most && len.saturating_sub(at) > 4 {
        let mut start = [0; 5];
        file.read_exact(&mut start)?;
        let [a, b, c, d, first] = start;
        let size = u32::from_be_bytes([a, b, c, d]);
        if size == 0 || u64::from(size) > len - at - 4 {
            break;
        }
        let mut body = i64::from(size) - 1;
        sum.update(&start);
        match Nal::of(first) {
            Some(kind @ (Nal::Sps | Nal::Pps)) if size <= LONGEST_SET => {
                let mut set = vec![first; size as usize];
                file.read_exact(&mut set[1..])?;
                sum.update(&set[1..]);
                body = 0;
                if kind == Nal::Sps { found.sps = set } else { found.pps = set }
            }
            Some(kind @ (Nal::Keyframe | Nal::Picture)) => {
                if let Some(sums) = sums {
                    let mut rest = vec![0; size as usize - 1];
                    file.read_exact(&mut rest)?;
                    sum.update(&rest);
                    body = 0;
                    if sums.get(found.samples.len()) != Some(&std::mem::take(&mut sum).finalize()) {
                        break;
                    }
                }
                let keyframe = kind == Nal::Keyframe;
                found.samples.push(header.sample(found.samples.len(), at, size, keyframe));
            }
            _ => break,
        }
        file.seek_relative(body)?;
        at += 4 + u64::from(size);
        found.end = at;
    }
    Ok(found)
}

/// Walks from picture to picture until one is not whole. Gives them, and where the last one ends.
fn walk_records(
    file: &mut BufReader<&mut File>,
    body: u64,
    len: u64,
    most: u64,
    sums: Option<&[u32]>,
) -> std::io::Result<(Vec<Sample>, u64)> {
    let (mut samples, mut at) = (Vec::new(), body);
    file.seek(SeekFrom::Start(at))?;
    while (samples.len() as u64) < most && len.saturating_sub(at) > 4 {
        let mut length = [0; 4];
        file.read_exact(&mut length)?;
        let sample = Records::sample(samples.len(), at, length);
        if sample.size == 0 || u64::from(sample.size) > len - at - 4 {
            break;
        }
        match sums {
            Some(sums) => {
                let mut picture = vec![0; sample.size as usize];
                file.read_exact(&mut picture)?;
                let mut sum = crc32fast::Hasher::new();
                sum.update(&length);
                sum.update(&picture);
                if sums.get(samples.len()) != Some(&sum.finalize()) {
                    break;
                }
            }
            None => file.seek_relative(i64::from(sample.size))?,
        }
        at += 4 + u64::from(sample.size);
        samples.push(sample);
    }
    Ok((samples, at))
}
