//! `sinew rollout`

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde_json::{Value, json};
use sinew_drivers::Clock;
use sinew_drivers::camera::Camera;
use sinew_drivers::clock::SECOND;
use sinew_teleop::fed::fed;
use sinew_teleop::handover::Handover;
use sinew_teleop::{Leader, Played, Source as Drives};

use super::console::{Console, Wish};
use super::driving::{
    LoopFlags, arms, as_many_arms, configure, figures, finish, followers, listen, rate, rehearsed,
    remember, seconds, span, ticks_per_row, unlike,
};
use super::policy::chosen::{AskFlags, Driven, InferenceFlags, thinker};
use super::policy::offered;
use super::policy::source::{Machine, Source};
use super::recorder::{Kept, Recorder};
use super::recording::{By, DatasetFlags};
use super::strategy::{Strategy, StrategyFlags};
use super::watching::{Scene, watch};
use crate::cameras;
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{DisplayFlags, RemoteFlags, RobotFlags, TeleopFlags};
use crate::cli::report::Report;
use crate::robot::Robot;
use crate::run::control::{Lap, Pace, Pair, Tick, end, lap};
use crate::run::realtime::give_way;
use crate::run::rehearsal::Rate;
use crate::run::rollout::{Driver, Plan, Rest};
use crate::run::stats::Stats;
use crate::run::tap::{Stored, tap};
use crate::view::display::Display;

/// Let a policy drive
///
/// Example: sinew rollout --policy.path outputs/act --robot white --camera front=/dev/video0
///
/// Before anything moves, policy, robot and cameras are held beside each other. Ctrl-C ends it at
/// once; at the end of the time the arm goes back to where it was.
///
/// Correct it: sinew rollout --policy.path outputs/act --robot white --teleop black
/// --strategy.type=dagger --dataset.repo_id=me/corrections --task "pick the cube"
///
/// Keep what you saw, with s: sinew rollout --policy.path outputs/act --robot white
/// --strategy.type=highlight --dataset.repo_id=me/seen --task "pick the cube"
#[derive(Debug, Args)]
pub struct Rollout {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    machine: Machine,
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
    #[command(flatten)]
    inference: InferenceFlags,
    #[command(flatten)]
    ask: AskFlags,
    /// Go back to where the arm was, at the end of the time
    #[arg(long = "return_to_initial_position", value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    go_back: bool,
    /// With the strategy base, lines typed beside it say what it does: /start, /reset, /stop, /help;
    /// nothing moves before /start, and --duration is that of a run
    #[arg(long = "interactive", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    interactive: bool,
    #[command(flatten)]
    strategy: StrategyFlags,
    #[command(flatten)]
    dataset: DatasetFlags,
    #[command(flatten)]
    looped: LoopFlags,
    #[command(flatten)]
    cameras: CameraFlags,
    #[command(flatten)]
    robot: RobotFlags,
    #[command(flatten)]
    remote: RemoteFlags,
    #[command(flatten)]
    teleop: TeleopFlags,
    #[command(flatten)]
    display: DisplayFlags,
}

/// What there is besides the arms.
struct Beside<'a> {
    report: &'a Report,
    cameras: &'a [Camera],
    recorder: Option<Recorder>,
    display: Display,
}

impl Rollout {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        self.strategy.check()?;
        if self.interactive && self.strategy.strategy != Strategy::Base {
            return Err(Failure::usage(
                "--interactive=true reads the terminal that a recording reads its keys from",
                "--strategy.type=base, or without --interactive",
            ));
        }
        self.inference.check(report);
        let robot = Robot::find(&self.robot, &self.remote)?;
        let specs = cameras::chosen(&self.cameras, &robot)?;
        let root = self.folder()?;
        let leader = self.leader(&robot)?;
        let driven = Driven {
            name: &robot.name,
            offered: offered::by_robot(&robot, &specs),
            task: self.dataset.task.as_deref(),
            rate: self.fps,
            remote: &self.remote,
        };
        let thinker = thinker(&self.source, &self.machine, &self.ask, &driven, report)?;
        let every = self.interpolation.map_or_else(|| ticks_per_row(self.fps), u64::from);
        let control = self.fps * every as f64;
        let flag = listen()?;
        let _server = robot.listen_to_stop(&flag)?;
        let uploads = match &root {
            Some(root) => self.dataset.uploads(root, &flag, report)?,
            None => None,
        };
        let followers = followers(&robot, &flag, report)?;
        let leaders = leader.as_ref().map(|leader| arms(leader, &flag, report)).transpose()?;
        let mut leaders = leaders.into_iter().flatten();
        let baton = self.strategy.baton();
        let cameras = cameras::start(&specs, &robot, report)?;
        for device in std::iter::once(&robot).chain(&leader) {
            remember(device, report);
        }
        let (mut feeders, mut pairs, mut column) = (Vec::new(), Vec::new(), 0);
        for follower in followers {
            let values = follower.spec().value_count();
            let (feeder, source) = fed(column, values);
            column += values;
            feeders.push(feeder);
            let source: Box<dyn Drives> = match leaders.next() {
                Some(leader) => {
                    let person = Leader::new(leader, &*follower).map_err(unlike)?;
                    Box::new(Handover::new(source, Box::new(person), baton.clone()))
                }
                None => Box::new(source),
            };
            pairs.push(Pair::new(source, follower));
        }
        let display =
            Display::open(&self.display, &robot.name, &pairs, Arc::clone(&cameras), report)?;
        // A rate that cannot be held leaves no dataset behind.
        let rate = Rate { fps: control, rows: Some(self.fps), flag: "--interpolation_multiplier" };
        rehearsed(&mut pairs, rate, &self.looped, &flag, report)?;
        let by = self.strategy.by(self.fps, leader.is_some().then_some(baton), report);
        let by = By { uploads, ..by };
        let recorder =
            root.map(|root| self.dataset.recorder(&robot, &specs, &root, every, by, report));
        let recorder = recorder.transpose()?;
        configure(&mut pairs)?;
        #[cfg(feature = "sim")]
        let _hand = leader.as_ref().map(Robot::moved_by_script).transpose()?;
        let begin = where_they_are(&mut pairs)?;
        let policy = thinker.name();
        let plan = Plan {
            sequel: self.inference.sequel(self.fps),
            cameras: specs.iter().map(|(name, _)| cameras::feature_of(name)).collect(),
            home: (self.strategy.strategy != Strategy::Dagger).then(|| begin.concat()),
        };
        let driver = Driver::new(thinker, plan, feeders);
        let driver = driver.ok_or_else(|| Failure::new(Exit::Failed, "no memory for figures"))?;
        let drives = if self.interactive { "is ready to drive" } else { "drives" };
        report.note(format!(
            "{policy} {drives} {} at {} Hz, {control} Hz at the motors; Ctrl-C ends it ({} afterwards)",
            robot.name, self.fps, robot.options.stop
        ));
        let beside = Beside { report, cameras: &cameras, recorder, display };
        self.drive(&mut pairs, driver, every, beside, begin, &policy)
    }

    /// Where episodes are recorded, if they are.
    fn folder(&self) -> Result<Option<PathBuf>, Failure> {
        match (self.strategy.strategy, self.dataset.any()) {
            (Strategy::Base, false) => Ok(None),
            (Strategy::Base, true) => Err(Failure::usage(
                "--strategy.type=base records nothing, and a dataset is named",
                "--strategy.type=episodic records episodes; sentry records all, highlight what you \
                 ask for, dagger what you correct",
            )),
            (_, false) => Err(Failure::usage(
                "into which dataset are the episodes to go?",
                "--dataset.repo_id=me/eval_pick",
            )),
            (_, true) if f64::from(self.dataset.dataset_fps) != self.fps => Err(Failure::usage(
                format!(
                    "the policy acts {} times a second, and the dataset is to hold {} rows",
                    self.fps, self.dataset.dataset_fps
                ),
                "give --fps and --dataset.fps the same number",
            )),
            (_, true) => self.dataset.folder().map(Some),
        }
    }

    /// Who corrects the policy, if somebody is to.
    fn leader(&self, robot: &Robot) -> Result<Option<Robot>, Failure> {
        let flags = &self.teleop;
        let named = flags.teleop.is_some() || flags.teleop_type.is_some();
        match (self.strategy.strategy == Strategy::Dagger, named) {
            (false, false) => return Ok(None),
            (false, true) => {
                return Err(Failure::usage(
                    "a leader is named, and nobody corrects the policy",
                    "--strategy.type=dagger lets you take over with it",
                ));
            }
            (true, false) => {
                return Err(Failure::usage(
                    "with what is the policy corrected?",
                    "name a leader arm: --teleop black",
                ));
            }
            (true, true) => {}
        }
        let leader = Robot::choose_leader(flags, Some(robot))?;
        as_many_arms(robot, &leader)?;
        Ok(Some(leader))
    }

    fn drive(
        &self,
        pairs: &mut [Pair],
        mut driver: Driver,
        every: u64,
        beside: Beside<'_>,
        begin: Vec<Vec<f64>>,
        policy: &str,
    ) -> Result<Exit, Failure> {
        let Beside { report, cameras, recorder, mut display } = beside;
        let values = begin.iter().map(Vec::len).sum();
        let (mut tap, mut slips) = tap(values, cameras, every, Stored::Sent);
        let over = AtomicBool::new(false);
        let shared = recorder
            .as_ref()
            .map(|recorder| (Arc::clone(&recorder.resting), Arc::clone(&recorder.takes)));
        let (resting, takes) = shared.unwrap_or_default();
        let fps = self.fps * every as f64;
        let duration = (self.duration > 0.0).then(|| span(self.duration));
        let console = self.interactive.then(|| Console::listen(duration, report)).transpose()?;
        let wish = console.is_some().then(Wish::new);
        let wish = wish.as_ref();
        let pace = Pace { fps, duration: None };
        let duration = duration.filter(|_| wish.is_none());
        // It counts from when the arm is where the policy wants it.
        let mut begun = None;
        let stats = figures(&Clock::Real)?;
        let mut driven = Ok(());
        let mut kept = std::thread::scope(|scope| {
            let (driver, over) = (&mut driver, &over);
            let wanted = move || {
                let rest = match (wish, resting.load(Ordering::Acquire)) {
                    (Some(wish), _) => wish.rest(),
                    (None, true) => Rest::Home,
                    (None, false) => Rest::No,
                };
                (rest, takes.load(Ordering::Acquire))
            };
            let think = move || {
                give_way();
                let driven = driver.drive(&mut slips, over, wanted);
                over.store(true, Ordering::Release);
                driven
            };
            let thread = std::thread::Builder::new().name("policy".into());
            let thread = thread.spawn_scoped(scope, think).map_err(no_thread)?;
            let thinker = thread.thread().clone();
            if let Some((console, wish)) = console.zip(wish) {
                let obey = move || console.obey(wish, over, report);
                let thread = std::thread::Builder::new().name("wishes".into());
                thread.spawn_scoped(scope, obey).map_err(|error| {
                    // The policy's thread is waited for, and waits for this.
                    over.store(true, Ordering::Release);
                    Failure::new(Exit::Failed, format!("cannot obey the console: {error}"))
                })?;
            }
            let each = |tick: Tick, pairs: &[Pair], stats: &Stats| {
                tap.take(tick, pairs, &stats.last, &thinker);
                display.show(pairs, stats);
                if begun.is_none() && pairs.iter().all(|pair| pair.is_there(tick.began)) {
                    begun = Some(tick.began);
                }
                let driven = begun.map_or(0, |begun| tick.began - begun);
                let ends = wish.is_some_and(Wish::is_over)
                    || duration.is_some_and(|duration| driven >= duration);
                match over.load(Ordering::Acquire) || ends {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let then = |pairs: &mut [Pair], mut ran: Lap| {
                let fails = over.swap(true, Ordering::AcqRel);
                if self.go_back && ran.error.is_none() && !fails {
                    ran = go_back(pairs, begin, ran, fps, report);
                }
                let outcome = end(pairs, ran);
                driven = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                outcome
            };
            let scene = Scene { cameras, ..Scene::new(report, self.looped.stats) };
            match recorder {
                Some(recorder) => recorder.run(pairs, pace, stats, scene, each, then),
                None => {
                    let ran = match wish {
                        // Where somebody types, nothing is drawn.
                        Some(_) => lap(pairs, &Clock::Real, pace, stats, each),
                        None => watch(pairs, pace, stats, scene, each),
                    };
                    Ok(Kept { outcome: then(pairs, ran), extra: json!({}), saved: Ok(()) })
                }
            }
        })?;
        let thought = driver.thought();
        let ms = |share| thought.took.quantile(share) as f64 / 1e3;
        if let Value::Object(extra) = &mut kept.extra {
            extra.insert("policy".into(), json!(policy));
            extra.insert("chunks".into(), thought.chunks.into());
            extra.insert("unanswered".into(), thought.unanswered.into());
            extra.insert("inference_ms".into(), thought.took.json_ms());
            extra.insert("starved_ticks".into(), driver.starved().into());
            extra.insert("display".into(), display.end(report));
        }
        report.say(format!(
            "{} chunks, {:.0} ms each (p50), {:.0} at most; {} ticks without one to go on with",
            thought.chunks,
            ms(0.5),
            ms(1.0),
            driver.starved()
        ));
        let ended = finish(report, kept.outcome, self.looped.stats, kept.extra);
        driven?;
        kept.saved?;
        ended
    }
}

/// Where each arm is now.
fn where_they_are(pairs: &mut [Pair]) -> Result<Vec<Vec<f64>>, Failure> {
    pairs.iter_mut().map(|pair| Ok(pair.follower.observe()?.values.clone())).collect()
}

/// Brings the arms back to where they began.
fn go_back(pairs: &mut [Pair], begin: Vec<Vec<f64>>, ran: Lap, fps: f64, report: &Report) -> Lap {
    for (pair, place) in pairs.iter_mut().zip(begin) {
        let width = place.len();
        if let Some(place) = Played::new(place, width, 1.0) {
            pair.drive(Box::new(place));
        }
    }
    report.note("going back to where it was");
    let pace = Pace { fps, duration: Some(10 * SECOND) };
    let scene = Scene::new(report, false);
    let lap = watch(pairs, pace, ran.stats, scene, |tick, pairs, _| {
        match pairs.iter().all(|pair| pair.is_there(tick.began)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    Lap { granted: ran.granted, ..lap }
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot start the policy's thread: {error}"))
}
