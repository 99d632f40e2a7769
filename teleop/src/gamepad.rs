//! A gamepad that moves an arm's tip, with LeRobot's sticks and buttons.
//!
//! The left stick moves the tip ahead and to the left, the right one up; triggers close and open the
//! gripper. LeRobot has nothing for turning the tool: the right stick's other way and the cross do that
//! here. A pad that is unplugged moves nothing.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use gilrs::{Axis, Button, EventType, GilrsBuilder};
use sinew_drivers::{Clock, Nanos};

use crate::jog::{LASTS, SPEEDS, Stick, Way, Wish};
use crate::keys::Key;

/// Why no gamepad moves anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GamepadError {
    /// None is there.
    #[error("no gamepad is connected, or none that this user may read")]
    None,
    /// The system has no way to read any.
    #[error("gamepads cannot be read: {0}")]
    System(String),
}

/// What sticks and buttons do, in a few lines.
pub const HINT: &str = "\
tip      left stick forward, left · right stick up
tool     cross up, down: tilt · right stick aside: roll · LT RT gripper close, open
speed    Start, Select: faster, slower
keys     Y on · X or A again · B stop";

/// A stick this near to its middle is in the middle: LeRobot's dead zone.
const DEAD: f64 = 0.1;

/// How often what is held is told again.
const BEAT: Duration = Duration::from_millis(20);

/// Ways that sticks move, and to which side.
const STICKS: [(Axis, Way, f64); 4] = [
    (Axis::LeftStickY, Way::Forward, 1.0),
    (Axis::LeftStickX, Way::Left, -1.0),
    (Axis::RightStickY, Way::Up, 1.0),
    (Axis::RightStickX, Way::Roll, 1.0),
];

/// Ways that buttons move while they are held.
const HELD: [(Button, Way, f64); 4] = [
    (Button::LeftTrigger2, Way::Open, -1.0),
    (Button::RightTrigger2, Way::Open, 1.0),
    (Button::DPadUp, Way::Tilt, 1.0),
    (Button::DPadDown, Way::Tilt, -1.0),
];

/// Lets the first gamepad move what the stick moves, and press a recording's keys, from a thread of its
/// own; returns the pad's name.
pub fn start(stick: Stick, press: SyncSender<Key>) -> Result<String, GamepadError> {
    let (tell, told) = sync_channel(1);
    let run = move || {
        let built = GilrsBuilder::new().with_default_filters(false).build();
        let mut pads = match built {
            Ok(pads) => pads,
            Err(error) => {
                tell.send(Err(GamepadError::System(error.to_string()))).unwrap_or_default();
                return;
            }
        };
        let first = pads.gamepads().next().map(|(id, pad)| (id, pad.name().to_owned()));
        let Some((id, name)) = first else {
            tell.send(Err(GamepadError::None)).unwrap_or_default();
            return;
        };
        tell.send(Ok(name)).unwrap_or_default();
        let (mut stick, mut hand) = (stick, Hand::default());
        loop {
            let event = pads.next_event_blocking(Some(BEAT)).filter(|event| event.id == id);
            if let Some(key) = event.and_then(|event| hand.take(&event.event)) {
                // Where nobody has looked at the last ones yet, one more is nothing new.
                press.try_send(key).unwrap_or_default();
            }
            stick.tell(hand.wish(Clock::Real.now()));
        }
    };
    let thread = std::thread::Builder::new().name("gamepad".to_owned()).spawn(run);
    thread.map_err(|error| GamepadError::System(error.to_string()))?;
    told.recv().unwrap_or_else(|gone| Err(GamepadError::System(gone.to_string())))
}

/// How a pad is held.
#[derive(Debug)]
struct Hand {
    sticks: [f64; STICKS.len()],
    held: [bool; HELD.len()],
    speed: usize,
}

impl Default for Hand {
    fn default() -> Self {
        Self { sticks: [0.0; STICKS.len()], held: [false; HELD.len()], speed: 1 }
    }
}

impl Hand {
    /// Takes what the pad says. Answers what it asks of a recording.
    fn take(&mut self, event: &EventType) -> Option<Key> {
        match *event {
            EventType::AxisChanged(axis, value, _) => self.lean(axis, f64::from(value)),
            EventType::ButtonPressed(button, _) => return self.press(button),
            EventType::ButtonReleased(button, _) => self.hold(button, false),
            EventType::Disconnected => *self = Self { speed: self.speed, ..Self::default() },
            _ => {}
        }
        None
    }

    /// Leans a stick.
    fn lean(&mut self, axis: Axis, value: f64) {
        let beyond = (value.abs() - DEAD).max(0.0) / (1.0 - DEAD);
        for (stick, (of, ..)) in self.sticks.iter_mut().zip(STICKS) {
            if of == axis {
                *stick = beyond.min(1.0).copysign(value);
            }
        }
    }

    fn hold(&mut self, button: Button, down: bool) {
        for (held, (of, ..)) in self.held.iter_mut().zip(HELD) {
            *held = if of == button { down } else { *held };
        }
    }

    /// Presses a button: LeRobot's success is the episode's end here, its failure one more try.
    fn press(&mut self, button: Button) -> Option<Key> {
        self.hold(button, true);
        match button {
            Button::Start => self.speed = (self.speed + 1).min(SPEEDS - 1),
            Button::Select => self.speed = self.speed.saturating_sub(1),
            Button::North => return Some(Key::Next),
            Button::West | Button::South => return Some(Key::Again),
            Button::East => return Some(Key::Quit),
            _ => {}
        }
        None
    }

    /// What is wanted now.
    fn wish(&self, now: Nanos) -> Wish {
        let mut wish = Wish { until: now + LASTS, ..Wish::nothing() };
        for (stick, (_, way, side)) in self.sticks.iter().zip(STICKS) {
            wish.add(way, stick * side * way.pace(self.speed));
        }
        for (_, (_, way, side)) in self.held.iter().zip(HELD).filter(|(held, _)| **held) {
            wish.add(way, side * way.pace(self.speed));
        }
        wish
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sticks_move_the_tip_as_lerobots_do() {
        // pygame's axes 1, 0 and 3, which count downwards and to the right; here up counts.
        for (axis, value, way, wanted) in [
            (Axis::LeftStickY, 1.0, Way::Forward, 0.05),
            (Axis::LeftStickX, 1.0, Way::Left, -0.05),
            (Axis::RightStickY, -1.0, Way::Up, -0.05),
            (Axis::LeftStickY, 0.09, Way::Forward, 0.0),
            (Axis::LeftStickY, -0.55, Way::Forward, -0.025),
            (Axis::LeftStickY, 7.0, Way::Forward, 0.05),
        ] {
            let mut hand = Hand::default();
            hand.lean(axis, value);
            let rate = hand.wish(0).rate(way);
            assert!((rate - wanted).abs() < 1e-9, "{axis:?} {value}: {rate}");
        }
        let mut hand = Hand::default();
        hand.lean(Axis::LeftStickX, f64::NAN);
        assert!(hand.wish(0).rate(Way::Left).abs() < 0.1, "no number leans no stick");
    }

    #[test]
    fn triggers_move_the_gripper_while_they_are_held() {
        let mut hand = Hand::default();
        assert_eq!(hand.press(Button::RightTrigger2), None);
        assert_eq!(hand.wish(0).rate(Way::Open), 0.6);
        hand.press(Button::LeftTrigger2);
        assert_eq!(hand.wish(0).rate(Way::Open), 0.0);
        hand.hold(Button::RightTrigger2, false);
        assert_eq!(hand.wish(0).rate(Way::Open), -0.6);
        hand.press(Button::Start);
        assert_eq!(hand.wish(0).rate(Way::Open), -1.2);
    }

    #[test]
    fn buttons_are_a_recordings_keys() {
        let mut hand = Hand::default();
        for (button, key) in [
            (Button::North, Some(Key::Next)),
            (Button::South, Some(Key::Again)),
            (Button::West, Some(Key::Again)),
            (Button::East, Some(Key::Quit)),
            (Button::RightTrigger, None),
        ] {
            assert_eq!(hand.press(button), key, "{button:?}");
        }
    }

    #[test]
    fn a_pad_that_is_unplugged_wants_nothing_and_a_wish_ends_by_itself() {
        let mut hand = Hand::default();
        hand.lean(Axis::RightStickY, 1.0);
        hand.press(Button::DPadUp);
        assert_eq!(hand.take(&EventType::Disconnected), None);
        assert_eq!(hand.wish(5), Wish { until: 5 + LASTS, ..Wish::nothing() });
    }
}
