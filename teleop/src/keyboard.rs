//! Keys that move an arm or a base.
//!
//! What is held is told again and again, so that a hand that is not heard of any more stops. Those keys
//! that a recording listens to mean nothing here while one runs.

use sinew_drivers::Nanos;
use sinew_drivers::spec::ArmSpec;

use crate::jog::{LASTS, SPEEDS, Stick, Way, Wish};
use crate::keys::{Change, Code, Event, Held};

/// What the keys move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drives {
    /// The tip of an arm.
    Tip,
    /// Each joint for itself; on wheels also the base, with LeRobot's keys for it.
    Joints,
}

/// A key, and what it moves which way.
type Binding = (Code, Way, f64);

/// Keys that move something, by what is held.
pub struct Keyboard {
    held: Held,
    stick: Stick,
    bindings: Vec<Binding>,
    faster: Vec<Code>,
    slower: Vec<Code>,
    speed: usize,
    hint: String,
}

/// The keys for an arm's joints, in their order: one way and the other. Where the joints are called as
/// usual, the first is left, forward or up.
const JOINTS: [(char, char); 8] = [
    ('a', 'd'),
    ('w', 's'),
    ('e', 'x'),
    ('i', 'k'),
    ('j', 'l'),
    ('t', 'g'),
    ('y', 'h'),
    ('v', 'b'),
];

/// The same beside a base, which has LeRobot's keys.
const JOINTS_ON_WHEELS: [(char, char); 8] = [
    ('j', 'l'),
    ('i', 'k'),
    ('t', 'g'),
    ('y', 'h'),
    ('v', 'b'),
    ('c', 'm'),
    ('1', '2'),
    ('3', '4'),
];

const GRIPPER: [Binding; 2] =
    [(Code::Char('o'), Way::Open, 1.0), (Code::Char('u'), Way::Open, -1.0)];

const BASE: [Binding; 6] = [
    (Code::Char('w'), Way::DriveAhead, 1.0),
    (Code::Char('s'), Way::DriveAhead, -1.0),
    (Code::Char('a'), Way::DriveLeft, 1.0),
    (Code::Char('d'), Way::DriveLeft, -1.0),
    (Code::Char('z'), Way::DriveTurn, 1.0),
    (Code::Char('x'), Way::DriveTurn, -1.0),
];

const TIP: [Binding; 16] = [
    (Code::Char('w'), Way::Forward, 1.0),
    (Code::Char('s'), Way::Forward, -1.0),
    (Code::Char('a'), Way::Left, 1.0),
    (Code::Char('d'), Way::Left, -1.0),
    (Code::Char('e'), Way::Up, 1.0),
    (Code::Char('x'), Way::Up, -1.0),
    (Code::Char('i'), Way::Tilt, 1.0),
    (Code::Char('k'), Way::Tilt, -1.0),
    (Code::Char('j'), Way::Roll, -1.0),
    (Code::Char('l'), Way::Roll, 1.0),
    // LeRobot's, as far as a terminal tells them.
    (Code::Up, Way::Forward, 1.0),
    (Code::Down, Way::Forward, -1.0),
    (Code::RightShift, Way::Up, 1.0),
    (Code::LeftShift, Way::Up, -1.0),
    (Code::RightCtrl, Way::Open, 1.0),
    (Code::LeftCtrl, Way::Open, -1.0),
];

/// LeRobot's too, but a recording's as well.
const SIDEWAYS: [Binding; 2] = [(Code::Left, Way::Left, 1.0), (Code::Right, Way::Left, -1.0)];

impl Keyboard {
    /// Keys that move this follower through the stick. While something is recorded, ← → n r q and Esc
    /// are left to that.
    pub fn new(stick: Stick, drives: Drives, follower: &ArmSpec, recording: bool) -> Self {
        let base = follower.base.is_some() && drives == Drives::Joints;
        let mut bindings = GRIPPER.to_vec();
        let mut lines = Vec::new();
        if drives == Drives::Tip {
            bindings.extend(TIP);
            if !recording {
                bindings.extend(SIDEWAYS);
            }
            lines.push("tip      w s forward, back · a d left, right · e x up, down".to_owned());
            lines
                .push("tool     i k tilt up, down · j l roll · o u gripper open, close".to_owned());
        } else {
            if base {
                bindings.extend(BASE);
                lines.push(
                    "base     w s ahead, back · a d left, right · z x turn left, right".into(),
                );
            }
            let keys = if base { JOINTS_ON_WHEELS } else { JOINTS };
            let names = follower.joints.iter().map(|joint| joint.name.as_str());
            let names = names.filter(|name| !name.ends_with("gripper"));
            let mut joints = Vec::new();
            for ((joint, name), (one, other)) in (0..).zip(names).zip(keys) {
                let way = if turns_back(name) { -1.0 } else { 1.0 };
                bindings.push((Code::Char(one), Way::Joint(joint), way));
                bindings.push((Code::Char(other), Way::Joint(joint), -way));
                joints.push(format!("{one} {other} {name}"));
            }
            joints.push("o u gripper open, close".to_owned());
            let (first, rest) = joints.split_at(joints.len().min(3));
            lines.push(format!("joints   {}", first.join(" · ")));
            lines.push(format!("         {}", rest.join(" · ")));
        }
        let (mut faster, mut slower) = (vec!['+', '='], vec!['-', '_']);
        if base && !recording {
            faster.push('r');
            slower.push('f');
        }
        let end = if recording { "" } else { " · q or Esc end" };
        lines.push(format!("speed    {} {} faster, slower{end}", faster[0], slower[0]));
        let codes = |letters: Vec<char>| letters.into_iter().map(Code::Char).collect();
        Self {
            held: Held::default(),
            stick,
            bindings,
            faster: codes(faster),
            slower: codes(slower),
            // As LeRobot, a base begins slowly.
            speed: usize::from(!base),
            hint: lines.join("\n"),
        }
    }

    /// Leaves the gripper alone.
    pub fn without_gripper(mut self) -> Self {
        self.bindings.retain(|(_, way, _)| *way != Way::Open);
        self.hint = self.hint.replace(" · o u gripper open, close", "");
        self
    }

    /// Which keys do what, in a few lines.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Takes what the terminal said. Answers whether that was meant for the arm.
    pub fn take(&mut self, event: Event, now: Nanos) -> bool {
        self.held.take(event, now);
        let Event::Key(code, change) = event else { return false };
        let (faster, slower) = (self.faster.contains(&code), self.slower.contains(&code));
        if change == Change::Pressed && faster {
            self.speed = (self.speed + 1).min(SPEEDS - 1);
        } else if change == Change::Pressed && slower {
            self.speed = self.speed.saturating_sub(1);
        }
        faster || slower || self.bindings.iter().any(|(bound, ..)| *bound == code)
    }

    /// Says what is held now. Answers whether anything is.
    pub fn tell(&mut self, now: Nanos) -> bool {
        let mut wish = Wish { until: now + LASTS, ..Wish::nothing() };
        let mut held = false;
        for code in self.held.down(now) {
            held = true;
            for (_, way, sign) in self.bindings.iter().filter(|(bound, ..)| *bound == code) {
                wish.add(*way, sign * way.pace(self.speed));
            }
        }
        self.stick.tell(wish);
        held
    }

    /// Lets go of everything.
    pub fn let_go(&mut self) {
        self.held.clear();
        self.stick.tell(Wish::nothing());
    }

    /// Whether the terminal tells when keys are let go.
    pub fn tells_releases(&self) -> bool {
        self.held.tells_releases()
    }
}

/// Whether a joint's values grow to the right, or downwards.
fn turns_back(name: &str) -> bool {
    ["pan", "elbow_flex", "wrist_flex", "roll"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jog::{Ear, WAYS, stick};

    fn keyboard(drives: Drives, arm: &str, recording: bool) -> (Keyboard, Ear) {
        let (stick, ear) = stick();
        let spec = ArmSpec::builtin(arm).unwrap();
        (Keyboard::new(stick, drives, &spec, recording), ear)
    }

    fn press(keyboard: &mut Keyboard, code: Code) -> bool {
        keyboard.take(Event::Key(code, Change::Pressed), 0)
    }

    fn rate(keyboard: &mut Keyboard, ear: &mut Ear, way: Way) -> f64 {
        keyboard.tell(0);
        ear.rates(0)[way.place()]
    }

    #[test]
    fn keys_add_up_and_opposite_ones_cancel() {
        let (mut keyboard, mut ear) = keyboard(Drives::Tip, "so101_follower", false);
        assert!(press(&mut keyboard, Code::Char('w')) && press(&mut keyboard, Code::Left));
        assert_eq!(rate(&mut keyboard, &mut ear, Way::Forward), 0.05);
        assert_eq!(rate(&mut keyboard, &mut ear, Way::Left), 0.05);
        press(&mut keyboard, Code::Char('s'));
        assert_eq!(rate(&mut keyboard, &mut ear, Way::Forward), 0.0);
        keyboard.let_go();
        assert_eq!(ear.rates(0), [0.0; WAYS]);
        assert!(!keyboard.tell(0));
    }

    #[test]
    fn speeds_go_from_slow_to_fast_and_no_further() {
        let (mut keyboard, mut ear) = keyboard(Drives::Tip, "so101_follower", false);
        press(&mut keyboard, Code::Char('e'));
        for (key, wanted) in [('+', 0.1), ('=', 0.1), ('-', 0.05), ('_', 0.02), ('-', 0.02)] {
            assert!(press(&mut keyboard, Code::Char(key)));
            assert_eq!(rate(&mut keyboard, &mut ear, Way::Up), wanted, "{key}");
        }
    }

    #[test]
    fn what_a_recording_listens_to_is_left_to_it() {
        for (drives, arm) in [
            (Drives::Tip, "so101_follower"),
            (Drives::Joints, "so101_follower"),
            (Drives::Joints, "lekiwi"),
        ] {
            let (mut keyboard, _ear) = keyboard(drives, arm, true);
            let letters = ['n', 'r', 'q'].map(Code::Char);
            for code in letters.into_iter().chain([Code::Left, Code::Right, Code::Esc]) {
                assert!(!press(&mut keyboard, code), "{arm} {code:?}");
            }
        }
    }

    #[test]
    fn a_base_drives_with_lerobots_keys_and_speeds() {
        let (mut keyboard, mut ear) = keyboard(Drives::Joints, "lekiwi", false);
        for (key, way, wanted) in [
            ('w', Way::DriveAhead, 0.1),
            ('s', Way::DriveAhead, -0.1),
            ('a', Way::DriveLeft, 0.1),
            ('d', Way::DriveLeft, -0.1),
            ('z', Way::DriveTurn, 30.0),
            ('x', Way::DriveTurn, -30.0),
        ] {
            press(&mut keyboard, Code::Char(key));
            assert_eq!(rate(&mut keyboard, &mut ear, way), wanted, "{key}");
            keyboard.let_go();
        }
        press(&mut keyboard, Code::Char('r'));
        press(&mut keyboard, Code::Char('w'));
        assert_eq!(rate(&mut keyboard, &mut ear, Way::DriveAhead), 0.2);
        press(&mut keyboard, Code::Char('f'));
        assert_eq!(rate(&mut keyboard, &mut ear, Way::DriveAhead), 0.1);
    }

    #[test]
    fn no_key_means_two_things_and_every_joint_has_two() {
        for arm in ["so101_follower", "koch_follower", "omx_follower", "lekiwi"] {
            for drives in [Drives::Joints, Drives::Tip] {
                let (keyboard, _ear) = keyboard(drives, arm, false);
                let mut codes: Vec<_> = keyboard.bindings.iter().map(|(code, ..)| *code).collect();
                codes.extend(keyboard.faster.iter().chain(&keyboard.slower));
                let count = codes.len();
                codes.sort_by_key(|code| format!("{code:?}"));
                codes.dedup();
                assert_eq!(codes.len(), count, "{arm} {drives:?}");
            }
            let (keyboard, _ear) = keyboard(Drives::Joints, arm, false);
            let joints =
                keyboard.bindings.iter().filter(|(_, way, _)| matches!(way, Way::Joint(_)));
            assert_eq!(joints.count(), 10, "{arm}");
        }
    }
}
