//! Single keys of whoever sits at the terminal: → and n, ← and r, Esc and q.
//!
//! The terminal hands over every key at once instead of whole lines, which works over SSH and without
//! a desktop; Ctrl-C stays what it is. Where no terminal is (a pipe, a script), lines are keys: `n`,
//! `r` and `q`.

use std::io::{IsTerminal, Read};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, sync_channel};

/// What a key asks for, with LeRobot's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// End this phase: → or n.
    Next,
    /// Take the episode again: ← or r.
    Again,
    /// Stop: Esc or q.
    Quit,
}

/// Listens until it is dropped, which gives the terminal back as it was.
pub struct Keys {
    pressed: Receiver<Key>,
    _terminal: Option<Terminal>,
}

/// How long the rest of a key that begins with Esc may take, in milliseconds.
const REST_OF_KEY_MS: i32 = 40;

impl Keys {
    /// Begins to listen to standard input.
    pub fn listen() -> std::io::Result<Self> {
        let terminal = std::io::stdin().is_terminal().then(Terminal::by_key).transpose()?;
        let (press, pressed) = sync_channel(16);
        let listen = move || {
            let mut stdin = std::io::stdin().lock();
            let mut bytes = [0; 32];
            let mut parser = Parser::default();
            loop {
                let waited = parser.is_within().then(|| more_within(REST_OF_KEY_MS));
                let count = match waited {
                    Some(false) => 0,
                    _ => match stdin.read(&mut bytes) {
                        Ok(0) | Err(_) => return,
                        Ok(count) => count,
                    },
                };
                for key in parser.take(bytes.get(..count).unwrap_or_default()) {
                    if press.send(key).is_err() {
                        return;
                    }
                }
            }
        };
        std::thread::Builder::new().name("keys".to_owned()).spawn(listen)?;
        Ok(Self { pressed, _terminal: terminal })
    }

    /// The next key, if one was pressed.
    pub fn pressed(&self) -> Option<Key> {
        self.pressed.try_recv().ok()
    }
}

/// Whether standard input has something within this time.
fn more_within(milliseconds: i32) -> bool {
    let mut poll = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to the one descriptor that is told of.
    unsafe { libc::poll(&raw mut poll, 1, milliseconds) > 0 }
}

/// A terminal that hands over every key, until this is dropped.
struct Terminal {
    before: libc::termios,
}

impl Terminal {
    fn by_key() -> std::io::Result<Self> {
        let terminal = std::io::stdin().as_raw_fd();
        let mut before = std::mem::MaybeUninit::uninit();
        // SAFETY: the pointer is to room for the one termios that is written.
        if unsafe { libc::tcgetattr(terminal, before.as_mut_ptr()) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: tcgetattr has said that it filled it.
        let before = unsafe { before.assume_init() };
        let mut by_key = before;
        by_key.c_lflag &= !(libc::ICANON | libc::ECHO);
        set(terminal, &by_key)?;
        Ok(Self { before })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone need not be given back.
        set(libc::STDIN_FILENO, &self.before).unwrap_or_default();
    }
}

fn set(terminal: i32, to: &libc::termios) -> std::io::Result<()> {
    // SAFETY: the pointer is to a whole termios.
    match unsafe { libc::tcsetattr(terminal, libc::TCSANOW, to) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Bytes into keys. Arrows come as Esc, `[` or `O`, and a letter; Esc alone is followed by nothing.
#[derive(Debug, Default)]
struct Parser {
    within: Vec<u8>,
}

impl Parser {
    /// Whether a key has begun with Esc.
    fn is_within(&self) -> bool {
        !self.within.is_empty()
    }

    /// The keys in these bytes; none of them means that nothing followed in time.
    fn take(&mut self, bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        if bytes.is_empty() && self.within == [ESC] {
            keys.push(Key::Quit);
        }
        if bytes.is_empty() {
            self.within.clear();
        }
        for byte in bytes {
            match (self.within.len(), byte) {
                (0, &ESC) => self.within.push(ESC),
                (0, b'n' | b'N') => keys.push(Key::Next),
                (0, b'r' | b'R') => keys.push(Key::Again),
                (0, b'q' | b'Q') => keys.push(Key::Quit),
                (0, _) => {}
                (1, b'[' | b'O') => self.within.push(*byte),
                (1, &ESC) => keys.push(Key::Quit),
                // Alt and a letter is nothing that is asked for here.
                (1, _) => self.within.clear(),
                // Numbers within, as in the codes of keys with Shift.
                (_, b'0'..=b'9' | b';') => {}
                (_, byte) => {
                    self.within.clear();
                    match byte {
                        b'C' => keys.push(Key::Next),
                        b'D' => keys.push(Key::Again),
                        _ => {}
                    }
                }
            }
        }
        keys
    }
}

const ESC: u8 = 0x1B;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(parts: &[&[u8]]) -> Vec<Key> {
        let mut parser = Parser::default();
        parts.iter().flat_map(|part| parser.take(part)).collect()
    }

    #[test]
    fn letters_and_arrows_ask_for_the_same() {
        use Key::{Again, Next, Quit};
        assert_eq!(keys(&[b"nrq NRQ"]), [Next, Again, Quit, Next, Again, Quit]);
        assert_eq!(keys(&[b"\x1b[C\x1b[D\x1bOC\x1bOD"]), [Next, Again, Next, Again]);
        assert_eq!(keys(&[b"\x1b", b"[", b"C"]), [Next], "in pieces");
        assert_eq!(keys(&[b"\x1b", b""]), [Quit], "Esc alone");
        assert_eq!(keys(&[b"\x1b\x1b", b""]), [Quit, Quit]);
    }

    #[test]
    fn other_keys_ask_for_nothing() {
        assert_eq!(keys(&[b"\x1b[A\x1b[B\x1b[5~\x1b[1;2P x\xc3\xa4\n"]), []);
        assert_eq!(keys(&[b"\x1b[", b""]), [], "cut off within");
        assert_eq!(keys(&[b"\x1bx", b"n"]), [Key::Next], "Alt and x, then n");
    }

    #[test]
    fn no_bytes_can_harm() {
        let mut random = 1u32;
        let mut parser = Parser::default();
        for _ in 0..10_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            parser.take(&random.to_le_bytes()[..(random >> 30) as usize]);
            assert!(parser.within.len() <= 2);
        }
    }
}
