//! Whose phone drives, and whether it is still there.

use std::sync::mpsc::SyncSender;

use sinew_drivers::Nanos;
use sinew_drivers::clock::SECOND;
use sinew_teleop::jog::{Stick, Wish};
use sinew_teleop::keys::Key;
use sinew_teleop::phone::{Hand, Message, MessageError};

/// How long a phone that says nothing keeps others from driving.
const KEPT: Nanos = 3 * SECOND;
/// The longest name that a phone may give itself.
const LONGEST_NAME: usize = 64;

/// What has become of the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// One is there, and may drive.
    Here,
    /// It fell silent while its button was held, or its slider.
    Silent,
    /// It is heard again.
    Back,
    /// It has left, or was not heard of for long.
    Gone,
    /// Another one wanted to drive as well.
    Other,
    /// It was somewhere else from one message to the next.
    Leapt,
}

impl News {
    /// For people.
    pub fn line(self) -> &'static str {
        match self {
            Self::Here => "the phone is there: press its button, and move it",
            Self::Silent => {
                "the phone fell silent: the arm holds where it is, and goes on once the button is pressed anew"
            }
            Self::Back => "the phone is back: press its button anew",
            Self::Gone => "the phone is gone: the arm holds where it is",
            Self::Other => "another phone wants to drive, and one does already",
            Self::Leapt => "the phone leapt, as its tracking does in the dark: that was left out",
        }
    }

    /// For programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Silent => "silent",
            Self::Back => "back",
            Self::Gone => "gone",
            Self::Other => "other",
            Self::Leapt => "leapt",
        }
    }
}

/// Why a phone is not heeded.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another one drives.
    Taken,
    /// It makes no sense.
    Message(MessageError),
}

/// Where one phone sits.
pub struct Seat {
    stick: Stick,
    press: SyncSender<Key>,
    /// Who pressed last, and which press of theirs it was: it may be said again after the phone was gone.
    pressed: Option<(String, u64)>,
    hand: Hand,
    sitting: Option<String>,
    heard: Nanos,
    silent: bool,
    /// Another one has been told of.
    refused: bool,
    /// How many of its leaps, and when one was told of last.
    leapt: (u64, Nanos),
}

impl Seat {
    /// Lets a phone move what the stick moves.
    pub fn new(stick: Stick, press: SyncSender<Key>) -> Self {
        let hand = Hand::default();
        let (sitting, heard, silent, refused) = (None, 0, false, false);
        let (pressed, leapt) = (None, (0, -KEPT));
        Self { stick, press, pressed, hand, sitting, heard, silent, refused, leapt }
    }

    /// Takes what a phone says. Answers what its page shows, and what is to be told.
    pub fn take(
        &mut self,
        phone: &str,
        bytes: &[u8],
        now: Nanos,
    ) -> (Result<&'static str, Refusal>, Option<News>) {
        let sits = self.sitting.as_deref() == Some(phone);
        if !sits && (self.sitting.is_some() && now - self.heard <= KEPT) {
            let news = (!self.refused).then_some(News::Other);
            self.refused = true;
            return (Err(Refusal::Taken), news);
        }
        let message = match Message::read(bytes) {
            Ok(message) if phone.len() <= LONGEST_NAME => message,
            Ok(_) => return (Err(Refusal::Message(MessageError::Value("name"))), None),
            Err(error) => return (Err(Refusal::Message(error)), None),
        };
        let mut news = None;
        if !sits {
            self.stand_up();
            self.sitting = Some(phone.to_owned());
            news = Some(News::Here);
        }
        // A press counts even where what was said later came first, and once however often it is said.
        if let Some((count, key)) = message.press {
            let known = self.pressed.as_ref().filter(|(by, _)| by == phone);
            if known.is_none_or(|(_, last)| count > *last) {
                self.pressed = Some((phone.to_owned(), count));
                // Where nobody has looked at the last ones yet, one more is nothing new.
                self.press.try_send(key).unwrap_or_default();
            }
        }
        let Some(wish) = self.hand.take(&message, now) else { return (Ok("late"), news) };
        self.heard = now;
        if std::mem::take(&mut self.silent) {
            news = Some(News::Back);
        }
        if self.hand.leaps() != self.leapt.0 && now - self.leapt.1 >= KEPT {
            self.leapt = (self.hand.leaps(), now);
            news = news.or(Some(News::Leapt));
        }
        self.stick.tell(wish);
        let state = match (self.hand.has_lapsed(), self.hand.holds()) {
            (true, _) => "anew",
            (false, true) => "moves",
            (false, false) => "waits",
        };
        (Ok(state), news)
    }

    /// Looks whether the phone is still there.
    pub fn look(&mut self, now: Nanos) -> Option<News> {
        self.sitting.as_ref()?;
        if now - self.heard > KEPT {
            self.stand_up();
            return Some(News::Gone);
        }
        if self.hand.holds() && self.hand.is_silent(now) && !self.silent {
            self.silent = true;
            return Some(News::Silent);
        }
        None
    }

    /// Its page was closed.
    pub fn leave(&mut self, phone: &str) -> Option<News> {
        if self.sitting.as_deref() != Some(phone) {
            return None;
        }
        self.stand_up();
        Some(News::Gone)
    }

    fn stand_up(&mut self) {
        self.stick.tell(Wish::nothing());
        self.hand.let_go();
        (self.sitting, self.silent, self.refused) = (None, false, false);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use sinew_drivers::clock::MILLI;
    use sinew_teleop::jog::{Ear, WAYS, Way, stick};
    use sinew_teleop::phone::SILENCE;

    use super::*;

    fn seat() -> (Seat, Ear, Receiver<Key>) {
        let ((stick, ear), (press, pressed)) = (stick(), sync_channel(2));
        (Seat::new(stick, press), ear, pressed)
    }

    fn up(number: u64) -> Vec<u8> {
        format!(r#"{{"n":{number},"held":true,"move":[0,0,1]}}"#).into_bytes()
    }

    fn there(number: u64) -> Vec<u8> {
        format!(r#"{{"n":{number}}}"#).into_bytes()
    }

    #[test]
    fn one_phone_drives_and_another_only_once_that_is_gone() {
        let (mut seat, mut ear, _pressed) = seat();
        assert_eq!(seat.take("a", &there(1), 0), (Ok("waits"), Some(News::Here)));
        assert_eq!(seat.take("a", &up(2), 0), (Ok("moves"), None));
        assert_eq!(ear.rates(0)[Way::Up.place()], 0.1);
        assert_eq!(seat.take("b", &up(1), MILLI), (Err(Refusal::Taken), Some(News::Other)));
        assert_eq!(seat.take("b", &up(2), MILLI), (Err(Refusal::Taken), None), "told once");
        assert_eq!(seat.leave("b"), None);
        assert_eq!(seat.leave("a"), Some(News::Gone));
        assert_eq!(ear.rates(MILLI), [0.0; WAYS]);
        // What it held while another drove is nothing that it was asked for.
        assert_eq!(seat.take("b", &up(3), 2 * MILLI), (Ok("anew"), Some(News::Here)));
        assert_eq!(ear.rates(2 * MILLI), [0.0; WAYS]);
        assert_eq!(seat.take("b", &there(4), 2 * MILLI), (Ok("waits"), None));
        assert_eq!(seat.take("b", &up(5), 2 * MILLI), (Ok("moves"), None));
        assert_eq!(seat.look(2 * MILLI + KEPT + 1), Some(News::Gone));
        assert_eq!(seat.look(2 * MILLI + KEPT + 1), None);
    }

    #[test]
    fn silence_is_told_once_and_stops_until_the_button_is_pressed_anew() {
        let (mut seat, mut ear, _pressed) = seat();
        seat.take("a", &there(0), 0).0.unwrap();
        assert_eq!(seat.take("a", &up(1), 0).0, Ok("moves"));
        assert_eq!(seat.look(200 * MILLI), None);
        assert_eq!(seat.look(301 * MILLI), Some(News::Silent));
        assert_eq!(seat.look(400 * MILLI), None);
        assert_eq!(ear.rates(301 * MILLI), [0.0; WAYS]);
        let now = SECOND;
        assert_eq!(seat.take("a", &up(2), now), (Ok("anew"), Some(News::Back)));
        assert_eq!(ear.rates(now), [0.0; WAYS]);
        assert_eq!(seat.take("a", &up(2), now), (Ok("late"), None));
        assert_eq!(seat.take("a", &there(3), now), (Ok("waits"), None));
        assert_eq!(seat.take("a", &up(4), now), (Ok("moves"), None));
        assert_eq!(ear.rates(now)[Way::Up.place()], 0.1);
    }

    #[test]
    fn a_line_lost_for_however_long_waits_for_a_new_press() {
        for lost in [SILENCE + 1, SECOND, KEPT + 1, 10 * KEPT] {
            let (mut seat, mut ear, _pressed) = seat();
            seat.take("a", &there(1), 0).0.unwrap();
            assert_eq!(seat.take("a", &up(2), 0).0, Ok("moves"));
            for now in (0..=lost).step_by(50 * MILLI as usize) {
                seat.look(now);
            }
            assert_eq!(seat.take("a", &up(3), lost).0, Ok("anew"), "{lost}");
            assert_eq!(seat.take("a", &up(4), lost + MILLI).0, Ok("anew"), "{lost}");
            assert_eq!(ear.rates(lost + MILLI), [0.0; WAYS]);
            assert_eq!(seat.take("a", &there(5), lost + MILLI).0, Ok("waits"));
            assert_eq!(seat.take("a", &up(6), lost + MILLI).0, Ok("moves"));
        }
    }

    #[test]
    fn leaps_of_the_tracking_are_told_now_and_then() {
        let (mut seat, _ear, _pressed) = seat();
        assert_eq!(seat.take("a", &there(1), 0).1, Some(News::Here));
        let mut said = |number: u64, up: f64, now: Nanos| {
            let turn = "[-0.7071,0,0,0.7071]";
            let text = format!(r#"{{"n":{number},"held":true,"place":[0,{up},0],"turn":{turn}}}"#);
            seat.take("a", text.as_bytes(), now).1
        };
        assert_eq!(said(2, 0.0, 0), None);
        assert_eq!(said(3, 0.01, MILLI), None);
        assert_eq!(said(4, 5.0, 2 * MILLI), Some(News::Leapt));
        assert_eq!(said(5, 0.0, 3 * MILLI), None, "not each of them");
    }

    #[test]
    fn a_press_counts_though_it_comes_late_and_once_however_often_it_is_said() {
        let (mut seat, _ear, pressed) = seat();
        let mut said = |phone: &str, number: u64, press: &str, now: Nanos| {
            let text = format!(r#"{{"n":{number},"press":{press}}}"#);
            (seat.take(phone, text.as_bytes(), now).0, pressed.try_recv().ok())
        };
        assert_eq!(said("a", 3, "null", 0), (Ok("waits"), None));
        assert_eq!(said("a", 2, r#"[1,"next"]"#, 0), (Ok("late"), Some(Key::Next)));
        assert_eq!(said("a", 4, r#"[1,"next"]"#, 0), (Ok("waits"), None));
        assert_eq!(said("a", 5, r#"[2,"next"]"#, 0), (Ok("waits"), Some(Key::Next)));
        assert_eq!(said("b", 1, r#"[1,"stop"]"#, 0), (Err(Refusal::Taken), None));
        let later = 2 * KEPT;
        assert_eq!(said("a", 6, r#"[2,"next"]"#, later), (Ok("waits"), None));
        assert_eq!(said("b", 2, r#"[1,"stop"]"#, 2 * later), (Ok("waits"), Some(Key::Quit)));
    }

    #[test]
    fn garbage_moves_nothing_and_takes_no_seat() {
        let (mut seat, mut ear, pressed) = seat();
        assert!(matches!(seat.take("a", b"{}", 0), (Err(Refusal::Message(_)), None)));
        let long = "a".repeat(65);
        assert!(matches!(seat.take(&long, &up(1), 0), (Err(Refusal::Message(_)), None)));
        assert_eq!(seat.take("b", br#"{"n":1,"press":[1,"stop"]}"#, 0).0, Ok("waits"));
        assert_eq!(ear.rates(0), [0.0; WAYS]);
        assert_eq!(pressed.try_recv(), Ok(Key::Quit));
    }
}
