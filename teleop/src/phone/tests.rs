use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use proptest::prelude::*;

use super::*;

const TICK: Nanos = 16 * MILLI;

/// A phone that says where it is every tick.
#[derive(Default)]
struct Phone {
    hand: Hand,
    number: u64,
    now: Nanos,
}

impl Phone {
    /// Heard of, and not pressed.
    fn there() -> Self {
        let mut phone = Self::default();
        phone.say(false, [0.0; 3], flat());
        phone
    }

    fn message(&mut self, held: bool, place: [f64; 3], turn: UnitQuaternion<f64>) -> Message {
        self.number += 1;
        let number = self.number;
        let text = format!(r#"{{"n":{number},"held":{held}}}"#);
        let (place, turn) = (Some(place.into()), Some(turn));
        Message { place, turn, ..Message::read(text.as_bytes()).unwrap() }
    }

    fn say(&mut self, held: bool, place: [f64; 3], turn: UnitQuaternion<f64>) -> Wish {
        let message = self.message(held, place, turn);
        self.now += TICK;
        self.hand.take(&message, self.now).unwrap()
    }
}

/// Flat on a table, its upper end away from whoever holds it: WebXR's room looks along -z.
fn flat() -> UnitQuaternion<f64> {
    UnitQuaternion::from_axis_angle(&Vector3::x_axis(), -FRAC_PI_2)
}

fn way(wish: &Wish) -> [f64; PULLED] {
    wish.pull.unwrap().way.map(|part| (part * 1e6).round() / 1e6)
}

#[test]
fn its_way_since_the_button_was_pressed_is_the_tips_in_its_own_directions() {
    // Flat, held up slantwise and upright: ahead is the same.
    for tipped in [0.0, FRAC_PI_4, FRAC_PI_2] {
        let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), tipped) * flat();
        let mut phone = Phone::there();
        assert_eq!(phone.say(false, [0.0; 3], turn).pull, None);
        assert_eq!(way(&phone.say(true, [1.0, 2.0, 3.0], turn)), [0.0; 6]);
        let wish = phone.say(true, [1.01, 2.02, 2.97], turn);
        assert_eq!(way(&wish), [0.03, -0.01, 0.02, 0.0, 0.0, 0.0]);
        assert_eq!(wish.until, phone.now + SILENCE);
        assert_eq!(phone.say(false, [1.1, 2.0, 3.0], turn).pull, None);
        let again = phone.say(true, [1.2, 2.0, 3.0], turn);
        assert_eq!((again.pull.unwrap().hold, way(&again)), (2, [0.0; 6]));
    }
}

#[test]
fn its_turns_are_the_tools() {
    let small = 0.1_f64;
    let degrees = (small.to_degrees() * 1e6).round() / 1e6;
    for (axis, wanted) in [
        // About the line ahead, about the line to the right, which lifts its upper end, and to the left.
        (-Vector3::z_axis(), [0.0, 0.0, 0.0, degrees, 0.0, 0.0]),
        (Vector3::x_axis(), [0.0, 0.0, 0.0, 0.0, degrees, 0.0]),
        (Vector3::y_axis(), [0.0, 0.0, 0.0, 0.0, 0.0, degrees]),
    ] {
        let mut phone = Phone::there();
        phone.say(true, [0.0; 3], flat());
        let turned = UnitQuaternion::from_axis_angle(&axis, small) * flat();
        assert_eq!(way(&phone.say(true, [0.0; 3], turned)), wanted);
    }
}

#[test]
fn the_first_press_says_where_ahead_is_until_it_is_aimed_anew() {
    let mut phone = Phone::there();
    phone.say(true, [0.0; 3], flat());
    phone.say(false, [0.0; 3], flat());
    // Turned to the left by a quarter: ahead stays where it was.
    let left = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), FRAC_PI_2) * flat();
    phone.say(true, [0.0; 3], left);
    assert_eq!(way(&phone.say(true, [0.0, 0.0, -0.05], left))[..2], [0.05, 0.0]);
    phone.say(false, [0.0; 3], left);
    // The message in which it is asked for first is lost, and those after it say it again.
    phone.message(false, [0.0; 3], left);
    let mut aimed = |place: [f64; 3]| {
        let message = Message { aim: 1, ..phone.message(true, place, left) };
        phone.now += TICK;
        phone.hand.take(&message, phone.now).unwrap()
    };
    aimed([0.0; 3]);
    assert_eq!(way(&aimed([0.0, 0.0, -0.05]))[..2], [0.0, -0.05]);
}

#[test]
fn silence_lets_go_and_only_a_new_press_takes_hold_again() {
    let mut phone = Phone::there();
    phone.say(true, [0.0; 3], flat());
    phone.say(true, [0.0, 0.1, 0.0], flat());
    assert!(phone.hand.holds() && !phone.hand.is_silent(phone.now + SILENCE));
    phone.now += SILENCE;
    assert!(phone.hand.is_silent(phone.now + TICK));
    for _ in 0..3 {
        let wish = phone.say(true, [0.0, 0.2, 0.0], flat());
        assert_eq!((wish.pull, wish.rates), (None, Wish::nothing().rates));
        assert!(!phone.hand.holds());
    }
    phone.say(false, [0.0, 0.2, 0.0], flat());
    assert_eq!(way(&phone.say(true, [0.0, 0.3, 0.0], flat())), [0.0; 6]);
    assert_eq!(way(&phone.say(true, [0.0, 0.31, 0.0], flat()))[2], 0.01);
}

#[test]
fn what_was_held_before_a_phone_was_heard_moves_nothing() {
    let mut phone = Phone::default();
    assert_eq!(phone.say(true, [0.0; 3], flat()).pull, None);
    phone.say(false, [0.0; 3], flat());
    assert!(phone.say(true, [0.0; 3], flat()).pull.is_some());
    phone.hand.let_go();
    assert_eq!(phone.say(true, [0.0; 3], flat()).pull, None);
    assert!(phone.hand.has_lapsed());
}

#[test]
fn a_slider_that_was_held_through_silence_moves_nothing_either() {
    let mut phone = Phone::there();
    let mut open = |open: f64, after: Nanos| {
        let message = Message { open, ..phone.message(false, [0.0; 3], flat()) };
        phone.now += after;
        let wish = phone.hand.take(&message, phone.now).unwrap();
        (wish.rate(Way::Open), phone.hand.has_lapsed())
    };
    assert_eq!(open(1.0, TICK), (1.2, false));
    assert_eq!(open(1.0, SILENCE + 1), (0.0, true));
    assert_eq!(open(1.0, TICK), (0.0, true));
    assert_eq!(open(0.0, TICK), (0.0, false));
    assert_eq!(open(0.5, TICK), (0.6, false));
}

#[test]
fn what_comes_late_or_leaps_moves_nothing() {
    let mut phone = Phone::there();
    let late = phone.message(true, [0.0, 5.0, 0.0], flat());
    phone.say(true, [0.0; 3], flat());
    assert_eq!(phone.hand.take(&late, phone.now), None);
    assert_eq!(way(&phone.say(true, [0.0, 3.0, 0.0], flat())), [0.0; 6]);
    assert_eq!(phone.hand.leaps(), 1);
    let around = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), 3.0) * flat();
    assert_eq!(way(&phone.say(true, [0.0, 3.0, 0.0], around)), [0.0; 6]);
    assert_eq!(way(&phone.say(true, [0.0, 3.01, 0.0], around))[2], 0.01, "it goes on from there");
    assert_eq!(phone.hand.leaps(), 2);
}

#[test]
fn how_far_a_hand_goes_depends_on_how_long_it_had() {
    let turned = |angle| UnitQuaternion::from_axis_angle(&Vector3::y_axis(), angle) * flat();
    for (after, far, angle, leaps) in [
        (TICK, 0.06, 0.0, 0),
        (TICK, 0.08, 0.0, 1),
        (TICK, 0.19, 0.0, 1),
        (4 * TICK, 0.19, 0.0, 0),
        (TICK, 0.0, 0.25, 0),
        (TICK, 0.0, 0.9, 1),
        (5 * TICK, 0.0, 0.9, 0),
        (SILENCE, 0.21, 0.0, 1),
        (SILENCE, 0.0, 1.1, 1),
    ] {
        let mut phone = Phone::there();
        phone.say(true, [0.0; 3], flat());
        phone.now += after - TICK;
        phone.say(true, [0.0, far, 0.0], turned(angle));
        assert_eq!(phone.hand.leaps(), leaps, "{far} m and {angle} within {after}");
    }
}

#[test]
fn pads_move_the_tip_while_the_button_is_held_and_the_slider_the_gripper_always() {
    let mut phone = Phone::there();
    let mut said = |held: bool, scale: f64| {
        let message = phone.message(held, [0.0; 3], flat());
        let message = Message {
            place: None,
            turn: None,
            pads: [1.0, -0.5, 0.0],
            open: -1.0,
            scale,
            ..message
        };
        phone.now += TICK;
        let wish = phone.hand.take(&message, phone.now).unwrap();
        [Way::Forward, Way::Left, Way::Open].map(|way| wish.rate(way))
    };
    assert_eq!(said(false, 1.0), [0.0, 0.0, -1.2]);
    assert_eq!(said(true, 1.0), [0.1, -0.05, -1.2]);
    assert_eq!(said(true, 0.5), [0.05, -0.025, -1.2]);
    assert_eq!(said(true, 2.0), [0.1, -0.05, -1.2], "its rates have an end");
}

proptest! {
    #[test]
    fn any_bytes_are_a_wish_within_bounds_or_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        numbers in prop::collection::vec(prop::num::f64::ANY, 12),
    ) {
        let numbers: Vec<_> = numbers.iter().map(|number| {
            // Now and then something that a phone might say.
            if number.is_finite() { format!("{}", number % 1.0) } else { format!("{number}") }
        }).collect();
        let text = format!(
            r#"{{"n":1,"held":true,"place":[{},{},{}],"turn":[{},{},{},{}],"move":[{},{},{}],"open":{},"scale":{}}}"#,
            numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6],
            numbers[7], numbers[8], numbers[9], numbers[10], numbers[11],
        );
        for bytes in [&bytes[..], text.as_bytes()] {
            let Ok(message) = Message::read(bytes) else { continue };
            let wish = Hand::default().take(&message, 0).unwrap();
            for (place, rate) in wish.rates.iter().enumerate() {
                prop_assert!(rate.is_finite() && rate.abs() <= Way::most(place));
            }
        }
    }
}
