//! Which keys are held down.
//!
//! A terminal that tells when a key is let go is believed, as long as it still answers. Any other tells
//! only that a key comes again and again while it is held, so that a key counts as held for a moment
//! after each time.

use sinew_drivers::Nanos;
use sinew_drivers::clock::MILLI;

use super::parser::{Change, Code, Event};

/// How long a key that came counts as held where nothing is told of letting it go: longer than any
/// terminal takes to repeat it, and short enough that a touch is a small step.
pub const HOLD: Nanos = 150 * MILLI;

/// A terminal that tells releases but has not been heard of for so long has let go of all keys.
pub const SILENCE: Nanos = 600 * MILLI;

/// No hand holds more keys than this.
const MOST: usize = 16;

/// Keys that are down.
#[derive(Debug, Default)]
pub struct Held {
    keys: Vec<(Code, Nanos)>,
    tells_releases: bool,
    heard: Nanos,
}

impl Held {
    /// Takes what the terminal said.
    pub fn take(&mut self, event: Event, now: Nanos) {
        self.heard = now;
        match event {
            Event::Key(code, Change::Released) => self.keys.retain(|(held, _)| *held != code),
            Event::Key(code, _) => {
                self.keys.retain(|(held, _)| *held != code);
                if self.keys.len() < MOST {
                    self.keys.push((code, now));
                }
            }
            Event::FocusLost | Event::Interrupt => self.keys.clear(),
            Event::TellsReleases(told) => {
                // What was told otherwise before would be held for ever, or not at all.
                self.keys.clear();
                self.tells_releases = told;
            }
            Event::Alive => {}
        }
    }

    /// Lets go of everything: nothing comes any more.
    pub fn clear(&mut self) {
        self.keys.clear();
    }

    /// Whether the terminal tells when keys are let go.
    pub fn tells_releases(&self) -> bool {
        self.tells_releases
    }

    /// The keys that are down now.
    pub fn down(&mut self, now: Nanos) -> impl Iterator<Item = Code> {
        let lasts = if self.tells_releases { Nanos::MAX } else { HOLD };
        if self.tells_releases && now - self.heard > SILENCE {
            self.keys.clear();
        }
        self.keys.retain(|(_, last)| now - last <= lasts);
        self.keys.iter().map(|(code, _)| *code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Change::{Pressed, Released, Repeated};

    fn down(held: &mut Held, ms: Nanos) -> Vec<Code> {
        held.down(ms * MILLI).collect()
    }

    const W: Code = Code::Char('w');
    const A: Code = Code::Char('a');

    #[test]
    fn without_releases_a_key_is_held_as_long_as_it_comes_again() {
        let mut held = Held::default();
        held.take(Event::Key(W, Pressed), 0);
        assert_eq!(down(&mut held, 150), [W]);
        assert_eq!(down(&mut held, 151), [], "a touch is a small step");
        for ms in [500, 540, 580] {
            held.take(Event::Key(W, Pressed), ms * MILLI);
        }
        assert_eq!(down(&mut held, 700), [W]);
        assert_eq!(down(&mut held, 731), []);
    }

    #[test]
    fn with_releases_keys_are_held_together_until_they_are_let_go() {
        let mut held = Held::default();
        held.take(Event::TellsReleases(true), 0);
        held.take(Event::Key(W, Pressed), 0);
        held.take(Event::Key(A, Pressed), 10 * MILLI);
        held.take(Event::Key(A, Repeated), 400 * MILLI);
        assert_eq!(down(&mut held, 500), [W, A]);
        held.take(Event::Key(W, Released), 500 * MILLI);
        assert_eq!(down(&mut held, 500), [A]);
        held.take(Event::FocusLost, 510 * MILLI);
        assert_eq!(down(&mut held, 510), []);
    }

    #[test]
    fn a_terminal_that_answers_no_more_holds_nothing() {
        let mut held = Held::default();
        held.take(Event::TellsReleases(true), 0);
        held.take(Event::Key(W, Pressed), 0);
        held.take(Event::Alive, 500 * MILLI);
        assert_eq!(down(&mut held, 1100), [W]);
        assert_eq!(down(&mut held, 1101), []);
        assert_eq!(down(&mut held, 1050), [], "and it stays so");
    }

    #[test]
    fn more_keys_than_fingers_are_not_kept() {
        let mut held = Held::default();
        for letter in ' '..='~' {
            held.take(Event::Key(Code::Char(letter), Pressed), 0);
        }
        assert_eq!(down(&mut held, 0).len(), MOST);
    }
}
