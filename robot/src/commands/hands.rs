//! What leads a robot: leader arms, or a hand on keys.

use std::io::IsTerminal;

use sinew_drivers::stop::StopFlag;
use sinew_teleop::jog::{Jog, JogError, Moved, Space};
use sinew_teleop::keyboard::{Drives, Keyboard};
use sinew_teleop::keys::Keys;

use super::driving::{arms, connect};
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::TeleopFlags;
use crate::cli::report::Report;
use crate::robot::Robot;
use crate::run::control::Pair;

/// What leads a robot.
pub enum Leads {
    /// Leader arms.
    Arms(Box<Robot>),
    /// Keys of this terminal.
    Keys(Hand),
}

/// A hand, and what it moves.
pub struct Hand {
    kind: String,
    moved: Moved,
    gripper: bool,
}

/// LeRobot's types of keyboards.
const JOINTS: &str = "keyboard";
const TIP: &str = "keyboard_ee";
const ROVER: &str = "keyboard_rover";

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
        if ![JOINTS, TIP].contains(&asked) {
            return Ok(Self::Arms(Box::new(Robot::choose_leader(flags, Some(robot))?)));
        }
        if robot.parts().len() != 1 {
            return Err(Failure::usage(
                format!("{} has {} arms, and keys move one", robot.name, robot.parts().len()),
                "name one arm, or lead the pair with a pair of leaders",
            ));
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                format!("{asked} reads the keys of a terminal, and standard input is none"),
                "run it in a terminal; over SSH with: ssh -t",
            ));
        }
        let space = flags.teleop_bounds.as_deref().map(space).transpose()?.unwrap_or_default();
        let moved = if asked == TIP { Moved::Tip(space) } else { Moved::Joints };
        let gripper = flags.teleop_use_gripper.unwrap_or(true);
        Ok(Self::Keys(Hand { kind: asked.to_owned(), moved, gripper }))
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Arms(leader) => &leader.name,
            Self::Keys(hand) => &hand.kind,
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
    ) -> Result<(Vec<Pair>, Option<Keyboard>), Failure> {
        let hand = match self {
            Self::Arms(leader) => return Ok((connect(robot, leader, flag, report)?, None)),
            Self::Keys(hand) => hand,
        };
        let (mut pairs, mut keyboard) = (Vec::new(), None);
        for follower in arms(robot, flag, report)? {
            let (stick, jog) = Jog::new(&follower, hand.moved).map_err(no_tip)?;
            let drives = if hand.moved == Moved::Joints { Drives::Joints } else { Drives::Tip };
            let keys = Keyboard::new(stick, drives, follower.spec(), recording);
            keyboard = Some(if hand.gripper { keys } else { keys.without_gripper() });
            pairs.push(Pair::new(Box::new(jog), follower));
        }
        Ok((pairs, keyboard))
    }
}

fn no_tip(error: JogError) -> Failure {
    Failure::usage(error.to_string(), "move its joints one by one: --teleop.type=keyboard")
}

/// Listens to keys, those that move something included, and says which do what.
pub fn listen(keyboard: Option<Keyboard>, report: &Report) -> Result<Keys, Failure> {
    let hint = keyboard.as_ref().map(|keyboard| keyboard.hint().to_owned());
    let keys = Keys::listen(keyboard)
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot listen to keys: {error}")))?;
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
    Ok(keys)
}

/// LeRobot's box of an end effector: `{min: [x, y, z], max: [x, y, z]}`.
fn space(text: &str) -> Result<Space, Failure> {
    let wrong = || {
        Failure::usage(
            format!("--teleop.end_effector_bounds={text} is no box"),
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
        assert_eq!(space(text).unwrap(), wanted);
        for text in ["", "5", "{min: [0, 0, 0]}", "{min: [1, 0, 0], max: [0, 1, 1]}", "{min: [a]}"]
        {
            assert_eq!(space(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
