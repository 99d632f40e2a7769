//! A wire over TCP: an adapter on another machine, or a board's bridge. Bytes pass as they are;
//! the rate is the far end's business.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::{Clock, Error, Nanos, Wire, descriptor};

/// How long the far end may take to accept.
const CONNECT: Duration = Duration::from_secs(3);

/// A connection to a remote adapter.
pub struct Tcp {
    stream: TcpStream,
    address: String,
    baud: u32,
    clock: Clock,
}

impl Tcp {
    /// Connects to `host:port`.
    pub fn open(address: &str, baud: u32, clock: Clock) -> Result<Self, Error> {
        Ok(Self { stream: connect(address)?, address: address.to_owned(), baud, clock })
    }

    fn lost(&self, source: io::Error) -> Error {
        Error::Lost { port: self.address.clone(), source }
    }
}

fn connect(address: &str) -> Result<TcpStream, Error> {
    let failed = |source| Error::Port { port: address.to_owned(), source };
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for place in address.to_socket_addrs().map_err(failed)? {
        match TcpStream::connect_timeout(&place, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(failed)?;
                // A far end that takes no bytes must not hold the tick for ever.
                stream.set_nonblocking(true).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

impl Wire for Tcp {
    fn name(&self) -> &str {
        &self.address
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn baud(&self) -> u32 {
        self.baud
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        // Only the far end can change its line; a scan over rates sees the one it runs at.
        if baud == self.baud {
            return Ok(());
        }
        Err(Error::BaudRefused { port: self.address.clone(), baud })
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        descriptor::send(self.stream.as_fd(), &self.clock, bytes)
            .map_err(|source| self.lost(source))
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        descriptor::receive(self.stream.as_fd(), &self.clock, into, deadline)
            .map_err(|source| self.lost(source))
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        descriptor::discard(self.stream.as_fd(), &self.clock).map_err(|source| self.lost(source))
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.stream = connect(&self.address)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn bytes_go_both_ways_and_a_hang_up_is_a_lost_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut wire = Tcp::open(&address, 1_000_000, Clock::Real).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        wire.send(&[1, 2, 3]).unwrap();
        let mut got = [0; 3];
        far.read_exact(&mut got).unwrap();
        assert_eq!(got, [1, 2, 3]);
        far.write_all(&[9]).unwrap();
        let deadline = Clock::Real.now() + 10 * crate::clock::SECOND;
        assert_eq!(wire.receive(&mut got, deadline).unwrap(), 1);
        drop(far);
        assert!(matches!(wire.receive(&mut got, deadline), Err(Error::Lost { .. })));
    }

    #[test]
    fn nobody_listening_is_said_with_the_address() {
        let error = Tcp::open("127.0.0.1:1", 1_000_000, Clock::Real).err().unwrap();
        assert!(error.to_string().starts_with("127.0.0.1:1: "), "{error}");
    }
}
