//! `sinew serve-policy`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use sinew_drivers::camera::jpeg;
use sinew_net::Network;
use sinew_net::message::{Frame, Input, Observed, Thinker, VERSION, View};
use sinew_net::think::{Served, Turn};
use sinew_policies::Policy;
use sinew_policies::config::{Config, FeatureKind};
use sinew_policies::policy::{Image, Seen};

use super::driving::{listen, rate};
use super::policy::source::{Machine, Source, name_of};
use super::policy::training;
use crate::cli::failure::{Exit, Failure};
use crate::cli::network::ListenFlags;
use crate::cli::report::Report;
use crate::run::stats::Spans;

/// Let robots of other machines ask a policy
///
/// Example: sinew serve-policy --policy.path outputs/act --name act --listen 0.0.0.0:7447
///
/// Then, where the robot is: sinew rollout --policy zenoh://act@desk.local:7447 --robot white
///
/// Robots that ask at once have their turns in the order in which they came, the newest question of each;
/// a Diffusion policy answers up to four together. Nothing is kept from one to the next, so that this may
/// be ended and started again while they drive. Ctrl-C ends it. robot/net/python/sinew_policy_server.py
/// serves the policies that only LeRobot runs.
#[derive(Debug, Args)]
pub struct ServePolicy {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    machine: Machine,
    /// What it is called on the network; by default as its folder
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Actions per second, as in the dataset it was trained on: robots that take others are told
    #[arg(long, value_name = "HZ", value_parser = rate)]
    fps: Option<f64>,
    #[command(flatten)]
    network: ListenFlags,
}

/// How often it is looked whether it is over.
const LOOK: Duration = Duration::from_millis(100);
/// How many robots are answered together, where that is less work than one after the other.
const TOGETHER: usize = 4;
/// How many robots are told apart.
const ROBOTS: usize = 1024;

impl ServePolicy {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let mut policy = self.source.load_for(&self.machine, TOGETHER, report)?;
        let name = self.name.clone().unwrap_or_else(|| name_of(policy.folder()));
        sinew_net::key::check(&name)?;
        let flag = listen()?;
        let options = self.network.options("ask this policy, and keep it busy", report)?;
        let network = Network::host(&options)?;
        let trained = || training::rate(policy.folder()).map(|(rate, _)| rate);
        let served = Served::new(&network, &describe(&policy, &name, self.fps.or_else(trained)))?;
        let places = match network.listens() {
            [] => vec![network.at().to_owned()],
            listens => listens.to_vec(),
        };
        report.note(format!("{name} answers at {}; Ctrl-C ends it", places.join(", ")));
        report.event(&json!({"type": "ready", "policy": name, "listen": places}));
        let no_memory = || Failure::new(Exit::Failed, "no memory for figures");
        let mut took = Spans::new().ok_or_else(no_memory)?;
        let (mut answered, mut failed, mut together) = (0_u64, 0_u64, 0_u64);
        let mut known = BTreeSet::new();
        while flag.raised().is_none() {
            let Some(first) = served.next(LOOK) else { continue };
            // Whoever waits already comes along; nobody waits for others to come.
            let others = std::iter::from_fn(|| served.next(Duration::ZERO));
            let turns: Vec<Turn> =
                std::iter::once(first).chain(others.take(policy.together() - 1)).collect();
            for Observed { robot, asker, .. } in turns.iter().map(Turn::observed) {
                if known.len() < ROBOTS && known.insert(*asker) {
                    report.say(format!("{robot} asks"));
                    report.event(&json!({"type": "asks", "robot": robot}));
                }
            }
            let Told { answers, refusals, span } = answer(&mut policy, turns, report);
            (answered, failed) = (answered + answers, failed + refusals);
            together += if answers > 1 { answers } else { 0 };
            let span = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
            (0..answers).for_each(|_| took.count(span));
        }
        let turned = served.turned();
        report.say(format!(
            "{answered} answered, {:.0} ms each (p50), {failed} not; {} turned away",
            took.quantile(0.5) as f64 / 1e3,
            turned.values().sum::<u64>(),
        ));
        report.result(json!({
            "policy": name,
            "robots": known.len(),
            "answered": answered,
            "answered_together": together,
            "failed": failed,
            "turned_away": turned,
            "inference_ms": took.json_ms(),
        }));
        Ok(Exit::Done)
    }
}

/// What it says of itself.
fn describe(policy: &Policy, name: &str, fps: Option<f64>) -> Thinker {
    let common = policy.config().common();
    let width = common.action_dim();
    let rows = policy.chunk().len() / width.max(1);
    let inputs = common.inputs.iter().filter(|(_, feature)| {
        matches!(feature.kind, FeatureKind::State | FeatureKind::Env | FeatureKind::Visual)
    });
    // What a step before the network calls so is asked for under the name that it has before.
    let inputs = inputs.map(|(name, feature)| Input {
        name: policy.before().source(name),
        shape: feature.shape.iter().map(|side| *side as u64).collect(),
    });
    let averaged = match policy.config() {
        Config::Act(act) => act.temporal_ensemble_coeff,
        Config::Diffusion(_) | Config::VqBet(_) | Config::Tdmpc(_) => None,
    };
    Thinker {
        v: VERSION,
        name: name.to_owned(),
        kind: policy.config().name().to_owned(),
        program: concat!("sinew ", env!("CARGO_PKG_VERSION")).to_owned(),
        inputs: inputs.collect(),
        width: width as u64,
        frames: common.n_obs_steps.max(1) as u64,
        rows: rows as u64,
        steps: policy.steps().unwrap_or(1) as u64,
        averaged,
        fps,
        task: false,
        images: "jpeg".to_owned(),
    }
}

/// What became of some questions.
struct Told {
    answers: u64,
    refusals: u64,
    /// How long it took.
    span: Duration,
}

/// Answers these robots, together; who cannot be answered hears so first.
fn answer(policy: &mut Policy, turns: Vec<Turn>, report: &Report) -> Told {
    let began = Instant::now();
    let (mut looked, mut refusals) = (Vec::new(), 0);
    let mut refuse = |turn: Turn, why: String| {
        report.warn(format!("{} is not answered: {why}", turn.observed().robot));
        refusals += 1;
        turn.answer(Err(why), began.elapsed());
    };
    for turn in turns {
        match look(policy, turn.observed(), looked.len()) {
            Ok(()) => looked.push(turn),
            Err(why) => refuse(turn, why),
        }
    }
    let made = if looked.is_empty() { Ok(Vec::new()) } else { policy.make_together(looked.len()) };
    let (width, span) = (policy.config().common().action_dim(), began.elapsed());
    let mut answers = 0;
    match made {
        Ok(made) => {
            for (turn, goals) in looked.into_iter().zip(made) {
                match goals {
                    Ok(goals) => {
                        let rows = goals.into_iter().map(f64::from).collect();
                        turn.answer(Ok((width, rows)), span);
                        answers += 1;
                    }
                    Err(error) => refuse(turn, error.to_string()),
                }
            }
        }
        Err(error) => looked.into_iter().for_each(|turn| refuse(turn, error.to_string())),
    }
    Told { answers, refusals, span }
}

/// Looks at what a robot saw, for this one of the chunks that are made together.
fn look(policy: &mut Policy, observed: &Observed, chunk: usize) -> Result<(), String> {
    policy.reset();
    for frame in &observed.frames {
        show(policy, frame)?;
    }
    policy.look(chunk).map_err(|error| error.to_string())
}

fn show(policy: &mut Policy, frame: &Frame) -> Result<(), String> {
    let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
    let (state, truth) = (narrow(&frame.state), narrow(&frame.environment_state));
    let mut pictures = Vec::new();
    for (name, view) in frame.images.iter().filter(|(name, _)| policy.takes(name)) {
        let pixels = pixels(view).map_err(|what| format!("{name}: {what}"))?;
        pictures.push((name.as_str(), (view.width as usize, view.height as usize), pixels));
    }
    let mut seen = vec![
        ("observation.state", Seen::Numbers(&state)),
        ("observation.environment_state", Seen::Numbers(&truth)),
    ];
    seen.extend(pictures.iter().map(|(name, (width, height), rgb)| {
        (*name, Seen::Image(Image { width: *width, height: *height, rgb }))
    }));
    seen.retain(|(name, seen)| match seen {
        Seen::Numbers(numbers) => !numbers.is_empty() && policy.takes(name),
        Seen::Image(_) => true,
    });
    policy.observe(&seen).map_err(|error| error.to_string())
}

/// The most pixels of a picture that is opened: no policy looks at more.
const MOST_PIXELS: u64 = 1 << 23;

fn pixels(view: &View) -> Result<Vec<u8>, String> {
    let (width, height) = (u64::from(view.width), u64::from(view.height));
    if width * height > MOST_PIXELS {
        return Err(format!("{width}x{height} pixels are more than a policy looks at"));
    }
    match view.format.as_str() {
        "jpeg" => Ok(jpeg::decode(&view.data, view.width, view.height)?.pixels.to_vec()),
        _ => Ok(view.data.clone()),
    }
}
