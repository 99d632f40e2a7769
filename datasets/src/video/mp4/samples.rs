//! The sample tables of a track: sizes, offsets, times and keyframes, put together.

use super::Sample;
use super::boxes::{Fields, find};

/// More pictures than any file has: six days at 30 per second.
const MOST_SAMPLES: u32 = 1 << 24;

/// More pictures than can chance to have the same size, which a file says once for all of them.
const MOST_ALIKE: u32 = 1 << 16;

/// Puts the tables of an `stbl` body together. Every sample lies within the file's `len` bytes.
pub fn samples(stbl: &[u8], len: u64) -> Result<Vec<Sample>, &'static str> {
    let mut samples = sizes(table(stbl, b"stsz")?).ok_or("stsz does not make sense")?;
    place(stbl, &mut samples).ok_or("stsc and stco do not make sense")?;
    let inside = |sample: &Sample| {
        sample.offset.checked_add(u64::from(sample.size)).is_some_and(|end| end <= len)
    };
    if !samples.iter().all(inside) {
        return Err("a sample lies beyond the end of the file");
    }
    times(table(stbl, b"stts")?, &mut samples).ok_or("stts does not make sense")?;
    if let Some(ctts) = find(stbl, b"ctts") {
        shift(ctts, &mut samples).ok_or("ctts does not make sense")?;
    }
    match find(stbl, b"stss") {
        Some(stss) => keyframes(stss, &mut samples).ok_or("stss does not make sense")?,
        None => samples.iter_mut().for_each(|sample| sample.keyframe = true),
    }
    Ok(samples)
}

fn table<'a>(stbl: &'a [u8], kind: &[u8; 4]) -> Result<&'a [u8], &'static str> {
    find(stbl, kind).ok_or(match kind {
        b"stsz" => "there is no stsz box",
        _ => "there is no stts box",
    })
}

fn sizes(stsz: &[u8]) -> Option<Vec<Sample>> {
    let mut fields = Fields::new(stsz);
    fields.take(4)?;
    let (size, count) = (fields.u32()?, fields.u32()?);
    let blank = Sample { offset: 0, size, duration: 0, pts: 0, keyframe: false };
    if size != 0 {
        return (count <= MOST_ALIKE).then(|| vec![blank; count as usize]);
    }
    // A listed size takes four bytes, so that the list cannot be longer than the file.
    if count > MOST_SAMPLES || fields.rest().len() / 4 < count as usize {
        return None;
    }
    (0..count).map(|_| Some(Sample { size: fields.u32()?, ..blank })).collect()
}

/// Gives every sample its offset, from the chunks and how many samples each has.
fn place(stbl: &[u8], samples: &mut [Sample]) -> Option<()> {
    let mut runs = Fields::new(find(stbl, b"stsc")?);
    runs.take(4)?;
    let mut runs_left = runs.u32()?;
    let (chunks, wide) = match find(stbl, b"stco") {
        Some(stco) => (stco, false),
        None => (find(stbl, b"co64")?, true),
    };
    let mut chunks = Fields::new(chunks);
    chunks.take(4)?;
    let chunk_count = chunks.u32()?;

    let mut next_run = 0;
    let (mut per_chunk, mut per_chunk_next) = (0, 0);
    let mut samples = samples.iter_mut();
    for chunk in 1..=chunk_count {
        while chunk >= next_run {
            per_chunk = per_chunk_next;
            if runs_left == 0 {
                next_run = u32::MAX;
                break;
            }
            runs_left -= 1;
            let first = runs.u32()?;
            if first <= next_run && next_run != 0 {
                return None;
            }
            (next_run, per_chunk_next) = (first, runs.u32()?);
            runs.u32()?;
        }
        let mut offset = if wide { chunks.u64()? } else { u64::from(chunks.u32()?) };
        for _ in 0..per_chunk {
            let Some(sample) = samples.next() else { return Some(()) };
            sample.offset = offset;
            offset = offset.checked_add(u64::from(sample.size))?;
        }
    }
    samples.next().is_none().then_some(())
}

/// Gives every sample its duration and the time at which it is decoded.
fn times(stts: &[u8], samples: &mut [Sample]) -> Option<()> {
    let mut fields = Fields::new(stts);
    fields.take(4)?;
    let mut left = fields.u32()?;
    let (mut run, mut delta) = (0, 0);
    let mut time: i64 = 0;
    for sample in samples {
        while run == 0 && left > 0 {
            left -= 1;
            (run, delta) = (fields.u32()?, fields.u32()?);
        }
        run = run.checked_sub(1)?;
        sample.duration = delta;
        sample.pts = time;
        time = time.checked_add(i64::from(delta))?;
    }
    Some(())
}

/// Moves from the time of decoding to the time of showing.
fn shift(ctts: &[u8], samples: &mut [Sample]) -> Option<()> {
    let mut fields = Fields::new(ctts);
    fields.take(4)?;
    let mut left = fields.u32()?;
    let (mut run, mut offset) = (0, 0);
    for sample in samples {
        while run == 0 && left > 0 {
            left -= 1;
            // Signed in version 1; in version 0 files that mean it as signed exist, too.
            (run, offset) = (fields.u32()?, fields.u32()?.cast_signed());
        }
        run = run.checked_sub(1)?;
        sample.pts = sample.pts.checked_add(i64::from(offset))?;
    }
    Some(())
}

fn keyframes(stss: &[u8], samples: &mut [Sample]) -> Option<()> {
    let mut fields = Fields::new(stss);
    fields.take(4)?;
    for _ in 0..fields.u32()? {
        let number = fields.u32()? as usize;
        samples.get_mut(number.checked_sub(1)?)?.keyframe = true;
    }
    Some(())
}
