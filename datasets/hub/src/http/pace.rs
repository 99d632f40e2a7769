//! How slow a transfer may be: a server that lets a byte through now and then is never silent, and would
//! be waited for until the end of time.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::Options;

/// How much has come or gone since it was last looked at, and how long that was waited for.
#[derive(Debug)]
struct Pace {
    slow: Duration,
    least: u64,
    waited: Duration,
    count: u64,
}

/// Bytes that come; the time is counted in which they are waited for.
pub(crate) struct Coming<R> {
    bytes: R,
    pace: Pace,
}

/// Bytes that go; the time is counted from one read to the next, in which they are sent.
pub(crate) struct Going<R> {
    bytes: R,
    pace: Pace,
    /// When the newest of them were handed over, and how many they are.
    newest: Option<(Instant, u64)>,
}

impl Pace {
    fn of(options: &Options) -> Self {
        let (slow, least) = (options.slow, options.pace);
        Self { slow, least, waited: Duration::ZERO, count: 0 }
    }

    /// So many more have been waited for so long.
    fn step(&mut self, waited: Duration, count: u64) -> io::Result<()> {
        self.waited += waited;
        self.count = self.count.saturating_add(count);
        if self.waited <= self.slow {
            return Ok(());
        }
        // One wait may be far longer: what has gone before it is what a system takes in at once.
        let came = u128::from(self.count).saturating_mul(self.slow.as_nanos());
        if came < u128::from(self.least).saturating_mul(self.waited.as_nanos()) {
            let (count, waited) = (self.count, self.waited);
            let (least, slow) = (self.least, self.slow);
            let what = format!("too slow: {count} bytes in {waited:.1?}, not {least} in {slow:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        (self.waited, self.count) = (Duration::ZERO, 0);
        Ok(())
    }
}

impl<R: Read> Coming<R> {
    /// These, as fast as one who asks so wants them.
    pub fn of(bytes: R, options: &Options) -> Self {
        Self { bytes, pace: Pace::of(options) }
    }
}

impl<R: Read> Read for Coming<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let since = Instant::now();
        let count = self.bytes.read(to)?;
        if count > 0 {
            self.pace.step(since.elapsed(), count as u64)?;
        }
        Ok(count)
    }
}

impl<R: Read> Going<R> {
    /// These, as fast as one who asks so wants them gone.
    pub fn of(bytes: R, options: &Options) -> Self {
        Self { bytes, pace: Pace::of(options), newest: None }
    }
}

impl<R: Read> Read for Going<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if let Some((since, count)) = self.newest.take() {
            self.pace.step(since.elapsed(), count)?;
        }
        // How long they take to be read, or are held back, is not the server's doing.
        let count = self.bytes.read(to)?;
        self.newest = Some((Instant::now(), count as u64));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether so many of these steps are taken: bytes, and milliseconds.
    fn holds(steps: u32, count: u64, millis: u64) -> bool {
        let mut pace = Pace::of(&Options::default());
        let wait = Duration::from_millis(millis);
        (0..steps).all(|_| pace.step(wait, count).is_ok())
    }

    #[test]
    fn a_slow_line_is_fast_enough_and_a_drip_is_not() {
        // 20 kB/s, shared by eight, in the blocks that come or go at once.
        for block in [1 << 10, 16 << 10, 128 << 10] {
            assert!(holds(1000, block, block * 1000 / 2500), "{block}");
        }
        assert!(holds(100_000, 1, 0), "whatever comes at once");
        for (count, millis) in [(1, 100), (1, 14_000), (1460, 14_000), (400, 1000)] {
            assert!(!holds(100_000, count, millis), "{count} in {millis} ms");
        }
    }

    #[test]
    fn a_stop_of_some_seconds_is_made_up_for() {
        let mut pace = Pace::of(&Options::default());
        for _ in 0..100 {
            pace.step(Duration::from_secs(50), 1).unwrap();
            pace.step(Duration::from_secs(11), 100_000).unwrap();
        }
        let error = pace.step(Duration::from_secs(61), 1).unwrap_err();
        assert!(error.to_string().contains("too slow"), "{error}");
    }

    #[test]
    fn what_holds_bytes_back_here_is_not_the_servers_doing() {
        let options = Options { slow: Duration::ZERO, pace: u64::MAX, ..Options::default() };
        let mut none = Going::of(io::repeat(0), &options);
        assert_eq!(none.read(&mut [0; 8]).unwrap(), 8);
        assert!(none.read(&mut [0; 8]).is_err(), "they took longer than no time to go");
        assert!(Coming::of(io::repeat(0), &options).read(&mut [0; 8]).is_err());
        assert_eq!(Coming::of(io::empty(), &options).read(&mut [0; 8]).unwrap(), 0);
    }
}
