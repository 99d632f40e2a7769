//! What can be wrong with a dataset, each kind with its weight and what to do about it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::Error;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Odd, but everything is what it says it is.
    Warning,
    /// The dataset does not hold what it says, or cannot be trained on as it is.
    Error,
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// info.json is not there or not understood.
    Info,
    /// A file that the tables name is not there.
    MissingFile,
    /// A Parquet file ends before its footer: whoever wrote it was killed.
    MissingFooter,
    /// A table is damaged.
    UnreadableTable,
    /// The tables hold another number of episodes than info.json says.
    EpisodeCount,
    /// The tables hold another number of frames than info.json says.
    FrameCount,
    /// The table of tasks holds another number than info.json says.
    TaskCount,
    /// Episodes do not follow each other.
    EpisodeOrder,
    /// A data file holds another number of rows than its episodes have frames.
    RowCount,
    /// A column is missing, or not of the declared type or shape.
    Column,
    /// `index` is not the frame's number in the dataset.
    Index,
    /// `frame_index` is not the frame's number in its episode.
    FrameIndex,
    /// `episode_index` is not the episode's number.
    EpisodeIndex,
    /// `task_index` names no task, or not one of the episode's.
    TaskIndex,
    /// `timestamp` is not the frame's number divided by the rate.
    Timestamp,
    /// A number is NaN or infinite.
    NotFinite,
    /// An image in a table cannot be decoded, or has another size than declared.
    Image,
    /// A video cannot be opened.
    UnreadableVideo,
    /// A video holds another number of frames than its episodes.
    VideoFrameCount,
    /// A video has no frame at the time that the tables say.
    VideoTimestamp,
    /// An episode's part of a video is not as long as the episode.
    VideoSpan,
    /// info.json says something about a video that is not so.
    VideoInfo,
    /// A frame of a video cannot be decoded.
    VideoFrame,
    /// A video is coded in a way that this build cannot decode.
    NotDecoded,
    /// A camera's image stays the same while joints move.
    FrozenCamera,
    /// A joint never changes while others do.
    DeadJoint,
    /// Images were repeated because the camera gave none in time.
    DroppedFrames,
    /// Ticks of the recording loop came late.
    LateTicks,
    /// There are no statistics, or not of every feature.
    StatsMissing,
    /// The statistics are not those of the data.
    StatsDrift,
    /// A file that no table names.
    LeftoverFile,
    /// An episode that is not part of the dataset: its recording was cut off, or goes on.
    CutOff,
}

const REBUILD: &str = "bring the tables in line with the data: sinew dataset repair";
const RECOVER: &str = "get back what was recorded before the crash: sinew dataset recover; or keep \
                       what else can be read: sinew dataset repair";
const AGAIN: &str = "fetch the dataset again, or keep what can be read: sinew dataset repair";
const RECOMPUTE: &str = "compute them anew: sinew dataset recompute-stats";
const CAMERA: &str = "check the camera's cable and rate; take the episode out if the task needs the \
                      picture: sinew dataset delete-episodes";

impl Code {
    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::DeadJoint
            | Self::DroppedFrames
            | Self::LateTicks
            | Self::NotDecoded
            | Self::LeftoverFile
            | Self::CutOff => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// Whether it is about what was recorded, not about how it is kept.
    pub fn is_of_the_recording(self) -> bool {
        matches!(
            self,
            Self::NotFinite
                | Self::FrozenCamera
                | Self::DeadJoint
                | Self::DroppedFrames
                | Self::LateTicks
        )
    }

    /// What to do about it.
    pub fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::Info => "fetch meta/info.json again",
            Self::MissingFooter => RECOVER,
            Self::MissingFile | Self::UnreadableTable => AGAIN,
            Self::EpisodeCount
            | Self::FrameCount
            | Self::TaskCount
            | Self::EpisodeOrder
            | Self::RowCount
            | Self::Index
            | Self::FrameIndex
            | Self::EpisodeIndex
            | Self::Timestamp
            | Self::TaskIndex
            | Self::VideoInfo
            | Self::VideoSpan
            | Self::VideoTimestamp => REBUILD,
            Self::Column => {
                "correct the feature in meta/info.json, or take it out: sinew dataset \
                             remove-feature"
            }
            Self::NotFinite => "take the episode out: sinew dataset delete-episodes",
            Self::Image | Self::VideoFrame | Self::UnreadableVideo | Self::VideoFrameCount => AGAIN,
            Self::NotDecoded => {
                "decode it with the feature ffmpeg, or make it H.264: sinew \
                                 dataset reencode"
            }
            Self::FrozenCamera | Self::DroppedFrames => CAMERA,
            Self::DeadJoint => "check the joint's cable and calibration, unless the task leaves it",
            Self::LateTicks => "record with fewer cameras, or at a lower rate",
            Self::StatsMissing | Self::StatsDrift => RECOMPUTE,
            Self::LeftoverFile => return None,
            Self::CutOff => "unless it is being recorded now, take it up: sinew dataset recover",
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind of thing.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where: a file below the dataset's folder, an episode, a frame, a column.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<&'static str>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    counts: BTreeMap<Code, usize>,
}

impl Findings {
    /// More of one kind than anybody reads one by one.
    const MOST: usize = 50;

    /// Adds a finding.
    pub fn add(&mut self, code: Code, place: impl Into<String>, message: impl Into<String>) {
        let count = self.counts.entry(code).or_default();
        *count += 1;
        if *count <= Self::MOST {
            let (place, message) = (place.into(), message.into());
            let (severity, remedy) = (code.severity(), code.remedy());
            self.kept.push(Finding { code, severity, place, message, remedy });
        }
    }

    /// Adds what reading failed at.
    pub fn add_error(&mut self, code: Code, root: &Path, error: &Error) {
        let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        match error {
            Error::Malformed { what, place, path } => {
                self.add(code, format!("{}, {place}", below(path)), what.as_str());
            }
            Error::Io { what, source, path } => {
                self.add(code, below(path), format!("{what}: {source}"))
            }
            Error::Video { what, path } => self.add(code, below(path), what.as_str()),
            other => self.add(code, "", other.to_string()),
        }
    }

    /// Adds what reading a table failed at, by the kind of failure.
    pub fn add_table(&mut self, root: &Path, error: &Error) {
        let code = match error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Code::MissingFile
            }
            Error::Malformed { place, .. } if place == "the footer" => Code::MissingFooter,
            _ => Code::UnreadableTable,
        };
        self.add_error(code, root, error);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.counts.values().sum()
    }

    /// Adds what somebody else found.
    pub fn absorb(&mut self, other: Self) {
        other.kept.into_iter().for_each(|found| self.add(found.code, found.place, found.message));
    }

    /// All of them, the worst first, with a line for those that were too many to keep.
    pub fn finish(mut self) -> Vec<Finding> {
        for (code, count) in std::mem::take(&mut self.counts) {
            if let Some(more) = count.checked_sub(Self::MOST).filter(|more| *more > 0) {
                let (severity, remedy) = (code.severity(), code.remedy());
                let message = format!("{more} more of this kind");
                self.kept.push(Finding {
                    code,
                    severity,
                    place: "elsewhere".into(),
                    message,
                    remedy,
                });
            }
        }
        self.kept.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.code));
        self.kept
    }
}
