//! A video that was cut off, finished after the fact.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::concat::{keep_first, save};
use super::header::{Header, end_of, seal};
use super::mp4::Sample;
use super::mp4::entry::SampleEntry;
use super::mp4::read::{cut_track, find_outer, track};
use super::nal::Nal;
use super::records::Records;
use super::source::{FileSource, ReadAt};
use super::write::Written;
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

/// How many frames [`recover_checked`] would keep; changes nothing.
pub fn whole_frames(path: &Path, sums: &[u32]) -> Result<u64> {
    Ok(whole(path, sums)?.map_or(0, |found| found.samples.len() as u64))
}

/// What is whole of a video; none where not even its beginning was kept.
pub fn whole(path: &Path, sums: &[u32]) -> Result<Option<CutOff>> {
    match cut_off(path, sums.len() as u64, Some(sums)) {
        Ok(found) => Ok(Some(found)),
        Err(Error::Malformed { .. }) => Ok(None),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a file says of how it was encoded, if it is one that FFmpeg encoded here.
pub fn records(path: &Path) -> Result<Option<Records>> {
    let mut file = std::fs::File::open(path).map_err(Error::io("cannot open", path))?;
    Ok(Records::read(&mut file).map(|(records, _)| records))
}

fn walk_and_seal(path: &Path, most: u64, sums: Option<&[u32]>) -> Result<Written> {
    let CutOff { mut file, head, samples, body, end } = cut_off(path, most, sums)?;
    if samples.is_empty() {
        file.set_len(body).map_err(Error::io("cannot write", path))?;
        let info = match head {
            Head::Units { header, .. } => header.no_frames(),
            Head::Pictures(records) => records.describe(records.track(samples).info()),
        };
        return Ok(Written { frames: 0, bytes: body, info });
    }
    match head {
        Head::Pictures(records) => {
            let mut written = seal(&mut file, path, (body, end), &records.track(samples), true)?;
            written.info = records.describe(written.info);
            Ok(written)
        }
        Head::Units { header, entry: Some(entry) } => {
            seal(&mut file, path, (body, end), &header.track(entry, samples), false)
        }
        Head::Units { .. } => Err(Error::malformed(path, "the first frame", "has no parameters")),
    }
}

/// What is whole of a video that was cut off.
pub struct CutOff {
    /// The file, to be changed.
    pub file: File,
    /// What is known of all its pictures.
    pub head: Head,
    /// The whole frames.
    pub samples: Vec<Sample>,
    /// Where the first unit or picture begins.
    pub body: u64,
    /// Where the last whole frame ends.
    pub end: u64,
}

/// How a growing video lies on the disk, and what is known of all its pictures.
pub enum Head {
    /// Unit by unit; the entry is there once a frame is.
    Units { header: Header, entry: Option<SampleEntry> },
    /// Picture by picture.
    Pictures(Records),
}

/// Looks at a video that was cut off: the frames, `most` of them, up to the first that is not whole or
/// does not have its checksum.
fn cut_off(path: &Path, most: u64, sums: Option<&[u32]>) -> Result<CutOff> {
    let mut file = File::edit(path).map_err(Error::io("cannot open", path))?;
    let len = file.len().map_err(Error::io("cannot read", path))?;
    if let Some((records, heads)) = Records::read(&mut file) {
        let body = records.bytes().len() as u64;
        let len = end_of(&heads, body).map_or(len, |end| end.min(len));
        let found = walk_records(&mut BufReader::new(&mut file), body, len, most, sums);
        let (samples, end) = found.map_err(Error::io("cannot read", path))?;
        return Ok(CutOff { file, head: Head::Pictures(records), samples, body, end });
    }
    file.seek(SeekFrom::Start(0)).map_err(Error::io("cannot read", path))?;
    let mut start = [0; Header::LEN];
    let header = file.read_exact(&mut start).ok().and_then(|()| Header::read(&start));
    let header = header.ok_or_else(|| {
        Error::malformed(path, "the first bytes", "this is not a video that was being recorded")
    })?;
    let body = Header::LEN as u64;
    let len = end_of(&start[Header::LEN - 16..], body).map_or(len, |end| end.min(len));
    let found = walk(&mut BufReader::new(&mut file), &header, len, most, sums);
    let mut found = found.map_err(Error::io("cannot read", path))?;
    let entry = header.entry(&found.sps, &found.pps);
    if entry.is_none() {
        found.samples.clear();
    }
    let head = Head::Units { header, entry };
    Ok(CutOff { file, head, samples: found.samples, body, end: found.end })
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
