//! `sinew eval`

mod figures;
mod info;
mod page;
mod play;
mod who;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};
use sinew_drivers::Nanos;
use sinew_drivers::clock::MILLI;
use sinew_sim::Task;
use sinew_sim::env::FPS;

use super::driving::listen;
use super::policy::chosen::{AskFlags, InferenceFlags};
use super::policy::source::Machine;
use crate::cli::failure::{Exit, Failure};
#[cfg(feature = "zenoh")]
use crate::cli::network::ConnectFlags;
use crate::cli::physics::PhysicsFlags;
use crate::cli::report::{Report, Tone};
use crate::run::rollout::Inference;
use info::Results;
use play::{Attempts, play};
use who::{Late, Who};

/// How often a policy achieves a task in simulation
///
/// Example: sinew eval --policy outputs/act_lift --env so101_lift --episodes 50
///
/// Each episode is a world of its own, drawn by its seed: cubes lie elsewhere, the arm is a simulated
/// SO-101 behind the real drivers. The same seeds give the same result. Writes eval_info.json, as
/// lerobot-eval does, and report.html.
///
/// Tasks: so101_lift, so101_pick_place, so101_push, reach, or a TOML file of your own. The policy
/// `expert` is the script that knows where everything is; `zenoh://NAME@HOST:PORT` is one that
/// `sinew serve-policy` serves there.
#[derive(Debug, Args)]
pub struct Eval {
    /// A checkpoint's folder, one above it, the id of one that LeRobot fetched, or `expert`
    #[arg(long = "policy.path", alias = "policy", value_name = "DIR|REPO")]
    policy: PathBuf,
    /// Which task
    #[arg(long, aliases = ["env.type", "env.task"], default_value = "so101_lift", value_name = "NAME")]
    env: String,
    /// How many attempts
    #[arg(long, alias = "eval.n_episodes", default_value_t = 50, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    episodes: u64,
    /// The seed of the first attempt; the others follow
    #[arg(long, default_value_t = 1000, value_name = "N")]
    seed: u64,
    /// How many attempts at once; without a number, as many as there are processors
    #[arg(long, alias = "eval.batch_size", value_name = "N", num_args = 0..=1,
          default_missing_value = "0", value_parser = clap::value_parser!(u16).range(0..=256))]
    parallel: Option<u16>,
    /// Another policy, tried on the same seeds
    #[arg(long, value_name = "DIR|REPO")]
    against: Option<PathBuf>,
    /// Videos of the first attempts
    #[arg(long, alias = "eval.max_episodes_rendered", default_value_t = 4, value_name = "N")]
    videos: u64,
    /// Other colours, light and camera places with each seed
    #[arg(long)]
    varied: bool,
    #[command(flatten)]
    world: PhysicsFlags,
    /// The world goes on for so many milliseconds while an answer is on its way, as from a policy far
    /// away, and its actions follow each other as in a rollout; without it, the world waits
    #[arg(long = "latency_ms", value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    latency: Option<u32>,
    #[command(flatten)]
    inference: InferenceFlags,
    /// Where the results go
    #[arg(long, alias = "output_dir", default_value = "outputs/eval", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    ask: AskFlags,
    #[cfg(feature = "zenoh")]
    #[command(flatten)]
    network: ConnectFlags,
}

/// How a second policy did on the same seeds.
pub struct Compared {
    results: Results,
    first_alone: usize,
    second_alone: usize,
    chance: f64,
}

impl Eval {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let task = Task::find(&self.env)?;
        self.inference.check(report);
        if self.latency.is_none() && self.inference.inference != Inference::Sync {
            return Err(Failure::usage(
                "the world waits for every answer, so that none can be made meanwhile",
                "say how long they take: --latency_ms 50; or without --inference.type",
            ));
        }
        let flag = listen()?;
        let over = || flag.raised().is_some();
        let results = self.results(&self.policy, "first", &task, &over, report)?;
        if over() {
            return Ok(cut_off(&results, report));
        }
        self.say(&self.policy, &results, report);
        let other = match &self.against {
            Some(path) => {
                let other = self.results(path, "second", &task, &over, report)?;
                if over() {
                    return Ok(cut_off(&results, report));
                }
                self.say(path, &other, report);
                let compared = compare(&results, other);
                report.say(format!(
                    "{} achieved by the first alone, {} by the second alone; equals would differ as \
                     much in {:.1} of 100 such comparisons",
                    compared.first_alone,
                    compared.second_alone,
                    compared.chance * 100.0
                ));
                Some((Who::name(path), compared))
            }
            None => None,
        };
        let other = other.as_ref().map(|(name, compared)| (name.as_str(), compared));
        self.write(&task, &results, other)?;
        report.say(self.out.join("report.html").display().to_string());
        let mut result = results.json();
        if let (Some(result), Some((_, compared))) = (result.as_object_mut(), other) {
            result.insert("against".to_owned(), compared.json());
        }
        report.result(result);
        Ok(Exit::Done)
    }

    fn results(
        &self,
        policy: &Path,
        which: &str,
        task: &Task,
        over: &(dyn Fn() -> bool + Sync),
        report: &Report,
    ) -> Result<Results, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = match self.parallel {
            None => 1,
            Some(0) => cores,
            Some(count) => usize::from(count),
        };
        let threads = threads.min(usize::try_from(self.episodes).unwrap_or(usize::MAX));
        #[cfg(feature = "zenoh")]
        let who = Who::find(policy, &self.network, report)?;
        #[cfg(not(feature = "zenoh"))]
        let who = Who::find(policy, report)?;
        let cameras = who.fits(task, &self.machine, &self.ask, report)?;
        let folder = self.out.join("videos").join(which);
        let failed = |error| Failure::new(Exit::Failed, format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let late = self.latency.map(|ms| Late {
            sequel: self.inference.sequel(f64::from(FPS)),
            by: Nanos::from(ms) * MILLI,
        });
        let actor = || who.actor(task, &self.machine, &self.ask, late);
        let began = Instant::now();
        let attempts = Attempts {
            task,
            physics: self.world.physics,
            seed: self.seed,
            count: self.episodes,
            threads,
            cameras: &cameras,
            varied: self.varied,
            videos: self.videos,
            folder: &folder,
        };
        let outcomes = play(&attempts, &actor, over, report)?;
        let seconds = began.elapsed().as_secs_f64();
        let filmed = self.videos.min(outcomes.len() as u64);
        let videos = (0..filmed).map(|number| play::video(&folder, number)).collect();
        Ok(Results { outcomes, videos, seconds })
    }

    fn say(&self, path: &Path, results: &Results, report: &Report) {
        let [low, high] = results.sure().map(|share| share * 100.0);
        let tone = if results.rate() >= 0.5 { Tone::Good } else { Tone::Odd };
        report.say(format!(
            "{}: {} of {} achieved, {} (95 % interval {low:.0} to {high:.0} %), {:.1} s",
            Who::name(path),
            results.successes(),
            results.outcomes.len(),
            report.tone(tone, &format!("{:.1} %", results.rate() * 100.0)),
            results.seconds,
        ));
        let failed: Vec<String> = results
            .outcomes
            .iter()
            .filter(|outcome| !outcome.success)
            .map(|outcome| outcome.seed.to_string())
            .collect();
        if !failed.is_empty() {
            report.detail(format!("not achieved with the seeds {}", failed.join(", ")));
        }
    }

    fn write(
        &self,
        task: &Task,
        results: &Results,
        other: Option<(&str, &Compared)>,
    ) -> Result<(), Failure> {
        let failed = |path: &Path, error: std::io::Error| {
            Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
        };
        std::fs::create_dir_all(&self.out).map_err(|error| failed(&self.out, error))?;
        let mut info = results.info(&task.name);
        if let (Some(info), Some((_, compared))) = (info.as_object_mut(), other) {
            info.insert("against".to_owned(), compared.json());
        }
        let info = serde_json::to_string_pretty(&info)
            .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        let page = page::page(&task.name, &Who::name(&self.policy), &self.out, results, other);
        for (file, text) in [("eval_info.json", info), ("report.html", page)] {
            let path = self.out.join(file);
            std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }
}

impl Compared {
    fn json(&self) -> Value {
        let mut json = self.results.json();
        if let Some(json) = json.as_object_mut() {
            json.insert("first_alone".to_owned(), json!(self.first_alone));
            json.insert("second_alone".to_owned(), json!(self.second_alone));
            json.insert("by_chance".to_owned(), json!(self.chance));
        }
        json
    }
}

/// Tells what there is of attempts that were interrupted.
fn cut_off(results: &Results, report: &Report) -> Exit {
    let mut result = results.json();
    if let Some(result) = result.as_object_mut() {
        result.insert("interrupted".to_owned(), true.into());
    }
    report.result(result);
    Exit::Interrupted
}

fn compare(first: &Results, second: Results) -> Compared {
    let pairs = || first.outcomes.iter().zip(&second.outcomes);
    let first_alone = pairs().filter(|(one, other)| one.success && !other.success).count();
    let second_alone = pairs().filter(|(one, other)| !one.success && other.success).count();
    let chance = figures::by_chance(first_alone, second_alone);
    Compared { results: second, first_alone, second_alone, chance }
}
