//! Arms as data: which joints, which servos, which settings, and where LeRobot keeps their files.
//!
//! The arms that come along are the files in `arms/`; users add their own with the same keys. A
//! mistake in a file is reported with its line and key.

mod read;
mod table;

use std::path::Path;

use sinew_core::joint::Units;
use sinew_core::register::{Reg, Register};
use sinew_core::tables::{Model, Series};

use crate::Error;
use table::nearest;

/// Whether an arm is moved by motors or by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Driven: it goes where it is told.
    Follower,
    /// Led by hand: it tells others where to go.
    Leader,
}

/// How a servo interprets its goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A position within one turn.
    Position,
    /// A position over many turns (Dynamixel).
    ExtendedPosition,
    /// A position with limited current (Dynamixel).
    CurrentPosition,
    /// A speed.
    Velocity,
}

impl Mode {
    /// Whether its position counts on beyond a turn.
    pub fn counts_turns(self) -> bool {
        matches!(self, Self::ExtendedPosition | Self::CurrentPosition)
    }

    /// What the register `Operating_Mode` holds for it, or `None` where the series has no such
    /// mode.
    pub fn code(self, series: &Series) -> Option<i32> {
        use sinew_core::packet::Protocol::{Dynamixel2, Feetech0, Feetech1};
        match (series.protocol, self) {
            (Feetech0 | Feetech1, Self::Position) => Some(0),
            (Feetech0 | Feetech1, Self::Velocity) => Some(1),
            (Dynamixel2, Self::Velocity) => Some(1),
            (Dynamixel2, Self::Position) => Some(3),
            (Dynamixel2, Self::ExtendedPosition) => Some(4),
            (Dynamixel2, Self::CurrentPosition) => Some(5),
            (Feetech0 | Feetech1, _) => None,
        }
    }
}

/// What a setting does to its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The register takes this value.
    Value(i32),
    /// These bits become zero, the others stay.
    Clear(i32),
}

/// A register and what configuring does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The register.
    pub register: &'static Register,
    /// What happens to it.
    pub change: Change,
}

/// When a joint gives way instead of pushing until its servo trips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackOff {
    /// Load in percent above which it counts as pushing too hard, speed's share taken off.
    pub load: f32,
    /// Degrees per second that the servo reaches without load.
    pub free_speed: f32,
    /// How long it may push that hard, in milliseconds.
    pub after_ms: u32,
}

/// One joint of an arm and the servo that moves it.
#[derive(Clone, Debug, PartialEq)]
pub struct JointSpec {
    /// As in LeRobot's data sets, without `.pos`.
    pub name: String,
    /// The servo's id.
    pub id: u8,
    /// The servo's model.
    pub model: &'static Model,
    /// The unit that people and policies use.
    pub units: Units,
    /// How the servo interprets its goal.
    pub mode: Mode,
    /// It turns on without end: calibration takes one pose and the whole turn.
    pub full_turn: bool,
    /// Degrees between its stops, where known.
    pub travel: Option<f64>,
    /// Where it rests, in −100 to 100 of its calibrated range.
    pub rest: Option<f64>,
    /// What calibration writes as `drive_mode`.
    pub drive_mode: u8,
    /// What a factory-calibrated arm's `homing_offset` is.
    pub homing_offset: i32,
    /// Whether it is under torque once configured.
    pub torque: bool,
    /// Where a leader's joint springs back to, in its units.
    pub spring: Option<f64>,
    /// When it gives way.
    pub back_off: Option<BackOff>,
    /// Degrees per second that its goal may move.
    pub max_velocity: Option<f64>,
    /// Degrees per second squared that its goal's velocity may change.
    pub max_acceleration: Option<f64>,
    /// Settings of this joint, after those of the whole arm, in this order.
    pub settings: Vec<Setting>,
}

/// One wheel of a mobile base.
#[derive(Clone, Debug, PartialEq)]
pub struct WheelSpec {
    /// As in LeRobot's calibration file.
    pub name: String,
    /// The servo's id.
    pub id: u8,
    /// The servo's model.
    pub model: &'static Model,
    /// The direction it drives the base in, in degrees from straight ahead.
    pub angle: f64,
}

/// A base on omni wheels.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseSpec {
    /// A wheel's radius in metres.
    pub wheel_radius: f64,
    /// From the base's middle to each wheel, in metres.
    pub radius: f64,
    /// The fastest a wheel may turn, in counts per second.
    pub max_speed: i32,
    /// The wheels.
    pub wheels: Vec<WheelSpec>,
}

/// An arm on one bus: joints in order, how to configure them, where its calibration is kept.
#[derive(Clone, Debug)]
pub struct ArmSpec {
    /// LeRobot's type name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Driven or led.
    pub role: Role,
    /// Names of LeRobot's calibration folder, the newest first.
    pub calibration: Vec<String>,
    /// The bus's rate.
    pub baud: u32,
    /// Supply voltages it is sold with.
    pub supply: Vec<f64>,
    /// It comes calibrated; there is nothing to sweep.
    pub factory_calibrated: bool,
    /// The servos' series, the same for all.
    pub series: &'static Series,
    /// Settings of every servo, in this order.
    pub settings: Vec<Setting>,
    /// The joints, in the order of LeRobot's data sets.
    pub joints: Vec<JointSpec>,
    /// The base it rides on.
    pub base: Option<BaseSpec>,
    /// What stands before its joints' names where two arms work together: `left_`, or nothing.
    pub prefix: String,
}

impl ArmSpec {
    /// The arm of this name that comes along.
    pub fn builtin(name: &str) -> Option<Self> {
        let mut parts = find(name, &[]).ok()?;
        if parts.len() == 1 { parts.pop() } else { None }
    }

    /// Reads an arm's file; `file` is what complaints call it.
    pub fn parse(file: &str, text: &str) -> Result<Self, SpecError> {
        read::arm(file, text)
    }

    /// The joint of this name, with or without the prefix, and its place.
    pub fn joint(&self, name: &str) -> Option<(usize, &JointSpec)> {
        let bare = name.strip_prefix(&self.prefix).unwrap_or(name);
        self.joints.iter().enumerate().find(|(_, joint)| joint.name == bare)
    }

    /// Gives every joint this value of a register, in place of the file's: LeRobot's
    /// `position_p_coefficient` and its kin. Whether the servos have such a register.
    pub fn override_setting(&mut self, reg: Reg, value: i32) -> bool {
        let Some(register) = self.series.get(reg) else { return false };
        for joint in &mut self.joints {
            let change = Change::Value(value);
            match joint.settings.iter_mut().find(|setting| setting.register.reg == reg) {
                Some(setting) => setting.change = change,
                None => joint.settings.push(Setting { register, change }),
            }
        }
        true
    }

    /// The wheels, none for an arm that stands still.
    pub fn wheels(&self) -> &[WheelSpec] {
        self.base.as_ref().map_or(&[], |base| base.wheels.as_slice())
    }

    /// Every servo on the bus in the order of LeRobot's files: name, id, model.
    pub fn servos(&self) -> impl Iterator<Item = (&str, u8, &'static Model)> {
        let joints = self.joints.iter().map(|joint| (joint.name.as_str(), joint.id, joint.model));
        joints.chain(self.wheels().iter().map(|wheel| (wheel.name.as_str(), wheel.id, wheel.model)))
    }

    /// The names of an observation's and an action's values, as in LeRobot's data sets.
    pub fn value_names(&self) -> Vec<String> {
        let joints = self.joints.iter().map(|joint| format!("{}{}.pos", self.prefix, joint.name));
        let base = ["x.vel", "y.vel", "theta.vel"].map(|name| format!("{}{name}", self.prefix));
        joints.chain(base.into_iter().filter(|_| self.base.is_some())).collect()
    }

    /// How many values an observation or an action has.
    pub fn value_count(&self) -> usize {
        self.joints.len() + if self.base.is_some() { 3 } else { 0 }
    }

    /// The calibration file's id for this part of a pair: `white` becomes `white_left`.
    pub fn part_id(&self, id: &str) -> String {
        match self.prefix.strip_suffix('_') {
            Some(side) if !side.is_empty() => format!("{id}_{side}"),
            _ => id.to_owned(),
        }
    }
}

/// A mistake in an arm's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {key}: {message}")]
pub struct SpecError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The key's full name.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

/// The arms that come along: name and file.
const BUILTIN: [(&str, &str); 11] = [
    ("so100_follower", include_str!("../arms/so100_follower.toml")),
    ("so100_leader", include_str!("../arms/so100_leader.toml")),
    ("so101_follower", include_str!("../arms/so101_follower.toml")),
    ("so101_leader", include_str!("../arms/so101_leader.toml")),
    ("koch_follower", include_str!("../arms/koch_follower.toml")),
    ("koch_leader", include_str!("../arms/koch_leader.toml")),
    ("omx_follower", include_str!("../arms/omx_follower.toml")),
    ("omx_leader", include_str!("../arms/omx_leader.toml")),
    ("lekiwi", include_str!("../arms/lekiwi.toml")),
    ("bi_so_follower", include_str!("../arms/bi_so_follower.toml")),
    ("bi_so_leader", include_str!("../arms/bi_so_leader.toml")),
];

/// The names of the arms that come along.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|row| row.0)
}

/// The names of all arms: those that come along, and those of files in `folders`.
pub fn names(folders: &[&Path]) -> Vec<String> {
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let files = entries.flatten().map(|entry| entry.path());
    let mut own: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| builtin_names().all(|builtin| builtin != name))
        .collect();
    own.sort_unstable();
    builtin_names().map(str::to_owned).chain(own).collect()
}

/// The arm of this name, one part per bus: one for most, two for a pair. Files `NAME.toml` in
/// `folders` come before the arms that come along.
pub fn find(name: &str, folders: &[&Path]) -> Result<Vec<ArmSpec>, Error> {
    let (file, text) = source(name, folders)?;
    match read::device(&file, &text)? {
        read::Device::Arm(arm) => Ok(vec![*arm]),
        read::Device::Pair(parts) => parts
            .into_iter()
            .map(|part| {
                let (file, text) = source(&part.arm, folders)?;
                Ok(ArmSpec { prefix: part.prefix, ..read::arm(&file, &text)? })
            })
            .collect(),
    }
}

/// The file of this name and its text.
fn source(name: &str, folders: &[&Path]) -> Result<(String, String), Error> {
    // A name is a name, never a way out of the folder.
    if !name.contains(['/', '\\', '\0']) {
        for folder in folders {
            let path = folder.join(format!("{name}.toml"));
            match std::fs::read_to_string(&path) {
                Ok(text) => return Ok((path.display().to_string(), text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::File { path, source }),
            }
        }
    }
    match BUILTIN.iter().find(|row| row.0 == name) {
        Some((name, text)) => Ok((format!("{name}.toml"), (*text).to_owned())),
        None => Err(no_such_arm(name, names(folders))),
    }
}

/// The error for a name that is none of `known`.
fn no_such_arm(name: &str, known: Vec<String>) -> Error {
    let typed = name.to_ascii_lowercase().replace('-', "_");
    let words: Vec<&str> = known.iter().map(String::as_str).collect();
    let begun = words.iter().copied().find(|word| !typed.is_empty() && word.starts_with(&typed));
    let near = begun.or_else(|| nearest(&typed, &words)).map(str::to_owned);
    Error::NoSuchArm { name: name.to_owned(), near, known }
}

#[cfg(test)]
mod tests;
