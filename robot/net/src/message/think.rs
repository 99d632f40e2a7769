//! What a policy elsewhere is shown, and what it says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::describe::MOST_PIXELS;
use super::few::{few, few_named};
use super::{MOST_CAMERAS, MOST_VALUES, Message, Refusal, at_most, finite, name, text};

/// The most frames that a policy looks at.
const MOST_FRAMES: usize = 16;
/// The most numbers of a chunk.
const MOST_NUMBERS: usize = 1 << 16;

/// The answer to a question in whose place its robot has asked a newer one.
pub const SUPERSEDED: &str = "superseded";

/// What a robot saw, the newest frame last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The version.
    pub v: u64,
    /// Who asks.
    pub robot: String,
    /// Which of those that are called so, a number drawn when it began to ask: its newest question takes
    /// the place of the one before.
    pub asker: u64,
    /// What is to be done, in words.
    pub task: Option<String>,
    /// As many as the policy looks at; fewer where there are no more yet.
    #[serde(deserialize_with = "few::<_, _, MOST_FRAMES>")]
    pub frames: Vec<Frame>,
}

/// One instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// `observation.state`.
    #[serde(deserialize_with = "few::<_, _, MOST_VALUES>")]
    pub state: Vec<f64>,
    /// `observation.environment_state`, which only a simulation knows.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "few::<_, _, MOST_VALUES>"
    )]
    pub environment_state: Vec<f64>,
    /// The pictures, by their features' names.
    #[serde(deserialize_with = "few_named::<_, _, MOST_CAMERAS>")]
    pub images: BTreeMap<String, View>,
}

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// How it lies in `data`: `jpeg`, or `rgb8` (red, green, blue, row by row).
    pub format: String,
    /// The picture.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

impl Message for Observed {
    const MOST: usize = 32 << 20;

    fn check(&self) -> Result<(), Refusal> {
        name(&self.robot)?;
        self.task.iter().try_for_each(|task| text("a task", task))?;
        at_most("frames", self.frames.len(), MOST_FRAMES)?;
        for frame in &self.frames {
            finite("values", &frame.state)?;
            finite("values", &frame.environment_state)?;
            at_most("pictures", frame.images.len(), MOST_CAMERAS)?;
            for (feature, view) in &frame.images {
                text("names", feature)?;
                view.check()?;
            }
        }
        Ok(())
    }
}

impl View {
    fn check(&self) -> Result<(), Refusal> {
        let side = |size: u32| (1..=MOST_PIXELS).contains(&size);
        let pixels = self.width as usize * self.height as usize * 3;
        let fits = match self.format.as_str() {
            "jpeg" => true,
            "rgb8" => self.data.len() == pixels,
            _ => return Err(Refusal::malformed("a picture that is neither jpeg nor rgb8")),
        };
        match side(self.width) && side(self.height) && fits {
            true => Ok(()),
            false => Err(Refusal::malformed("a picture that is not of its size")),
        }
    }
}

/// What a policy says to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thought {
    /// The version.
    pub v: u64,
    /// Values in a row.
    #[serde(default)]
    pub width: u64,
    /// The rows, one behind the other, from the newest frame on.
    #[serde(default)]
    pub rows: Vec<f64>,
    /// How long it thought, in milliseconds.
    #[serde(default)]
    pub took_ms: f64,
    /// Why there are none; [`SUPERSEDED`] where a newer question is there.
    #[serde(default)]
    pub error: Option<String>,
}

impl Message for Thought {
    const MOST: usize = 1 << 20;

    fn check(&self) -> Result<(), Refusal> {
        self.error.iter().try_for_each(|words| text("words", words))?;
        at_most("numbers", self.rows.len(), MOST_NUMBERS)?;
        let width = usize::try_from(self.width).unwrap_or(usize::MAX);
        at_most("values", width, MOST_VALUES)?;
        let whole = self.rows.is_empty() || width > 0 && self.rows.len().is_multiple_of(width);
        let numbers = self.rows.iter().all(|value| value.is_finite()) && self.took_ms.is_finite();
        match whole && numbers {
            true => Ok(()),
            false => Err(Refusal::malformed("rows that are none")),
        }
    }
}

/// What a policy looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The feature.
    pub name: String,
    /// Its size: channels, height, width for pictures.
    pub shape: Vec<u64>,
}

/// A policy in its own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thinker {
    /// The version.
    pub v: u64,
    /// Its name.
    pub name: String,
    /// Its type, such as `act`.
    pub kind: String,
    /// What it runs in.
    pub program: String,
    /// What it looks at.
    pub inputs: Vec<Input>,
    /// Values in a row of what it says.
    pub width: u64,
    /// How many frames it looks at.
    pub frames: u64,
    /// Rows in a chunk.
    pub rows: u64,
    /// How many of them are carried out before the next chunk.
    pub steps: u64,
    /// Where every row is an average of the chunks that speak of its instant: how an older one weighs,
    /// as in LeRobot's `temporal_ensemble_coeff`.
    pub averaged: Option<f64>,
    /// Rows per second, where it is known.
    pub fps: Option<f64>,
    /// Whether it wants to be told the task.
    pub task: bool,
    /// Which pictures it takes: `jpeg` also, or only `rgb8`.
    pub images: String,
}

impl Message for Thinker {
    const MOST: usize = 64 << 10;

    fn check(&self) -> Result<(), Refusal> {
        name(&self.name)?;
        for words in [&self.kind, &self.program, &self.images] {
            text("words", words)?;
        }
        finite("rates", self.fps.as_slice())?;
        finite("weights", self.averaged.as_slice())?;
        at_most("inputs", self.inputs.len(), 64)?;
        for input in &self.inputs {
            text("names", &input.name)?;
            at_most("sizes", input.shape.len(), 3)?;
            let longest = input.shape.iter().max().copied().unwrap_or_default();
            let longest = usize::try_from(longest).unwrap_or(usize::MAX);
            at_most("numbers in a row", longest, MOST_PIXELS as usize)?;
        }
        let numbers = self.rows.saturating_mul(self.width);
        for (what, count, most) in [
            ("values", self.width, MOST_VALUES),
            ("frames", self.frames, MOST_FRAMES),
            ("numbers", numbers, MOST_NUMBERS),
        ] {
            at_most(what, usize::try_from(count).unwrap_or(usize::MAX), most)?;
        }
        let some = [self.width, self.frames, self.steps].iter().all(|count| *count > 0);
        match some && self.steps <= self.rows {
            true => Ok(()),
            false => Err(Refusal::malformed("a policy that says nothing")),
        }
    }
}
