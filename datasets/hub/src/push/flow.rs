//! What goes out: counted, kept below a rate, and ended when somebody wants it ended.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;
use crate::waiting::wait_until;

/// How many bytes go out between two looks at the rate.
const STEP: usize = 64 << 10;

/// The same, below the lowest rate.
const LEAST_STEP: usize = 256;

/// What all that goes out shares.
#[derive(Debug, Default)]
pub struct Flow {
    sent: AtomicU64,
    /// How many bytes are known to go out.
    pub(crate) waiting: AtomicU64,
    /// How many files there are, and how many of them have been looked at.
    pub(crate) files: AtomicU64,
    pub(crate) seen: AtomicU64,
    ended: Arc<AtomicBool>,
    /// Bytes a second; 0: as many as there can be.
    rate: AtomicU64,
    /// When the next byte may go.
    free: Mutex<Option<Instant>>,
}

impl Flow {
    /// One of at most so many bytes a second.
    pub fn at_most(rate: Option<u64>) -> Self {
        Self { rate: AtomicU64::new(rate.unwrap_or(0)), ..Self::default() }
    }

    /// How many bytes have gone out, those of tries that failed included.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many bytes are known so far to have to go out.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many files there are, and how many of them have been looked at.
    pub fn files(&self) -> (u64, u64) {
        (self.files.load(Ordering::Relaxed), self.seen.load(Ordering::Relaxed))
    }

    /// Ends it: whatever is going out fails with [`Error::Ended`].
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// What ends it, for those who wait for a server meanwhile.
    pub fn ender(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ended)
    }

    /// Whether it was ended.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Fails where it was ended.
    pub(crate) fn go_on(&self) -> crate::Result<()> {
        if self.is_ended() { Err(Error::Ended) } else { Ok(()) }
    }

    /// How many bytes go out at once: below a low rate few, so that none of those that share it is
    /// silent for long.
    fn step(&self) -> usize {
        match self.rate.load(Ordering::Relaxed) {
            0 => STEP,
            rate => usize::try_from(rate / 4).unwrap_or(STEP).clamp(LEAST_STEP, STEP),
        }
    }

    /// Waits until so many bytes may go.
    fn pass(&self, count: usize) -> crate::Result<()> {
        self.go_on()?;
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 {
            return Ok(());
        }
        let takes = Duration::from_nanos(count as u64 * 1_000_000_000 / rate);
        let now = Instant::now();
        let until = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = free.filter(|free| *free > now).unwrap_or(now);
            *free.insert(begin + takes)
        };
        wait_until(until, || self.go_on())
    }
}

/// Bytes of a file on their way out.
pub(crate) struct Outgoing<'a, R> {
    pub bytes: R,
    pub flow: &'a Flow,
    /// How many are still to come; that none of them is missing is checked here.
    pub left: u64,
    /// The file's path, should it turn out to be another file meanwhile.
    pub path: &'a str,
}

impl<R: Read> Read for Outgoing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most =
            buffer.len().min(self.flow.step()).min(usize::try_from(self.left).unwrap_or(STEP));
        if most == 0 {
            return Ok(0);
        }
        let count = self.bytes.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::other(Error::Altered { path: self.path.to_owned() }));
        }
        self.flow.pass(count).map_err(io::Error::other)?;
        self.flow.sent.fetch_add(count as u64, Ordering::Relaxed);
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing<'a>(flow: &'a Flow, bytes: &'a [u8], left: u64) -> Outgoing<'a, &'a [u8]> {
        Outgoing { bytes, flow, left, path: "a.bin" }
    }

    #[test]
    fn what_goes_out_is_counted_and_as_long_as_it_was() {
        let flow = Flow::default();
        let mut all = Vec::new();
        outgoing(&flow, b"0123456789", 4).read_to_end(&mut all).unwrap();
        assert_eq!((all.as_slice(), flow.sent()), (&b"0123"[..], 4));
        let error = outgoing(&flow, b"01", 4).read_to_end(&mut Vec::new()).unwrap_err();
        let error = error.downcast::<Error>().unwrap();
        assert!(matches!(error, Error::Altered { path } if path == "a.bin"));
    }

    #[test]
    fn a_rate_is_kept_and_an_end_ends_it() {
        let flow = Flow::at_most(Some(1_000_000));
        let begin = Instant::now();
        let bytes = vec![0; 200_000];
        outgoing(&flow, &bytes, 200_000).read_to_end(&mut Vec::new()).unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(190), "{:?}", begin.elapsed());
        flow.end();
        let error = outgoing(&flow, &bytes, 10).read_to_end(&mut Vec::new()).unwrap_err();
        assert!(matches!(error.downcast::<Error>().unwrap(), Error::Ended));
    }
}
