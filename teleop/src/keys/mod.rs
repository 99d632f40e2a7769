//! Keys of whoever sits at the terminal: those of a recording (→ and n, ← and r, Esc and q), those that
//! take over from a policy (space and p, Tab and c), and those that move something, as [`Keyboard`] says.
//!
//! The terminal hands over every key at once instead of whole lines, which works over SSH and without
//! a desktop; Ctrl-C stays what it is. Where keys move something, a terminal that knows the kitty
//! keyboard protocol is asked to tell when they are let go, too; it is asked for an answer now and then
//! while one is held, so that a lost terminal holds none. Where no terminal is (a pipe, a script), lines
//! are keys: `n`, `r` and `q`.

mod held;
mod parser;

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use sinew_drivers::clock::MILLI;
use sinew_drivers::{Clock, Nanos};

pub use held::{HOLD, Held, SILENCE};
pub use parser::{Change, Code, Event, Parser};

use crate::keyboard::Keyboard;

/// What a key asks of a recording, with LeRobot's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// End this phase: → or n.
    Next,
    /// Take the episode again: ← or r.
    Again,
    /// Stop: Esc or q.
    Quit,
    /// Stop a policy, and let it go on: the space bar or p.
    Pause,
    /// Begin and end a correction: Tab or c.
    Correct,
    /// Keep what has just been, and end that: the key that was chosen for it.
    Save,
    /// Upload what is recorded: the key that was chosen for it.
    Push,
}

/// Keys that somebody chose, before those that [`Key`] names.
pub type Chosen = Vec<(Code, Key)>;

impl Key {
    /// What a key that goes down asks for.
    fn of(event: Event, chosen: &Chosen) -> Option<Self> {
        let Event::Key(code, Change::Pressed) = event else { return None };
        if let Some((_, key)) = chosen.iter().find(|(other, _)| *other == code) {
            return Some(*key);
        }
        Self::meant_by(code)
    }

    /// What a key asks for that nobody chose for something else.
    pub fn meant_by(code: Code) -> Option<Self> {
        match code {
            Code::Right | Code::Char('n') => Some(Self::Next),
            Code::Left | Code::Char('r') => Some(Self::Again),
            Code::Esc | Code::Char('q') => Some(Self::Quit),
            Code::Char(' ' | 'p') => Some(Self::Pause),
            Code::Char('\t' | 'c') => Some(Self::Correct),
            _ => None,
        }
    }
}

/// Listens until it is dropped, which gives the terminal back as it was.
pub struct Keys {
    pressed: Receiver<Key>,
    press: SyncSender<Key>,
    tells_releases: Arc<AtomicBool>,
    _terminal: Option<Terminal>,
}

/// How long the rest of a key that begins with Esc may take, in milliseconds.
const REST_OF_KEY_MS: i32 = 40;

/// How often what is held is told again, in milliseconds.
const BEAT_MS: i32 = 20;

/// How often a terminal is asked whether it is still there, while a key is held.
const ASK_EVERY: Nanos = 200 * MILLI;

/// How long a terminal may take to say what it can, a slow network in between.
const ANSWER_WITHIN: Nanos = 150 * MILLI;

impl Keys {
    /// Begins to listen to standard input, for a recording and for keys that move something.
    pub fn listen(keyboard: Option<Keyboard>, chosen: Chosen) -> std::io::Result<Self> {
        let stdin = std::io::stdin();
        // Without a buffer in between, there is nothing to read that waiting does not see.
        let input = File::from(stdin.as_fd().try_clone_to_owned()?);
        let terminal = stdin.is_terminal().then(|| Terminal::by_key(keyboard.is_some()));
        let terminal = terminal.transpose()?;
        let asks = terminal.as_ref().and_then(|terminal| terminal.answers.as_ref());
        let asks = asks.map(File::try_clone).transpose()?;
        let (press, pressed) = sync_channel(16);
        let tells_releases = Arc::new(AtomicBool::new(false));
        let ear = Listener {
            input,
            asks,
            asked: 0,
            parser: Parser::default(),
            keyboard,
            chosen,
            press: press.clone(),
            tells_releases: Arc::clone(&tells_releases),
        };
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || ear.listen())?;
        Ok(Self { pressed, press, tells_releases, _terminal: terminal })
    }

    /// The next key, if one was pressed.
    pub fn pressed(&self) -> Option<Key> {
        self.pressed.try_recv().ok()
    }

    /// Where buttons of something else are pressed that mean the same.
    pub fn others(&self) -> SyncSender<Key> {
        self.press.clone()
    }

    /// Whether the terminal tells when keys are let go. Waits a moment for its answer.
    pub fn tells_releases(&self) -> bool {
        let deadline = Clock::Real.now() + ANSWER_WITHIN;
        while !self.tells_releases.load(Ordering::Acquire) && Clock::Real.now() < deadline {
            Clock::Real.sleep(5 * MILLI);
        }
        self.tells_releases.load(Ordering::Acquire)
    }
}

/// What the thread that listens has.
struct Listener {
    input: File,
    /// Where a terminal is asked whether it is still there.
    asks: Option<File>,
    asked: Nanos,
    parser: Parser,
    keyboard: Option<Keyboard>,
    chosen: Chosen,
    press: SyncSender<Key>,
    tells_releases: Arc<AtomicBool>,
}

impl Listener {
    fn listen(mut self) {
        let mut bytes = [0; 64];
        let mut held = false;
        loop {
            let patience = match (self.parser.is_within(), held) {
                (true, _) => REST_OF_KEY_MS,
                (false, true) => BEAT_MS,
                (false, false) => -1,
            };
            let count = match more_within(&self.input, patience) {
                false => 0,
                true => match self.input.read(&mut bytes) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => count,
                },
            };
            let now = Clock::Real.now();
            if count > 0 || self.parser.is_within() {
                for event in self.parser.take(bytes.get(..count).unwrap_or_default()) {
                    if self.hear(event, now).is_none() {
                        return;
                    }
                }
            }
            held = self.keyboard.as_mut().is_some_and(|keyboard| keyboard.tell(now));
            if held && now - self.asked > ASK_EVERY {
                self.ask(now);
            }
        }
        // Nobody is there any more.
        if let Some(keyboard) = &mut self.keyboard {
            keyboard.let_go();
        }
    }

    /// Takes one event; nothing once nobody listens to keys any more.
    fn hear(&mut self, event: Event, now: Nanos) -> Option<()> {
        if event == Event::Interrupt {
            // SAFETY: no memory is handed over.
            unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
        }
        let used = self.keyboard.as_mut().is_some_and(|keyboard| keyboard.take(event, now));
        if let Some(keyboard) = &self.keyboard {
            self.tells_releases.store(keyboard.tells_releases(), Ordering::Release);
        }
        match Key::of(event, &self.chosen) {
            // Where nobody has looked at the last ones yet, one more is nothing new.
            Some(key) if !used => match self.press.try_send(key) {
                Err(TrySendError::Disconnected(_)) => None,
                Ok(()) | Err(TrySendError::Full(_)) => Some(()),
            },
            _ => Some(()),
        }
    }

    fn ask(&mut self, now: Nanos) {
        self.asked = now;
        if let (Some(asks), true) = (&mut self.asks, self.tells_releases.load(Ordering::Acquire)) {
            // One that cannot be asked will not answer.
            asks.write_all(b"\x1b[5n").unwrap_or_default();
        }
    }
}

/// Whether there is something to read within this time; negative means that it is waited for.
fn more_within(input: &File, milliseconds: i32) -> bool {
    let mut poll = libc::pollfd { fd: input.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to the one descriptor that is told of.
    unsafe { libc::poll(&raw mut poll, 1, milliseconds) > 0 }
}

/// A terminal that hands over every key, until this is dropped.
struct Terminal {
    before: libc::termios,
    /// The terminal itself, where it was asked to tell more of keys.
    answers: Option<File>,
}

/// Asks to be told of keys that are let go and of Shift alone (kitty's protocol), and of losing the
/// focus; then, what of it is granted. A terminal that knows none of it does nothing.
const TELL_MORE: &[u8] = b"\x1b[>11u\x1b[?1004h\x1b[?u";

/// Takes that back.
const TELL_LESS: &[u8] = b"\x1b[?1004l\x1b[<u";

impl Terminal {
    fn by_key(more: bool) -> std::io::Result<Self> {
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
        let mut opened = OpenOptions::new();
        let opened = opened.write(true).custom_flags(libc::O_NOCTTY);
        // Without it, keys are told as everywhere.
        let mut answers = if more { opened.open("/dev/stdin").ok() } else { None };
        if let Some(answers) = &mut answers {
            answers.write_all(TELL_MORE)?;
        }
        Ok(Self { before, answers })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone need not be given back.
        if let Some(answers) = &mut self.answers {
            answers.write_all(TELL_LESS).unwrap_or_default();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(parts: &[&[u8]]) -> Vec<Key> {
        chosen_keys(parts, &Chosen::new())
    }

    fn chosen_keys(parts: &[&[u8]], chosen: &Chosen) -> Vec<Key> {
        let mut parser = Parser::default();
        let events = parts.iter().flat_map(|part| parser.take(part));
        events.filter_map(|event| Key::of(event, chosen)).collect()
    }

    #[test]
    fn a_chosen_key_asks_for_what_it_was_chosen_for_and_nothing_else() {
        let chosen = vec![(Code::Char('s'), Key::Save), (Code::Char('n'), Key::Push)];
        assert_eq!(chosen_keys(&[b"Ssnq"], &chosen), [Key::Save, Key::Save, Key::Push, Key::Quit]);
        assert_eq!(keys(&[b"s"]), [], "nobody chose it");
    }

    #[test]
    fn letters_and_arrows_ask_for_the_same() {
        use Key::{Again, Correct, Next, Pause, Quit};
        assert_eq!(keys(&[b"nrqNRQ"]), [Next, Again, Quit, Next, Again, Quit]);
        assert_eq!(keys(&[b" p\tC"]), [Pause, Pause, Correct, Correct]);
        assert_eq!(keys(&[b"\x1b[C\x1b[D\x1bOC\x1bOD"]), [Next, Again, Next, Again]);
        assert_eq!(keys(&[b"\x1b", b""]), [Quit], "Esc alone");
        assert_eq!(keys(&[b"\x1b\x1b", b""]), [Quit, Quit]);
        assert_eq!(keys(&[b"\x1b[A\x1b[Bw\x1b[5~"]), [], "what asks for nothing");
        let once = b"\x1b[110;1:1u\x1b[110;1:2u\x1b[110;1:3u";
        assert_eq!(keys(&[once]), [Next], "pressed, held and let go");
    }
}
