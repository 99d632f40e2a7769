//! A wire over a serial port: a USB adapter, a UART of the board, or a pseudo-terminal.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serialport::{ClearBuffer, SerialPort, TTYPort};

use crate::port::{self, UsbIdentity};
use crate::{Clock, Error, Nanos, Wire, fd};

/// An open serial port. While it is open no other program that asks gets in.
pub struct Serial {
    port: TTYPort,
    path: String,
    /// By which the adapter is found again under another name.
    identity: Option<UsbIdentity>,
    baud: u32,
    clock: Clock,
}

impl Serial {
    /// Opens the port at `path`.
    pub fn open(path: &str, baud: u32, clock: Clock) -> Result<Self, Error> {
        let port = open(path, baud)?;
        let identity = port::identity_of(Path::new(path));
        Ok(Self { port, path: path.to_owned(), identity, baud, clock })
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the port owns the descriptor and outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.port.as_raw_fd()) }
    }

    fn failed(&self, source: io::Error) -> Error {
        let port = self.path.clone();
        if is_gone(&source) { Error::Lost { port, source } } else { Error::Port { port, source } }
    }
}

/// What the system says when the device behind a descriptor is no more.
fn is_gone(error: &io::Error) -> bool {
    let gone = [libc::EIO, libc::ENXIO, libc::ENODEV, libc::EBADF, libc::EPIPE];
    error.kind() == io::ErrorKind::UnexpectedEof
        || error.raw_os_error().is_some_and(|code| gone.contains(&code))
}

impl Wire for Serial {
    fn name(&self) -> &str {
        &self.path
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn baud(&self) -> u32 {
        self.baud
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        let refused = |_reason| Error::BaudRefused { port: self.path.clone(), baud };
        self.port.set_baud_rate(baud).map_err(refused)?;
        self.baud = baud;
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        let first_out = self.clock.now();
        fd::send(self.descriptor(), bytes).map_err(|source| self.failed(source))?;
        Ok(first_out)
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        fd::receive(self.descriptor(), into, &self.clock, deadline)
            .map_err(|source| self.failed(source))
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        self.port.clear(ClearBuffer::Input).map_err(|error| self.failed(error.into()))
    }

    fn reopen(&mut self) -> Result<(), Error> {
        let found = self.identity.as_ref().and_then(port::find);
        let path = found.unwrap_or_else(|| self.path.clone());
        self.port = open(&path, self.baud)?;
        self.path = path;
        Ok(())
    }
}

fn open(path: &str, baud: u32) -> Result<TTYPort, Error> {
    // The exclusive lock is taken by default; DTR is left alone, since some boards hang their
    // reset on it and pseudo-terminals have none.
    let port = serialport::new(path, baud).open_native().map_err(|error| explain(path, error))?;
    ask_for_low_latency(&port);
    Ok(port)
}

/// Why a port would not open, from what the system shows of it.
fn explain(path: &str, error: serialport::Error) -> Error {
    let port = path.to_owned();
    let Ok(found) = fs::metadata(path) else {
        return Error::NoSuchPort { port };
    };
    let source = io::Error::from(error);
    if source.kind() == io::ErrorKind::PermissionDenied {
        return Error::PermissionDenied { port };
    }
    match holder(&found) {
        Some(holder) => Error::PortInUse { port, holder },
        None => Error::Port { port, source },
    }
}

/// Who holds the lock on a device: command and process number.
fn holder(device: &fs::Metadata) -> Option<String> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let pid = locks.lines().find_map(|line| locked_by(line, device.ino()))?;
    if pid == std::process::id() {
        return Some("this very process".to_owned());
    }
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("{} (process {pid})", command.trim()))
}

/// The process number in a line of `/proc/locks`, if the lock is on this inode:
/// `1: FLOCK  ADVISORY  WRITE 4711 00:18:5 0 EOF`.
fn locked_by(line: &str, inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    if words.next()? != "FLOCK" {
        return None;
    }
    let pid = words.nth(2)?.parse().ok()?;
    let place = words.next()?;
    (place.rsplit(':').next()?.parse::<u64>().ok()? == inode).then_some(pid)
}

/// FTDI adapters hold answers back for 16 ms unless told otherwise. Others refuse, which is fine.
fn ask_for_low_latency(port: &TTYPort) {
    const ASYNC_LOW_LATENCY: libc::c_int = 1 << 13;
    // struct serial_struct of the Linux kernel: its flags are the fifth int.
    let mut settings = [0 as libc::c_int; 32];
    let fd = port.as_raw_fd();
    // SAFETY: the buffer is larger than the 72 bytes of serial_struct, and the descriptor is open.
    if unsafe { libc::ioctl(fd, libc::TIOCGSERIAL, settings.as_mut_ptr()) } == 0 {
        if let Some(flags) = settings.get_mut(4) {
            *flags |= ASYNC_LOW_LATENCY;
        }
        // SAFETY: as above; a refusal changes nothing.
        let _refused = unsafe { libc::ioctl(fd, libc::TIOCSSERIAL, settings.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_port_is_named() {
        let error = Serial::open("/dev/no-such-port", 1_000_000, Clock::Real).err().unwrap();
        assert!(matches!(error, Error::NoSuchPort { port } if port == "/dev/no-such-port"));
    }

    #[test]
    fn the_lock_table_tells_who_holds_a_port() {
        let line = "2: FLOCK  ADVISORY  WRITE 4711 00:18:5 0 EOF";
        assert_eq!(locked_by(line, 5), Some(4711));
        assert_eq!(locked_by(line, 6), None);
        assert_eq!(locked_by("2: POSIX  ADVISORY  WRITE 1 00:18:5 0 EOF", 5), None);
        assert_eq!(locked_by("", 5), None);
    }

    #[cfg(feature = "sim")]
    #[test]
    fn a_held_port_names_its_holder_and_a_lost_one_says_so() {
        use crate::sim::{VirtualBus, arm, pty};

        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("port");
        let spec = arm::by_name("so101").unwrap();
        let bus = VirtualBus::new(arm::devices(&spec), Clock::Real, 0);
        let server = pty::serve(&bus, &link).unwrap();
        let path = link.to_str().unwrap();
        let mut first = Serial::open(path, 1_000_000, Clock::Real).unwrap();
        let second = Serial::open(path, 1_000_000, Clock::Real).err().unwrap();
        assert!(
            matches!(&second, Error::PortInUse { holder, .. } if holder == "this very process"),
            "{second}"
        );
        drop(server);
        let mut byte = [0];
        let deadline = Clock::Real.now() + 10 * crate::clock::SECOND;
        let lost = first.receive(&mut byte, deadline).unwrap_err();
        assert!(matches!(lost, Error::Lost { .. }), "{lost}");
    }
}
