//! Where a camera's images lie while they wait for an encoder that does not keep up: a file beside the
//! episode, appended to, so that a kill or a power cut takes none of them.
//!
//! ```text
//! checksum │ number of the frame │ width, height, format │ pixels │ checksum │ …
//! ```
//!
//! An image that is shown again has no pixels a second time in one file. There are two files, filled in
//! turn: once all images in one are in the video, durably, it begins anew. An encoder that always holds
//! some images back therefore leaves as much on the disk as it holds, and does not fill it.

use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::queue::Job;
use crate::durable::{self, File};
use crate::image::{Image, PixelFormat};
use crate::{Error, Result};

/// How many bytes come before the pixels.
const HEAD: usize = 4 + 8 + 9;
/// The format of an image that is shown again.
const AGAIN: u8 = 0;
const FORMATS: [(u8, PixelFormat); 3] =
    [(1, PixelFormat::Rgb8), (2, PixelFormat::I420), (3, PixelFormat::Gray16)];

/// One frame of a camera on its way to the encoder.
#[derive(Clone, Debug)]
pub struct Shot {
    /// Which frame of the episode it is.
    pub number: u64,
    /// What the camera shows.
    pub image: Image,
    /// Whether it is what it showed before.
    pub again: bool,
}

/// Where the pixels of a spooled frame lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    Image {
        /// Which of the two.
        half: usize,
        /// The offset of the first one.
        at: u64,
        /// Pixels from left to right.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
        /// How they are laid out.
        format: PixelFormat,
    },
    /// They are those of the frame before it.
    Again,
}

impl Place {
    /// Reads it back.
    pub(super) fn read(self, path: &Path) -> Result<Job> {
        let Self::Image { half, at, width, height, format } = self else { return Ok(Job::Repeat) };
        let path = &halves(path)[half];
        let mut pixels = vec![0; format.len(width, height)];
        let read = std::fs::File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut pixels)
        });
        read.map_err(Error::io("cannot read", path))?;
        Ok(Image::new(width, height, format, pixels).map_or(Job::Repeat, Job::New))
    }
}

/// The two files of a spool of this name.
pub(super) fn halves(path: &Path) -> [PathBuf; 2] {
    [path.to_owned(), path.with_extension("spool2")]
}

/// One of the two files. It is not there before it is needed.
struct Half {
    path: PathBuf,
    file: Option<File>,
    /// Where the next frame goes.
    end: u64,
    /// The frame before that.
    last: Option<u64>,
    /// Whether everything in it was waited for.
    synced: bool,
}

/// The files, for whoever writes them.
pub struct Spool {
    halves: [Half; 2],
    /// Which one frames go to.
    current: usize,
    /// How many bytes that one takes before it is the other's turn.
    turn: u64,
}

impl Spool {
    /// Files of this name, each of about so many bytes while the encoder keeps up.
    pub fn new(path: &Path, turn: usize) -> Self {
        let half = |path| Half { path, file: None, end: 0, last: None, synced: true };
        Self { halves: halves(path).map(half), current: 0, turn: turn as u64 }
    }

    /// Appends frames and hands them to the system; gives where each lies.
    pub fn append(&mut self, shots: &[Shot]) -> Result<Vec<Place>> {
        let other = 1 - self.current;
        if self.halves[self.current].end >= self.turn && self.halves[other].end == 0 {
            self.current = other;
        }
        self.halves[self.current].append(self.current, shots)
    }

    /// Waits until everything appended is on the disk.
    pub fn sync(&mut self) -> Result<()> {
        self.halves.iter_mut().try_for_each(Half::sync)
    }

    /// Forgets what no frame from this one on needs.
    pub fn clear_before(&mut self, first: u64) -> Result<()> {
        let spent = |half: &&mut Half| half.last.is_some_and(|last| last < first);
        self.halves.iter_mut().filter(spent).try_for_each(Half::clear)
    }
}

impl Half {
    fn append(&mut self, half: usize, shots: &[Shot]) -> Result<Vec<Place>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = File::create(&self.path);
                self.file.insert(file.map_err(Error::io("cannot create", &self.path))?)
            }
        };
        self.synced = false;
        let (mut at, mut last) = (self.end, self.last);
        let mut places = Vec::with_capacity(shots.len());
        let mut write = || {
            file.seek(SeekFrom::Start(at))?;
            for shot in shots {
                let again = shot.again && last.is_some() && shot.number.checked_sub(1) == last;
                let pixels = if again { &[][..] } else { shot.image.pixels() };
                file.write_all(&head(shot, again, pixels))?;
                file.write_all(pixels)?;
                places.push(match again {
                    true => Place::Again,
                    false => Place::Image {
                        half,
                        at: at + HEAD as u64,
                        width: shot.image.width(),
                        height: shot.image.height(),
                        format: shot.image.format(),
                    },
                });
                at += (HEAD + pixels.len()) as u64;
                last = Some(shot.number);
            }
            Ok(())
        };
        write().map_err(Error::io("cannot write", &self.path))?;
        (self.end, self.last) = (at, last);
        Ok(places)
    }

    fn sync(&mut self) -> Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| !self.synced) {
            file.sync().map_err(Error::io("cannot make durable", &self.path))?;
            durable::sync_folder(durable::above(&self.path))?;
            self.synced = true;
        }
        Ok(())
    }

    /// Begins anew.
    fn clear(&mut self) -> Result<()> {
        if let Some(file) = &self.file {
            file.set_len(0).map_err(Error::io("cannot write", &self.path))?;
            (self.end, self.last) = (0, None);
        }
        Ok(())
    }
}

fn head(shot: &Shot, again: bool, pixels: &[u8]) -> [u8; HEAD] {
    let format = FORMATS.iter().find(|(_, format)| *format == shot.image.format());
    let format = format.filter(|_| !again).map_or(AGAIN, |(number, _)| *number);
    let size = if again { (0, 0) } else { (shot.image.width(), shot.image.height()) };
    let mut head = [0; HEAD];
    head[4..12].copy_from_slice(&shot.number.to_le_bytes());
    head[12..16].copy_from_slice(&size.0.to_le_bytes());
    head[16..20].copy_from_slice(&size.1.to_le_bytes());
    head[20] = format;
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head[4..]);
    sum.update(pixels);
    head[..4].copy_from_slice(&sum.finalize().to_le_bytes());
    head
}

/// The frames in a spool, from one on, one behind the other without a gap, up to where the file was
/// cut.
pub struct Spooled<R> {
    from: R,
    /// How many bytes are left.
    left: u64,
    next: u64,
    last: Option<Shot>,
}

/// The frames in the files of a spool, from one on; none where nothing had to wait.
pub(super) fn spooled(
    path: &Path,
    first: u64,
) -> Result<Option<impl Iterator<Item = Shot> + use<>>> {
    let mut found = Vec::new();
    for half in halves(path) {
        let open = || match std::fs::File::open(&half) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("cannot open", &half)(error)),
        };
        let Some(file) = open()? else { continue };
        let left = file.metadata().map_err(Error::io("cannot read", &half))?.len();
        let spooled = |file| Spooled::new(BufReader::new(file), left, first);
        let begins = open()?.map(spooled).and_then(|mut all| Some(all.record()?.number));
        found.push((begins, spooled(file)));
    }
    // The older ones first.
    found.sort_by_key(|(begins, _)| *begins);
    let mut next = first;
    let mut all = found.into_iter().map(|(_, spooled)| spooled).peekable();
    let frames = std::iter::from_fn(move || {
        loop {
            let half = all.peek_mut()?;
            half.next = next;
            match half.next() {
                Some(shot) => {
                    next = shot.number + 1;
                    return Some(shot);
                }
                None => drop(all.next()),
            }
        }
    });
    let mut frames = frames.peekable();
    Ok(frames.peek().is_some().then_some(frames))
}

impl<R: Read> Spooled<R> {
    /// Reads the frames of so many bytes.
    pub fn new(from: R, left: u64, first: u64) -> Self {
        Self { from, left, next: first, last: None }
    }

    /// The next record, whichever frame it is of; none where it is not whole.
    fn record(&mut self) -> Option<Shot> {
        let mut head = [0; HEAD];
        self.left = self.left.checked_sub(HEAD as u64)?;
        self.from.read_exact(&mut head).ok()?;
        let [a, b, c, d, rest @ ..] = head;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let number = u64::from_le_bytes(*number);
        let (width, rest) = rest.split_first_chunk::<4>()?;
        let (height, rest) = rest.split_first_chunk::<4>()?;
        let (width, height) = (u32::from_le_bytes(*width), u32::from_le_bytes(*height));
        (width.max(height) <= Image::MAX_SIDE).then_some(())?;
        let known = FORMATS.iter().find(|(known, _)| rest.first() == Some(known));
        let length = known.map_or(0, |(_, format)| format.len(width, height)) as u64;
        self.left = self.left.checked_sub(length)?;
        let mut pixels = vec![0; usize::try_from(length).ok()?];
        self.from.read_exact(&mut pixels).ok()?;
        let mut sum = crc32fast::Hasher::new();
        sum.update(&head[4..]);
        sum.update(&pixels);
        (sum.finalize() == u32::from_le_bytes([a, b, c, d])).then_some(())?;
        match known {
            Some((_, format)) => {
                let image = Image::new(width, height, *format, pixels)?;
                Some(Shot { number, image, again: false })
            }
            None => {
                let last =
                    self.last.as_ref().filter(|last| last.number.checked_add(1) == Some(number))?;
                Some(Shot { number, image: last.image.clone(), again: true })
            }
        }
    }
}

impl<R: Read> Iterator for Spooled<R> {
    type Item = Shot;

    fn next(&mut self) -> Option<Shot> {
        loop {
            let shot = self.record()?;
            // What was overwritten when the file began anew may lie behind what is newer.
            if self.last.as_ref().is_some_and(|last| shot.number <= last.number) {
                return None;
            }
            self.last = Some(shot.clone());
            match shot.number.cmp(&self.next) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => {
                    self.next += 1;
                    return Some(shot);
                }
                std::cmp::Ordering::Greater => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(number: u64, again: bool) -> Shot {
        let value = if again { number - 1 } else { number };
        let image = Image::new(4, 4, PixelFormat::Rgb8, vec![value as u8; 48]).unwrap();
        Shot { number, image, again }
    }

    fn found(path: &Path, first: u64) -> Vec<(u64, u8, bool)> {
        let all = spooled(path, first).unwrap().into_iter().flatten();
        all.map(|shot| (shot.number, shot.image.pixels()[0], shot.again)).collect()
    }

    #[test]
    fn frames_are_read_from_any_one_on_up_to_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        assert!(spooled(&path, 0).unwrap().is_none());
        let mut spool = Spool::new(&path, 4096);
        spool.clear_before(1).unwrap();
        assert!(!path.exists());
        // The first frame in the file has its pixels, whether it was shown before or not.
        let shots = [shot(3, true), shot(4, false), shot(5, true), shot(9, true), shot(10, true)];
        let places = spool.append(&shots).unwrap();
        assert_eq!(places.iter().filter(|place| **place == Place::Again).count(), 2);
        assert_eq!(found(&path, 3), [(3, 2, false), (4, 4, false), (5, 4, true)]);
        assert_eq!(found(&path, 5), [(5, 4, true)]);
        assert_eq!(found(&path, 6), []);
        assert_eq!(found(&path, 9), [(9, 8, false), (10, 8, true)]);
        assert_eq!(found(&path, 0), []);
        match places[1].read(&path).unwrap() {
            Job::New(image) => assert_eq!(image.pixels()[0], 4),
            Job::Repeat => panic!(),
        }
    }

    #[test]
    fn what_is_torn_or_older_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let mut spool = Spool::new(&path, 4096);
        spool.append(&[shot(0, false), shot(1, false), shot(2, false)]).unwrap();
        let old = std::fs::read(&path).unwrap();
        for cut in 0..old.len() {
            std::fs::write(&path, &old[..cut]).unwrap();
            assert_eq!(found(&path, 0).len(), cut / (HEAD + 48));
            let mut torn = old.clone();
            torn[cut] ^= 1;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(found(&path, 0).len(), cut / (HEAD + 48));
        }
        std::fs::write(&path, &old).unwrap();
        spool.clear_before(3).unwrap();
        assert_eq!(found(&path, 0), []);
        spool.append(&[shot(7, false)]).unwrap();
        let mut both = std::fs::read(&path).unwrap();
        both.extend(&old[HEAD + 48..]);
        std::fs::write(&path, &both).unwrap();
        assert_eq!(found(&path, 7), [(7, 7, false)]);
    }

    #[test]
    fn two_files_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.spool");
        let mut spool = Spool::new(&path, 2 * (HEAD + 48));
        let mut longest = 0;
        for number in 0..40_u64 {
            // Every third is one that is shown again, the first in a file has its pixels all the same.
            spool.append(&[shot(number, number % 3 == 2)]).unwrap();
            // The encoder holds seven back.
            let first = number.saturating_sub(6);
            spool.clear_before(first).unwrap();
            let expected: Vec<u64> = (first..=number).collect();
            let frames = found(&path, first);
            assert_eq!(frames.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), expected);
            for (number, value, _) in frames {
                let shown = if number % 3 == 2 { number - 1 } else { number };
                assert_eq!(u64::from(value), shown);
            }
            let sizes = halves(&path).map(|half| half.metadata().map_or(0, |half| half.len()));
            longest = longest.max(sizes.iter().sum());
        }
        assert!(longest <= 18 * (HEAD as u64 + 48), "{longest} bytes for seven images");
    }
}
