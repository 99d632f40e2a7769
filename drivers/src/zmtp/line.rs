//! A connection to a socket, of which nothing is left when it ends.

use std::io;
use std::net::ToSocketAddrs;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::descriptor::waiting;
use crate::line::{Line, connect};

use super::{COMMAND, Socket, greet, head};

/// How long the far end may leave unacknowledged what it was sent, in milliseconds: as long as a base
/// goes on without a word. What waits longer is old, and must not come after all.
const UNHEARD: libc::c_int = 500;

impl Line {
    /// Connects, and shakes hands; each of both takes so long at most. Dropped, it is aborted: what was not
    /// sent by then is sent never.
    pub fn open(
        address: impl ToSocketAddrs,
        socket: Socket,
        patience: Duration,
        over: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let stream = connect(address, patience)?;
        let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
        set(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &at_once)?;
        set(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, &UNHEARD)?;
        let mut line = Self::new(stream, over)?;
        greet(line.within(patience), socket)?;
        Ok(line)
    }

    /// Whether a frame of a message has come whole that nobody has read: what follows a command may never come.
    pub fn has_frame(&self) -> bool {
        let here = waiting(self.stream.as_fd()) as u64;
        let mut begin = [0; 9];
        // Where nothing is there, looking would wait for it.
        let looked = if here == 0 { Ok(0) } else { self.stream.peek(&mut begin) };
        let mut begin = begin.get(..looked.unwrap_or_default()).unwrap_or_default();
        let longest = begin.len();

        let Ok((flags, length)) = head(&mut begin) else { return false };
        flags & COMMAND == 0 && length.saturating_add((longest - begin.len()) as u64) <= here
    }
}

fn set<T>(socket: RawFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is a whole `T` of that size, borrowed for the call, and the socket is open.
    match unsafe { libc::setsockopt(socket, level, option, std::ptr::from_ref(value).cast(), size) }
    {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
