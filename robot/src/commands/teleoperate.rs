//! `sinew teleoperate`

use std::ops::ControlFlow;

use clap::Args;
use serde_json::{Value, json};
use sinew_drivers::arm::{Arm, ArmOptions};
use sinew_drivers::clock::SECOND;
use sinew_drivers::stop::{StopFlag, StopServer};
use sinew_drivers::{Clock, Nanos};

use super::stop::stopped;
use crate::cli::failure::{self, Exit, Failure};
use crate::cli::flags::{DisplayFlags, RobotFlags, TeleopFlags};
use crate::cli::report::{Report, Tone};
use crate::robot::Robot;
use crate::robot_file::{self, Kept};
use crate::run::stats::Stats;
use crate::run::teleoperate::{Outcome, Pace, Pair, run};
use crate::view::display::Display;
use crate::view::table::Picture;

/// A leader drives a follower
///
/// Example: sinew teleoperate --robot.type=so101_follower --robot.port=/dev/ttyACM0
/// --robot.id=white --teleop.type=so101_leader --teleop.port=/dev/ttyACM1 --teleop.id=black
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
    /// The loop's figures at the end, stage by stage
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    robot: RobotFlags,
    #[command(flatten)]
    teleop: TeleopFlags,
    #[command(flatten)]
    display: DisplayFlags,
}

/// A rate that a loop can be run at.
pub fn rate(text: &str) -> Result<f64, String> {
    let fits = |rate: &f64| (0.1..=2000.0).contains(rate);
    text.parse().ok().filter(fits).ok_or_else(|| "a rate is a number from 0.1 to 2000".into())
}

/// A span of time from the command line.
pub fn seconds(text: &str) -> Result<f64, String> {
    let fits = |span: &f64| (0.0..=1e9).contains(span);
    text.parse().ok().filter(fits).ok_or_else(|| "seconds are a number from 0 up".into())
}

/// Seconds as a span.
pub fn span(seconds: f64) -> Nanos {
    (seconds * SECOND as f64) as Nanos
}

impl Teleoperate {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let robot = Robot::choose(&self.robot)?;
        let leader = Robot::choose_leader(&self.teleop, Some(&robot))?;
        let flag = listen()?;
        let _server = StopServer::start(&robot.name, flag.clone())?;
        let mut pairs = connect(&robot, &leader, &flag, report)?;
        // Before there is torque: a robot whose program is killed must be found by its name.
        for device in [&robot, &leader] {
            remember(device, report);
        }
        // A viewer may take its time to start: before there is torque.
        let mut display = Display::open(&self.display, &robot.name, &pairs, report)?;
        for pair in &mut pairs {
            pair.leader.arm_mut().configure()?;
            pair.follower.configure()?;
        }
        let pace = Pace { fps: self.fps, duration: self.teleop_time_s.map(span) };
        report.note(format!(
            "{} follows {} at {} Hz; Ctrl-C ends it ({} afterwards)",
            robot.name, leader.name, self.fps, robot.options.stop
        ));
        let outcome = watch(&mut pairs, pace, report, |pairs, stats| display.show(pairs, stats))?;
        let extra = json!({ "display": display.end(report) });
        finish(report, outcome, self.stats, extra)
    }
}

/// A flag that Ctrl-C, SIGTERM, SIGHUP and panics raise.
pub fn listen() -> Result<StopFlag, Failure> {
    let flag = StopFlag::new();
    flag.listen_to_signals().map_err(|error| {
        Failure::new(Exit::Failed, format!("signals cannot be watched, so nothing starts: {error}"))
    })?;
    flag.listen_to_panics();
    Ok(flag)
}

/// Sees to it that the name of a device that answered means it. That it cannot is no reason not to
/// move it.
pub fn remember(device: &Robot, report: &Report) {
    let (side, name) = (device.side, &device.name);
    match device.keep_name() {
        Ok(Kept::Same) => {}
        Ok(Kept::New) => report.note(format!("from now on: --{side} {name}")),
        Ok(Kept::Moved(ports)) => {
            report.note(format!(
                "{name} was on {}; its file is brought up to date",
                ports.join(", ")
            ));
        }
        Ok(Kept::Other(other)) => report.warn(format!(
            "--robot {name} means another arm, a {} on {} ({}), and still does: give this {} \
             another id, so that `sinew stop --robot` can find it",
            other.kind,
            other.port,
            robot_file::path_of(name).display(),
            device.kind
        )),
        Err(failure) => report.warn(format!("--robot {name} will not find it: {}", failure.what)),
    }
}

/// Finds the arms; nothing moves yet.
pub fn connect(
    robot: &Robot,
    leader: &Robot,
    flag: &StopFlag,
    report: &Report,
) -> Result<Vec<Pair>, Failure> {
    if robot.parts().len() != leader.parts().len() {
        return Err(Failure::usage(
            format!(
                "{} has {} arms and {} has {}",
                robot.name,
                robot.parts().len(),
                leader.name,
                leader.parts().len()
            ),
            "a pair leads a pair, one arm leads one arm",
        ));
    }
    let mut pairs = Vec::new();
    for (follows, leads) in robot.parts().iter().zip(leader.parts()) {
        for part in [follows, leads] {
            let file = part.calibration_path.display();
            report.detail(format!("{} on {}, calibration {file}", part.spec.title, part.port));
        }
        let with_flag =
            |options: &ArmOptions| ArmOptions { stop_flag: Some(flag.clone()), ..options.clone() };
        let leader_arm = Arm::connect(
            leads.spec.clone(),
            leads.open(Clock::Real)?,
            &leads.calibration()?,
            with_flag(&leader.options),
        )
        .map_err(|error| leads.explain(error))?;
        let follower = Arm::connect(
            follows.spec.clone(),
            follows.open(Clock::Real)?,
            &follows.calibration()?,
            with_flag(&robot.options),
        )
        .map_err(|error| follows.explain(error))?;
        for notice in leader_arm.notices().iter().chain(follower.notices()) {
            report.warn(notice.to_string());
        }
        let pair = Pair::new(leader_arm, follower).map_err(|unlike| {
            Failure::usage(unlike.to_string(), "use a leader of the same kind")
        })?;
        pairs.push(pair);
    }
    Ok(pairs)
}

/// Runs the loop with a picture of it where somebody looks. `each` hears of every tick, too.
pub fn watch(
    pairs: &mut [Pair],
    pace: Pace,
    report: &Report,
    mut each: impl FnMut(&[Pair], &Stats),
) -> Result<Outcome, Failure> {
    let clock = Clock::Real;
    let Some(stats) = Stats::new(clock.now()) else {
        return Err(Failure::new(Exit::Failed, "no memory for the loop's figures"));
    };
    if !report.drawing() {
        return Ok(run(pairs, &clock, pace, stats, |_, pairs, stats| {
            each(pairs, stats);
            ControlFlow::Continue(())
        }));
    }
    let picture = Picture::new(pairs);
    let over = std::sync::atomic::AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        let draw = || {
            let mut again = false;
            while !over.load(std::sync::atomic::Ordering::Acquire) {
                report.draw(&picture.text(again));
                again = true;
                clock.sleep(SECOND / 12);
            }
            report.draw(&picture.text(again));
        };
        let drawer = std::thread::Builder::new().name("view".to_owned()).spawn_scoped(scope, draw);
        let outcome = run(pairs, &clock, pace, stats, |_, pairs, stats| {
            picture.update(pairs, stats);
            each(pairs, stats);
            ControlFlow::Continue(())
        });
        over.store(true, std::sync::atomic::Ordering::Release);
        drop(drawer);
        outcome
    });
    Ok(outcome)
}

/// Says how a loop went, and how the arms were left.
pub fn finish(
    report: &Report,
    outcome: Outcome,
    stats: bool,
    extra: Value,
) -> Result<Exit, Failure> {
    let mut result = outcome.stats.json(&outcome.bus);
    if let (Value::Object(result), Value::Object(extra)) = (&mut result, extra) {
        result.insert("stopped".into(), stopped(&outcome.stopped));
        result.extend(extra);
    }
    let summary = format!(
        "{} ticks at {:.1} Hz, {} late; bus: {} requests, {} retries, {} answers lost",
        outcome.stats.ticks,
        outcome.stats.rate(),
        outcome.stats.late_ticks,
        outcome.bus.requests,
        outcome.bus.retries,
        outcome.bus.lost
    );
    report.say(summary);
    if stats {
        for (name, spans) in [
            ("wake", &outcome.stats.wake),
            ("bus", &outcome.stats.bus),
            ("work", &outcome.stats.work),
            ("tick", &outcome.stats.tick),
        ] {
            let q = |share| spans.quantile(share);
            report.say(format!(
                "  {name:<5} p50 {:>6} µs · p99 {:>6} µs · p99.9 {:>6} µs",
                q(0.5),
                q(0.99),
                q(0.999)
            ));
        }
    }
    report.result(result);
    let unsafe_motors: Vec<_> = outcome
        .stopped
        .iter()
        .flat_map(|one| &one.motors)
        .filter(|motor| !motor.ok)
        .map(|motor| format!("{} (id {})", motor.name, motor.id))
        .collect();
    if !unsafe_motors.is_empty() {
        return Err(Failure::advise(
            Exit::Hardware,
            format!("not confirmed stopped: {}", unsafe_motors.join(", ")),
            "switch the arm's power off, support the arm, and check these motors' cables",
        ));
    }
    if let Some(one) = outcome.stopped.first() {
        let line =
            format!("arm left safe: {} ({}), confirmed by every motor", one.policy, one.cause);
        report.say(report.tone(Tone::Good, &line));
    }
    match outcome.error {
        None => Ok(Exit::Done),
        Some(sinew_drivers::Error::Stopped { cause }) => Ok(failure::stopped(cause)),
        Some(error) => Err(error.into()),
    }
}
