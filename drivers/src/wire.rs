//! Bytes to and from a bus of servos, whatever carries them.

use crate::bridge::Bridge;
use crate::{Clock, Error, Nanos};

/// A half-duplex line to servos: a serial port, a TCP connection, or a link inside the process.
///
/// Waiting sleeps in the kernel; nothing here spins.
pub trait Wire: Send {
    /// What messages call it: the port's path or address.
    fn name(&self) -> &str;

    /// The clock that its instants come from.
    fn clock(&self) -> &Clock;

    /// The line rate in bits per second.
    fn baud(&self) -> u32;

    /// Changes the line rate.
    fn set_baud(&mut self, baud: u32) -> Result<(), Error>;

    /// Sends all of `bytes` and returns the instant at which the first one went out.
    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error>;

    /// Waits until there are bytes, or until `deadline`, and returns how many it put into `into`;
    /// none means that the deadline passed.
    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error>;

    /// Throws away what has arrived and was not received.
    fn discard_input(&mut self) -> Result<(), Error>;

    /// Opens the line anew after [`Error::Lost`], under whatever name it now has.
    fn reopen(&mut self) -> Result<(), Error>;

    /// The board at the near end of the servos' line, where the wire leads to one.
    fn bridge(&mut self) -> Option<&mut Bridge> {
        None
    }
}

/// How long `bytes` take on a line: ten bits each.
pub fn line_time(bytes: usize, baud: u32) -> Nanos {
    let bits = Nanos::try_from(bytes).unwrap_or(Nanos::MAX / 20).saturating_mul(10);
    bits.saturating_mul(crate::clock::SECOND) / Nanos::from(baud.max(1))
}
