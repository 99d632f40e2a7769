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
        // The threads that it starts are not.
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

/// Lets this thread, and those that it starts, run before all others: what stands for hardware
/// answers however busy the machine is. Returns whether that is permitted.
#[cfg(feature = "sim")]
pub fn hasten() -> bool {
    schedule(libc::SCHED_FIFO, PRIORITY)
}

/// By how much threads that may be late give way to those that must not be.
const NICE: libc::c_int = 5;

/// By how much those that anybody may overtake do.
const LEAST: libc::c_int = 19;

/// Lets this thread, and those that it starts, give way to others where the machine is busy: also to
/// the kernel's own, which carry bytes to and from the buses.
pub fn give_way() {
    // SAFETY: it takes a number alone. It speaks of the calling thread, and always may be refused.
    unsafe { libc::nice(NICE) };
}

/// Lets this thread, and those that it starts, run only where nobody else wants to.
pub fn stand_back() {
    // SAFETY: as above.
    unsafe { libc::nice(LEAST) };
}

/// Does `work` on a thread that gives way, and so will all that it starts.
#[cfg(feature = "policies")]
pub fn patiently<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let patient = || {
            give_way();
            work()
        };
        let thread =
            std::thread::Builder::new().name("patient".into()).spawn_scoped(scope, patient)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Whether this thread is now scheduled so.
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
    #[cfg(feature = "policies")]
    fn patient_threads_and_those_they_start_give_way_and_nobody_else_does() {
        // SAFETY: 0 means the calling thread.
        let nice = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let before = nice();
        let child = || std::thread::Builder::new().spawn(nice);
        let grandchild = || child().unwrap().join().unwrap();
        let (own, started) = patiently(|| (nice(), grandchild())).unwrap();
        // 19 is the end of the scale.
        assert_eq!(own, (before + NICE).min(19));
        assert_eq!(started, own);
        assert_eq!(nice(), before);
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
