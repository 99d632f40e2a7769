//! `sinew record`

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::Value;
use sinew_drivers::Clock;

use super::driving::{
    LoopFlags, configure, figures, finish, listen, rate, rehearsed, remember, ticks_per_row,
};
use super::hands::Leads;
use super::recording::{By, DatasetFlags};
use super::watching::Scene;
use crate::cameras;
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{DisplayFlags, RemoteFlags, RobotFlags, TeleopFlags};
use crate::cli::report::Report;
use crate::robot::Robot;
use crate::run::control::{Pace, end};
use crate::run::rehearsal::Rate;
use crate::view::display::Display;

/// Record episodes to a LeRobot dataset
///
/// Example: sinew record --robot white --teleop black --camera front=/dev/video0
/// --task "pick the cube" --dataset me/pick --dataset.num_episodes=5
///
/// → or n ends an episode, or the time to put things back; ← or r takes the episode again; Esc or q
/// stops, and what is recorded is kept. Ctrl-C also stops, after the arm was made safe. With
/// --teleop.type=keyboard_ee or keyboard the other keys move the arm, as `sinew teleoperate --help` says.
#[derive(Debug, Args)]
pub struct Record {
    /// Ticks per second of the arm's control, a multiple of the dataset's rate; by default the
    /// greatest up to 60
    #[arg(long, value_name = "HZ", value_parser = rate)]
    fps: Option<f64>,
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
    /// Refused: LeRobot once recorded with a policy like this.
    #[arg(long = "policy.path", alias = "policy", hide = true)]
    policy: Option<String>,
}

impl Record {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        self.record(true, report, |leads, _| {
            #[cfg(feature = "sim")]
            let hand = leads.arms().map(Robot::moved_by_script).transpose()?;
            #[cfg(not(feature = "sim"))]
            let hand = leads.arms().is_some();
            Ok(hand)
        })
    }

    /// The same, with a hand that sees whether things are to be put back. The devices' names are not
    /// kept: they are gone with the hand.
    #[cfg(feature = "sim")]
    pub fn with_hand<H>(
        self,
        report: &Report,
        hand: impl FnOnce(&Arc<AtomicBool>) -> Result<H, Failure>,
    ) -> Result<Exit, Failure> {
        self.record(false, report, |_, resting| hand(resting))
    }

    fn record<H>(
        self,
        lasting: bool,
        report: &Report,
        hand: impl FnOnce(&Leads, &Arc<AtomicBool>) -> Result<H, Failure>,
    ) -> Result<Exit, Failure> {
        if let Some(policy) = &self.policy {
            return Err(Failure::usage(
                "a leader drives what is recorded here, not a policy",
                format!("sinew rollout --policy.path={policy} --strategy.type=episodic …"),
            ));
        }
        if self.dataset.task.is_none() {
            return Err(Failure::usage(
                "what is being done?",
                "say it in words: --task \"pick the cube\"",
            ));
        }
        let every = self.every()?;
        let robot = Robot::find(&self.robot, &self.remote)?;
        let specs = cameras::chosen(&self.cameras, &robot)?;
        let leads = Leads::choose(&self.teleop, &robot)?;
        let root = self.dataset.folder()?;
        if self.dataset.is_a_policys() {
            return Err(Failure::usage(
                format!("{}: names that begin with eval_ are a policy's", root.display()),
                "choose another name; a policy drives with: sinew rollout",
            ));
        }
        let flag = listen()?;
        let _server = robot.listen_to_stop(&flag)?;
        let uploads = self.dataset.uploads(&root, &flag, report)?;
        let (mut pairs, held) = leads.connect(&robot, true, &flag, report)?;
        let cameras = cameras::start(&specs, &robot, report)?;
        // A viewer may take its time to start: before there is torque.
        let mut display =
            Display::open(&self.display, &robot.name, &pairs, Arc::clone(&cameras), report)?;
        let by = By { held, uploads, ..By::default() };
        let rows = f64::from(self.dataset.dataset_fps);
        let fps = rows * every as f64;
        // A rate that cannot be held leaves no dataset behind.
        let rate = Rate { fps, rows: Some(rows), flag: "--fps" };
        rehearsed(&mut pairs, rate, &self.looped, &flag, report)?;
        let recorder = self.dataset.recorder(&robot, &specs, &root, every, by, report)?;
        for device in std::iter::once(&robot).chain(leads.arms()).filter(|_| lasting) {
            remember(device, report);
        }
        configure(&mut pairs)?;
        let _hand = hand(&leads, &recorder.resting)?;
        let pace = Pace { fps, duration: None };
        let stats = figures(&Clock::Real)?;
        let each = |_, pairs: &_, stats: &_| {
            display.show(pairs, stats);
            ControlFlow::Continue(())
        };
        let scene = Scene { cameras: &cameras, ..Scene::new(report, self.looped.stats) };
        let mut kept = recorder.run(&mut pairs, pace, stats, scene, each, end)?;
        if let Value::Object(extra) = &mut kept.extra {
            extra.insert("display".into(), display.end(report));
        }
        let ended = finish(report, kept.outcome, self.looped.stats, kept.extra);
        kept.saved?;
        ended
    }

    /// How many ticks there are for each row.
    fn every(&self) -> Result<u64, Failure> {
        let fps = f64::from(self.dataset.dataset_fps);
        let Some(control) = self.fps else {
            return Ok(ticks_per_row(fps));
        };
        let every = (control / fps).round();
        if every < 1.0 || (every * fps - control).abs() > 1e-6 {
            return Err(Failure::usage(
                format!(
                    "--fps={control} is no multiple of --dataset.fps={}",
                    self.dataset.dataset_fps
                ),
                format!("for instance --fps={}", self.dataset.dataset_fps * 2),
            ));
        }
        Ok(every as u64)
    }
}
