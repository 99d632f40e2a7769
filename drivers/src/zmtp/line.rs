//! A connection on which nothing lasts for ever, and of which nothing is left when it ends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::descriptor::waiting;

use super::{COMMAND, Socket, greet, head};

/// How often it is looked at whether anybody still waits.
const GLANCE: Duration = Duration::from_millis(50);
/// How long the far end may leave unacknowledged what it was sent, in milliseconds: as long as a base
/// goes on without a word. What waits longer is old, and must not come after all.
const UNHEARD: libc::c_int = 500;

/// One connection. Dropped, it is aborted: what was not sent by then is sent never.
pub(crate) struct Line {
    stream: TcpStream,
    /// Until when what is being done may last.
    end: Instant,
    /// Whether nobody waits any more.
    over: Arc<AtomicBool>,
}

impl Line {
    /// Connects, and shakes hands; each of both takes so long at most.
    pub fn open(
        address: impl ToSocketAddrs,
        socket: Socket,
        patience: Duration,
        over: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
        for place in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&place, patience) {
                Ok(stream) => {
                    let mut line = Self::new(stream, over)?;
                    greet(line.within(patience), socket)?;
                    return Ok(line);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn new(stream: TcpStream, over: &Arc<AtomicBool>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GLANCE))?;
        stream.set_write_timeout(Some(GLANCE))?;
        let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
        set(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &at_once)?;
        set(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, &UNHEARD)?;
        Ok(Self { stream, end: Instant::now(), over: Arc::clone(over) })
    }

    /// Ends whatever is being done once this is raised.
    pub fn heed(&mut self, over: &Arc<AtomicBool>) {
        self.over = Arc::clone(over);
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

    /// For something that lasts so long at most, all its bytes together.
    pub fn within(&mut self, patience: Duration) -> &mut Self {
        self.end = Instant::now() + patience;
        self
    }

    fn until<T>(&mut self, mut act: impl FnMut(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            if self.over.load(Ordering::Acquire) || Instant::now() >= self.end {
                return Err(ErrorKind::TimedOut.into());
            }
            match act(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.until(|stream| stream.read(into))
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.until(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
