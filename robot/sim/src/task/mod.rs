//! Tasks: what lies on the table, where the arm begins, and what it is to achieve.
//!
//! A task is a TOML file; those that are built in lie in `robot/sim/tasks`.

mod goal;
mod read;
mod reset;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use goal::{Judge, Verdict};

use crate::dynamics::Joints;
use crate::error::Error;

/// From a least to a greatest value, between which one is drawn.
pub type Span = [f64; 2];

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// What a dataset calls it.
    pub task: String,
    /// How long there is to achieve it.
    pub seconds: f64,
    /// Where the joints begin: degrees, the gripper in hundredths of its way.
    pub start: Joints,
    /// Boxes on the table.
    pub things: Vec<ThingRow>,
    /// Places that are only seen.
    pub marks: Vec<Mark>,
    /// What is to be achieved.
    pub goal: Goal,
}

/// A box, and where it may lie.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThingRow {
    /// What it is called.
    pub name: String,
    /// Half its sides, in metres.
    pub half: [f64; 3],
    /// In kilograms.
    pub mass: f64,
    /// What part of the pressure it takes before it slides.
    pub friction: f64,
    /// Red, green, blue.
    pub colour: [f32; 3],
    /// Ahead of the arm, in metres.
    pub x: Span,
    /// To its left.
    pub y: Span,
    /// About the vertical, in degrees.
    pub turn: Span,
}

/// A place to go to or to put things on.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// What it is called.
    pub name: String,
    /// In metres.
    pub radius: f64,
    /// Red, green, blue.
    pub colour: [f32; 3],
    /// Ahead of the arm, in metres.
    pub x: Span,
    /// To its left.
    pub y: Span,
    /// Above the table; on it where nothing is said.
    #[serde(default)]
    pub z: Span,
}

/// What is to be achieved, and for how many seconds it has to last.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Goal {
    /// The thing's middle is higher than this.
    Lifted {
        /// Which.
        thing: String,
        /// In metres.
        above: f64,
        /// How long.
        seconds: f64,
    },
    /// The thing lies on the mark, within so many metres of its middle, and no finger touches it.
    Placed {
        /// Which.
        thing: String,
        /// Where.
        mark: String,
        /// In metres.
        within: f64,
        /// How long.
        seconds: f64,
    },
    /// The thing stands within so many metres of the mark's middle.
    Pushed {
        /// Which.
        thing: String,
        /// Where.
        mark: String,
        /// In metres.
        within: f64,
        /// How long.
        seconds: f64,
    },
    /// The gripper's tip is so near the mark.
    Reached {
        /// Where.
        mark: String,
        /// In metres.
        within: f64,
        /// How long.
        seconds: f64,
    },
}

/// The tasks that are built in.
const BUILT_IN: [(&str, &str); 4] = [
    ("so101_lift", include_str!("../../tasks/so101_lift.toml")),
    ("so101_pick_place", include_str!("../../tasks/so101_pick_place.toml")),
    ("so101_push", include_str!("../../tasks/so101_push.toml")),
    ("reach", include_str!("../../tasks/reach.toml")),
];

impl Task {
    /// The names of those that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The task of this name, or that of a TOML file.
    pub fn find(name: &str) -> Result<Self, Error> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return read::task(&format!("{name}.toml"), text);
        }
        if Path::new(name).extension().is_none_or(|of| of != "toml") {
            let known = Self::names().collect::<Vec<_>>().join(", ");
            let known = format!("{known}, or the path of a .toml file");
            return Err(Error::Unknown { kind: "task", name: name.to_owned(), known });
        }
        let text = std::fs::read_to_string(name)
            .map_err(|error| Error::Data { file: name.to_owned(), what: error.to_string() })?;
        Self::read(name, &text)
    }

    /// The task of this text; errors name the file.
    pub fn read(file: &str, text: &str) -> Result<Self, Error> {
        read::task(file, text)
    }
}
