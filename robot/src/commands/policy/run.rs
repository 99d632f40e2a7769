//! `sinew policy run`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sinew_policies::checkpoint::{self, Tensors};
use sinew_policies::draws::Draws;
use sinew_policies::recorded;

use super::super::dataset::Place;
use super::open_loop;
use super::source::{Machine, Source};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// What a policy answers to recorded observations, or to an episode of a dataset
///
/// Example: sinew policy run outputs/act_so101 --dataset me/pick --episode 3 --page plot.html
///
/// With a dataset its actions are held beside those that were recorded, joint by joint. With
/// --inputs every recorded step is answered in order: stepN/raw/KEY, stepN/raw_u8/KEY and
/// stepN/rng/III_FUNCTION become stepN/pre/KEY, stepN/chunk, stepN/action and stepN/action_post.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    machine: Machine,
    /// Recorded observations, a safetensors file
    #[arg(long, value_name = "FILE", requires = "outputs", required_unless_present = "dataset")]
    inputs: Option<PathBuf>,
    /// Where to write the answers to them
    #[arg(long, value_name = "FILE", requires = "inputs")]
    outputs: Option<PathBuf>,
    /// A dataset: its folder, or a repo id that is looked for in LeRobot's folder and on the Hub
    #[arg(long, alias = "dataset.repo_id", value_name = "DIR|REPO", conflicts_with = "inputs")]
    dataset: Option<PathBuf>,
    /// Which of its episodes
    #[arg(long, default_value_t = 0, value_name = "N")]
    episode: u64,
    /// A page to write, with a plot of every joint
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Seed of the random numbers of policies that draw some
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
}

impl Run {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let mut policy = self.source.load(&self.machine, report)?;
        policy.draw_from(Draws::seeded(self.seed));
        match (&self.inputs, &self.outputs, &self.dataset) {
            (Some(inputs), Some(outputs), _) => recorded(report, &mut policy, inputs, outputs),
            (_, _, Some(dataset)) => {
                let dataset = Place::of(&dataset.to_string_lossy()).open(report)?;
                open_loop::run(report, &mut policy, &dataset, self.episode, self.page.as_deref())
            }
            _ => Err(Failure::usage(
                "run it on what?",
                "--dataset DIR --episode N, or --inputs FILE --outputs FILE",
            )),
        }
    }
}

fn recorded(
    report: &Report,
    policy: &mut sinew_policies::Policy,
    inputs: &Path,
    outputs: &Path,
) -> Result<Exit, Failure> {
    let tensors = Tensors::open(inputs)?;
    let same = |path: &Path| path.canonicalize().ok();
    if outputs.exists() && same(inputs) == same(outputs) {
        return Err(Failure::usage(
            format!("the answers would take the place of the observations: {}", inputs.display()),
            "name another file: --outputs FILE",
        ));
    }
    let mut steps = 0;
    let answers = recorded::run(policy, &tensors, &mut |step| {
        steps += 1;
        report.progress(&format!("step {step}"));
    })?;
    report.progress("");
    checkpoint::write(outputs, &answers)?;
    report.say(outputs.display().to_string());
    report.result(json!({
        "path": outputs.display().to_string(),
        "steps": steps,
        "tensors": answers.len(),
    }));
    Ok(Exit::Done)
}
