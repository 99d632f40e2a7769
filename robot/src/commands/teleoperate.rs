//! `sinew teleoperate`

use std::ops::ControlFlow;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use sinew_drivers::Clock;
use sinew_teleop::keys::{Chosen, Key};

use super::driving::{LoopFlags, figures, finish, listen, rate, ready, remember, seconds, span};
use super::hands::{Leads, listen as listen_to};
use super::watching::{Scene, watch};
use crate::cameras;
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{DisplayFlags, RemoteFlags, RobotFlags, TeleopFlags};
use crate::cli::report::Report;
use crate::robot::Robot;
use crate::run::control::{Pace, end};
use crate::run::rehearsal::Rate;
use crate::view::display::Display;

/// A leader, or keys, drive a follower
///
/// Example: sinew teleoperate --robot.type=so101_follower --robot.port=/dev/ttyACM0
/// --robot.id=white --teleop.type=so101_leader --teleop.port=/dev/ttyACM1 --teleop.id=black
///
/// Or with keys: sinew teleoperate --robot white --teleop.type=keyboard_ee
///
/// keyboard_ee moves the tip of an SO-100, SO-101 or LeKiwi in straight lines: w s forward and back, a d
/// left and right, e x up and down, i k tilt, j l roll, o u gripper, + - speed, q ends. keyboard moves
/// each joint of any arm, or drives a LeKiwi with LeRobot's keys. Letting go stops the arm, and so does
/// a terminal that is lost. gamepad moves the tip with sticks.
///
/// Or with a phone: sinew teleoperate --robot white --teleop.type=phone
///
/// It shows the address of a page, as a code to be scanned. While the button there is held, the tip goes and
/// turns as the phone does, or as its pads say; where its upper end points at the first press is ahead. Letting
/// go holds the arm, and so does a page that is closed or not heard of for 0.3 s.
///
/// Ctrl-C ends it and leaves the arm as --robot.stop says. --display shows it in Rerun, which never
/// slows the loop: what the viewer is too slow for is left out, and counted.
#[derive(Debug, Args)]
pub struct Teleoperate {
    /// Ticks per second
    #[arg(long, default_value_t = 60.0, value_name = "HZ", value_parser = rate)]
    fps: f64,
    /// Seconds to run; without it, until Ctrl-C
    #[arg(long = "teleop_time_s", value_name = "S", value_parser = seconds)]
    teleop_time_s: Option<f64>,
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

impl Teleoperate {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let robot = Robot::find(&self.robot, &self.remote)?;
        let leads = Leads::choose(&self.teleop, &robot)?;
        let flag = listen()?;
        let _server = robot.listen_to_stop(&flag)?;
        let (mut pairs, held) = leads.connect(&robot, false, &flag, report)?;
        // Before there is torque: a robot whose program is killed must be found by its name.
        for device in std::iter::once(&robot).chain(leads.arms()) {
            remember(device, report);
        }
        // A viewer may take its time to start: before there is torque.
        let cameras = match self.display.is_wanted() {
            true => cameras::start(&cameras::chosen(&self.cameras, &robot)?, &robot, report)?,
            false => Arc::default(),
        };
        if self.cameras.any() && !self.display.is_wanted() {
            report.note("nobody looks at the cameras: --display shows what they see");
        }
        let display =
            Display::open(&self.display, &robot.name, &pairs, Arc::clone(&cameras), report);
        let mut display = display?;
        let keys = held.map(|held| listen_to(Some(held), Chosen::new(), report)).transpose()?;
        ready(&mut pairs, Rate::plain(self.fps), &self.looped, &flag, report)?;
        let pace = Pace { fps: self.fps, duration: self.teleop_time_s.map(span) };
        report.note(format!(
            "{} follows {} at {} Hz; Ctrl-C ends it ({} afterwards)",
            robot.name,
            leads.name(),
            self.fps,
            robot.options.stop
        ));
        let stats = figures(&Clock::Real)?;
        let scene = Scene { cameras: &cameras, ..Scene::new(report, self.looped.stats) };
        let ran = watch(&mut pairs, pace, stats, scene, |_, pairs, stats| {
            display.show(pairs, stats);
            match keys.as_ref().and_then(|listening| listening.keys.pressed()) {
                Some(Key::Quit) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        let outcome = end(&mut pairs, ran);
        let extra = json!({ "display": display.end(report) });
        finish(report, outcome, self.looped.stats, extra)
    }
}
