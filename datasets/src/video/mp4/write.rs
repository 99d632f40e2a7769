//! From a track to the bytes of its `moov` box.
//!
//! The pictures of a finished file lie one after the other, so that they are one chunk.

use super::{Sample, Track};

/// The `ftyp` box of files with this track.
pub fn ftyp(track_is_av1: bool) -> Vec<u8> {
    let brand = if track_is_av1 { b"av01" } else { b"avc1" };
    boxed(b"ftyp", &[b"isom", &512u32.to_be_bytes(), b"isom", brand, b"iso2", b"mp41"])
}

/// The `moov` box of a track, with its pictures' times counted from that of the first. They lie
/// together from the given offset on, or else where the samples say.
pub fn moov(track: &Track, offset: Option<u64>) -> Vec<u8> {
    let duration = track.duration();
    let scale = track.timescale.to_be_bytes();
    let plan = Times::of(&track.samples);
    let length = duration.to_be_bytes();
    // Version 1 for 64-bit times, which are none but the duration.
    let mvhd = boxed(
        b"mvhd",
        &[&[1, 0, 0, 0], &[0; 16], &scale, &length, &RATE, &[0; 10], &MATRIX, &[0; 24], &TWO],
    );
    let mdia = boxed(
        b"mdia",
        &[
            &boxed(b"mdhd", &[&[1, 0, 0, 0], &[0; 16], &scale, &length, &UNDETERMINED]),
            &boxed(b"hdlr", &[&[0; 8], b"vide", &[0; 12], b"VideoHandler\0"]),
            &minf(track, &plan, offset),
        ],
    );
    let trak = boxed(b"trak", &[&tkhd(track, duration), &edts(duration, plan.shift), &mdia]);
    boxed(b"moov", &[&mvhd, &trak])
}

/// Normal speed, full volume.
const RATE: [u8; 6] = [0, 1, 0, 0, 1, 0];
/// No rotation.
const MATRIX: [u8; 36] = {
    let mut matrix = [0; 36];
    (matrix[1], matrix[17], matrix[32]) = (1, 1, 0x40);
    matrix
};
/// The number of the next track.
const TWO: [u8; 4] = [0, 0, 0, 2];
/// The language "und", and two bytes that are zero.
const UNDETERMINED: [u8; 4] = [0x55, 0xc4, 0, 0];

/// When each picture is shown, against when it is decoded.
struct Times {
    /// How much later than decoded, for each picture; never negative.
    delays: Vec<u32>,
    /// How much of that an edit list takes back.
    shift: u32,
}

impl Times {
    fn of(samples: &[Sample]) -> Self {
        let first = samples.iter().map(|sample| sample.pts).min().unwrap_or(0);
        let mut decoded = 0;
        let mut differences = Vec::with_capacity(samples.len());
        for sample in samples {
            differences.push(sample.pts.saturating_sub(first).saturating_sub(decoded));
            decoded += i64::from(sample.duration);
        }
        let least = differences.iter().copied().min().unwrap_or(0).min(0);
        let delay = |difference: i64| u32::try_from(difference.saturating_sub(least)).unwrap_or(0);
        Self {
            delays: differences.into_iter().map(delay).collect(),
            shift: u32::try_from(least.unsigned_abs()).unwrap_or(0),
        }
    }
}

fn tkhd(track: &Track, duration: u64) -> Vec<u8> {
    let width = (u32::from(track.entry.width) << 16).to_be_bytes();
    let height = (u32::from(track.entry.height) << 16).to_be_bytes();
    // Enabled, in the movie; track 1.
    let start = [1, 0, 0, 3];
    let length = duration.to_be_bytes();
    let track_id = [0, 0, 0, 1, 0, 0, 0, 0];
    boxed(b"tkhd", &[&start, &[0; 16], &track_id, &length, &[0; 16], &MATRIX, &width, &height])
}

/// The edit list, which only files with reordered pictures need.
fn edts(duration: u64, shift: u32) -> Vec<u8> {
    if shift == 0 {
        return Vec::new();
    }
    let media = u64::from(shift).to_be_bytes();
    let one = [1, 0, 0, 0, 0, 0, 0, 1];
    boxed(b"edts", &[&boxed(b"elst", &[&one, &duration.to_be_bytes(), &media, &[0, 1, 0, 0]])])
}

fn minf(track: &Track, times: &Times, offset: Option<u64>) -> Vec<u8> {
    let count = be(track.samples.len());
    let sizes = track.samples.iter().flat_map(|sample| sample.size.to_be_bytes());
    let (chunks, samples_each): (Vec<u64>, _) = match offset {
        Some(offset) => (vec![offset], count),
        None => (track.samples.iter().map(|sample| sample.offset).collect(), ONE),
    };
    let stbl = boxed(
        b"stbl",
        &[
            &boxed(b"stsd", &[&[0; 4], &ONE, &track.entry.bytes]),
            &runs(b"stts", track.samples.iter().map(|sample| sample.duration)),
            &ctts(times),
            &stss(&track.samples),
            &boxed(b"stsc", &[&[0; 4], &ONE, &ONE, &samples_each, &ONE]),
            &boxed(b"stsz", &[&[0; 8], &count, &sizes.collect::<Vec<u8>>()]),
            &places(&chunks),
        ],
    );
    let here = boxed(b"url ", &[&[0, 0, 0, 1]]);
    let dinf = boxed(b"dinf", &[&boxed(b"dref", &[&[0; 4], &ONE, &here])]);
    boxed(b"minf", &[&boxed(b"vmhd", &[&[0, 0, 0, 1], &[0; 8]]), &dinf, &stbl])
}

const ONE: [u8; 4] = [0, 0, 0, 1];

/// Where the chunks begin.
fn places(chunks: &[u64]) -> Vec<u8> {
    let small: Option<Vec<[u8; 4]>> =
        chunks.iter().map(|at| u32::try_from(*at).ok().map(u32::to_be_bytes)).collect();
    match small {
        Some(small) => boxed(b"stco", &[&[0; 4], &be(small.len()), small.as_flattened()]),
        None => {
            let large: Vec<[u8; 8]> = chunks.iter().map(|at| at.to_be_bytes()).collect();
            boxed(b"co64", &[&[0; 4], &be(large.len()), large.as_flattened()])
        }
    }
}

fn ctts(times: &Times) -> Vec<u8> {
    if times.delays.iter().all(|delay| *delay == 0) {
        return Vec::new();
    }
    runs(b"ctts", times.delays.iter().copied())
}

/// The list of keyframes, left out where all are.
fn stss(samples: &[Sample]) -> Vec<u8> {
    if samples.iter().all(|sample| sample.keyframe) {
        return Vec::new();
    }
    let numbers: Vec<u8> = (samples.iter().enumerate())
        .filter(|(_, sample)| sample.keyframe)
        .flat_map(|(index, _)| be(index + 1))
        .collect();
    boxed(b"stss", &[&[0; 4], &be(numbers.len() / 4), &numbers])
}

/// A table of values, each with how often it repeats.
fn runs(kind: &[u8; 4], values: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((count, last)) if *last == value => *count += 1,
            _ => runs.push((1, value)),
        }
    }
    let body: Vec<u8> = runs
        .iter()
        .flat_map(|(count, value)| [count.to_be_bytes(), value.to_be_bytes()])
        .flatten()
        .collect();
    boxed(kind, &[&[0; 4], &be(runs.len()), &body])
}

fn be(count: usize) -> [u8; 4] {
    // No track has more pictures than its tables can count: the writer refuses before.
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

/// A box of these parts.
pub fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let size = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(size);
    bytes.extend(be(size));
    bytes.extend(kind);
    parts.iter().for_each(|part| bytes.extend(*part));
    bytes
}
