//! What a robot is.

use serde::{Deserialize, Serialize};
use sinew_core::joint::Units;

use super::{MOST_ARMS, MOST_CAMERAS, MOST_VALUES, Message, Refusal, at_most, finite, name, text};

/// A robot in its own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The version.
    pub v: u64,
    /// Its name.
    pub robot: String,
    /// Its type, such as `so101_follower`.
    pub kind: String,
    /// Which one of its type.
    pub id: Option<String>,
    /// What hosts it.
    pub program: String,
    /// Ticks per second.
    pub fps: f64,
    /// After how much silence of its holder it stops, in milliseconds.
    pub watchdog_ms: u64,
    /// How it is left: hold, park or limp.
    pub stop: String,
    /// Its arms.
    pub arms: Vec<ArmDescription>,
    /// Its cameras.
    pub cameras: Vec<CameraDescription>,
    /// Who drives it just now.
    pub holder: Option<String>,
}

/// One of its arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmDescription {
    /// Its type.
    pub kind: String,
    /// What datasets call its values, in their order.
    pub values: Vec<String>,
    /// How far each joint goes.
    pub reaches: Vec<ReachDescription>,
    /// How far a goal may lie from where a joint is, joint by joint.
    pub max_step: Vec<Option<f64>>,
}

/// How far a joint goes, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReachDescription {
    /// The unit of its value.
    #[serde(with = "Unit")]
    pub unit: Units,
    /// How many degrees one of it is.
    pub degrees: f64,
    /// From here …
    pub low: f64,
    /// … to here.
    pub high: f64,
}

/// The words for units.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Units")]
enum Unit {
    #[serde(rename = "range_m100_100")]
    RangeM100,
    #[serde(rename = "range_0_100")]
    Range0To100,
    #[serde(rename = "degrees")]
    Degrees,
}

/// One of its cameras.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraDescription {
    /// Its name.
    pub name: String,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Pictures per second.
    pub fps: u32,
}

/// The most pixels along a side.
pub(super) const MOST_PIXELS: u32 = 8192;

impl Message for Description {
    const MOST: usize = 64 << 10;

    fn check(&self) -> Result<(), Refusal> {
        name(&self.robot)?;
        for words in [&self.kind, &self.program, &self.stop] {
            text("words", words)?;
        }
        for words in self.id.iter().chain(&self.holder) {
            text("words", words)?;
        }
        finite("rates", &[self.fps])?;
        at_most("arms", self.arms.len(), MOST_ARMS)?;
        at_most("cameras", self.cameras.len(), MOST_CAMERAS)?;
        at_most("values", self.arms.iter().map(|arm| arm.values.len()).sum(), MOST_VALUES)?;
        for arm in &self.arms {
            text("words", &arm.kind)?;
            at_most("joints", arm.reaches.len(), arm.values.len())?;
            at_most("joints", arm.max_step.len(), arm.reaches.len())?;
            for value in &arm.values {
                text("names", value)?;
            }
            for reach in &arm.reaches {
                finite("reaches", &[reach.degrees, reach.low, reach.high])?;
            }
            for step in arm.max_step.iter().flatten() {
                finite("steps", &[*step])?;
            }
        }
        for camera in &self.cameras {
            name(&camera.name)?;
            let fits = |size: u32| (1..=MOST_PIXELS).contains(&size);
            if !(fits(camera.width) && fits(camera.height) && (1..=1000).contains(&camera.fps)) {
                return Err(Refusal::malformed("a camera that cannot be"));
            }
        }
        Ok(())
    }
}
