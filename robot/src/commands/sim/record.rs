//! `sinew sim record`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use sinew_datasets::frame::{Frame, Stamps, Value};
use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::writer::{Options, Writer};
use sinew_drivers::calibration_file::lerobot_home;
use sinew_drivers::clock::SECOND;
use sinew_sim::env::FPS;
use sinew_sim::{Env, Task};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::commands::driving::listen;
use crate::run::attempt::{Moment, STATE, Scripted, TRUTH, attempt};

/// Episodes of a task done by its scripted expert, to learn from
///
/// Example: sinew sim record --env so101_lift --episodes 100 --dataset me/lift
///
/// A LeRobot dataset, recorded in the world's own time, as fast as this machine is. The joints are
/// observation.state; where things lie is observation.environment_state. What the expert does not
/// achieve is left out.
#[derive(Debug, Args)]
pub struct Record {
    /// Which task
    #[arg(long, default_value = "so101_lift", value_name = "NAME")]
    env: String,
    /// How many episodes
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    episodes: u64,
    /// The seed of the first; the others follow
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// What the dataset is called
    #[arg(long, alias = "dataset.repo_id", default_value = "local/sim", value_name = "OWNER/NAME")]
    dataset: String,
    /// Its folder, instead of the one in LeRobot's
    #[arg(long, alias = "dataset.root", value_name = "DIR")]
    root: Option<PathBuf>,
}

/// What a task's expert cannot do at all, it does not do with a thousand seeds either.
const MOST_FAILURES: u64 = 100;

impl Record {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let flag = listen()?;
        let task = Task::find(&self.env)?;
        let words: Arc<str> = task.task.as_str().into();
        let mut env = Env::new(task)?;
        let root = match &self.root {
            Some(root) => root.clone(),
            None => lerobot_home().join(&self.dataset),
        };
        let mut writer = Writer::create(&root, info(&env)?, Options::default())?;
        let (mut saved, mut failed, mut frames) = (0, 0, 0);
        let mut expert = Scripted::default();
        while saved < self.episodes && flag.raised().is_none() {
            let seed = self.seed.wrapping_add(saved + failed);
            writer.begin_episode()?;
            let keep = &mut |now: &Moment<'_>, action: &[f64]| {
                Ok(writer.push(&frame(&words, now, action))?)
            };
            let outcome = attempt(&mut env, seed, &mut expert, &mut |_| Ok(Vec::new()), keep)?;
            if !outcome.success {
                writer.discard_episode()?;
                failed += 1;
                if failed > MOST_FAILURES && failed > saved {
                    return Err(Failure::new(
                        Exit::Failed,
                        format!(
                            "the expert does not achieve {}: {failed} attempts failed",
                            self.env
                        ),
                    ));
                }
                continue;
            }
            writer.save_episode()?;
            saved += 1;
            frames += u64::from(outcome.ticks);
            report.progress_at(
                &format!("{saved} of {} episodes", self.episodes),
                Some(saved as f64 / self.episodes as f64),
            );
        }
        report.progress("");
        writer.finish()?;
        report.say(format!(
            "{saved} episodes, {frames} frames in {}; the expert failed {failed} times",
            root.display()
        ));
        report.result(json!({
            "root": root.display().to_string(),
            "episodes": saved,
            "frames": frames,
            "failed": failed,
        }));
        Ok(if flag.raised().is_some() { Exit::Interrupted } else { Exit::Done })
    }
}

/// What the dataset will hold.
fn info(env: &Env) -> Result<Info, Failure> {
    let vector = |names: Vec<String>| Feature::vector(Dtype::F32, names);
    let features = vec![
        ("action".to_owned(), vector(env.state_names())),
        (STATE.to_owned(), vector(env.state_names())),
        (TRUTH.to_owned(), vector(env.truth_names())),
    ];
    Ok(Info::new(FPS, Some("so_follower".to_owned()), features)?)
}

fn frame(task: &Arc<str>, now: &Moment<'_>, action: &[f64]) -> Frame {
    let narrow = |values: &[f64]| Value::F32(values.iter().map(|value| *value as f32).collect());
    let at = (now.seconds * SECOND as f64) as i64;
    Frame {
        task: Arc::clone(task),
        values: vec![narrow(action), narrow(&now.observed.state), narrow(&now.observed.truth)],
        images: Vec::new(),
        stamps: Stamps { tick_ns: at, joints_ns: at, images_ns: Vec::new(), late: false },
    }
}
