//! From a file's bytes to its video track, reading nothing but the `moov` box.

use std::path::Path;

use super::boxes::{Fields, boxes, find};
use super::entry::SampleEntry;
use super::{Track, samples};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::video::source::ReadAt;

/// More boxes than a file has at its outermost level, fragmented ones aside.
const MOST_BOXES: usize = 1000;

/// The largest `moov` box: that of about ten million pictures.
const LARGEST_MOOV: u64 = 256 << 20;

/// How much is read at once, so that a wrong size costs no more memory than there are bytes.
const STEP: u64 = 1 << 20;

/// One box at the outermost level of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Its four letters.
    pub kind: [u8; 4],
    /// Where its body begins.
    pub body: u64,
    /// Where it ends.
    pub end: u64,
}

/// Reads the header of the box that begins at this offset; none at the end of the file.
pub fn outer(source: &mut dyn ReadAt, path: &Path, offset: u64) -> Result<Option<Outer>> {
    let left = source.len().saturating_sub(offset);
    if left < 8 {
        return Ok(None);
    }
    let mut header = [0; 16];
    let known = left.min(16) as usize;
    source.read_at(offset, &mut header[..known]).map_err(Error::io("cannot read", path))?;
    let mut fields = Fields::new(&header[..known]);
    let parsed = (|| {
        let size = u64::from(fields.u32()?);
        let kind = fields.array()?;
        let (header, size) = match size {
            0 => (8, left),
            1 => (16, fields.u64()?),
            size => (8, size),
        };
        (header..=left).contains(&size).then_some(Outer {
            kind,
            body: offset + header,
            end: offset + size,
        })
    })();
    let wrong =
        || Error::malformed(path, format!("byte {offset}"), "the box has an impossible size");
    parsed.map(Some).ok_or_else(wrong)
}

/// The first box of this kind at the outermost level.
pub fn find_outer(source: &mut dyn ReadAt, path: &Path, kind: &[u8; 4]) -> Result<Option<Outer>> {
    let mut offset = 0;
    for _ in 0..MOST_BOXES {
        match outer(source, path, offset)? {
            Some(found) if found.kind == *kind => return Ok(Some(found)),
            Some(other) => offset = other.end,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// The bytes from one offset to another.
pub fn bytes(source: &mut dyn ReadAt, path: &Path, from: u64, to: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut at = from;
    while at < to {
        let step = (to - at).min(STEP) as usize;
        let start = bytes.len();
        bytes.resize(start + step, 0);
        source.read_at(at, &mut bytes[start..]).map_err(Error::io("cannot read", path))?;
        at += step as u64;
    }
    Ok(bytes)
}

/// The file's video track.
pub fn track(source: &mut dyn ReadAt, path: &Path) -> Result<Track> {
    let len = source.len();
    within(source, path, len)
}

/// The video track of a file that may be cut off: samples may lie beyond its end.
pub fn cut_track(source: &mut dyn ReadAt, path: &Path) -> Result<Track> {
    within(source, path, u64::MAX)
}

/// The video track, whose samples lie within `len` bytes.
fn within(source: &mut dyn ReadAt, path: &Path, len: u64) -> Result<Track> {
    let Some(moov) = find_outer(source, path, b"moov")? else {
        return Err(Error::malformed(path, "moov", "the file has none: it is not a finished MP4"));
    };
    if moov.end - moov.body > LARGEST_MOOV {
        return Err(Error::malformed(path, "moov", "the box is impossibly large"));
    }
    let moov = bytes(source, path, moov.body, moov.end)?;
    parse(&moov, len).map_err(|(place, what)| Error::malformed(path, place, what))
}

type Wrong = (&'static str, &'static str);

/// Finds the video track in a `moov` body. All samples lie within `len` bytes.
fn parse(moov: &[u8], len: u64) -> std::result::Result<Track, Wrong> {
    let has_audio = tracks(moov).any(|(kind, ..)| kind == *b"soun");
    let (_, trak, mdia) =
        tracks(moov).find(|(kind, ..)| kind == b"vide").ok_or(("moov", "there is no video"))?;
    let mdhd = find(mdia, b"mdhd").and_then(timescale).filter(|scale| *scale > 0);
    let timescale = mdhd.ok_or(("mdhd", "there is no time scale"))?;
    let stbl = find(mdia, b"minf").and_then(|minf| find(minf, b"stbl"));
    let stbl = stbl.ok_or(("minf", "there is no stbl box"))?;
    let entry = find(stbl, b"stsd").and_then(SampleEntry::read);
    let entry = entry.ok_or(("stsd", "the box does not make sense"))?;
    let sides = 1..=Image::MAX_SIDE;
    if !sides.contains(&u32::from(entry.width)) || !sides.contains(&u32::from(entry.height)) {
        return Err(("stsd", "no picture has such a size"));
    }
    let mut samples = samples::samples(stbl, len).map_err(|what| ("stbl", what))?;
    if samples.is_empty() && find(moov, b"mvex").is_some() {
        return Err(("mvex", "the file is fragmented, which cannot be read"));
    }
    let movie_scale = find(moov, b"mvhd").and_then(self::timescale).unwrap_or(timescale);
    let shift = find(trak, b"edts")
        .and_then(|edts| find(edts, b"elst"))
        .map_or(Some(0), |elst| edit_shift(elst, timescale, movie_scale))
        .ok_or(("elst", "the box does not make sense"))?;
    for sample in &mut samples {
        sample.pts = sample.pts.checked_add(shift).ok_or(("elst", "the shift is too large"))?;
    }
    Ok(Track { entry, timescale, samples, has_audio })
}

/// Every track: what it holds, its `trak` body and its `mdia` body.
fn tracks(moov: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8], &[u8])> {
    boxes(moov).filter(|inner| inner.kind == *b"trak").filter_map(|trak| {
        let mdia = find(trak.body, b"mdia")?;
        let mut hdlr = Fields::new(find(mdia, b"hdlr")?);
        hdlr.take(8)?;
        Some((hdlr.array()?, trak.body, mdia))
    })
}

/// The time scale of an `mvhd` or `mdhd` body.
fn timescale(header: &[u8]) -> Option<u32> {
    let mut fields = Fields::new(header);
    let version = fields.u8()?;
    fields.take(if version == 1 { 19 } else { 11 })?;
    fields.u32()
}

/// How far an edit list moves the pictures: back to where its first edit begins in the media, and
/// forward by the empty edits before it.
fn edit_shift(elst: &[u8], timescale: u32, movie_scale: u32) -> Option<i64> {
    let mut fields = Fields::new(elst);
    let version = fields.u8()?;
    fields.take(3)?;
    let mut delay: i64 = 0;
    for _ in 0..fields.u32()? {
        let (duration, media) = if version == 1 {
            (fields.u64()?, fields.u64()?.cast_signed())
        } else {
            (u64::from(fields.u32()?), i64::from(fields.u32()?.cast_signed()))
        };
        fields.take(4)?;
        if media >= 0 {
            return delay.checked_sub(media);
        }
        let ticks = u128::from(duration) * u128::from(timescale) / u128::from(movie_scale.max(1));
        delay = delay.checked_add(i64::try_from(ticks).ok()?)?;
    }
    Some(delay)
}
