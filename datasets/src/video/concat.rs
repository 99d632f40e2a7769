//! Videos joined and cut without decoding them.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Codec;
use super::mp4::read::{bytes, track};
use super::mp4::write::{boxed, ftyp, moov};
use super::mp4::{Sample, Track, same_coding};
use super::source::{FileSource, ReadAt};
use super::write::Written;
use crate::durable::{self, File};
use crate::error::{Error, Result};

/// A picture belongs to a range that begins or ends within this of its time.
const SAME_TIME_S: f64 = 1e-4;

/// Joins videos that are coded alike into one file, which may be one of them.
///
/// Gives the times in seconds from which to which each of them lies in it. The file appears under
/// its name when it is complete and on the disk.
pub fn concat(parts: &[PathBuf], out: &Path) -> Result<Vec<(f64, f64)>> {
    let mut all: Option<Track> = None;
    let mut sources = Vec::with_capacity(parts.len());
    let mut ranges = Vec::with_capacity(parts.len());
    for path in parts {
        let track = track(&mut FileSource::open(path)?, path)?;
        let all = all.get_or_insert_with(|| Track {
            samples: Vec::new(),
            has_audio: false,
            ..track.clone()
        });
        if !same_coding(all, &track) {
            let what = format!(
                "the videos are coded differently and cannot be joined: {}, {}",
                parts.first().unwrap_or(path).display(),
                path.display()
            );
            return Err(Error::Refused { what });
        }
        let begin = all.duration() as i64;
        let end = begin.saturating_add_unsigned(track.duration());
        ranges.push((all.seconds(begin), all.seconds(end)));
        let first = earliest(&track.samples);
        sources.push((path, track.samples.len()));
        let moved = |sample: &Sample| Sample {
            pts: sample.pts.saturating_sub(first).saturating_add(begin),
            ..*sample
        };
        all.samples.extend(track.samples.iter().map(moved));
    }
    let Some(all) = all else {
        return Err(Error::Refused { what: "there are no videos to join".into() });
    };
    let mut output = Output::begin(out, &all)?;
    let mut rest = all.samples.as_slice();
    for (path, count) in sources {
        let (samples, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        output.copy(&mut FileSource::open(path)?, path, samples)?;
        rest = after;
    }
    output.end()?;
    Ok(ranges)
}

/// Copies the frames from one time up to another into a file of their own, without decoding them.
///
/// The first must be a keyframe. The file appears under its name when it is complete.
pub fn cut(source: &Path, from_s: f64, to_s: f64, out: &Path) -> Result<Written> {
    let mut file = FileSource::open(source)?;
    let mut track = track(&mut file, source)?;
    track.samples = between(&track, from_s, to_s)
        .map_err(|what| Error::Refused { what: format!("{what}: {}", source.display()) })?
        .to_vec();
    save(&mut file, source, track, out)
}

/// Whether a picture is shown from one time up to another.
pub fn inside(track: &Track, sample: &Sample, from_s: f64, to_s: f64) -> bool {
    let time = track.seconds(sample.pts);
    time > from_s - SAME_TIME_S && time < to_s - SAME_TIME_S
}

/// The pictures from one time up to another; the text says why they cannot be taken by themselves.
pub fn between(track: &Track, from_s: f64, to_s: f64) -> Result<&[Sample], String> {
    let inside = |sample: &Sample| inside(track, sample, from_s, to_s);
    let begin = track.samples.iter().position(inside).unwrap_or(0);
    let rest = track.samples.get(begin..).unwrap_or_default();
    let count = rest.iter().take_while(|sample| inside(sample)).count();
    let kept = rest.get(..count).unwrap_or_default();
    if !kept.first().is_some_and(|first| first.keyframe) {
        return Err(format!("there is no keyframe at {from_s:.6} s to cut before"));
    }
    if rest.iter().filter(|sample| inside(sample)).count() != count {
        return Err(format!(
            "the pictures from {from_s:.6} s to {to_s:.6} s are mixed with others"
        ));
    }
    Ok(kept)
}

/// Cuts a finished video to its first frames, in place.
pub fn keep_first(
    mut source: FileSource,
    path: &Path,
    mut track: Track,
    frames: u64,
) -> Result<Written> {
    track.samples.truncate(usize::try_from(frames).unwrap_or(usize::MAX));
    save(&mut source, path, track, path)
}

/// Copies the samples of a track into a file of their own.
pub fn save(source: &mut FileSource, path: &Path, mut track: Track, out: &Path) -> Result<Written> {
    if track.samples.is_empty() {
        let what = format!("a video cannot be cut to no frames: {}", path.display());
        return Err(Error::Refused { what });
    }
    let first = earliest(&track.samples);
    track.has_audio = false;
    track.samples.iter_mut().for_each(|sample| sample.pts = sample.pts.saturating_sub(first));
    let mut output = Output::begin(out, &track)?;
    output.copy(source, path, &track.samples)?;
    let bytes = output.end()?;
    Ok(Written { frames: track.samples.len() as u64, bytes, info: track.info() })
}

fn earliest(samples: &[Sample]) -> i64 {
    samples.iter().map(|sample| sample.pts).min().unwrap_or(0)
}

/// A file with its `moov` box first, written beside its place and moved there at the end.
struct Output<'a> {
    path: &'a Path,
    beside: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl<'a> Output<'a> {
    fn begin(path: &'a Path, track: &Track) -> Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let beside = path.with_file_name(name);
        let media: u64 = track.samples.iter().map(|sample| u64::from(sample.size)).sum();
        let start = head(track, media);
        let file = File::create(&beside).map_err(Error::io("cannot create", &beside))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(&start).map_err(Error::io("cannot write", &beside))?;
        Ok(Self { path, beside, file, bytes: start.len() as u64 + media })
    }

    /// Copies samples, those that lie together in one go.
    fn copy(&mut self, source: &mut dyn ReadAt, from: &Path, samples: &[Sample]) -> Result<()> {
        const AT_ONCE: u64 = 4 << 20;
        let mut samples = samples.iter().peekable();
        while let Some(first) = samples.next() {
            let mut end = first.offset + u64::from(first.size);
            while let Some(next) =
                samples.next_if(|next| next.offset == end && end - first.offset < AT_ONCE)
            {
                end += u64::from(next.size);
            }
            let run = bytes(source, from, first.offset, end)?;
            self.file.write_all(&run).map_err(Error::io("cannot write", &self.beside))?;
        }
        Ok(())
    }

    fn end(mut self) -> Result<u64> {
        let wrong = Error::io("cannot write", self.path);
        (|| {
            self.file.flush()?;
            self.file.get_ref().sync()
        })()
        .map_err(wrong)?;
        durable::rename(&self.beside, self.path)?;
        durable::sync_folder(durable::above(self.path))?;
        Ok(self.bytes)
    }
}

/// Everything before the first picture.
fn head(track: &Track, media: u64) -> Vec<u8> {
    let mut start = ftyp(track.entry.codec == Codec::Av1);
    let (size, wide) = match u32::try_from(media + 8) {
        Ok(size) => (size, None),
        Err(_) => (1, Some(media + 16)),
    };
    let mdat = 8 + if wide.is_some() { 8 } else { 0 };
    // The size of moov depends on the offset in it only where that is beyond 4 GiB, which the
    // tables of no track reach.
    let end = (start.len() + moov(track, Some(0)).len() + mdat) as u64;
    start.extend(moov(track, Some(end)));
    start.extend(boxed(b"mdat", &[]));
    let at = start.len() - 8;
    start.splice(at..at + 4, size.to_be_bytes());
    start.extend(wide.into_iter().flat_map(u64::to_be_bytes));
    start
}
