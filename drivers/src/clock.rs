//! Time as an input: the machine's monotonic clock, or one that tests turn by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A monotonic instant, or a span, in nanoseconds.
pub type Nanos = i64;

/// Nanoseconds in a microsecond.
pub const MICRO: Nanos = 1_000;
/// Nanoseconds in a millisecond.
pub const MILLI: Nanos = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: Nanos = 1_000_000_000;

/// Where instants come from. Clones share the same time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's monotonic clock.
    #[default]
    Real,
    /// A clock that moves only when somebody waits on it or turns it.
    Virtual(Arc<AtomicI64>),
}

impl Clock {
    /// A virtual clock that starts at zero.
    pub fn virtual_time() -> Self {
        Self::Virtual(Arc::default())
    }

    /// The present instant.
    pub fn now(&self) -> Nanos {
        match self {
            Self::Real => monotonic(),
            Self::Virtual(now) => now.load(Ordering::Acquire),
        }
    }

    /// Waits until `instant`. A virtual clock goes there at once; it never goes back.
    pub fn sleep_until(&self, instant: Nanos) {
        match self {
            Self::Real => sleep_until(instant),
            Self::Virtual(now) => {
                now.fetch_max(instant, Ordering::AcqRel);
            }
        }
    }

    /// Waits for `span`.
    pub fn sleep(&self, span: Nanos) {
        self.sleep_until(self.now().saturating_add(span));
    }
}

/// A span as the standard library has it; negative spans are zero.
pub fn duration(span: Nanos) -> Duration {
    Duration::from_nanos(u64::try_from(span).unwrap_or(0))
}

fn monotonic() -> Nanos {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for one timespec, and CLOCK_MONOTONIC always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec * SECOND + now.tv_nsec
}

fn sleep_until(instant: Nanos) {
    let instant = instant.max(0);
    let until = libc::timespec { tv_sec: instant / SECOND, tv_nsec: instant % SECOND };
    // An absolute deadline does not drift when a signal interrupts the sleep.
    // SAFETY: `until` is a valid timespec; a null remainder is allowed for absolute sleeps.
    while unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const until,
            std::ptr::null_mut(),
        )
    } == libc::EINTR
    {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_moves_only_when_waited_on_and_never_back() {
        let clock = Clock::virtual_time();
        let twin = clock.clone();
        assert_eq!(clock.now(), 0);
        clock.sleep(3 * SECOND);
        assert_eq!(twin.now(), 3 * SECOND);
        twin.sleep_until(SECOND);
        assert_eq!(clock.now(), 3 * SECOND);
    }

    #[test]
    fn real_time_reaches_the_deadline_it_slept_for() {
        let clock = Clock::Real;
        let deadline = clock.now() + MILLI;
        clock.sleep_until(deadline);
        assert!(clock.now() >= deadline);
    }
}
