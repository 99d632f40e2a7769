//! A phone in somebody's hand that moves an arm's tip.
//!
//! ```text
//!  message ─▶ Hand: how far it went since the button was pressed ─▶ wish ─▶ jog
//! ```
//! Nothing moves unless the button is held, and was pressed while the phone was heard; pressing it anew takes
//! the phone from where it is then. As with LeRobot's phone, the first press says where ahead is: where the
//! phone's upper end points, or its back where it stands upright. Its way ahead, left and up is the tip's, and
//! the tool turns as it turns: about that line (roll), about the line to its left (tilt) and about the vertical
//! (swing). Where a phone knows only how it is turned, its pads move the tip. What no hand does, a leap of the
//! tracking, is left out.

mod message;

use nalgebra::{UnitQuaternion, Vector3};
use sinew_drivers::Nanos;
use sinew_drivers::clock::{MILLI, SECOND};

use crate::jog::{PULLED, Pull, Way, Wish};

pub use message::{LONGEST, Message, MessageError};

/// How long nothing may be heard before the arm is held where it is.
pub const SILENCE: Nanos = 300 * MILLI;

/// How fast a hand goes, in metres a second, and the farthest from one message to the next, in metres. Tracking is
/// off by the least, and messages wait for one another.
const FASTEST: f64 = 3.0;
const LEAP: std::ops::RangeInclusive<f64> = 0.02..=0.2;
/// The same of its turns, in radians.
const FASTEST_TURN: f64 = 12.0;
const TWIST: std::ops::RangeInclusive<f64> = 0.1..=1.0;
/// Which of a way's speeds pads and slider have at their ends.
const FAST: usize = 2;

/// How a phone is held.
#[derive(Debug, Default)]
pub struct Hand {
    last: Option<Heard>,
    /// Whether neither button nor slider was held at some time since it was heard first, or anew after it fell
    /// silent while they were: what is held from before that has to be pressed anew.
    free: bool,
    /// How often the button was pressed.
    hold: u64,
    /// Where ahead and left are.
    ahead: Option<(Vector3<f64>, Vector3<f64>)>,
    /// How often it was asked to say that anew.
    aim: u64,
    way: [f64; PULLED],
    leaps: u64,
}

/// What was heard last.
#[derive(Debug)]
struct Heard {
    number: u64,
    at: Nanos,
    /// Whether its button was held.
    held: bool,
    /// Whether that was, or the gripper's slider.
    touched: bool,
    place: Option<Vector3<f64>>,
    turn: Option<UnitQuaternion<f64>>,
}

impl Hand {
    /// Takes what the phone says. Nothing comes of what is older than what was heard already.
    pub fn take(&mut self, message: &Message, now: Nanos) -> Option<Wish> {
        if self.last.as_ref().is_some_and(|last| message.number <= last.number) {
            return None;
        }
        let last = self.last.take();
        let before = last.as_ref().filter(|last| now - last.at <= SILENCE);
        let touched = message.held || message.open != 0.0;
        self.free &= before.is_some() || !last.as_ref().is_some_and(|last| last.touched);
        self.free |= !touched;
        let (held, touched) = (message.held && self.free, touched && self.free);
        if message.aim != self.aim {
            (self.aim, self.ahead) = (message.aim, None);
        }
        match before.filter(|before| before.held && held) {
            Some(before) => self.go(before, message, now),
            None if held => {
                (self.hold, self.way) = (self.hold + 1, [0.0; PULLED]);
                self.ahead = self.ahead.or_else(|| message.turn.and_then(|turn| ahead(&turn)));
            }
            None => {}
        }
        let mut wish = Wish { until: now + SILENCE, ..Wish::nothing() };
        if touched {
            wish.add(Way::Open, message.open * Way::Open.pace(FAST));
        }
        if held {
            wish.pull = Some(Pull { hold: self.hold, way: self.way });
            for (way, pad) in [Way::Forward, Way::Left, Way::Up].into_iter().zip(message.pads) {
                wish.add(way, pad * message.scale.min(1.0) * way.pace(FAST));
            }
        }
        let Message { number, place, turn, .. } = *message;
        self.last = Some(Heard { number, at: now, held, touched, place, turn });
        Some(wish)
    }

    /// Forgets the phone: the next one begins anew.
    pub fn let_go(&mut self) {
        *self = Self { hold: self.hold, leaps: self.leaps, ..Self::default() };
    }

    /// Whether its button or its slider is held, and was pressed since it is heard.
    pub fn holds(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.touched)
    }

    /// Whether what is held has to be pressed anew: it was held before the phone was heard, or it fell silent
    /// meanwhile.
    pub fn has_lapsed(&self) -> bool {
        !self.free
    }

    /// Whether nothing has been heard of it for too long.
    pub fn is_silent(&self, now: Nanos) -> bool {
        self.last.as_ref().is_none_or(|last| now - last.at > SILENCE)
    }

    /// How often it was somewhere else from one message to the next.
    pub fn leaps(&self) -> u64 {
        self.leaps
    }

    /// Adds how far it went since the message before.
    fn go(&mut self, before: &Heard, now: &Message, at: Nanos) {
        let Some((ahead, left)) = self.ahead else { return };
        let axes = [ahead, left, Vector3::y()];
        let step = before.place.zip(now.place).map_or(Vector3::zeros(), |(then, now)| now - then);
        let turn = before.turn.zip(now.turn);
        let turn = turn.map_or(Vector3::zeros(), |(then, now)| (now / then).scaled_axis());
        let seconds = (at - before.at) as f64 / SECOND as f64;
        let most = |speed: f64, bounds: std::ops::RangeInclusive<f64>| {
            (bounds.start() + speed * seconds).min(*bounds.end())
        };
        if step.norm() > most(FASTEST, LEAP) || turn.norm() > most(FASTEST_TURN, TWIST) {
            self.leaps += 1;
            return;
        }
        let [ahead, left, up] = axes.map(|axis| axis.dot(&step));
        // Turning about what is to the left lowers what points ahead.
        let [roll, tilt, swing] = axes.map(|axis| axis.dot(&turn).to_degrees());
        let part = [ahead, left, up, roll, -tilt, swing];
        self.way.iter_mut().zip(part).for_each(|(way, part)| *way += part * now.scale);
    }
}

/// Where ahead and left are for a phone that is turned so: on the level, where its upper end points and where
/// its back looks, whichever is more so.
fn ahead(turn: &UnitQuaternion<f64>) -> Option<(Vector3<f64>, Vector3<f64>)> {
    let mut ahead = turn * (Vector3::y() - Vector3::z());
    ahead.y = 0.0;
    let ahead = ahead.try_normalize(0.1)?;
    Some((ahead, Vector3::y().cross(&ahead)))
}

#[cfg(test)]
mod tests;
