//! Bytes of a terminal into keys: letters, the arrows' codes, and those of the kitty keyboard protocol,
//! which tells when a key is let go as well.

/// A key, by what stands on it; letters are small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A letter, digit or sign; the space bar and Tab as well.
    Char(char),
    /// ↑
    Up,
    /// ↓
    Down,
    /// ←
    Left,
    /// →
    Right,
    /// Esc
    Esc,
    /// The left Shift, which only some terminals tell.
    LeftShift,
    /// The right Shift, likewise.
    RightShift,
    /// The left Ctrl, likewise.
    LeftCtrl,
    /// The right Ctrl, likewise.
    RightCtrl,
}

impl Code {
    /// The key of this name, as LeRobot names it: a letter, digit or sign, `space`, `tab`, `esc`, or an
    /// arrow's direction. Enter and Backspace are none here.
    pub fn named(name: &str) -> Option<Self> {
        let mut letters = name.chars();
        match (letters.next(), letters.next()) {
            (Some(one), None) => letter(u32::from(one)),
            _ => match name {
                "space" => Some(Self::Char(' ')),
                "tab" => Some(Self::Char('\t')),
                "esc" => Some(Self::Esc),
                "up" => Some(Self::Up),
                "down" => Some(Self::Down),
                "left" => Some(Self::Left),
                "right" => Some(Self::Right),
                _ => None,
            },
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Char(' ') => f.write_str("space"),
            Self::Char('\t') => f.write_str("Tab"),
            Self::Char(letter) => write!(f, "{letter}"),
            Self::Up => f.write_str("↑"),
            Self::Down => f.write_str("↓"),
            Self::Left => f.write_str("←"),
            Self::Right => f.write_str("→"),
            Self::Esc => f.write_str("Esc"),
            Self::LeftShift | Self::RightShift => f.write_str("Shift"),
            Self::LeftCtrl | Self::RightCtrl => f.write_str("Ctrl"),
        }
    }
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It went down.
    Pressed,
    /// It is still down.
    Repeated,
    /// It was let go.
    Released,
}

/// What a terminal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something happened to a key.
    Key(Code, Change),
    /// Ctrl-C where the terminal makes no signal of it.
    Interrupt,
    /// Whoever types looks elsewhere: keys that are let go there are not told.
    FocusLost,
    /// Whether it tells when keys are let go.
    TellsReleases(bool),
    /// It is still there: an answer to a question.
    Alive,
}

/// Puts events together from bytes, however those are cut.
#[derive(Debug, Default)]
pub struct Parser {
    within: Vec<u8>,
}

/// No code that is meant here is longer.
const LONGEST: usize = 32;

const ESC: u8 = 0x1B;

impl Parser {
    /// Whether a key has begun with Esc.
    pub fn is_within(&self) -> bool {
        !self.within.is_empty()
    }

    /// What these bytes say; none of them means that nothing followed in time.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        if bytes.is_empty() {
            if self.within == [ESC] {
                events.push(pressed(Code::Esc));
            }
            self.within.clear();
        }
        for byte in bytes {
            match (&self.within[..], *byte) {
                ([], ESC) => self.within.push(ESC),
                ([], byte) => events.extend(letter(u32::from(byte)).map(pressed)),
                ([_], b'[' | b'O') => self.within.push(*byte),
                ([_], ESC) => events.push(pressed(Code::Esc)),
                // Alt and a letter is nothing that is asked for here.
                ([_], _) => self.within.clear(),
                ([_, b'[', parameters @ ..], byte @ 0x40..=0x7E) => {
                    events.extend(code(parameters, byte));
                    self.within.clear();
                }
                ([_, b'[', ..], 0x20..=0x3F) if self.within.len() < LONGEST => {
                    self.within.push(*byte);
                }
                ([_, b'O'], byte) => {
                    events.extend(code(&[], byte));
                    self.within.clear();
                }
                _ => self.within.clear(),
            }
        }
        events
    }
}

fn pressed(code: Code) -> Event {
    Event::Key(code, Change::Pressed)
}

/// The key of a letter, digit or sign, of the space bar and of Tab.
fn letter(number: u32) -> Option<Code> {
    let is_key = |letter: &char| letter.is_ascii_graphic() || [' ', '\t'].contains(letter);
    let letter = char::from_u32(number).filter(is_key)?;
    Some(Code::Char(letter.to_ascii_lowercase()))
}

/// A whole code: Esc, `[`, parameters, and the byte at its end.
fn code(parameters: &[u8], end: u8) -> Option<Event> {
    if let Some(flags) = parameters.strip_prefix(b"?") {
        let told = end == b'u' && number(flags)? & FLAG_RELEASES != 0;
        return (end == b'u').then_some(Event::TellsReleases(told));
    }
    // `key:more;modifiers:change;text`, all but the key left out where they say nothing.
    let mut fields = parameters.split(|byte| *byte == b';');
    let key = fields.next().and_then(|field| field.split(|byte| *byte == b':').next());
    let mut held = fields.next().unwrap_or_default().split(|byte| *byte == b':');
    let modifiers = held.next().and_then(number).unwrap_or(1).saturating_sub(1);
    let change = match held.next().and_then(number) {
        Some(2) => Change::Repeated,
        Some(3) => Change::Released,
        _ => Change::Pressed,
    };
    let code = match end {
        b'A' => Code::Up,
        b'B' => Code::Down,
        b'C' => Code::Right,
        b'D' => Code::Left,
        b'O' => return Some(Event::FocusLost),
        b'n' => return Some(Event::Alive),
        b'u' => match key.and_then(number)? {
            27 => Code::Esc,
            57_441 => Code::LeftShift,
            57_447 => Code::RightShift,
            57_442 => Code::LeftCtrl,
            57_448 => Code::RightCtrl,
            99 if modifiers & CTRL != 0 => {
                return (change == Change::Pressed).then_some(Event::Interrupt);
            }
            key => letter(key)?,
        },
        _ => return None,
    };
    Some(Event::Key(code, change))
}

/// Bit of the protocol's flags: changes of keys are told.
const FLAG_RELEASES: u32 = 2;
/// Bit of the modifiers.
const CTRL: u32 = 4;

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Change::{Pressed, Released, Repeated};

    fn events(parts: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::default();
        parts.iter().flat_map(|part| parser.take(part)).collect()
    }

    #[test]
    fn plain_terminals_tell_letters_and_arrows() {
        let wanted = [Code::Char('w'), Code::Char('w'), Code::Char('+')].map(pressed);
        assert_eq!(events(&[b"wW+"]), wanted);
        let arrows = [Code::Up, Code::Down, Code::Right, Code::Left].map(pressed);
        assert_eq!(events(&[b"\x1b[A\x1b[B\x1b[C\x1b[D"]), arrows);
        assert_eq!(events(&[b"\x1bOA\x1bOB\x1bOC\x1bOD"]), arrows);
        assert_eq!(events(&[b"\x1b", b"[", b"C"]), arrows[2..3], "in pieces");
        assert_eq!(events(&[b"\x1b", b""]), [pressed(Code::Esc)], "Esc alone");
        assert_eq!(events(&[b"\x1b\x1b", b""]), [pressed(Code::Esc); 2]);
    }

    #[test]
    fn keys_go_by_lerobots_names() {
        for (name, code) in [
            ("s", Some(Code::Char('s'))),
            ("S", Some(Code::Char('s'))),
            ("space", Some(Code::Char(' '))),
            ("tab", Some(Code::Char('\t'))),
            ("left", Some(Code::Left)),
            ("enter", None),
            ("", None),
            ("ß", None),
        ] {
            assert_eq!(Code::named(name), code, "{name}");
        }
    }

    #[test]
    fn keys_that_mean_nothing_are_passed_over() {
        assert_eq!(events(&[b"\x1b[5~\x1b[1;2P\x1b[15~\xc3\xa4\n\x1b[I"]), []);
        assert_eq!(events(&[b"\x1b[", b"", b"\x1b[1;", b""]), [], "cut off within");
        assert_eq!(events(&[b"\x1bx", b"n"]), [pressed(Code::Char('n'))], "Alt and x, then n");
        assert_eq!(events(&[b"\x1b[8;9;9999999999999999999999u"]), []);
    }

    #[test]
    fn kittys_protocol_tells_changes_and_modifiers() {
        let key = |code, change| [Event::Key(code, change)];
        assert_eq!(events(&[b"\x1b[119u"]), key(Code::Char('w'), Pressed));
        assert_eq!(events(&[b"\x1b[119:87;2:2u"]), key(Code::Char('w'), Repeated));
        assert_eq!(events(&[b"\x1b[119;1:3u"]), key(Code::Char('w'), Released));
        assert_eq!(events(&[b"\x1b[119;1:1;119u"]), key(Code::Char('w'), Pressed));
        assert_eq!(events(&[b"\x1b[1;1:3C"]), key(Code::Right, Released));
        assert_eq!(events(&[b"\x1b[57442;5u"]), key(Code::LeftCtrl, Pressed));
        assert_eq!(events(&[b"\x1b[57447;1:3u"]), key(Code::RightShift, Released));
        assert_eq!(events(&[b"\x1b[27u"]), key(Code::Esc, Pressed));
    }

    #[test]
    fn a_terminal_answers_and_loses_its_reader() {
        assert_eq!(events(&[b"\x1b[99;5u\x1b[99;5:3u"]), [Event::Interrupt]);
        assert_eq!(events(&[b"\x1b[?11u"]), [Event::TellsReleases(true)]);
        assert_eq!(events(&[b"\x1b[?1u"]), [Event::TellsReleases(false)]);
        assert_eq!(events(&[b"\x1b[O\x1b[0n"]), [Event::FocusLost, Event::Alive]);
    }

    #[test]
    fn no_bytes_can_harm() {
        let mut random = 1u32;
        let mut parser = Parser::default();
        for _ in 0..50_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut bytes = random.to_le_bytes();
            // Half of them look like codes.
            if random & 1 == 0 {
                bytes = bytes.map(|byte| b"\x1b[O0123456789;:?uACn"[usize::from(byte) % 20]);
            }
            parser.take(&bytes[..(random >> 30) as usize]);
            assert!(parser.within.len() <= LONGEST);
        }
    }
}
