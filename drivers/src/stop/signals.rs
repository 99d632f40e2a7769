//! Ctrl-C, SIGTERM and SIGHUP as counts that anybody may look at.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::Cause;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static LAST: AtomicI32 = AtomicI32::new(0);

/// How many there were.
pub(super) fn count() -> usize {
    COUNT.load(Ordering::Acquire)
}

/// What the latest one means.
pub(super) fn last() -> Cause {
    match LAST.load(Ordering::Acquire) {
        libc::SIGTERM => Cause::Terminate,
        libc::SIGHUP => Cause::Hangup,
        _ => Cause::Interrupt,
    }
}

extern "C" fn note(signal: libc::c_int) {
    LAST.store(signal, Ordering::Release);
    COUNT.fetch_add(1, Ordering::AcqRel);
}

/// Counts the signals from now on instead of ending the process.
pub(super) fn install() -> std::io::Result<()> {
    let handler: extern "C" fn(libc::c_int) = note;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: all zeroes is a valid sigaction: no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: `action` is valid, and `note` touches nothing but two atomics, which is allowed
        // in a signal handler.
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}
