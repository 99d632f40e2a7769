//! What every command that records episodes does: the flags of a dataset, and the recorder beside the
//! loop.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use sinew_datasets::Writer;
use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::video::Coding;
use sinew_datasets::writer::Options;
use sinew_drivers::calibration_file::lerobot_home;
use sinew_drivers::camera::{Camera, CameraSpec};
use sinew_drivers::clock::MILLI;
use sinew_teleop::handover::{Baton, Turn};
use sinew_teleop::keys::{Key, Keys};

use super::driving::seconds;
use super::hands;
use super::space;
use super::watching::{Scene, watch};
use crate::cameras::feature_of;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};
use crate::cli::voice::Voice;
use crate::robot::Robot;
use crate::run::control::{Lap, Outcome, Pace, Pair, Tick};
use crate::run::record::{Event, Plan, Session, Turns};
use crate::run::stats::{Recorded, Stats};
use crate::run::tap::{Slips, Stored, tap};

/// Which dataset is recorded, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Dataset")]
pub struct DatasetFlags {
    /// The dataset's name, such as me/pick; the date and time are added to it
    #[arg(long = "dataset.repo_id", visible_alias = "dataset", value_name = "REPO")]
    repo_id: Option<String>,
    /// Its folder, instead of one with its name in LeRobot's folder
    #[arg(long = "dataset.root", value_name = "DIR")]
    root: Option<PathBuf>,
    /// What is being done, in words
    #[arg(long = "dataset.single_task", visible_alias = "task", value_name = "TASK")]
    pub task: Option<String>,
    /// Rows per second
    #[arg(long = "dataset.fps", value_name = "HZ", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub dataset_fps: u32,
    /// Seconds an episode lasts at most
    #[arg(long = "dataset.episode_time_s", value_name = "S", default_value_t = 60.0, value_parser = seconds)]
    episode_time_s: f64,
    /// Seconds to put things back after an episode
    #[arg(long = "dataset.reset_time_s", value_name = "S", default_value_t = 60.0, value_parser = seconds)]
    reset_time_s: f64,
    /// How many episodes; with --resume, how many more
    #[arg(long = "dataset.num_episodes", value_name = "N", default_value_t = 50)]
    num_episodes: u64,
    /// Camera images as videos; false keeps each as a picture of its own
    #[arg(long = "dataset.video", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    video: bool,
    /// The name as it is, without date and time
    #[arg(long = "dataset.no_stamp", value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    no_stamp: bool,
    /// The video encoder; see: sinew dataset reencode --help
    #[arg(long = "dataset.rgb_encoder.vcodec", value_name = "NAME", default_value = "openh264")]
    vcodec: String,
    /// How coarse videos may be, for FFmpeg's encoders
    #[arg(long = "dataset.rgb_encoder.crf", value_name = "N")]
    crf: Option<u32>,
    /// Frames from one keyframe to the next, for FFmpeg's encoders
    #[arg(long = "dataset.rgb_encoder.g", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    g: Option<u32>,
    /// Time for quality, in the encoder's words
    #[arg(long = "dataset.rgb_encoder.preset", value_name = "NAME")]
    preset: Option<String>,
    /// Go on with the dataset of this name, of whichever program
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    resume: bool,
    /// Say aloud what comes next, or ring the terminal's bell
    #[arg(long = "play_sounds", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    play_sounds: bool,
    /// Which action is stored: what the leader asked for, what was sent behind all limits, or where
    /// the joints are
    #[arg(long, value_name = "WHICH", default_value = "teleop")]
    action: Stored,
}

/// Who drives while it is recorded.
#[derive(Default)]
pub struct By {
    /// What a hand holds, if one does.
    pub held: Option<hands::Held>,
    /// What is kept where a policy and a person take turns, and whose turn it is.
    pub turns: Option<(Turns, Baton)>,
}

/// Records what a loop does, beside it.
pub struct Recorder {
    /// Whether things are put back now, between two episodes.
    pub resting: Arc<AtomicBool>,
    session: Session,
    keys: Keys,
    /// Ticks for each row.
    every: u64,
    stored: Stored,
    course: Course,
    root: PathBuf,
    voice: Voice,
    /// Whose turn it is, where a policy and a person take turns.
    baton: Option<Baton>,
}

/// What was recorded.
pub struct Kept {
    /// The loop and its arms.
    pub outcome: Outcome,
    /// What to tell of the dataset.
    pub extra: Value,
    /// Whether all that was recorded is on the disk.
    pub saved: Result<(), sinew_datasets::Error>,
}

impl DatasetFlags {
    /// Whether a dataset was asked for at all.
    #[cfg(feature = "policies")]
    pub fn any(&self) -> bool {
        self.repo_id.is_some() || self.root.is_some()
    }

    /// Gets ready to record a robot with these cameras into the dataset, `every` so many ticks.
    /// What moves it, if a hand does, is listened to together with the recording's keys.
    pub fn recorder(
        &self,
        robot: &Robot,
        cameras: &[(String, CameraSpec)],
        root: &Path,
        every: u64,
        by: By,
        report: &Report,
    ) -> Result<Recorder, Failure> {
        let By { held, turns } = by;
        let (turns, baton) = turns.unzip();
        let info = self.info(robot, cameras, turns.is_some())?;
        let rows = |span: f64| (span * f64::from(self.dataset_fps)).round() as u64;
        let plan = Plan {
            task: Arc::from(self.task.as_deref().unwrap_or_default()),
            episodes: self.num_episodes,
            rows: rows(self.episode_time_s).max(1),
            // Between two turns nothing is put back: the policy goes on.
            reset_rows: if turns.is_some() { 0 } else { rows(self.reset_time_s) },
            turns,
        };
        let need = plan.episodes.saturating_mul(plan.rows).saturating_mul(space::of_a_row(&info));
        space::look(root, need, report);
        let writer = self.open(root, info, report)?;
        let course = Course { plan: plan.clone(), fps: f64::from(self.dataset_fps) };
        let session = Session::new(writer, plan, cameras.len())?;
        let keys = hands::listen(held, report)?;
        report.note("→ or n: on   ← or r: again   Esc or q: stop");
        if baton.is_some() {
            report
                .note("space: pause the policy, and let it go on   Tab: correct it, and end that");
        }
        let (stored, resting) = (self.action, Arc::default());
        let voice = Voice::new(self.play_sounds, report);
        let root = root.to_owned();
        Ok(Recorder { resting, session, keys, every, stored, course, voice, root, baton })
    }

    /// Whether it goes by a name that LeRobot keeps for what a policy does.
    pub fn is_a_policys(&self) -> bool {
        self.repo_id.as_deref().is_some_and(|name| name.contains("/eval_"))
    }

    /// Where the dataset is to be.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        if let Some(root) = &self.root {
            return Ok(root.clone());
        }
        let name = match &self.repo_id {
            Some(name) => name.clone(),
            None => format!("local/{}", slug(self.task.as_deref().unwrap_or_default())),
        };
        let parts: Vec<&str> = name.split('/').collect();
        let plain = |part: &&str| {
            let letters = |letter: char| letter.is_alphanumeric() || "._-".contains(letter);
            !part.is_empty() && !part.starts_with('.') && part.chars().all(letters)
        };
        if parts.len() != 2 || !parts.iter().all(plain) {
            return Err(Failure::usage(
                format!("{name:?} is no name of a dataset"),
                "a name is OWNER/NAME: --dataset.repo_id=me/pick",
            ));
        }
        let stamp = chrono::Local::now().format("_%Y%m%d_%H%M%S").to_string();
        let stamp = if self.no_stamp || self.resume { String::new() } else { stamp };
        Ok(lerobot_home().join(format!("{name}{stamp}")))
    }

    /// What the dataset will hold.
    fn info(
        &self,
        robot: &Robot,
        cameras: &[(String, CameraSpec)],
        turns: bool,
    ) -> Result<Info, Failure> {
        let names = robot.value_names();
        let dtype = if self.video { Dtype::Video } else { Dtype::Image };
        let mut features = vec![
            ("action".to_owned(), Feature::vector(Dtype::F32, names.clone())),
            ("observation.state".to_owned(), Feature::vector(Dtype::F32, names)),
        ];
        for (name, spec) in cameras {
            let feature = Feature::camera(dtype, spec.width, spec.height);
            features.push((feature_of(name), feature));
        }
        if turns {
            features.push(("intervention".to_owned(), Feature::scalar(Dtype::Bool)));
        }
        Ok(Info::new(self.dataset_fps, Some(robot.lerobot_name()), features)?)
    }

    fn open(&self, root: &Path, info: Info, report: &Report) -> Result<Writer, Failure> {
        let mut coding = Coding::named(&self.vcodec)?;
        coding.set(self.crf, self.g, self.preset.clone())?;
        let options = Options { coding, ..Options::default() };
        if !self.resume {
            return Writer::create(root, info, options).map_err(|error| match error {
                sinew_datasets::Error::Exists { .. } => Failure {
                    remedy: Some("go on with it: --resume; or name another one".into()),
                    ..error.into()
                },
                error => error.into(),
            });
        }
        let (writer, recovered) = Writer::resume(root, Some(&info), options)?;
        for saved in &recovered.saved {
            report.note(format!(
                "episode {} was cut off; its {} frames are kept",
                saved.episode, saved.frames
            ));
        }
        Ok(writer)
    }
}

/// A task as a part of a name.
fn slug(task: &str) -> String {
    let lower = task.to_lowercase();
    let words =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("_").chars().take(60).collect();
    if slug.is_empty() { "recording".to_owned() } else { slug }
}

impl Recorder {
    /// Runs the loop, and records it until all episodes are there, somebody stops it, or `each` does.
    /// `then` sees to the arms: they wait for no disk.
    #[expect(clippy::too_many_arguments, reason = "all that a recording is made of")]
    pub fn run(
        self,
        pairs: &mut [Pair],
        cameras: &[Camera],
        pace: Pace,
        stats: Stats,
        report: &Report,
        mut each: impl FnMut(Tick, &[Pair], &Stats) -> ControlFlow<()>,
        then: impl FnOnce(&mut [Pair], Lap) -> Outcome,
    ) -> Result<Kept, Failure> {
        let Self { resting, session, keys, every, stored, course, root, voice, baton } = self;
        let values = pairs.iter().map(|pair| pair.asked().len()).sum();
        let (mut tap, mut slips) = tap(values, cameras, every, stored);
        let (over, waiting) = (AtomicBool::new(false), AtomicU64::new(0));
        let mut begun = false;
        let mut told = teller(report, course, voice);
        let (mut outcome, kept) = std::thread::scope(|scope| {
            let (over, waiting) = (&over, &waiting);
            let beside = Beside { over, resting, waiting, baton };
            let record = move || {
                let kept = follow(session, &mut slips, &keys, &mut told, &beside);
                over.store(true, Ordering::Release);
                kept
            };
            let recorder = std::thread::Builder::new().name("recorder".into());
            let recorder = recorder.spawn_scoped(scope, record).map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot start the recorder: {error}"))
            })?;
            let dataset = Some((root.as_path(), waiting));
            let scene = Scene { report, cameras, dataset };
            let ran = watch(pairs, pace, stats, scene, |tick, pairs, stats| {
                // On its way to where it is wanted an arm does nothing that is worth learning.
                begun |= pairs.iter().all(|pair| pair.is_there(tick.began));
                if begun {
                    tap.take(tick, pairs, recorder.thread());
                }
                match over.load(Ordering::Acquire) {
                    true => ControlFlow::Break(()),
                    false => each(tick, pairs, stats),
                }
            });
            let outcome = then(pairs, ran);
            // The recorder sees by it that the loop is over.
            drop(tap);
            let kept = recorder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Failure>((outcome, kept))
        })?;
        report.progress("");
        let (saved, skew) = match kept {
            Ok((recorded, skew)) => {
                outcome.lap.stats.recorded = recorded;
                (Ok(()), skew)
            }
            Err(error) => (Err(error), json!(null)),
        };
        let counts = cameras.iter().map(|camera| (camera.name().to_owned(), seen(camera, report)));
        let extra = json!({
            "dataset": root,
            "camera_skew_ms": skew,
            "cameras": counts.collect::<serde_json::Map<_, _>>(),
        });
        report.say(format!("the dataset: {}", root.display()));
        Ok(Kept { outcome, extra, saved })
    }
}

/// How a camera did, for scripts; what is odd about it is told.
fn seen(camera: &Camera, report: &Report) -> Value {
    let (counts, name) = (camera.counts(), camera.name());
    if counts.doubted > 0 {
        report.warn(format!(
            "camera {name}: its driver gave {} of {} pictures an instant that cannot be; they count \
             as taken when they came",
            counts.doubted, counts.shots
        ));
    }
    json!({
        "shots": counts.shots,
        "failures": counts.failures,
        "longest_gap_ms": counts.longest_gap / MILLI,
        "doubted_stamps": counts.doubted,
        "stamped_at": camera.newest().map(|shot| shot.moment.name()),
    })
}

/// What others see of the recorder.
struct Beside<'a> {
    /// Whether the loop is to end.
    over: &'a AtomicBool,
    /// Whether a policy has nothing to do.
    resting: Arc<AtomicBool>,
    /// How many rows wait.
    waiting: &'a AtomicU64,
    baton: Option<Baton>,
}

/// Reads what the loop hands on, and keys, until all is recorded or the loop is over; then everything
/// is made part of the dataset. Returns what was recorded, and the skew of its pictures.
fn follow(
    mut session: Session,
    slips: &mut Slips,
    keys: &Keys,
    told: &mut dyn FnMut(Event<'_>),
    beside: &Beside<'_>,
) -> Result<(Recorded, Value), sinew_datasets::Error> {
    while !session.is_over() {
        let was_over = slips.is_over();
        beside.waiting.store(slips.waiting() as u64, Ordering::Relaxed);
        session.take(slips, told)?;
        while let Some(key) = keys.pressed() {
            match (key, &beside.baton) {
                (Key::Pause | Key::Correct, Some(baton)) => {
                    let turn = baton.turn();
                    let next = if key == Key::Pause { turn.paused() } else { turn.corrected() };
                    baton.give(next);
                    told(Event::Turn(next));
                }
                _ => session.key(key, told)?,
            }
        }
        let drives = beside.baton.as_ref().is_none_or(|baton| baton.turn() == Turn::Policy);
        beside.resting.store(session.is_resting() || !drives, Ordering::Release);
        if was_over {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    // The arm need not wait for the disk.
    beside.over.store(true, Ordering::Release);
    let skew = json!({ "p50": session.skew_ms(0.5), "max": session.skew_ms(1.0) });
    Ok((session.finish(told)?, skew))
}

/// How long a recording takes where nobody cuts it short.
struct Course {
    plan: Plan,
    fps: f64,
}

impl Course {
    /// How much of an episode is done after so many rows, and what is left of it and of everything.
    fn at(&self, nth: u64, rows: u64) -> (f64, String) {
        let Plan { episodes, rows: all, reset_rows, .. } = self.plan;
        let left = all.saturating_sub(rows);
        let whole = all.saturating_add(reset_rows);
        let after = episodes.saturating_sub(nth.saturating_add(1)).saturating_mul(whole);
        let time = |rows: u64| {
            let seconds = (rows as f64 / self.fps) as u64;
            match seconds / 3600 {
                0 => format!("{}:{:02}", seconds / 60, seconds % 60),
                hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
            }
        };
        let words = match after {
            0 => format!("{} left", time(left)),
            _ => format!("{} left; all in {}", time(left), time(left.saturating_add(after))),
        };
        (rows as f64 / all.max(1) as f64, words)
    }
}

/// Says what a recording goes through.
fn teller(report: &Report, course: Course, voice: Voice) -> impl FnMut(Event<'_>) {
    let (mut now, mut which) = (String::new(), 0);
    move |event| match event {
        Event::Begun { nth, episode } => {
            now = format!("episode {episode}, {} of {}", nth + 1, course.plan.episodes);
            which = nth;
            report.event(&json!({"type": "episode", "phase": "recording", "episode": episode}));
            report.progress("");
            report.note(report.tone(Tone::Strong, &format!("Recording {now}")));
            voice.say(format!("Recording episode {episode}"));
        }
        Event::Row { rows } if rows % 10 == 0 => {
            let (share, left) = course.at(which, rows);
            report.progress_at(&format!("{now}: {rows} frames, {left}"), Some(share));
        }
        Event::Row { .. } => {}
        Event::Reset => {
            report.event(&json!({"type": "episode", "phase": "reset"}));
            report.progress("");
            voice.say("Reset the environment");
            report
                .note("Put things back: → or n when that is done, ← or r takes the episode again");
        }
        Event::Turn(turn) => {
            let (phase, words) = match turn {
                Turn::Policy => ("autonomous", "The policy drives"),
                Turn::Pause => ("paused", "Paused: space lets the policy go on, Tab corrects it"),
                Turn::Person => ("correcting", "Your turn: Tab ends the correction"),
            };
            report.event(&json!({"type": "turn", "phase": phase}));
            report.progress("");
            report.note(words);
        }
        Event::Again => {
            report.event(&json!({"type": "episode", "phase": "again"}));
            report.progress("");
            report.note("Once more");
            voice.say("Once more");
        }
        Event::Saved(saved) => {
            report.event(&json!({
                "type": "episode", "phase": "saved", "episode": saved.episode,
                "frames": saved.frames, "repeated": saved.repeated, "lost": saved.lost,
                "failure": saved.failure,
            }));
            report.progress("");
            report.note(format!("episode {} is saved: {} frames", saved.episode, saved.frames));
            if let Some(why) = &saved.failure {
                report.warn(format!("{} frames of it are lost: {why}", saved.lost));
            }
        }
        Event::Broken(why) => {
            voice.say("The recording stops here");
            report.warn(format!("the recording stops here: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_counts_the_resets_in_between() {
        let plan =
            Plan { task: Arc::from(""), episodes: 3, rows: 900, reset_rows: 300, turns: None };
        let course = Course { plan, fps: 30.0 };
        assert_eq!(course.at(0, 90), (0.1, "0:27 left; all in 1:47".to_owned()));
        assert_eq!(course.at(2, 900), (1.0, "0:00 left".to_owned()));
        let endless = Plan { rows: u64::MAX, episodes: u64::MAX, ..course.plan };
        assert!(Course { plan: endless, fps: 1.0 }.at(0, 0).1.contains(" left; all in "));
    }
}
