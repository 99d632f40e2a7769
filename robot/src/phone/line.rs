//! A visitor's line, on which nobody takes his time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::door::PATIENCE;

/// How long a request may take to come, and the handshake before the first one with it: somebody who sends byte
/// by byte keeps others out.
const REQUEST: Duration = PATIENCE.saturating_mul(2);

/// The line.
pub struct Line {
    stream: TcpStream,
    /// When what is awaited has to be here.
    until: Instant,
}

impl Line {
    /// To a visitor who has just come.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, until: Instant::now() + REQUEST }
    }

    /// Gives the time for one more request.
    pub fn again(&mut self) {
        self.until = Instant::now() + REQUEST;
    }
}

impl Read for Line {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left.min(PATIENCE)))?;
        self.stream.read(bytes)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn whoever_sends_for_too_long_is_heard_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut visitor = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        visitor.write_all(b"abc").unwrap();
        let mut line = Line::new(listener.accept().unwrap().0);
        let mut byte = [0];
        assert_eq!(line.read(&mut byte).unwrap(), 1);
        line.until = Instant::now();
        assert_eq!(line.read(&mut byte).unwrap_err().kind(), ErrorKind::TimedOut);
        line.again();
        assert_eq!(line.read(&mut byte).unwrap(), 1);
    }
}
