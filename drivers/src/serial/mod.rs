//! A wire over a serial port: a USB adapter, a UART, or a pseudo-terminal.

mod holder;
mod latency;

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use serialport::{ClearBuffer, ErrorKind, SerialPort, TTYPort};

use crate::descriptor;
use crate::port::PortInfo;
use crate::{Clock, Error, Nanos, Wire};

/// How far the rate a port really runs at may be from the one asked for, in hundredths.
const BAUD_TOLERANCE: u32 = 3;

/// A serial port that this process alone talks through.
pub struct SerialWire {
    name: String,
    baud: u32,
    clock: Clock,
    /// The adapter's own number, by which it is found again when the system renames the port.
    usb_serial: Option<String>,
    /// Absent only while the adapter is away.
    line: Option<Line>,
}

impl SerialWire {
    /// Opens the port at `path` for this process alone.
    pub fn open(path: &str, baud: u32, clock: Clock) -> Result<Self, Error> {
        let line = Line::open(path, baud)?;
        let device = canonical(path);
        let usb_serial = crate::port::list()
            .into_iter()
            .find(|port| canonical(&port.path) == device)
            .and_then(|port| port.usb.and_then(|usb| usb.serial));
        Ok(Self { name: path.to_owned(), baud, clock, usb_serial, line: Some(line) })
    }

    fn line(&self) -> Result<&Line, Error> {
        self.line.as_ref().ok_or_else(|| self.error(std::io::ErrorKind::NotConnected.into()))
    }

    fn error(&self, source: std::io::Error) -> Error {
        let port = self.name.clone();
        if descriptor::means_gone(&source) {
            Error::Lost { port, source }
        } else {
            Error::Port { port, source }
        }
    }

    /// The name that this adapter has now.
    fn present_name(&self, ports: Vec<PortInfo>) -> String {
        let same = |port: &PortInfo| {
            self.usb_serial.is_some()
                && port.usb.as_ref().and_then(|usb| usb.serial.as_ref()) == self.usb_serial.as_ref()
        };
        // A path that is still there and still this adapter's is kept: it may be a by-id link.
        let here = canonical(&self.name);
        let mut found = ports.into_iter().filter(same).map(|port| port.path);
        match found.next() {
            Some(first) if canonical(&first) != here => {
                if found.any(|path| canonical(&path) == here) { self.name.clone() } else { first }
            }
            _ => self.name.clone(),
        }
    }
}

impl Wire for SerialWire {
    fn name(&self) -> &str {
        &self.name
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn baud(&self) -> u32 {
        self.baud
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        let name = self.name.clone();
        match &mut self.line {
            Some(line) => line.set_baud(&name, baud)?,
            None => return Err(self.error(std::io::ErrorKind::NotConnected.into())),
        }
        self.baud = baud;
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        let fd = self.line()?.fd();
        descriptor::send(fd, &self.clock, bytes).map_err(|source| self.error(source))
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        let fd = self.line()?.fd();
        descriptor::receive(fd, &self.clock, into, deadline).map_err(|source| self.error(source))
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        let port = &self.line()?.port;
        // A flush waits for a thread of the kernel, which waits for its turn on a busy machine;
        // to ask whether there is anything to flush waits for nobody. Neither would say that the
        // adapter is gone; the next request does.
        match port.bytes_to_read() {
            Ok(1..) => port.clear(ClearBuffer::Input).or(Ok(())),
            Ok(0) | Err(_) => Ok(()),
        }
    }

    fn reopen(&mut self) -> Result<(), Error> {
        // The old descriptor goes first: its lock would keep the new one out.
        self.line = None;
        let name = self.present_name(crate::port::list());
        self.line = Some(Line::open(&name, self.baud)?);
        self.name = name;
        Ok(())
    }
}

/// An open port and the lock on it.
struct Line {
    port: TTYPort,
}

impl Line {
    fn open(path: &str, baud: u32) -> Result<Self, Error> {
        if baud == 0 {
            return Err(Error::BaudRefused { port: path.to_owned(), baud });
        }
        // Opening takes the lock before it touches a setting, and no control line is touched:
        // half-duplex adapters do not use them, and pseudo-terminals have none.
        let port = serialport::new(path, baud)
            .open_native()
            .map_err(|error| explain(path, baud, error))?;
        let mut line = Self { port };
        line.refuse_company(path)?;
        line.do_not_block().map_err(|source| Error::Port { port: path.to_owned(), source })?;
        latency::make_low(line.fd());
        line.set_baud(path, baud)?;
        let cleared = line.port.clear(ClearBuffer::Input);
        cleared.map_err(|e| Error::Port { port: path.to_owned(), source: e.into() })?;
        Ok(line)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the port owns this descriptor and lives as long as the borrow of `self`.
        unsafe { BorrowedFd::borrow_raw(self.port.as_raw_fd()) }
    }

    /// Many programs take no lock. One that has the adapter open would talk into our requests.
    /// A pseudo-terminal's other half may well keep this half open, so there the lock decides.
    fn refuse_company(&self, path: &str) -> Result<(), Error> {
        let device = canonical(path);
        if device.starts_with("/dev/pts") {
            return Ok(());
        }
        match holder::others(&device) {
            Some(holder) => Err(Error::PortInUse { port: path.to_owned(), holder }),
            None => Ok(()),
        }
    }

    fn do_not_block(&self) -> std::io::Result<()> {
        // SAFETY: a plain flag change on a descriptor we own.
        let done = unsafe { libc::fcntl(self.port.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    }

    fn set_baud(&mut self, path: &str, baud: u32) -> Result<(), Error> {
        let refused = || Error::BaudRefused { port: path.to_owned(), baud };
        if baud == 0 {
            return Err(refused());
        }
        self.port.set_baud_rate(baud).map_err(|error| match error.kind() {
            ErrorKind::InvalidInput => refused(),
            _ => lost_or_failed(path, error),
        })?;
        // Drivers take any number and report the nearest rate that their clock can make.
        let real = self.port.baud_rate().map_err(|error| lost_or_failed(path, error))?;
        let off = u64::from(real.abs_diff(baud)) * 100;
        if off > u64::from(baud) * u64::from(BAUD_TOLERANCE) { Err(refused()) } else { Ok(()) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The mark of exclusive use outlives us where somebody else keeps the terminal open. If
        // the adapter is gone there is nothing to free.
        self.port.set_exclusive(false).unwrap_or_default();
    }
}

fn canonical(path: &str) -> PathBuf {
    Path::new(path).canonicalize().unwrap_or_else(|_missing| PathBuf::from(path))
}

fn lost_or_failed(path: &str, error: serialport::Error) -> Error {
    let (port, source) = (path.to_owned(), std::io::Error::from(error));
    // The crate below keeps no error numbers; a port whose node has gone was unplugged.
    if descriptor::means_gone(&source) || !Path::new(path).exists() {
        Error::Lost { port, source }
    } else {
        Error::Port { port, source }
    }
}

/// Why a port cannot be opened.
fn explain(path: &str, baud: u32, error: serialport::Error) -> Error {
    let port = path.to_owned();
    match error.kind() {
        _ if !Path::new(path).exists() => Error::NoSuchPort { port },
        ErrorKind::Io(std::io::ErrorKind::NotFound) => Error::NoSuchPort { port },
        ErrorKind::Io(std::io::ErrorKind::PermissionDenied) => Error::PermissionDenied { port },
        ErrorKind::InvalidInput => Error::BaudRefused { port, baud },
        ErrorKind::NoDevice => {
            let holder = holder::any(&canonical(path));
            Error::PortInUse { port, holder: holder.unwrap_or_else(|| "another user".to_owned()) }
        }
        _ => Error::Port { port, source: error.into() },
    }
}

#[cfg(test)]
mod tests;
