//! The virtual bus behind a pseudo-terminal, for any program that opens serial ports.
//!
//! A pseudo-terminal carries bytes at once and has no line rate of its own; the rate that the
//! program sets is read back from its side, and the bus takes its time accordingly.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use super::{VirtualBoard, VirtualBus};
use crate::clock::MILLI;
use crate::{Clock, Error, Nanos, descriptor};

/// How often the server looks whether it should end, or whether the adapter was pulled.
const LOOK: Nanos = 20 * MILLI;

/// A served bus; dropping it unplugs the port for good.
pub struct PtyServer {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a program finds behind a port.
trait Adapter: Send + 'static {
    fn clock(&self) -> &Clock;
    fn plugged(&self) -> bool;
    /// Under which name it is found when it is plugged in again.
    fn port(&self) -> Option<PathBuf>;
    fn take(&self, bytes: &[u8], baud: u32);
    fn give(&self, into: &mut [u8]) -> usize;
    /// When it has something to give, or to do.
    fn next(&self) -> Nanos;
}

impl Adapter for VirtualBus {
    fn clock(&self) -> &Clock {
        self.clock()
    }

    fn plugged(&self) -> bool {
        self.plugged()
    }

    fn port(&self) -> Option<PathBuf> {
        self.port()
    }

    fn take(&self, bytes: &[u8], baud: u32) {
        self.host_sends(bytes, baud);
    }

    fn give(&self, into: &mut [u8]) -> usize {
        self.host_takes(into)
    }

    fn next(&self) -> Nanos {
        self.next_arrival().unwrap_or(Nanos::MAX)
    }
}

/// A board's bridge port, always under the same name.
struct BridgePort {
    board: VirtualBoard,
    link: PathBuf,
}

impl Adapter for BridgePort {
    fn clock(&self) -> &Clock {
        self.board.clock()
    }

    fn plugged(&self) -> bool {
        self.board.plugged()
    }

    fn port(&self) -> Option<PathBuf> {
        Some(self.link.clone())
    }

    fn take(&self, bytes: &[u8], _baud: u32) {
        self.board.host_sends(bytes);
    }

    fn give(&self, into: &mut [u8]) -> usize {
        self.board.host_takes(into)
    }

    fn next(&self) -> Nanos {
        self.board.next_event()
    }
}

/// Serves `bus` at `link`, which becomes a symbolic link to the terminal. The bus must run on the
/// real clock.
pub fn serve(bus: &VirtualBus, link: &Path) -> Result<PtyServer, Error> {
    let terminal = Terminal::open(link)?;
    bus.replug(Some(link.to_owned()));
    start(bus.clone(), terminal, link)
}

/// Serves the bridge port of `board` at `link`, as [`serve`] does a bus. Board and bus must run on the
/// real clock.
pub fn serve_board(board: &VirtualBoard, link: &Path) -> Result<PtyServer, Error> {
    let terminal = Terminal::open(link)?;
    start(BridgePort { board: board.clone(), link: link.to_owned() }, terminal, link)
}

fn start(adapter: impl Adapter, terminal: Terminal, link: &Path) -> Result<PtyServer, Error> {
    let end = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&end);
    let file = |source| Error::File { path: link.to_owned(), source };
    let thread = Builder::new()
        .name("virtual-bus".to_owned())
        .spawn(move || run(&adapter, terminal, &asked))
        .map_err(file)?;
    Ok(PtyServer { end, thread: Some(thread) })
}

impl Drop for PtyServer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in the server has already been reported by its thread.
            drop(thread.join());
        }
    }
}

/// Both ends of a pseudo-terminal and the link to it. The program's end is kept open so that the
/// terminal lives on between two programs.
struct Terminal {
    master: OwnedFd,
    slave: OwnedFd,
    link: PathBuf,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Somebody may have taken the link away already.
        fs::remove_file(&self.link).unwrap_or_default();
    }
}

impl Terminal {
    fn open(link: &Path) -> Result<Self, Error> {
        let file = |source| Error::File { path: link.to_owned(), source };
        if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
            return Err(file(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is something here that is no link; choose another path",
            )));
        }
        let (master, slave, name) = pair().map_err(file)?;
        match fs::remove_file(link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(error)),
            _ => {}
        }
        symlink(&name, link).map_err(file)?;
        Ok(Self { master, slave, link: link.to_owned() })
    }

    /// The rate that the program has set.
    fn baud(&self) -> u32 {
        // SAFETY: a zeroed termios2 is valid, and the call fills it for an open terminal.
        let mut settings: libc::termios2 = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open and `settings` outlives the call.
        let done =
            unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TCGETS2, &raw mut settings) };
        if done == 0 && settings.c_ospeed > 0 { settings.c_ospeed } else { 1_000_000 }
    }

    /// Takes back an exclusive claim: on a real port it ends with the program that made it, here
    /// it would outlive a killed one because the far end stays open.
    fn share(&self) {
        // SAFETY: the descriptor is open and the call takes no argument.
        let _done = unsafe { libc::ioctl(self.slave.as_raw_fd(), libc::TIOCNXCL) };
    }

    /// Writes what the terminal has room for; a program that does not read loses the rest.
    fn write(&self, bytes: &[u8]) {
        // SAFETY: the descriptor is open and the buffer is as long as said.
        let _wrote =
            unsafe { libc::write(self.master.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    }
}

fn run(adapter: &impl Adapter, terminal: Terminal, end: &AtomicBool) {
    let mut terminal = Some(terminal);
    let mut buffer = [0; 4096];
    while !end.load(Ordering::Acquire) {
        if !adapter.plugged() {
            terminal = None;
        }
        let Some(open) = &terminal else {
            let look = adapter.clock().now() + LOOK;
            adapter.clock().sleep_until(adapter.next().min(look));
            // What stands behind a pulled cable goes on, and says nothing.
            adapter.give(&mut buffer);
            let port = adapter.port().filter(|_| adapter.plugged());
            // Where the new name cannot be taken, the adapter stays away and is tried again.
            terminal = port.and_then(|port| Terminal::open(&port).ok());
            continue;
        };
        open.share();
        let look = adapter.clock().now() + LOOK;
        let until = adapter.next().min(look);
        // The terminal's far end is held open here, so a failed read is only ever a passing one.
        let got = descriptor::receive(open.master.as_fd(), adapter.clock(), &mut buffer, until)
            .unwrap_or(0);
        if got > 0 {
            adapter.take(buffer.get(..got).unwrap_or_default(), open.baud());
        }
        let due = adapter.give(&mut buffer);
        if due > 0 {
            open.write(buffer.get(..due).unwrap_or_default());
        }
    }
}

/// A fresh pseudo-terminal: master, slave, and the slave's name.
fn pair() -> io::Result<(OwnedFd, OwnedFd, PathBuf)> {
    // SAFETY: plain flags.
    let master =
        own(unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) })?;
    let fd = master.as_raw_fd();
    // SAFETY: `fd` is an open master.
    if unsafe { libc::grantpt(fd) } != 0 || unsafe { libc::unlockpt(fd) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut name = [0 as libc::c_char; 128];
    // SAFETY: `name` is as long as said.
    let failed = unsafe { libc::ptsname_r(fd, name.as_mut_ptr(), name.len()) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    // SAFETY: ptsname_r ended the name with a zero.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    // SAFETY: `name` is a valid C string, and the flags are plain.
    let slave =
        own(unsafe { libc::open(name.as_ptr(), libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) })?;
    make_raw(&slave)?;
    let name = PathBuf::from(name.to_string_lossy().into_owned());
    Ok((master, slave, name))
}

fn own(fd: libc::c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// No echo, no line editing, no translation of line ends: bytes pass as they are.
fn make_raw(slave: &OwnedFd) -> io::Result<()> {
    let fd = slave.as_raw_fd();
    // SAFETY: a zeroed termios is valid and tcgetattr fills it.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: `fd` is an open terminal and `settings` outlives the calls.
    unsafe {
        if libc::tcgetattr(fd, &raw mut settings) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::cfmakeraw(&raw mut settings);
        libc::cfsetspeed(&raw mut settings, libc::B1000000);
        if libc::tcsetattr(fd, libc::TCSANOW, &raw const settings) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::{Read, Write};

    use super::*;
    use crate::Clock;
    use crate::sim::arm;

    const PING_2: [u8; 6] = [0xFF, 0xFF, 2, 2, 1, 0xFA];
    const PONG_2: [u8; 6] = [0xFF, 0xFF, 2, 2, 0, 0xFB];

    fn served(link: &Path) -> (VirtualBus, PtyServer) {
        let spec = arm::by_name("so101").unwrap();
        let bus = VirtualBus::new(arm::devices(&spec), Clock::Real, 0);
        let server = serve(&bus, link).unwrap();
        (bus, server)
    }

    fn open(link: &Path) -> File {
        OpenOptions::new().read(true).write(true).open(link).unwrap()
    }

    #[test]
    fn any_program_talks_to_it_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("port");
        let (_bus, server) = served(&link);
        for _ in 0..2 {
            let mut port = open(&link);
            port.write_all(&PING_2).unwrap();
            let mut pong = [0; 6];
            port.read_exact(&mut pong).unwrap();
            assert_eq!(pong, PONG_2);
        }
        drop(server);
        assert!(fs::symlink_metadata(&link).is_err());
    }

    #[test]
    fn an_unplugged_port_fails_and_comes_back_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let (link, other) = (folder.path().join("port"), folder.path().join("other"));
        let (bus, _server) = served(&link);
        let mut port = open(&link);
        bus.unplug();
        let mut byte = [0];
        // The read ends, by error or by end of file, when the terminal's other end is gone.
        assert!(!matches!(port.read(&mut byte), Ok(1)));
        drop(port);
        bus.replug(Some(other.clone()));
        while fs::symlink_metadata(&other).is_err() {
            std::thread::yield_now();
        }
        let mut port = open(&other);
        port.write_all(&PING_2).unwrap();
        let mut pong = [0; 6];
        port.read_exact(&mut pong).unwrap();
        assert_eq!(pong, PONG_2);
    }

    #[test]
    fn a_file_in_the_way_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("precious");
        fs::write(&link, "data").unwrap();
        let spec = arm::by_name("so101").unwrap();
        let bus = VirtualBus::new(arm::devices(&spec), Clock::Real, 0);
        assert!(matches!(serve(&bus, &link), Err(Error::File { .. })));
        assert_eq!(fs::read(&link).unwrap(), b"data");
    }
}
