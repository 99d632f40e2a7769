//! `sinew replay`

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use sinew_datasets::Dataset;
use sinew_drivers::Clock;
use sinew_drivers::arm::{Follower, Reach};
use sinew_teleop::Played;

use super::dataset::Place;
use super::driving::{LoopFlags, figures, finish, followers, listen, rate, ready, remember};
use super::watching::{Scene, watch};
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{DisplayFlags, RemoteFlags, RobotFlags};
use crate::cli::report::{Report, Tone};
use crate::robot::Robot;
use crate::run::control::{Pace, Pair, end};
use crate::run::rehearsal::Rate;
use crate::run::tracking::Tracking;
use crate::view::display::Display;

/// Play a recorded episode on the arm
///
/// Example: sinew replay --robot white --dataset me/pick --episode 3
///
/// The arm is first brought to where the episode begins. At the end it is told how far each joint
/// was off from where it was sent.
#[derive(Debug, Args)]
pub struct Replay {
    /// The dataset: its folder, or a repo id that is looked for in LeRobot's folder and on the Hub
    #[arg(
        long = "dataset.repo_id",
        visible_alias = "dataset",
        value_name = "DIR|REPO",
        required_unless_present = "root"
    )]
    repo_id: Option<String>,
    /// Its folder
    #[arg(long = "dataset.root", value_name = "DIR")]
    root: Option<PathBuf>,
    /// Which episode
    #[arg(long = "dataset.episode", visible_alias = "episode", value_name = "N")]
    episode: u64,
    /// How many times as fast as it was recorded
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Ticks per second of the arm's control; goals between two rows are filled in
    #[arg(long, default_value_t = 60.0, value_name = "HZ", value_parser = rate)]
    fps: f64,
    #[command(flatten)]
    looped: LoopFlags,
    #[command(flatten)]
    robot: RobotFlags,
    #[command(flatten)]
    remote: RemoteFlags,
    #[command(flatten)]
    display: DisplayFlags,
}

fn speed(text: &str) -> Result<f64, String> {
    let fits = |speed: &f64| (0.01..=10.0).contains(speed);
    text.parse().ok().filter(fits).ok_or_else(|| "a speed is a number from 0.01 to 10".into())
}

/// An episode's actions, in a robot's order.
struct Actions {
    /// For each arm, its values row by row.
    parts: Vec<Vec<f64>>,
    rows: u64,
    /// Rows per second.
    rate: f64,
}

impl Replay {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let robot = Robot::find(&self.robot, &self.remote)?;
        let place = match (&self.root, &self.repo_id) {
            (Some(root), _) => Place::Here(root.clone()),
            (None, name) => Place::of(name.as_deref().unwrap_or_default()),
        };
        let dataset = place.open(report)?;
        let actions = actions(&dataset, self.episode, &robot)?;
        let flag = listen()?;
        let _server = robot.listen_to_stop(&flag)?;
        let followers = followers(&robot, &flag, report)?;
        remember(&robot, report);
        for (arm, rows) in followers.iter().zip(&actions.parts) {
            warn_of_ranges(&**arm, rows, report);
        }
        let mut span = 0;
        let mut pairs = Vec::new();
        for (follower, rows) in followers.into_iter().zip(actions.parts) {
            let width = follower.spec().value_count();
            let played = Played::new(rows, width, actions.rate * self.speed);
            let played = played.ok_or_else(|| Failure::new(Exit::Data, "nothing to play"))?;
            span = played.span();
            pairs.push(Pair::new(Box::new(played), follower));
        }
        let mut display =
            Display::open(&self.display, &robot.name, &pairs, Arc::default(), report)?;
        ready(&mut pairs, Rate::plain(self.fps), &self.looped, &flag, report)?;
        report.note(format!(
            "{} plays episode {} of {}: {} rows; Ctrl-C ends it ({} afterwards)",
            robot.name,
            self.episode,
            dataset.root().display(),
            actions.rows,
            robot.options.stop
        ));
        let mut tracking = Tracking::new(&pairs);
        let mut began = None;
        let pace = Pace { fps: self.fps, duration: None };
        let stats = figures(&Clock::Real)?;
        let scene = Scene::new(report, self.looped.stats);
        let ran = watch(&mut pairs, pace, stats, scene, |tick, pairs, stats| {
            display.show(pairs, stats);
            if began.is_none() && !pairs.iter().all(|pair| pair.is_there(tick.began)) {
                return ControlFlow::Continue(());
            }
            tracking.count(pairs);
            // The last goal gets the time of a row to be reached.
            let row = (1e9 / (actions.rate * self.speed)) as i64;
            match tick.began - *began.get_or_insert(tick.began) < span + row {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        let outcome = end(&mut pairs, ran);
        say(report, &tracking);
        let extra = json!({
            "dataset": dataset.root(),
            "episode": self.episode,
            "rows": actions.rows,
            "tracking": tracking.json(),
            "display": display.end(report),
        });
        finish(report, outcome, self.looped.stats, extra)
    }
}

/// An episode's actions, each value under the robot's name for it.
fn actions(dataset: &Dataset, episode: u64, robot: &Robot) -> Result<Actions, Failure> {
    let info = dataset.info();
    let root = dataset.root().display();
    let Some(feature) = info.feature("action") else {
        return Err(Failure::new(Exit::Data, format!("{root} has no actions to play")));
    };
    let width = feature.width();
    let recorded: Vec<String> =
        (0..width).map(|at| sinew_datasets::verify::joint_name(feature, at)).collect();
    let mut places = Vec::new();
    for part in robot.parts() {
        let place = |name: &String| {
            recorded.iter().position(|known| known == name).ok_or_else(|| {
                Failure::advise(
                    Exit::Data,
                    format!("{root} says nothing of {name}, which {} needs", robot.name),
                    format!(
                        "its actions are {}: play it on that kind of robot",
                        recorded.join(", ")
                    ),
                )
            })
        };
        places.push(part.spec.value_names().iter().map(place).collect::<Result<Vec<_>, _>>()?);
    }
    let episode = dataset.episode(episode)?;
    let values = dataset.values("action", episode.from_index, episode.length)?.numbers();
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(Failure::advise(
            Exit::Data,
            format!("row {} of the episode asks for {}", at / width.max(1), values[at]),
            "sinew dataset verify says what else is wrong with it",
        ));
    }
    let columns = |places: &Vec<usize>| {
        let mut rows = Vec::with_capacity(places.len() * values.len() / width.max(1));
        for row in values.chunks_exact(width.max(1)) {
            rows.extend(places.iter().filter_map(|place| row.get(*place)));
        }
        rows
    };
    Ok(Actions {
        parts: places.iter().map(columns).collect(),
        rows: episode.length,
        rate: f64::from(info.fps),
    })
}

/// Tells of joints that are sent beyond their range, where the limits will hold them: then the
/// episode was recorded on an arm that is calibrated in another way, or in other units.
fn warn_of_ranges(arm: &dyn Follower, rows: &[f64], report: &Report) {
    let width = arm.spec().value_count();
    let names = arm.spec().value_names();
    for (joint, Reach { range: (low, high), .. }) in arm.reaches().iter().enumerate() {
        let beyond = |value: &&f64| **value < *low - 1.0 || **value > *high + 1.0;
        let values = rows.iter().skip(joint).step_by(width);
        let count = values.clone().filter(beyond).count();
        if let (1.., Some(name)) = (count, names.get(joint)) {
            report.warn(format!(
                "{name} is sent beyond its range of {low:.1} to {high:.1} in {count} rows, and will \
                 be held there: was this recorded with another calibration?"
            ));
        }
    }
}

fn say(report: &Report, tracking: &Tracking) {
    report.say(report.tone(Tone::Strong, "Off from where it was sent: mean, most"));
    let width = tracking.errors().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, mean, most) in tracking.errors() {
        report.say(format!("  {name:<width$}  {mean:>7.2}  {most:>7.2}"));
    }
}
