//! The link from a virtual bus to a driver in the same process.

use std::io;

use super::VirtualBus;
use crate::clock::MILLI;
use crate::{Clock, Error, Nanos, Wire};

/// The wire between a driver in this process and the bus.
pub(super) struct Link {
    bus: VirtualBus,
    baud: u32,
}

impl Link {
    pub fn new(bus: VirtualBus, baud: u32) -> Self {
        Self { bus, baud }
    }

    fn check(&self) -> Result<(), Error> {
        if self.bus.plugged() {
            return Ok(());
        }
        Err(Error::Lost {
            port: self.name().to_owned(),
            source: io::ErrorKind::NotConnected.into(),
        })
    }
}

impl Wire for Link {
    fn name(&self) -> &str {
        "virtual bus"
    }

    fn clock(&self) -> &Clock {
        self.bus.clock()
    }

    fn baud(&self) -> u32 {
        self.baud
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        if baud == 0 {
            return Err(Error::BaudRefused { port: self.name().to_owned(), baud });
        }
        self.baud = baud;
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        self.check()?;
        let now = self.bus.clock().now();
        self.bus.host_sends(bytes, self.baud);
        Ok(now)
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        loop {
            self.check()?;
            let taken = self.bus.host_takes(into);
            let now = self.bus.clock().now();
            if taken > 0 || now >= deadline {
                return Ok(taken);
            }
            let arrival = self.bus.next_arrival().unwrap_or(Nanos::MAX);
            // Nobody else sends while the driver waits; a far deadline is approached in steps
            // all the same, so that an adapter pulled meanwhile is noticed.
            self.bus.clock().sleep_until(arrival.min(deadline).min(now + 100 * MILLI));
        }
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        self.check()?;
        self.bus.host_discards();
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.check()
    }
}
