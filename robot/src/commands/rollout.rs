//! `sinew rollout`

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use sinew_drivers::Clock;
use sinew_drivers::camera::Camera;
use sinew_drivers::clock::SECOND;
use sinew_drivers::stop::StopServer;
use sinew_teleop::Played;
use sinew_teleop::fed::fed;

use super::driving::{
    LoopFlags, arms, figures, finish, listen, rate, ready, remember, seconds, span, watch,
};
use super::policy::source::{Machine, Source};
use super::policy::{check, offered};
use crate::cameras;
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{DisplayFlags, RobotFlags};
use crate::cli::report::Report;
use crate::robot::Robot;
use crate::run::control::{Lap, Pace, Pair, end};
use crate::run::rollout::{Driver, Inference, Plan};
use crate::run::tap::{Stored, tap};
use crate::view::display::Display;

/// Let a policy drive
///
/// Example: sinew rollout --policy.path outputs/act --robot white --camera front=/dev/video0
///
/// Before anything moves, policy, robot and cameras are held beside each other. Ctrl-C ends it at
/// once; at the end of the time the arm goes back to where it was.
#[derive(Debug, Args)]
pub struct Rollout {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    machine: Machine,
    /// What is to be done, for policies that are told
    #[arg(long, value_name = "TASK", default_value = "")]
    task: String,
    /// Seconds to drive; 0 until Ctrl-C
    #[arg(long, value_name = "S", default_value_t = 0.0, value_parser = seconds)]
    duration: f64,
    /// Actions per second, as in the dataset it was trained on
    #[arg(long, default_value_t = 30.0, value_name = "HZ", value_parser = rate)]
    fps: f64,
    /// Ticks of the arm's control for each action, with goals in between filled in; without it, as
    /// many as 60 Hz allow
    #[arg(long = "interpolation_multiplier", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    interpolation: Option<u16>,
    /// Whether the next actions are made while the arm carries out those before
    #[arg(long = "inference.type", value_enum, default_value = "sync", value_name = "WHICH")]
    inference: Inference,
    /// Asynchronously, the share of a chunk that is left when the next is begun
    #[arg(
        long = "inference.chunk_size_threshold",
        alias = "chunk_size_threshold",
        value_name = "SHARE",
        default_value_t = 0.5,
        value_parser = share
    )]
    threshold: f64,
    /// What is done besides driving
    #[arg(long = "strategy.type", value_enum, default_value = "base", value_name = "WHICH")]
    strategy: Strategy,
    /// Go back to where the arm was, at the end of the time
    #[arg(long = "return_to_initial_position", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    go_back: bool,
    #[command(flatten)]
    looped: LoopFlags,
    #[command(flatten)]
    cameras: CameraFlags,
    #[command(flatten)]
    robot: RobotFlags,
    #[command(flatten)]
    display: DisplayFlags,
}

/// What is done besides driving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// Nothing
    Base,
}

fn share(text: &str) -> Result<f64, String> {
    let fits = |share: &f64| (0.0..=1.0).contains(share);
    text.parse().ok().filter(fits).ok_or_else(|| "a share is a number from 0 to 1".into())
}

/// What there is besides the arms.
struct Beside<'a> {
    report: &'a Report,
    cameras: &'a [Camera],
    display: Display,
}

impl Rollout {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let Strategy::Base = self.strategy;
        let robot = Robot::choose(&self.robot)?;
        let specs = self.cameras.specs()?;
        let policy = self.source.load(&self.machine, report)?;
        let found = check::look(&policy, &offered::by_robot(&robot, &specs), false);
        check::say(report, &found);
        if !found.ok() {
            return Err(Failure::advise(
                Exit::Data,
                format!("{} cannot drive {}", policy.folder().display(), robot.name),
                "see the findings above: a camera is named with --camera NAME=SOURCE, and other \
                 names can be given with --rename_map; nothing has moved",
            ));
        }
        let every = self.interpolation.map_or((60.0 / self.fps).max(1.0) as u64, u64::from);
        let control = self.fps * every as f64;
        let flag = listen()?;
        let _server = StopServer::start(&robot.name, flag.clone())?;
        let followers = arms(&robot, &flag, report)?;
        let cameras = cameras::start(&specs, &robot, report)?;
        remember(&robot, report);
        let (mut feeders, mut pairs, mut column) = (Vec::new(), Vec::new(), 0);
        for follower in followers {
            let values = follower.spec().value_count();
            let (feeder, source) = fed(column, values);
            column += values;
            feeders.push(feeder);
            pairs.push(Pair::new(Box::new(source), follower));
        }
        let display = Display::open(&self.display, &robot.name, &pairs, report)?;
        let features = specs.iter().map(|(name, _)| offered::camera_feature(name)).collect();
        let plan = Plan {
            inference: self.inference,
            threshold: self.threshold,
            rate: self.fps,
            cameras: features,
        };
        let folder = policy.folder().to_owned();
        let driver = Driver::new(policy, plan, feeders);
        let driver = driver.ok_or_else(|| Failure::new(Exit::Failed, "no memory for figures"))?;
        ready(&mut pairs, control, &self.looped, &flag, report)?;
        report.note(format!(
            "{} drives {} at {} Hz, {control} Hz at the motors; Ctrl-C ends it ({} afterwards)",
            folder.display(),
            robot.name,
            self.fps,
            robot.options.stop
        ));
        let beside = Beside { report, cameras: &cameras, display };
        self.drive(&mut pairs, driver, every, beside, json!({ "policy": folder }))
    }

    fn drive(
        &self,
        pairs: &mut [Pair],
        mut driver: Driver,
        every: u64,
        mut beside: Beside<'_>,
        mut extra: Value,
    ) -> Result<Exit, Failure> {
        let report = beside.report;
        let begin = where_they_are(pairs)?;
        let values = begin.iter().map(Vec::len).sum();
        let (mut tap, mut slips) = tap(values, beside.cameras, every, Stored::Sent);
        let over = AtomicBool::new(false);
        let pace = Pace {
            fps: self.fps * every as f64,
            duration: (self.duration > 0.0).then(|| span(self.duration)),
        };
        let stats = figures(&Clock::Real)?;
        let display = &mut beside.display;
        let (mut ran, driven) = std::thread::scope(|scope| {
            let (driver, over) = (&mut driver, &over);
            let think = move || {
                let driven = driver.drive(&mut slips, over);
                over.store(true, Ordering::Release);
                driven
            };
            let thread = std::thread::Builder::new().name("policy".into());
            let thread = thread.spawn_scoped(scope, think).map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot start the policy's thread: {error}"))
            })?;
            let ran = watch(pairs, pace, stats, report, |tick, pairs, stats| {
                tap.take(tick, pairs, thread.thread());
                display.show(pairs, stats);
                match over.load(Ordering::Acquire) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            over.store(true, Ordering::Release);
            drop(tap);
            let driven = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok::<_, Failure>((ran, driven))
        })?;
        if self.go_back && ran.error.is_none() && driven.is_ok() {
            ran = go_back(pairs, begin, ran, pace.fps, &mut beside);
        }
        let outcome = end(pairs, ran);
        let thought = driver.thought();
        let ms = |share| thought.took.value_at_quantile(share) as f64 / 1e3;
        if let Value::Object(extra) = &mut extra {
            let took = json!({ "p50": ms(0.5), "max": ms(1.0) });
            extra.insert("chunks".into(), thought.chunks.into());
            extra.insert("inference_ms".into(), took);
            extra.insert("starved_ticks".into(), driver.starved().into());
            extra.insert("display".into(), beside.display.end(report));
        }
        report.say(format!(
            "{} chunks, {:.0} ms each (p50), {:.0} at most; {} ticks without one to go on with",
            thought.chunks,
            ms(0.5),
            ms(1.0),
            driver.starved()
        ));
        let ended = finish(report, outcome, self.looped.stats, extra);
        driven?;
        ended
    }
}

/// Where each arm is now.
fn where_they_are(pairs: &mut [Pair]) -> Result<Vec<Vec<f64>>, Failure> {
    pairs.iter_mut().map(|pair| Ok(pair.follower.observe()?.values.clone())).collect()
}

/// Brings the arms back to where they began.
fn go_back(
    pairs: &mut [Pair],
    begin: Vec<Vec<f64>>,
    ran: Lap,
    fps: f64,
    beside: &mut Beside<'_>,
) -> Lap {
    for (pair, place) in pairs.iter_mut().zip(begin) {
        let width = place.len();
        if let Some(place) = Played::new(place, width, 1.0) {
            pair.drive(Box::new(place));
        }
    }
    beside.report.note("going back to where it was");
    let pace = Pace { fps, duration: Some(10 * SECOND) };
    let display = &mut beside.display;
    let lap = watch(pairs, pace, ran.stats, beside.report, |tick, pairs, stats| {
        display.show(pairs, stats);
        match pairs.iter().all(|pair| pair.is_there(tick.began)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    Lap { granted: ran.granted, ..lap }
}
