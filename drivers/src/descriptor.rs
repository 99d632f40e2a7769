//! Bytes in and out of a file descriptor, sleeping in the kernel while there are none.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::clock::SECOND;
use crate::{Clock, Nanos};

/// Longer than this no request may take to leave; a line that takes no bytes is as good as gone.
const SEND_PATIENCE: Nanos = SECOND;

/// Sends all of `bytes` and returns the instant just before the first one went out.
pub(crate) fn send(fd: BorrowedFd, clock: &Clock, mut bytes: &[u8]) -> io::Result<Nanos> {
    let first_out = clock.now();
    while !bytes.is_empty() {
        // SAFETY: the pointer and length are those of a live slice.
        let sent = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(sent) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(_negative) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error if error.kind() == io::ErrorKind::WouldBlock => {
                    let waited = clock.now() - first_out;
                    if waited >= SEND_PATIENCE || !wait(fd, libc::POLLOUT, SEND_PATIENCE - waited)?
                    {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                error => return Err(error),
            },
        }
    }
    Ok(first_out)
}

/// Waits until there are bytes, or until `deadline`, and returns how many it put into `into`.
/// A descriptor whose other end is gone gives an error, never zero.
pub(crate) fn receive(
    fd: BorrowedFd,
    clock: &Clock,
    into: &mut [u8],
    deadline: Nanos,
) -> io::Result<usize> {
    loop {
        let left = deadline.saturating_sub(clock.now()).max(0);
        if !wait(fd, libc::POLLIN, left)? {
            return Ok(0);
        }
        // SAFETY: the pointer and length are those of a live slice.
        let got = unsafe { libc::read(fd.as_raw_fd(), into.as_mut_ptr().cast(), into.len()) };
        match usize::try_from(got) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(got) => return Ok(got),
            Err(_negative) => match io::Error::last_os_error() {
                error
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                    ) => {}
                error => return Err(error),
            },
        }
    }
}

/// Waits for `events`, at most for `span`, and returns whether something happened.
fn wait(fd: BorrowedFd, events: libc::c_short, span: Nanos) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let timeout = libc::timespec { tv_sec: span / SECOND, tv_nsec: span % SECOND };
    // SAFETY: one pollfd and one timespec, both alive; a null signal mask leaves the mask alone.
    let ready = unsafe { libc::ppoll(&raw mut poll, 1, &raw const timeout, std::ptr::null()) };
    match ready {
        0 => Ok(false),
        // A hang-up beside readable bytes is told by the read that finds no more of them.
        1.. if poll.revents & events != 0 => Ok(true),
        1.. => Err(io::Error::from_raw_os_error(libc::EIO)),
        _ => match io::Error::last_os_error() {
            // The caller looks at the clock again.
            error if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            error => Err(error),
        },
    }
}

/// How many bytes have come that nobody has read.
pub(crate) fn waiting(fd: BorrowedFd) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the call writes one integer to where it is told.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if done == 0 { usize::try_from(bytes).unwrap_or_default() } else { 0 }
}

/// Throws away what can be read at once, at most `SPILL` bytes: a line that babbles without end
/// must not keep its reader here.
pub(crate) fn discard(fd: BorrowedFd, clock: &Clock) -> io::Result<()> {
    const SPILL: usize = 64 * 1024;
    let mut spilt = 0;
    let mut into = [0; 1024];
    while spilt < SPILL {
        match receive(fd, clock, &mut into, 0)? {
            0 => return Ok(()),
            got => spilt += got,
        }
    }
    Ok(())
}

/// Whether this is how the system says that a device was unplugged or a peer has left.
pub(crate) fn means_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::ENXIO | libc::ENODEV | libc::EBADF))
        || matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::NotConnected
        )
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_pass_and_a_passed_deadline_gives_none() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut into = [0; 8];
        assert_eq!(receive(near.as_fd(), &Clock::Real, &mut into, 0).unwrap(), 0);
        far.write_all(b"abc").unwrap();
        assert_eq!(receive(near.as_fd(), &Clock::Real, &mut into, Nanos::MAX).unwrap(), 3);
        assert_eq!(&into[..3], b"abc");
    }

    #[test]
    fn what_was_discarded_is_not_received() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(&[7; 3000]).unwrap();
        discard(near.as_fd(), &Clock::Real).unwrap();
        assert_eq!(receive(near.as_fd(), &Clock::Real, &mut [0; 8], 0).unwrap(), 0);
    }

    #[test]
    fn a_peer_that_left_is_an_error_after_its_last_bytes() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"x").unwrap();
        drop(far);
        let mut into = [0; 8];
        assert_eq!(receive(near.as_fd(), &Clock::Real, &mut into, Nanos::MAX).unwrap(), 1);
        let gone = receive(near.as_fd(), &Clock::Real, &mut into, Nanos::MAX).unwrap_err();
        assert!(means_gone(&gone), "{gone}");
    }
}
