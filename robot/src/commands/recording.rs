//! Which dataset is recorded, and how: the flags of every command that records episodes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::video::Coding;
use sinew_datasets::writer::{self, Options};
use sinew_datasets::{Dataset, Writer};
use sinew_drivers::calibration_file::lerobot_home;
use sinew_drivers::camera::CameraSpec;
use sinew_drivers::stop::StopFlag;
use sinew_teleop::handover::Baton;
use sinew_teleop::keys::Chosen;

use super::dataset::newest;
use super::driving::seconds;
use super::hands;
use super::recorder::Recorder;
use super::space;
use super::telling::Course;
use super::uploading::UploadFlags;
use crate::cameras::feature_of;
use crate::cli::failure::Failure;
use crate::cli::report::Report;
use crate::cli::voice::Voice;
use crate::robot::Robot;
use crate::run::record::{Cut, Plan, Session, Turns};
use crate::run::tap::Stored;
use crate::uploads::Background;

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
    #[command(flatten)]
    upload: UploadFlags,
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
    /// How it is cut into episodes.
    pub cut: Cut,
    /// How many episodes, instead of what the flags of the dataset say.
    pub episodes: Option<u64>,
    /// How many megabytes of video an episode is to have at least, where it is cut by that.
    pub megabytes: Option<u64>,
    /// Keys that were chosen for it.
    pub chosen: Chosen,
    /// Where episodes go once they are saved, if they go anywhere.
    pub uploads: Option<Background>,
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
        let By { held, turns, cut, episodes, megabytes, chosen, uploads } = by;
        let (turns, baton) = turns.unzip();
        let info = self.info(robot, cameras, turns.is_some())?;
        let rows = |span: f64| (span * f64::from(self.dataset_fps)).round() as u64;
        let apart = cut == Cut::Apart;
        let plan = Plan {
            task: Arc::from(self.task.as_deref().unwrap_or_default()),
            episodes: if apart { episodes.unwrap_or(self.num_episodes) } else { u64::MAX },
            rows: match cut {
                Cut::Apart => rows(self.episode_time_s).max(1),
                Cut::Seamless => space::rows_of_video(&info, megabytes),
                Cut::Asked(_) => u64::MAX,
            },
            // Between two turns nothing is put back: the policy goes on.
            reset_rows: if turns.is_some() || !apart { 0 } else { rows(self.reset_time_s) },
            turns,
            cut,
        };
        space::look(root, &plan, &info, report);
        let writer = self.open(root, info, report)?;
        let course = Course { plan: plan.clone(), fps: f64::from(self.dataset_fps) };
        let session = Session::new(writer, plan, cameras.len())?;
        let keys = hands::listen(held, chosen, report)?;
        report.note(match cut {
            Cut::Apart => "→ or n: on   ← or r: again   Esc or q: stop",
            Cut::Seamless | Cut::Asked(_) => "Esc or q: stop",
        });
        if baton.is_some() {
            report
                .note("space: pause the policy, and let it go on   Tab: correct it, and end that");
        }
        let (stored, resting, takes) = (self.action, Arc::default(), Arc::default());
        let voice = Voice::new(self.play_sounds, report);
        let root = root.to_owned();
        Ok(Recorder {
            resting,
            takes,
            session,
            keys,
            every,
            stored,
            course,
            voice,
            root,
            baton,
            uploads,
        })
    }

    /// Where its episodes are uploaded to, if that is asked for. Whatever is not right with that is said
    /// before anything moves.
    pub fn uploads(
        &self,
        root: &Path,
        flag: &StopFlag,
        report: &Report,
    ) -> Result<Option<Background>, Failure> {
        let name = match (&self.repo_id, &self.root) {
            (None, _) => None,
            // The folder's name has the date and time already.
            (Some(_), None) => {
                let named = root.strip_prefix(lerobot_home()).ok().and_then(Path::to_str);
                named.map(str::to_owned)
            }
            (Some(name), Some(_)) => Some(format!("{name}{}", self.stamp())),
        };
        let uploads = self.upload.start(root, name.as_deref(), self.resume, flag, report)?;
        if uploads.is_none() && self.repo_id.is_some() {
            report.note("nothing is uploaded; with --push each episode is, once it is saved");
        }
        Ok(uploads)
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
        check_name(&name)?;
        let folder = lerobot_home().join(format!("{name}{}", self.stamp()));
        // What is gone on with was given its date and time when it was begun.
        let begun = newest(&folder).filter(|_| self.resume && !folder.is_dir());
        Ok(begun.unwrap_or(folder))
    }

    /// The date and time behind a dataset's name, unless it has them or is to have none.
    fn stamp(&self) -> String {
        match self.no_stamp || self.resume {
            true => String::new(),
            false => chrono::Local::now().format("_%Y%m%d_%H%M%S").to_string(),
        }
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
            if self.video && (spec.width % 2, spec.height % 2) != (0, 0) {
                return Err(Failure::usage(
                    format!(
                        "camera {name} gives pictures of {}x{}, and a video's sides are even",
                        spec.width, spec.height
                    ),
                    format!(
                        "--camera {name}=…@{}x{}, or --dataset.video=false, which stores each picture",
                        spec.width & !1,
                        spec.height & !1
                    ),
                ));
            }
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
        if !self.resume && !is_begun(root) {
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

/// Whether there is a dataset that nothing was ever recorded into: it was begun, and its recording ended
/// before its first episode did.
fn is_begun(root: &Path) -> bool {
    let waiting = writer::is_unfinished(root).unwrap_or(true);
    !waiting && Dataset::open(root).is_ok_and(|dataset| dataset.episodes().is_empty())
}

/// Whether it is a name that a dataset can have, below LeRobot's folder and nowhere else.
pub fn check_name(name: &str) -> Result<(), Failure> {
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
    Ok(())
}

/// A task as a part of a name.
fn slug(task: &str) -> String {
    let lower = task.to_lowercase();
    let words =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("_").chars().take(60).collect();
    if slug.is_empty() { "recording".to_owned() } else { slug }
}
