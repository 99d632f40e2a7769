//! What leads a robot: leader arms, or a hand on keys, sticks or a phone.

use std::io::IsTerminal;

use sinew_drivers::spec::ArmSpec;
use sinew_drivers::stop::StopFlag;
use sinew_teleop::jog::{Jog, JogError, Moved, Space, Stick};
use sinew_teleop::keyboard::{Drives, Keyboard};
use sinew_teleop::keys::{Chosen, Keys};

use super::driving::{connect, followers};
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::TeleopFlags;
use crate::cli::report::Report;
#[cfg(feature = "phone")]
use crate::phone::Phone;
use crate::robot::Robot;
use crate::run::control::Pair;

/// What leads a robot.
pub enum Leads {
    /// Leader arms.
    Arms(Box<Robot>),
    /// Keys of this terminal, a gamepad, or a phone.
    Hand(Hand),
}

/// What a hand holds, connected and not listened to yet.
pub enum Held {
    /// Keys that move something.
    Keyboard(Keyboard),
    /// What a gamepad is to move.
    Gamepad(Stick),
    /// What a phone is to move, and the port of its page.
    Phone(Stick, u16),
}

/// What is listened to while an arm is driven.
pub struct Listening {
    /// Keys, and buttons that mean the same.
    pub keys: Keys,
    /// The page of a phone, served as long as this is here.
    #[cfg(feature = "phone")]
    _phone: Option<Phone>,
}

/// A hand, and what it moves.
pub struct Hand {
    kind: String,
    moved: Moved,
    gripper: bool,
    port: u16,
}

/// LeRobot's types of keyboards.
const JOINTS: &str = "keyboard";
const TIP: &str = "keyboard_ee";
const ROVER: &str = "keyboard_rover";
/// And of gamepads.
const PAD: &str = "gamepad";
/// And of phones.
const PHONE: &str = "phone";
/// Where a phone finds its page, unless another port is named.
const PAGE: u16 = 8443;

impl Leads {
    /// What the flags mean for this robot.
    pub fn choose(flags: &TeleopFlags, robot: &Robot) -> Result<Self, Failure> {
        let asked = flags.teleop_type.as_deref().or(flags.teleop.as_deref()).unwrap_or_default();
        if asked == ROVER {
            return Err(Failure::usage(
                "keyboard_rover drives rovers, and none is known here",
                "a LeKiwi is driven with --teleop.type=keyboard",
            ));
        }
        if ![JOINTS, TIP, PAD, PHONE].contains(&asked) {
            return Ok(Self::Arms(Box::new(Robot::choose_leader(flags, Some(robot))?)));
        }
        if robot.parts().len() != 1 {
            return Err(Failure::usage(
                format!("{} has {} arms, and {asked} moves one", robot.name, robot.parts().len()),
                "name one arm, or lead the pair with a pair of leaders",
            ));
        }
        if [JOINTS, TIP].contains(&asked) && !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                format!("{asked} reads the keys of a terminal, and standard input is none"),
                "run it in a terminal; over SSH with: ssh -t",
            ));
        }
        let space = |text| space("--teleop.end_effector_bounds", text);
        let space = flags.teleop_bounds.as_deref().map(space).transpose()?.unwrap_or_default();
        let moved = if asked == JOINTS { Moved::Joints } else { Moved::Tip(space) };
        let gripper = flags.teleop_use_gripper.unwrap_or(true);
        let port = match flags.teleop_port.as_deref().filter(|_| asked == PHONE) {
            None => PAGE,
            Some(port) => port.parse().map_err(|error| {
                let what = format!("--teleop.port={port} is no TCP port: {error}");
                Failure::usage(what, "a phone's page has one: --teleop.port=8443")
            })?,
        };
        Ok(Self::Hand(Hand { kind: asked.to_owned(), moved, gripper, port }))
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Arms(leader) => &leader.name,
            Self::Hand(hand) => &hand.kind,
        }
    }

    /// The leader arms, if it is those.
    pub fn arms(&self) -> Option<&Robot> {
        if let Self::Arms(leader) = self { Some(leader) } else { None }
    }

    /// Finds the arms of both; nothing moves yet. Keys are not listened to yet, either.
    pub fn connect(
        &self,
        robot: &Robot,
        recording: bool,
        flag: &StopFlag,
        report: &Report,
    ) -> Result<(Vec<Pair>, Option<Held>), Failure> {
        let hand = match self {
            Self::Arms(leader) => return Ok((connect(robot, leader, flag, report)?, None)),
            Self::Hand(hand) => hand,
        };
        let (mut pairs, mut held) = (Vec::new(), None);
        for follower in followers(robot, flag, report)? {
            let (stick, jog) = Jog::new(&*follower, hand.moved).map_err(no_tip)?;
            held = Some(match hand.kind.as_str() {
                PAD => Held::Gamepad(stick),
                PHONE => Held::Phone(stick, hand.port),
                _ => hand.keyboard(stick, follower.spec(), recording),
            });
            pairs.push(Pair::new(Box::new(jog), follower));
        }
        Ok((pairs, held))
    }
}

fn no_tip(error: JogError) -> Failure {
    Failure::usage(error.to_string(), "move its joints one by one: --teleop.type=keyboard")
}

impl Hand {
    fn keyboard(&self, stick: Stick, follower: &ArmSpec, recording: bool) -> Held {
        let drives = if self.moved == Moved::Joints { Drives::Joints } else { Drives::Tip };
        let keys = Keyboard::new(stick, drives, follower, recording);
        Held::Keyboard(if self.gripper { keys } else { keys.without_gripper() })
    }
}

/// Listens to keys, those that were chosen first, and to what moves something; says which key or stick
/// does what.
pub fn listen(held: Option<Held>, chosen: Chosen, report: &Report) -> Result<Listening, Failure> {
    let (mut keyboard, mut pad, mut phone) = (None, None, None);
    match held {
        Some(Held::Keyboard(keys)) => keyboard = Some(keys),
        Some(Held::Gamepad(stick)) => pad = Some(stick),
        Some(Held::Phone(stick, port)) => phone = Some((stick, port)),
        None => {}
    }
    let hint = keyboard.as_ref().map(|keyboard| keyboard.hint().to_owned());
    let keys = Keys::listen(keyboard, chosen)
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot listen to keys: {error}")))?;
    if let Some(stick) = pad {
        gamepad(stick, &keys, report)?;
    }
    if let Some(hint) = hint {
        report.note(hint);
        report.note(match keys.tells_releases() {
            true => "keys are held until you let go of them, several at once",
            false => {
                "this terminal does not say when a key is let go: a touch is a small step, and a \
                 held key moves on once your keyboard repeats it, one key at a time (kitty, foot, \
                 WezTerm, Ghostty and Alacritty do say)"
            }
        });
    }
    #[cfg(feature = "phone")]
    let listening = {
        let start = |(stick, port)| Phone::start(stick, keys.others(), port, report);
        let _phone = phone.map(start).transpose()?;
        Listening { keys, _phone }
    };
    #[cfg(not(feature = "phone"))]
    let listening = match phone {
        None => Listening { keys },
        Some(_) => {
            return Err(Failure::usage(
                "this build serves no page for phones",
                "cargo install --path robot --features phone",
            ));
        }
    };
    Ok(listening)
}

#[cfg(feature = "gamepad")]
fn gamepad(stick: Stick, keys: &Keys, report: &Report) -> Result<(), Failure> {
    use sinew_teleop::gamepad::{HINT, start};

    let name = start(stick, keys.others()).map_err(|error| {
        Failure::advise(
            Exit::Hardware,
            error.to_string(),
            "plug it in or pair it; what is under /dev/input must be readable by you",
        )
    })?;
    report.note(format!("{name}\n{HINT}"));
    Ok(())
}

#[cfg(not(feature = "gamepad"))]
fn gamepad(_stick: Stick, _keys: &Keys, _report: &Report) -> Result<(), Failure> {
    Err(Failure::usage(
        "this build reads no gamepads",
        "install libudev's development files (Debian: libudev-dev), then: \
         cargo install --path robot --features gamepad",
    ))
}

/// LeRobot's box of an end effector, given with this flag: `{min: [x, y, z], max: [x, y, z]}`.
pub fn space(flag: &str, text: &str) -> Result<Space, Failure> {
    let wrong = || {
        Failure::usage(
            format!("{flag}={text} is no box"),
            "for instance '{min: [0.1, -0.2, 0.0], max: [0.4, 0.2, 0.3]}', in metres",
        )
    };
    let value: serde_json::Value = serde_yaml_ng::from_str(text).map_err(|_unreadable| wrong())?;
    let corner = |name: &str| {
        let numbers = value[name].as_array()?.iter().map(serde_json::Value::as_f64);
        <[f64; 3]>::try_from(numbers.collect::<Option<Vec<_>>>()?).ok()
    };
    let (Some(least), Some(most)) = (corner("min"), corner("max")) else { return Err(wrong()) };
    let room = least.iter().zip(&most).all(|(least, most)| least < most);
    if room { Ok(Space { least, most }) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_has_two_corners_in_order() {
        let text = "{min: [0.1, -0.2, 0], max: [0.4, 0.2, 0.3]}";
        let wanted = Space { least: [0.1, -0.2, 0.0], most: [0.4, 0.2, 0.3] };
        assert_eq!(space("--box", text).unwrap(), wanted);
        for text in ["", "5", "{min: [0, 0, 0]}", "{min: [1, 0, 0], max: [0, 1, 1]}", "{min: [a]}"]
        {
            assert_eq!(space("--box", text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
