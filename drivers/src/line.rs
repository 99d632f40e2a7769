//! A TCP connection on which nothing lasts for ever, and which nobody has to wait for once he has left.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is looked at whether anybody still waits.
const GLANCE: Duration = Duration::from_millis(50);

/// Connects to the first of its addresses that answers; each is waited for so long at most.
pub(crate) fn connect(address: impl ToSocketAddrs, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// One connection.
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    /// Until when what is being done may last.
    end: Instant,
    /// Whether nobody waits any more.
    over: Arc<AtomicBool>,
}

impl Line {
    /// Goes on with a connection until `over` is raised.
    pub fn new(stream: TcpStream, over: &Arc<AtomicBool>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GLANCE))?;
        stream.set_write_timeout(Some(GLANCE))?;
        Ok(Self { stream, end: Instant::now(), over: Arc::clone(over) })
    }

    /// Ends whatever is being done once this is raised.
    pub fn heed(&mut self, over: &Arc<AtomicBool>) {
        self.over = Arc::clone(over);
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
