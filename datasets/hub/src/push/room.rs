//! How much is on its way at once: what an end of everything costs, since all of that is sent again.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::flow::Flow;
use crate::Result;

/// How many bytes may be on their way at once. What is longer goes alone: one flow fills the line.
const ROOM: u64 = 8 << 20;

/// How long nobody looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(50);

/// What all that is on its way shares.
#[derive(Debug, Default)]
pub(crate) struct Room {
    taken: Mutex<u64>,
    given: Condvar,
}

/// Room for so many bytes, given back with this.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    room: &'a Room,
    length: u64,
}

impl Room {
    /// Waits until there is room for so many bytes, or until nothing is on its way.
    pub fn take(&self, length: u64, flow: &Flow) -> Result<Taken<'_>> {
        let mut taken = self.taken();
        while *taken > 0 && taken.saturating_add(length) > ROOM {
            flow.go_on()?;
            let waited = self.given.wait_timeout(taken, GLANCE);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken = taken.saturating_add(length);
        Ok(Taken { room: self, length })
    }

    fn taken(&self) -> MutexGuard<'_, u64> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        *taken = taken.saturating_sub(self.length);
        drop(taken);
        self.room.given.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn small_ones_go_together_and_a_long_one_alone() {
        let (room, flow) = (Room::default(), Flow::default());
        let small: Vec<_> = (0..8).map(|_| room.take(ROOM / 8, &flow).unwrap()).collect();
        flow.end();
        // Who has to wait sees that it is to end.
        assert!(matches!(room.take(1, &flow), Err(Error::Ended)));
        drop(small);
        let long = room.take(ROOM * 4, &flow).unwrap();
        assert!(matches!(room.take(1, &flow), Err(Error::Ended)));
        drop(long);
        assert_eq!(*room.taken(), 0);
    }
}
