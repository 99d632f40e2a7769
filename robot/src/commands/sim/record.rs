//! `sinew sim record`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use sinew_datasets::frame::{Frame, Stamps, Value};
use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::writer::{Options, Writer};
use sinew_drivers::calibration_file::lerobot_home;
use sinew_drivers::camera::{CameraSpec, Origin};
use sinew_drivers::clock::SECOND;
use sinew_sim::env::FPS;
use sinew_sim::{Env, Task};

use crate::cameras::feature_of;
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::commands::driving::listen;
use crate::commands::recording::check_name;
use crate::run::attempt::{Moment, STATE, Scripted, TRUTH, attempt};
use crate::run::eyes::{Eyes, Lookout};

/// Episodes of a task done by its scripted expert, to learn from
///
/// Example: sinew sim record --env so101_lift --episodes 100 --dataset me/lift
///
/// A LeRobot dataset, recorded in the world's own time, as fast as this machine is. The joints are
/// observation.state; where things lie is observation.environment_state; cameras are such as
/// --camera front=sim@96x96, and stand where the names front, side, top and wrist say. What the expert
/// does not achieve is left out.
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
    #[command(flatten)]
    cameras: CameraFlags,
    /// Other colours, light and camera places with each episode
    #[arg(long)]
    varied: bool,
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
            None => {
                check_name(&self.dataset)?;
                lerobot_home().join(&self.dataset)
            }
        };
        let lookouts = self.lookouts()?;
        let mut eyes = Eyes::new(&lookouts, self.varied);
        let mut writer = Writer::create(&root, info(&env, &lookouts)?, Options::default())?;
        let (mut saved, mut failed, mut frames) = (0, 0, 0);
        let mut expert = Scripted::default();
        while saved < self.episodes && flag.raised().is_none() {
            let seed = self.seed.wrapping_add(saved + failed);
            writer.begin_episode()?;
            let keep = &mut |now: &Moment<'_>, action: &[f64]| {
                Ok(writer.push(&frame(&words, now, action))?)
            };
            let look = &mut |env: &Env| Ok(eyes.look(env, seed));
            let outcome = attempt(&mut env, seed, &mut expert, look, keep)?;
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

    /// The cameras that are asked for: all of them are painted.
    fn lookouts(&self) -> Result<Vec<Lookout>, Failure> {
        let specs = self.cameras.specs()?;
        let lookout = |(name, spec): (String, CameraSpec)| {
            if spec.origin != Origin::World {
                return Err(Failure::usage(
                    format!("camera {name} is no simulated one"),
                    format!("for instance --camera {name}=sim@96x96"),
                ));
            }
            let size = [spec.width, spec.height];
            Ok(Lookout { feature: feature_of(&name), name, size })
        };
        specs.into_iter().map(lookout).collect()
    }
}

/// What the dataset will hold.
fn info(env: &Env, lookouts: &[Lookout]) -> Result<Info, Failure> {
    let vector = |names: Vec<String>| Feature::vector(Dtype::F32, names);
    let mut features = vec![
        ("action".to_owned(), vector(env.state_names())),
        (STATE.to_owned(), vector(env.state_names())),
        (TRUTH.to_owned(), vector(env.truth_names())),
    ];
    features.extend(lookouts.iter().map(|lookout| {
        let [width, height] = lookout.size;
        (lookout.feature.clone(), Feature::camera(Dtype::Video, width, height))
    }));
    Ok(Info::new(FPS, Some("so_follower".to_owned()), features)?)
}

fn frame(task: &Arc<str>, now: &Moment<'_>, action: &[f64]) -> Frame {
    let narrow = |values: &[f64]| Value::F32(values.iter().map(|value| *value as f32).collect());
    let at = (now.seconds * SECOND as f64) as i64;
    Frame {
        task: Arc::clone(task),
        values: vec![narrow(action), narrow(&now.observed.state), narrow(&now.observed.truth)],
        images: now.images.iter().map(|(_, image)| Some(image.clone())).collect(),
        stamps: Stamps {
            tick_ns: at,
            joints_ns: at,
            images_ns: vec![at; now.images.len()],
            ..Stamps::default()
        },
    }
}
