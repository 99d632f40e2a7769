//! A dataset's episodes, a recording each, as Rerun's own reader has them.
//!
//! The entities are those of `lerobot-dataset-viz`: the cameras by their names, `action`, `state`,
//! `next.reward`, `next.done`, `next.success`; whatever else a dataset has goes by its own name, and
//! the task by `task`. Joint by joint, states and actions are there once more under the names of
//! LeRobot's live display, `observation.shoulder_pan.pos` and `action.shoulder_pan.pos`, because a plot
//! shows whole entities only. An arm whose kinematics are known is under `arm`. The timelines are `frame_index` and `timestamp`, from the episode's begin.

mod poses;

use std::ops::Range;

use re_sdk::blueprint::BlueprintActivation;
use re_sdk::log::TimeColumn;
use re_sdk::sink::LogSink;
use re_sdk::{ApplicationId, EntityPath, RecordingStream, RecordingStreamBuilder};
use re_sdk_types::archetypes::{Scalars, SeriesLines, TextDocument};
use sinew_datasets::schema::{Dtype, Feature};
use sinew_datasets::tables::column::Cells;
use sinew_datasets::tables::episodes::Episode;
use sinew_datasets::{Dataset, Value, verify};

use super::arm;
use super::blueprint::{self, Contents, Line, Plot, Role, joints};
use super::camera::Camera;
use crate::cli::failure::{Exit, Failure};

/// So many rows are sent together.
const ROWS: u64 = 4096;
/// Columns that number the rows rather than tell what happened.
const NUMBERS: [&str; 5] = ["timestamp", "frame_index", "episode_index", "index", "task_index"];
/// More numbers in one row than this make no plot.
const MOST_LINES: usize = 64;
/// More joints than this have no plots of their own.
const MOST_JOINTS: usize = 32;
/// Where the joints were.
const STATE: &str = "observation.state";
/// Where they were sent.
const ACTION: &str = "action";

/// What went wrong on the way.
#[derive(Debug)]
pub enum Wrong {
    /// The dataset cannot be read.
    Dataset(sinew_datasets::Error),
    /// A picture cannot be shown.
    Picture(String),
    /// Rerun did not take it.
    Rerun(String),
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Wrong>;

/// What was sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Episodes.
    pub episodes: u64,
    /// Frames in them.
    pub frames: u64,
    /// Cameras that cannot be shown, with the reason.
    pub left_out: Vec<(String, String)>,
}

/// When each frame of an episode was, in seconds.
#[derive(Debug)]
pub struct Clock(pub Vec<f64>);

impl Clock {
    /// The timelines over some of the frames.
    pub fn columns(&self, frames: Range<usize>) -> [TimeColumn; 2] {
        let times = self.0.get(frames.clone()).unwrap_or_default();
        [
            TimeColumn::new_sequence("frame_index", frames.map(|frame| frame as i64)),
            TimeColumn::new_duration_secs("timestamp", times.iter().copied()),
        ]
    }

    /// Sets the timelines to a frame.
    fn set(&self, recording: &RecordingStream, frame: usize) {
        recording.set_time_sequence("frame_index", frame as i64);
        recording.set_duration_secs("timestamp", self.0.get(frame).copied().unwrap_or_default());
    }
}

/// Sends these episodes. `watch` hears how many are done.
pub fn send(
    dataset: &Dataset,
    name: &str,
    episodes: &[u64],
    sink: &(impl LogSink + Clone),
    watch: &mut dyn FnMut(u64),
) -> Result<Sent> {
    let mut sent = Sent::default();
    let layout = Contents { several: episodes.len() > 1, ..contents(dataset) };
    for (done, index) in (0..).zip(episodes) {
        watch(done);
        let episode = dataset.episode(*index)?;
        let recording = RecordingStreamBuilder::new(ApplicationId::new_or_unknown(name))
            .recording_id(format!("episode_{index}"))
            .enabled(true)
            .buffered()?;
        recording.set_sink(Box::new(sink.clone()));
        recording.send_recording_name(title(episode))?;
        if done == 0 {
            layout.blueprint().send(&recording, BlueprintActivation::default())?;
        }
        rows(dataset, episode, &recording, &mut sent)?;
        recording.flush_blocking().map_err(|error| Wrong::Rerun(error.to_string()))?;
        sent.episodes += 1;
        sent.frames += episode.length;
    }
    Ok(sent)
}

fn title(episode: &Episode) -> String {
    let tasks = episode.tasks.join(", ");
    format!("{:03} {tasks}", episode.index).trim_end().to_owned()
}

/// The entity of a feature. LeRobot shortens one name.
fn entity(feature: &str) -> EntityPath {
    blueprint::entity(if feature == STATE { "state" } else { feature })
}

/// What the numbers of a feature are called: as declared, else as LeRobot counts them.
fn names(name: &str, feature: &Feature) -> Vec<String> {
    let name_of = |at| match feature.names.is_null() {
        true => format!("{name}_{at}"),
        false => verify::joint_name(feature, at),
    };
    match feature.width() {
        1 if feature.names.is_null() => vec![name.to_owned()],
        width => (0..width).map(name_of).collect(),
    }
}

/// Where the joints of a feature are found one by one, if they are, and what they are called there.
fn joints_of(dataset: &Dataset, name: &str) -> Option<(Role, Vec<String>)> {
    let role = match name {
        STATE => Role::Seen,
        ACTION => Role::Asked,
        _ => return None,
    };
    let feature = dataset.info().feature(name)?;
    if feature.width() > MOST_JOINTS {
        return None;
    }
    // Numbers without names go by their places, so that those of both are the same joints.
    let names = match feature.names.is_null() {
        true => (0..feature.width()).map(|at| at.to_string()).collect(),
        false => names(name, feature),
    };
    Some((role, names))
}

/// The features that are plotted.
fn plotted(dataset: &Dataset) -> impl Iterator<Item = (&String, &Feature)> {
    let told = |(name, feature): &(&String, &Feature)| {
        !feature.is_camera() && feature.dtype != Dtype::Text && !NUMBERS.contains(&name.as_str())
    };
    dataset.info().features.iter().map(|(name, feature)| (name, feature)).filter(told)
}

/// What there is to see in a dataset.
fn contents(dataset: &Dataset) -> Contents {
    let cameras = dataset.info().features.iter().filter(|(_, feature)| feature.is_camera());
    let cameras = cameras.map(|(name, _)| blueprint::entity(name)).collect();
    let names = |name| joints_of(dataset, name).map(|(_, names)| names).unwrap_or_default();
    let others = plotted(dataset).filter(|(name, feature)| {
        joints_of(dataset, name).is_none() && feature.width() <= MOST_LINES
    });
    let others = others.map(|(name, _)| {
        let lines = vec![Line { entity: entity(name), role: Role::Other }];
        Plot { title: name.clone(), lines }
    });
    Contents {
        cameras,
        arm: poses::any(dataset).then(arm::root),
        joints: joints(&[(Role::Asked, &names(ACTION)), (Role::Seen, &names(STATE))]),
        others: others.collect(),
        timeline: "timestamp",
        several: false,
    }
}

/// Everything that happened in an episode.
fn rows(
    dataset: &Dataset,
    episode: &Episode,
    recording: &RecordingStream,
    sent: &mut Sent,
) -> Result<()> {
    let (first, length) = (episode.from_index, episode.length);
    let clock = Clock(dataset.values("timestamp", first, length)?.numbers());
    tasks(dataset, episode, recording, &clock)?;
    for (name, feature) in plotted(dataset) {
        numbers(dataset, episode, (name, feature), recording, &clock)?;
    }
    poses::send(dataset, episode, recording, &clock)?;
    let texts = dataset.info().features.iter().filter(|(_, feature)| feature.dtype == Dtype::Text);
    for (name, _) in texts {
        let Cells::Texts(texts) = dataset.cells(name, first, length)? else { continue };
        changes(recording, name, &clock, &texts)?;
    }
    for (name, feature) in dataset.info().features.iter().filter(|(_, f)| f.is_camera()) {
        if sent.left_out.iter().any(|(known, _)| known == name) {
            continue;
        }
        let camera = Camera { dataset, episode, name, feature };
        match camera.send(recording, &clock) {
            Err(Wrong::Dataset(error @ sinew_datasets::Error::Codec { .. })) => {
                sent.left_out.push((name.clone(), error.to_string()));
            }
            Err(Wrong::Picture(why)) => sent.left_out.push((name.clone(), why)),
            done => done?,
        }
    }
    Ok(())
}

/// The numbers of a feature, all of a row in one entity.
fn numbers(
    dataset: &Dataset,
    episode: &Episode,
    (name, feature): (&str, &Feature),
    recording: &RecordingStream,
    clock: &Clock,
) -> Result<()> {
    let (entity, width) = (entity(name), feature.width());
    let lines = SeriesLines::update_fields().with_names(names(name, feature));
    recording.log_static(entity.clone(), &lines)?;
    let joints = joints_of(dataset, name);
    let mut done = 0;
    while done < episode.length {
        let count = ROWS.min(episode.length - done);
        let values = dataset.values(name, episode.from_index + done, count)?.numbers();
        let rows = done as usize..(done + count) as usize;
        if let Some((role, names)) = &joints {
            for (at, name) in names.iter().enumerate() {
                let one = values.iter().skip(at).step_by(width.max(1)).copied();
                let columns = Scalars::new(one).columns_of_unit_batches()?;
                let entity = blueprint::joint(*role, name);
                recording.send_columns(entity, clock.columns(rows.clone()), columns)?;
            }
        }
        let columns = Scalars::new(values).columns(std::iter::repeat_n(width, rows.len()))?;
        recording.send_columns(entity.clone(), clock.columns(rows), columns)?;
        done += count;
    }
    Ok(())
}

/// What was to be done, wherever that changes.
fn tasks(
    dataset: &Dataset,
    episode: &Episode,
    recording: &RecordingStream,
    clock: &Clock,
) -> Result<()> {
    let indices = match dataset.values("task_index", episode.from_index, episode.length)? {
        Value::Int(indices) => indices,
        _ => Vec::new(),
    };
    let task = |index: &i64| {
        let index = usize::try_from(*index).ok();
        index.and_then(|index| dataset.tasks().get(index)).cloned().unwrap_or_default()
    };
    changes(recording, "task", clock, &indices.iter().map(task).collect::<Vec<_>>())
}

/// Texts, each where it begins to hold.
fn changes(recording: &RecordingStream, name: &str, clock: &Clock, texts: &[String]) -> Result<()> {
    let mut before: Option<&String> = None;
    for (frame, text) in texts.iter().enumerate() {
        if before != Some(text) {
            let archetype = TextDocument::update_fields().with_many_text([text.as_str()]);
            let columns = archetype.columns_of_unit_batches()?;
            let at = clock.columns(frame..frame + 1);
            recording.send_columns(blueprint::entity(name), at, columns)?;
        }
        before = Some(text);
    }
    Ok(())
}

impl From<sinew_datasets::Error> for Wrong {
    fn from(error: sinew_datasets::Error) -> Self {
        Self::Dataset(error)
    }
}

impl From<re_sdk::RecordingStreamError> for Wrong {
    fn from(error: re_sdk::RecordingStreamError) -> Self {
        Self::Rerun(error.to_string())
    }
}

impl From<re_sdk::SerializationError> for Wrong {
    fn from(error: re_sdk::SerializationError) -> Self {
        Self::Rerun(error.to_string())
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Dataset(error) => error.into(),
            Wrong::Picture(why) | Wrong::Rerun(why) => Self::new(Exit::Failed, why),
        }
    }
}

#[cfg(test)]
pub mod tests;
