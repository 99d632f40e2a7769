//! Reading and writing descriptors with a deadline, asleep while nothing happens.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::clock::SECOND;
use crate::{Clock, Nanos};

/// Waits until there is something to read, or until `deadline`. A closed far end counts as
/// something: the read that follows tells.
pub(crate) fn wait(fd: BorrowedFd, clock: &Clock, deadline: Nanos) -> io::Result<bool> {
    loop {
        let span = deadline.saturating_sub(clock.now()).max(0);
        let timeout = libc::timespec { tv_sec: span / SECOND, tv_nsec: span % SECOND };
        let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd and one timespec, both alive during the call; no signal mask.
        let ready = unsafe { libc::ppoll(&raw mut poll, 1, &raw const timeout, std::ptr::null()) };
        match ready {
            0 => return Ok(false),
            1.. => return Ok(true),
            _ => retry_if_interrupted()?,
        }
    }
}

/// Waits as [`wait`] does and reads what there is; nothing means that the deadline passed.
pub(crate) fn receive(
    fd: BorrowedFd,
    into: &mut [u8],
    clock: &Clock,
    deadline: Nanos,
) -> io::Result<usize> {
    loop {
        if !wait(fd, clock, deadline)? {
            return Ok(0);
        }
        // SAFETY: the descriptor is open and the buffer is as long as said.
        let got = unsafe { libc::read(fd.as_raw_fd(), into.as_mut_ptr().cast(), into.len()) };
        match usize::try_from(got) {
            Ok(0) if !into.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(got) => return Ok(got),
            Err(_negative) => retry_if_interrupted()?,
        }
    }
}

/// Writes all of `bytes`.
pub(crate) fn send(fd: BorrowedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the descriptor is open and the buffer is as long as said.
        let sent = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(sent) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(_negative) => retry_if_interrupted()?,
        }
    }
    Ok(())
}

fn retry_if_interrupted() -> io::Result<()> {
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
