//! Asks the system to let the control thread run when it is due.

use serde_json::{Value, json};

/// Below the kernel's own threads, above everything that is not real-time.
const PRIORITY: i32 = 20;

/// What the system grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// Whether the thread runs before all that are not real-time.
    pub scheduled: bool,
    /// Whether memory stays where it is.
    pub locked: bool,
}

/// Keeps what was granted to this thread until it is dropped.
#[derive(Debug)]
pub struct Realtime(pub Granted);

impl Realtime {
    /// Asks for real-time scheduling of this thread, and for memory that is never swapped out.
    /// What is not permitted is left as it is.
    pub fn claim() -> Self {
        let scheduled = schedule(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, PRIORITY);
        Self(Granted { scheduled, locked: lock() })
    }
}

impl Granted {
    /// The figures that scripts read.
    pub fn json(&self) -> Value {
        json!({ "scheduled": self.scheduled, "memory_locked": self.locked })
    }

    /// What was not permitted, and how it would be.
    pub fn refused(&self) -> Option<&'static str> {
        (!self.scheduled).then_some(
            "the loop runs without real-time priority; to permit it, put the line \
             `YOUR_NAME - rtprio 20` into /etc/security/limits.d/sinew.conf and log in anew",
        )
    }
}

impl Drop for Realtime {
    fn drop(&mut self) {
        if self.0.scheduled {
            schedule(libc::SCHED_OTHER, 0);
        }
    }
}

/// Whether this thread is now scheduled so. Threads that it starts are not.
fn schedule(policy: i32, priority: i32) -> bool {
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: `parameter` is a valid sched_param, and 0 means the calling thread.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) == 0 }
}

/// Whether pages stay in memory once they were used.
fn lock() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for one rlimit.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } == 0;
    // SAFETY: it only asks who runs this.
    let root = unsafe { libc::geteuid() } == 0;
    // Below a limit, locking what is still to come would make it fail.
    let unlimited = root || (known && limit.rlim_cur == libc::RLIM_INFINITY);
    if !unlimited {
        return false;
    }
    let all = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: it takes flags alone.
    unsafe { libc::mlockall(all) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> i32 {
        // SAFETY: 0 means the calling thread.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn what_is_granted_is_given_back_and_not_handed_on() {
        let before = policy();
        let realtime = Realtime::claim();
        let granted = policy() == libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
        assert_eq!(realtime.0.scheduled, granted);
        assert_eq!(realtime.0.refused().is_none(), granted);
        let child = std::thread::Builder::new().name("child".into()).spawn(policy);
        let child = child.unwrap().join().unwrap();
        assert_eq!(child, before);
        drop(realtime);
        assert_eq!(policy(), before);
    }
}
