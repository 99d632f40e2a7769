//! Where a camera's images lie while they wait for an encoder that does not keep up: a file beside the
//! episode, appended to, so that a kill or a power cut takes none of them.
//!
//! ```text
//! checksum │ number of the frame │ width, height, format │ pixels │ checksum │ …
//! ```
//!
//! An image that is shown again has no pixels a second time. Once all images in the file are in the
//! video, durably, it begins anew.

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
    /// In the file.
    Image {
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
        let Self::Image { at, width, height, format } = self else { return Ok(Job::Repeat) };
        let mut pixels = vec![0; format.len(width, height)];
        let read = std::fs::File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut pixels)
        });
        read.map_err(Error::io("cannot read", path))?;
        Ok(Image::new(width, height, format, pixels).map_or(Job::Repeat, Job::New))
    }
}

/// The file, for whoever writes it. It is not there before it is needed.
pub struct Spool {
    path: PathBuf,
    file: Option<File>,
    /// Where the next frame goes.
    end: u64,
    /// The frame before that.
    last: Option<u64>,
    /// Whether everything in it was waited for.
    synced: bool,
}

impl Spool {
    /// A file of this name.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, end: 0, last: None, synced: true }
    }

    /// Appends frames and hands them to the system; gives where each lies.
    pub fn append(&mut self, shots: &[Shot]) -> Result<Vec<Place>> {
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
                let again = shot.again && shot.number.checked_sub(1) == last;
                let pixels = if again { &[][..] } else { shot.image.pixels() };
                file.write_all(&head(shot, again, pixels))?;
                file.write_all(pixels)?;
                places.push(match again {
                    true => Place::Again,
                    false => Place::Image {
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

    /// Waits until everything appended is on the disk.
    pub fn sync(&mut self) -> Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| !self.synced) {
            file.sync().map_err(Error::io("cannot make durable", &self.path))?;
            durable::sync_folder(durable::above(&self.path))?;
            self.synced = true;
        }
        Ok(())
    }

    /// Begins anew: nothing in it is needed any more.
    pub fn clear(&mut self) -> Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| self.end > 0) {
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

impl Spooled<BufReader<std::fs::File>> {
    /// Opens a spool; none where nothing had to wait.
    pub fn open(path: &Path, first: u64) -> Result<Option<Self>> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("cannot open", path)(error)),
        };
        let left = file.metadata().map_err(Error::io("cannot read", path))?.len();
        Ok(Some(Self::new(BufReader::new(file), left, first)))
    }
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
        let all = Spooled::open(path, first).unwrap().unwrap();
        all.map(|shot| (shot.number, shot.image.pixels()[0], shot.again)).collect()
    }

    #[test]
    fn frames_are_read_from_any_one_on_up_to_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        assert!(Spooled::open(&path, 0).unwrap().is_none());
        let mut spool = Spool::new(&path);
        spool.clear().unwrap();
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
        let mut spool = Spool::new(&path);
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
        spool.clear().unwrap();
        assert_eq!(found(&path, 0), []);
        spool.append(&[shot(7, false)]).unwrap();
        let mut both = std::fs::read(&path).unwrap();
        both.extend(&old[HEAD + 48..]);
        std::fs::write(&path, &both).unwrap();
        assert_eq!(found(&path, 7), [(7, 7, false)]);
    }
}
