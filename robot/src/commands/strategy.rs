//! What a rollout does besides driving: `--strategy…`, with LeRobot's names and defaults.

use clap::{Args, ValueEnum};
use sinew_teleop::handover::Baton;
use sinew_teleop::keys::{Code, Key};

use super::driving::seconds;
use super::recording::By;
use crate::cli::failure::Failure;
use crate::cli::report::Report;
use crate::run::record::ring::Bounds;
use crate::run::record::{Cut, Turns};

/// What is said where somebody chooses how often to upload.
const EVERY_EPISODE: &str = "--strategy.upload_every_n_episodes changes nothing: with --push every \
    episode goes up beside the recording once it is saved";

/// What is done besides driving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Strategy {
    /// Nothing
    #[default]
    Base,
    /// Episodes are recorded, with time to put things back in between; then the arm rests where it
    /// began
    Episodic,
    /// A person with a leader (--teleop…) corrects the policy, and that is recorded: space pauses it,
    /// Tab takes over and hands back
    Dagger,
    /// All of it is recorded, without a gap from one episode to the next
    Sentry,
    /// The last seconds are kept in memory; a key makes an episode of them and of what follows, until
    /// it is pressed again
    Highlight,
}

/// What is done besides driving, and how.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Strategy")]
pub struct StrategyFlags {
    /// What is done besides driving
    #[arg(long = "strategy.type", value_enum, default_value = "base", value_name = "WHICH")]
    pub strategy: Strategy,
    /// With dagger, record what the policy does as well, not only the corrections: without a gap, as
    /// sentry does, so that the time in which the arm is paused is part of it
    #[arg(long = "strategy.record_autonomous", value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    record_autonomous: Option<bool>,
    /// With dagger, the leader comes to the arm before you take it, where the leader has motors; false
    /// lets the arm go to the leader [default: true]
    #[arg(long = "strategy.smooth_handover", value_name = "BOOL", action = clap::ArgAction::Set)]
    smooth_handover: Option<bool>,
    /// With dagger, how many corrections; without it, --dataset.num_episodes
    #[arg(long = "strategy.num_episodes", value_name = "N")]
    corrections: Option<u64>,
    /// With sentry and dagger, megabytes of video after which the next episode begins, as reckoned from
    /// the smallest camera's pixels; without it, what a file of the dataset holds
    #[arg(long = "strategy.target_video_file_size_mb", value_name = "MB", value_parser = clap::value_parser!(u64).range(1..))]
    target_video_file_size_mb: Option<u64>,
    /// With sentry and dagger, after how many episodes they are uploaded; with --push each is, once it is saved
    #[arg(long = "strategy.upload_every_n_episodes", value_name = "N")]
    upload_every_n_episodes: Option<u64>,
    /// With highlight, how many seconds are kept [default: 10]
    #[arg(long = "strategy.ring_buffer_seconds", value_name = "S", value_parser = seconds)]
    ring_buffer_seconds: Option<f64>,
    /// With highlight, how much memory that may take [default: 1024]
    #[arg(long = "strategy.ring_buffer_max_memory_mb", value_name = "MB")]
    ring_buffer_max_memory_mb: Option<u32>,
    /// With highlight, the key that makes an episode, and ends it [default: s]
    #[arg(long = "strategy.save_key", value_name = "KEY", value_parser = key)]
    save_key: Option<Code>,
    /// With highlight, the key that uploads, with --push [default: h]
    #[arg(long = "strategy.push_key", value_name = "KEY", value_parser = key)]
    push_key: Option<Code>,
}

fn key(name: &str) -> Result<Code, String> {
    let fits = |code: &Code| *code != Code::Esc;
    Code::named(name).filter(fits).ok_or_else(|| {
        "a key is a letter, digit or sign, space, tab, up, down, left or right; Esc stops".into()
    })
}

impl StrategyFlags {
    /// Whether flags were given that another strategy has.
    pub fn check(&self) -> Result<(), Failure> {
        use Strategy::{Dagger, Episodic, Highlight, Sentry};
        let given: [(&str, bool, &[Strategy]); 9] = [
            ("smooth_handover", self.smooth_handover.is_some(), &[Dagger, Episodic]),
            ("record_autonomous", self.record_autonomous.is_some(), &[Dagger]),
            ("num_episodes", self.corrections.is_some(), &[Dagger]),
            (
                "target_video_file_size_mb",
                self.target_video_file_size_mb.is_some(),
                &[Sentry, Dagger],
            ),
            ("upload_every_n_episodes", self.upload_every_n_episodes.is_some(), &[Sentry, Dagger]),
            ("ring_buffer_seconds", self.ring_buffer_seconds.is_some(), &[Highlight]),
            ("ring_buffer_max_memory_mb", self.ring_buffer_max_memory_mb.is_some(), &[Highlight]),
            ("save_key", self.save_key.is_some(), &[Highlight]),
            ("push_key", self.push_key.is_some(), &[Highlight]),
        ];
        self.check_keys()?;
        let other = given.iter().find(|(_, given, of)| *given && !of.contains(&self.strategy));
        let Some((name, _, of)) = other else { return Ok(()) };
        let name_of = |strategy: &Strategy| {
            strategy
                .to_possible_value()
                .map(|value| value.get_name().to_owned())
                .unwrap_or_default()
        };
        Err(Failure::usage(
            format!(
                "--strategy.{name} means nothing to --strategy.type={}",
                name_of(&self.strategy)
            ),
            format!("it belongs to {}", of.iter().map(name_of).collect::<Vec<_>>().join(" and ")),
        ))
    }

    /// The keys that make an episode of what is kept, and that upload it.
    fn keys(&self) -> (Code, Code) {
        (self.save_key.unwrap_or(Code::Char('s')), self.push_key.unwrap_or(Code::Char('h')))
    }

    /// Refuses keys that would mean two things.
    fn check_keys(&self) -> Result<(), Failure> {
        let (save, push) = self.keys();
        let is_taken =
            |key: &Code| matches!(Key::meant_by(*key), Some(Key::Next | Key::Again | Key::Quit));
        let taken = [save, push].into_iter().find(is_taken);
        let twice = (save == push).then_some(save);
        let Some(key) = taken.or(twice) else { return Ok(()) };
        let remedy = "n, r, q and the arrows left and right are a recording's own keys";
        Err(Failure::usage(
            format!("--strategy.save_key and --strategy.push_key: {key} has a meaning already"),
            remedy,
        ))
    }

    /// Who has the turn where a person corrects the policy.
    pub fn baton(&self) -> Baton {
        Baton::new(self.smooth_handover.unwrap_or(true))
    }

    /// How a rollout of so many rows a second is recorded; `baton` says whose turn it is where a person
    /// corrects the policy.
    pub fn by(&self, rate: f64, baton: Option<Baton>, report: &Report) -> By {
        let all = self.record_autonomous.unwrap_or(false);
        let turns = if all { Turns::All } else { Turns::Corrections };
        let mut by = By { turns: baton.map(|baton| (turns, baton)), ..By::default() };
        match self.strategy {
            Strategy::Base => {}
            Strategy::Episodic => {
                if self.smooth_handover.is_some() {
                    report.warn("--strategy.smooth_handover changes nothing: nobody takes over");
                }
            }
            Strategy::Dagger if !all => {
                by.episodes = self.corrections;
                if self.target_video_file_size_mb.is_some() {
                    report.warn(
                        "--strategy.target_video_file_size_mb changes nothing: each correction is an \
                         episode",
                    );
                }
                if self.upload_every_n_episodes.is_some() {
                    report.warn(EVERY_EPISODE);
                }
            }
            Strategy::Dagger | Strategy::Sentry => {
                if self.corrections.is_some() {
                    report.warn(
                        "--strategy.num_episodes counts corrections; with all recorded it ends nothing",
                    );
                }
                (by.cut, by.megabytes) = (Cut::Seamless, self.target_video_file_size_mb);
                if self.upload_every_n_episodes.is_some() {
                    report.warn(EVERY_EPISODE);
                }
            }
            Strategy::Highlight => {
                let seconds = self.ring_buffer_seconds.unwrap_or(10.0);
                let memory = self.ring_buffer_max_memory_mb.unwrap_or(1024);
                let bytes = usize::try_from(u64::from(memory) << 20).unwrap_or(usize::MAX);
                by.cut = Cut::Asked(Bounds { rows: (seconds * rate) as u64, bytes });
                let (save, push) = self.keys();
                by.chosen = vec![(save, Key::Save), (push, Key::Push)];
                report.note(format!(
                    "{save}: record, with up to {seconds} s before it; again, or → or n: end that   \
                     ← or r: drop it   {push}: upload"
                ));
            }
        }
        by
    }
}
