//! The images of one camera on their way to its encoder: in memory while the encoder keeps up, on the
//! disk too while it does not, in their order always.
//!
//! ```text
//! push ─▶ young (memory) ──────────────▶ encoder ─▶ video ─▶ written: forgotten here
//!            └─ waits too long, or too many: spool ─▶ old (disk) ─▶┘
//! ```
//!
//! An image stays until it is in the video, handed to the system: whatever the encoder does meanwhile,
//! a kill finds it in the one or in the other.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::spool::{Place, Shot, Spool};
use crate::Result;
use crate::image::Image;

/// An image that is not in the video after this time goes to the disk by itself. An encoder that keeps
/// up needs less, with what it gathers before it hands it to the system.
const LONGEST_WAIT: Duration = Duration::from_millis(300);
/// Whoever does not record in real time gives an encoder as much time as this before it waits for it.
const LONG_WAIT: Duration = Duration::from_millis(100);

/// What the encoder has to add to the video.
#[derive(Clone, Debug)]
pub enum Job {
    /// An image.
    New(Image),
    /// The last image once more.
    Repeat,
}

/// The images of one camera that are not in its video yet.
pub struct Queue {
    path: PathBuf,
    /// How many bytes of images may wait in memory before they go to the disk.
    limit: usize,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    /// The number of the oldest frame here: all before it are in the video.
    first: u64,
    /// The number of the frame that the encoder takes next.
    next: u64,
    /// The older frames, which are on the disk.
    old: VecDeque<Place>,
    /// The younger ones, in memory.
    young: VecDeque<Waiting>,
    /// How many bytes of images wait in memory, and how many of them the encoder has taken.
    bytes: usize,
    taken: usize,
    last: Option<Image>,
    closed: bool,
}

struct Waiting {
    since: Instant,
    image: Image,
    again: bool,
}

impl Waiting {
    /// How many bytes it holds that no other does.
    fn bytes(&self) -> usize {
        if self.again { 0 } else { self.image.pixels().len() }
    }
}

impl Inner {
    /// The number of the first frame in memory.
    fn young_from(&self) -> u64 {
        self.first + self.old.len() as u64
    }

    /// Takes the oldest frame in memory out.
    fn forget_young(&mut self) {
        let taken = self.young_from() < self.next;
        let Some(waiting) = self.young.pop_front() else { return };
        self.bytes -= waiting.bytes();
        self.taken -= if taken { waiting.bytes() } else { 0 };
    }
}

impl Queue {
    /// An empty queue, whose spool has this name.
    pub fn new(path: &Path, limit: usize) -> Self {
        let inner = Inner { young: VecDeque::with_capacity(1024), ..Inner::default() };
        let (inner, changed) = (Mutex::new(inner), Condvar::new());
        Self { path: path.to_owned(), limit, inner, changed }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an image of this many bytes finds room. Where even the disk does not keep up, it does
    /// not, and the last image has to be repeated in its stead. One always does.
    pub fn fits(&self, bytes: usize) -> bool {
        let inner = self.lock();
        inner.bytes == 0 || inner.bytes + bytes <= 2 * self.limit
    }

    /// Hands an image over; none is the last one once more.
    pub fn push(&self, image: Option<&Image>, since: Instant) {
        let mut inner = self.lock();
        let Some(shown) = image.or(inner.last.as_ref()).cloned() else { return };
        if image.is_some() {
            inner.last = Some(shown.clone());
        }
        let waiting = Waiting { since, image: shown, again: image.is_none() };
        inner.bytes += waiting.bytes();
        inner.young.push_back(waiting);
        drop(inner);
        self.changed.notify_one();
    }

    /// Lets the encoder end once it has taken everything.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Whether the encoder is behind: more waits in memory than should, or for longer.
    pub fn is_long(&self, now: Instant) -> bool {
        let inner = self.lock();
        let untaken = inner.next.saturating_sub(inner.young_from());
        let oldest = usize::try_from(untaken).ok().and_then(|at| inner.young.get(at));
        inner.bytes > self.limit
            || oldest.is_some_and(|oldest| now.saturating_duration_since(oldest.since) > LONG_WAIT)
    }

    /// How many bytes of images wait in memory.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.lock().bytes
    }

    /// Writes what has waited too long to the disk, and what is too much for the memory: half of what
    /// may wait stays. Only one thread does that.
    pub fn spool(&self, spool: &mut Spool, now: Instant) -> Result<()> {
        let inner = self.lock();
        let (mut shots, mut left) = (Vec::new(), inner.bytes);
        let stays = if left > self.limit { self.limit / 2 } else { usize::MAX };
        let first = inner.young_from();
        for (number, waiting) in (first..).zip(&inner.young) {
            if left <= stays && now.saturating_duration_since(waiting.since) < LONGEST_WAIT {
                break;
            }
            left -= waiting.bytes();
            let Waiting { image, again, .. } = waiting;
            shots.push(Shot { number, image: image.clone(), again: *again });
        }
        drop(inner);
        if shots.is_empty() {
            return Ok(());
        }
        let places = spool.append(&shots)?;
        let mut inner = self.lock();
        for (shot, place) in shots.iter().zip(places) {
            // What came into the video meanwhile is not here any more.
            if shot.number == inner.young_from() {
                inner.forget_young();
                inner.old.push_back(place);
            }
        }
        Ok(())
    }

    /// How many frames a kill cannot take any more: those in the video and those on the disk.
    pub fn kept(&self) -> u64 {
        self.lock().young_from()
    }

    /// How many frames are in the video: nothing on the disk is needed of them any more.
    pub fn in_video(&self) -> u64 {
        self.lock().first
    }

    /// So many frames are in the video, handed to the system.
    pub fn written(&self, frames: u64) {
        let mut inner = self.lock();
        while inner.first < frames.min(inner.next) {
            if inner.old.pop_front().is_none() {
                inner.forget_young();
            }
            inner.first += 1;
        }
    }

    /// Whether so much of what the encoder has taken is still here that it should hand over what it
    /// has made of it.
    pub fn is_heavy(&self) -> bool {
        self.lock().taken > self.limit / 2
    }

    /// The next image, oldest first; waits for one. None once the queue is closed and empty.
    pub fn pop(&self) -> Result<Option<Job>> {
        let mut inner = self.lock();
        loop {
            let at = usize::try_from(inner.next - inner.first).unwrap_or(usize::MAX);
            if let Some(place) = inner.old.get(at).copied() {
                inner.next += 1;
                drop(inner);
                return place.read(&self.path).map(Some);
            }
            if let Some(waiting) = inner.young.get(at - inner.old.len()) {
                let (bytes, image) = (waiting.bytes(), waiting.image.clone());
                let job = if waiting.again { Job::Repeat } else { Job::New(image) };
                inner.taken += bytes;
                inner.next += 1;
                return Ok(Some(job));
            }
            if inner.closed {
                return Ok(None);
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::PixelFormat;

    fn image(number: u8) -> Image {
        Image::new(4, 4, PixelFormat::Rgb8, vec![number; 48]).unwrap()
    }

    fn rest(queue: &Queue) -> Vec<Option<u8>> {
        let number = |job: Job| match job {
            Job::New(image) => Some(image.pixels()[0]),
            Job::Repeat => None,
        };
        queue.close();
        std::iter::from_fn(|| queue.pop().unwrap()).map(number).collect()
    }

    #[test]
    fn images_keep_their_order_through_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let (queue, mut spool) = (Queue::new(&path, 480), Spool::new(&path, 480));
        let now = Instant::now();
        for n in 0..15 {
            queue.push(Some(&image(n)), now);
        }
        assert!(queue.is_long(now));
        queue.spool(&mut spool, now).unwrap();
        assert!(!queue.is_long(now));
        assert_eq!((queue.kept(), queue.memory()), (10, 240));
        queue.push(None, now);
        queue.push(Some(&image(15)), now);
        let expected: Vec<Option<u8>> = (0..15).map(Some).chain([None, Some(15)]).collect();
        assert_eq!(rest(&queue), expected);
    }

    #[test]
    fn what_waits_too_long_goes_to_the_disk_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let (queue, mut spool) = (Queue::new(&path, 4800), Spool::new(&path, 4800));
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        for n in 0..10 {
            queue.push(Some(&image(n)), at(50 * u64::from(n)));
        }
        // The encoder has taken seven, three of which are in the video.
        (0..7).for_each(|_| drop(queue.pop().unwrap()));
        queue.written(3);
        queue.spool(&mut spool, at(449)).unwrap();
        assert!(!path.exists() && queue.kept() == 3);
        assert!(!queue.is_long(at(450)) && queue.is_long(at(451)));
        queue.spool(&mut spool, at(560)).unwrap();
        assert_eq!((queue.kept(), queue.memory()), (6, 4 * 48));
        assert_eq!(queue.in_video(), 3);
        queue.written(6);
        assert_eq!(queue.in_video(), 6);
        assert_eq!(rest(&queue), [7, 8, 9].map(Some));
    }

    #[test]
    fn what_the_disk_does_not_take_stays_in_memory_up_to_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/such/folder");
        let (queue, mut spool) = (Queue::new(&path, 96), Spool::new(&path, 96));
        let now = Instant::now();
        for n in 0..4 {
            assert!(queue.fits(48));
            queue.push(Some(&image(n)), now);
        }
        assert!(!queue.fits(48));
        assert!(queue.spool(&mut spool, now).is_err());
        assert_eq!(rest(&queue), [0, 1, 2, 3].map(Some));
    }

    /// An encoder that always holds back more than is given it in the longest wait.
    #[test]
    fn what_an_encoder_holds_back_does_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.spool");
        let (queue, mut spool) = (Queue::new(&path, 480), Spool::new(&path, 480));
        let begun = Instant::now();
        let (held, mut most) = (40, (0, 0));
        for n in 0..1000_u64 {
            let now = begun + Duration::from_millis(33 * n);
            queue.push(Some(&image(n as u8)), now);
            assert!(matches!(queue.pop().unwrap(), Some(Job::New(_))));
            queue.written(n.saturating_sub(held));
            queue.spool(&mut spool, now).unwrap();
            spool.clear_before(queue.in_video()).unwrap();
            let halves = super::super::spool::halves(&path);
            let disk: u64 = halves.iter().map(|half| half.metadata().map_or(0, |f| f.len())).sum();
            most = (most.0.max(disk), most.1.max(queue.memory()));
        }
        // Twice what is held, each with its head, and a turn.
        assert!(most.0 <= 2 * (held + 10) * (48 + 21) + 480, "{most:?}");
        assert!(most.1 <= 480, "{most:?}");
        assert!(queue.kept() > 980, "{}", queue.kept());
    }
}
