//! What every command that drives an arm does: finding the arms, a dry run, and the last words.

use clap::Args;
use serde_json::{Value, json};
use sinew_core::limits::ALL_LIMITS;
use sinew_drivers::arm::{Arm, ArmOptions, Follower};
use sinew_drivers::clock::SECOND;
use sinew_drivers::stop::{Cause, StopFlag};
use sinew_drivers::{Clock, Nanos};
use sinew_teleop::LeaderError;
use sinew_teleop::workspace::Workspace;

use super::hands::space;
use super::stop::{stopped, unconfirmed};
use crate::cli::failure::{self, Exit, Failure};
use crate::cli::report::{Report, Tone};
use crate::part::Part;
use crate::robot::Robot;
use crate::robot_file::{self, Kept};
use crate::run::control::{Outcome, Pair};
use crate::run::rehearsal::{Rate, Verdict, judge};
use crate::run::stats::Stats;

/// How the loop is run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Loop")]
pub struct LoopFlags {
    /// The loop's figures stage by stage, while it runs and at the end
    #[arg(long)]
    pub stats: bool,
    /// Seconds in which the arm is only read, before there is torque, to see whether it holds the
    /// rate; 0 leaves that out
    #[arg(long = "dry_run_s", value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    pub dry_run_s: f64,
    /// The box that the tip of an SO-100, SO-101 or LeKiwi stays in, in metres ahead, left and up of its
    /// base, whoever drives it: '{min: [x, y, z], max: [x, y, z]}'; parking
    /// knows no box
    #[arg(long = "robot.end_effector_bounds", value_name = "BOX")]
    pub bounds: Option<String>,
}

/// A rate that a loop can be run at.
pub fn rate(text: &str) -> Result<f64, String> {
    let fits = |rate: &f64| (0.1..=2000.0).contains(rate);
    text.parse().ok().filter(fits).ok_or_else(|| "a rate is a number from 0.1 to 2000".into())
}

/// How many ticks there are for each row at a rate, where nobody says: as many as 60 Hz allow.
pub fn ticks_per_row(rows_hz: f64) -> u64 {
    (60.0 / rows_hz).max(1.0) as u64
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

/// Finds the arms of a device; nothing moves yet.
pub fn arms(device: &Robot, flag: &StopFlag, report: &Report) -> Result<Vec<Arm>, Failure> {
    let one = |part: &Part| {
        let file = part.calibration_path.display();
        report.detail(format!("{} on {}, calibration {file}", part.spec.title, part.port));
        let options = ArmOptions { stop_flag: Some(flag.clone()), ..device.options.clone() };
        let (bus, calibration) = (part.open(Clock::Real)?, part.calibration()?);
        let arm = Arm::connect(part.spec.clone(), bus, &calibration, options)
            .map_err(|error| part.explain(error))?;
        for notice in arm.notices() {
            report.warn(notice.to_string());
        }
        Ok(arm)
    };
    device.parts().iter().map(one).collect()
}

/// Finds the arms of a robot that something drives; nothing moves yet.
pub fn followers(
    robot: &Robot,
    flag: &StopFlag,
    report: &Report,
) -> Result<Vec<Box<dyn Follower>>, Failure> {
    if let Some(kiwi) = robot.kiwi() {
        report.detail(format!("{} at {}", robot.name, kiwi.address()));
        return kiwi.arms(flag);
    }
    #[cfg(feature = "zenoh")]
    if let Some(remote) = robot.remote() {
        report.detail(format!("{} at {}", robot.name, remote.address()));
        return remote.arms(flag);
    }
    let boxed = |arm| -> Box<dyn Follower> { Box::new(arm) };
    Ok(arms(robot, flag, report)?.into_iter().map(boxed).collect())
}

/// Finds a robot's and a leader's arms; nothing moves yet.
pub fn connect(
    robot: &Robot,
    leader: &Robot,
    flag: &StopFlag,
    report: &Report,
) -> Result<Vec<Pair>, Failure> {
    as_many_arms(robot, leader)?;
    let (leaders, followers) = (arms(leader, flag, report)?, followers(robot, flag, report)?);
    let pair = |(leader, follower)| Pair::led(leader, follower).map_err(unlike);
    leaders.into_iter().zip(followers).map(pair).collect()
}

/// A leader has an arm for each of the robot's.
pub fn as_many_arms(robot: &Robot, leader: &Robot) -> Result<(), Failure> {
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
    Ok(())
}

/// Says that a leader cannot lead this arm.
pub fn unlike(error: LeaderError) -> Failure {
    Failure::usage(error.to_string(), "use a leader of the same kind")
}

/// Makes the arms ready; they are under torque from now on. Before that it is seen whether they hold
/// the rate.
pub fn ready(
    pairs: &mut [Pair],
    rate: Rate,
    flags: &LoopFlags,
    flag: &StopFlag,
    report: &Report,
) -> Result<(), Failure> {
    rehearsed(pairs, rate, flags, flag, report)?;
    configure(pairs)
}

/// Makes the arms ready; they are under torque from now on.
pub fn configure(pairs: &mut [Pair]) -> Result<(), Failure> {
    Ok(pairs.iter_mut().try_for_each(Pair::configure)?)
}

/// Sees whether the arms hold the rate, and keeps them in their space; nothing moves.
pub fn rehearsed(
    pairs: &mut [Pair],
    rate: Rate,
    flags: &LoopFlags,
    flag: &StopFlag,
    report: &Report,
) -> Result<(), Failure> {
    let (clock, fps) = (Clock::Real, rate.fps);
    stay_inside(pairs, flags)?;
    if flags.dry_run_s > 0.0 {
        pairs.iter_mut().try_for_each(Pair::prepare)?;
        let verdict = judge(pairs, &clock, fps, span(flags.dry_run_s), flag, figures(&clock)?)?;
        match verdict {
            Verdict::Holds => {}
            Verdict::Stumbles(late) => report.warn(format!(
                "{:.0} % of the ticks are late at {fps} Hz: this machine is busy",
                late * 100.0
            )),
            Verdict::TooFast(slow) => {
                return Err(Failure::usage(
                    format!(
                        "{fps} Hz cannot be held: {} takes {:.1} ms, and a tick has {:.1}",
                        slow.stage, slow.takes_ms, slow.has_ms
                    ),
                    rate.remedy(slow.holds),
                ));
            }
        }
    }
    Ok(())
}

/// Keeps every follower's tip in the box that was asked for.
fn stay_inside(pairs: &mut [Pair], flags: &LoopFlags) -> Result<(), Failure> {
    let flag = "--robot.end_effector_bounds";
    let Some(text) = &flags.bounds else { return Ok(()) };
    let space = space(flag, text)?;
    for pair in pairs {
        let workspace = Workspace::new(&*pair.follower, space).map_err(|error| {
            let without = "without --robot.end_effector_bounds, its joints' limits alone hold it";
            Failure::usage(error.to_string(), without)
        })?;
        let values = &pair.follower.observe()?.values;
        let outside = workspace.outside(values);
        if outside > 0.0 {
            let [x, y, z] = workspace.tip(values);
            return Err(Failure::advise(
                Exit::Hardware,
                format!(
                    "the tip is at [{x:.3}, {y:.3}, {z:.3}], {:.1} cm outside {flag}",
                    outside * 100.0
                ),
                "move the arm inside by hand, or make the box wider; nothing has moved",
            ));
        }
        pair.stay_in(workspace);
    }
    Ok(())
}

/// A loop's figures, none counted yet.
pub fn figures(clock: &Clock) -> Result<Stats, Failure> {
    let no_memory = || Failure::new(Exit::Failed, "no memory for the loop's figures");
    Stats::new(clock.now()).ok_or_else(no_memory)
}

/// Says how a loop went, and how the arms were left.
pub fn finish(
    report: &Report,
    outcome: Outcome,
    stats: bool,
    extra: Value,
) -> Result<Exit, Failure> {
    let mut result = outcome.lap.stats.json(&outcome.bus, &outcome.arms);
    if let (Value::Object(result), Value::Object(extra)) = (&mut result, extra) {
        result.insert("stopped".into(), stopped(&outcome.stopped));
        result.insert("realtime".into(), outcome.lap.granted.json());
        if let Some(held) = outcome.held {
            result.insert("workspace".into(), json!({"held_ticks": held}));
        }
        result.extend(extra);
    }
    let summary = format!(
        "{} ticks at {:.1} Hz, {} late; bus: {} requests, {} retries, {} answers lost",
        outcome.lap.stats.ticks,
        outcome.lap.stats.rate(),
        outcome.lap.stats.late_ticks,
        outcome.bus.requests,
        outcome.bus.retries,
        outcome.bus.lost
    );
    report.say(summary);
    if let Some(held) = outcome.held.filter(|held| *held > 0) {
        report.warn(format!(
            "in {held} ticks the arm was held, because its tip would have left \
             --robot.end_effector_bounds"
        ));
    }
    if outcome.arms.torque_lost > 0 {
        report.warn(format!(
            "motors were found without torque {} times, and given it again: is the supply strong \
             enough?",
            outcome.arms.torque_lost
        ));
    }
    for oddity in &outcome.oddities {
        report.warn(oddity);
    }
    let limited = ALL_LIMITS.iter().map(|limit| (limit.name(), outcome.arms.limited(*limit)));
    // A few, as at the very end of a range, are no news.
    let limited = limited.filter(|(_, goals)| *goals > 10.max(outcome.lap.stats.ticks / 50));
    let limited: Vec<_> = limited.map(|(name, goals)| format!("{name} {goals}")).collect();
    if !limited.is_empty() {
        report.say(format!("goals that a limit held back: {}", limited.join(", ")));
    }
    let recorded = outcome.lap.stats.recorded;
    if recorded.missed_rows > 0 {
        report.warn(format!(
            "{} rows were missed while the loop stood still; they repeat the row before",
            recorded.missed_rows
        ));
    }
    if recorded.repeated_frames > recorded.frames / 50 {
        report.warn(format!(
            "in {} of {} rows a camera or a joint had nothing new: is a camera slower than the dataset, or \
             a cable loose?",
            recorded.repeated_frames, recorded.frames
        ));
    }
    if let Some(refused) = outcome.lap.granted.refused() {
        report.detail(refused);
    }
    if stats {
        for (name, spans) in [
            ("wake", &outcome.lap.stats.wake),
            ("bus", &outcome.lap.stats.bus),
            ("work", &outcome.lap.stats.work),
            ("tick", &outcome.lap.stats.tick),
        ] {
            let q = |share| spans.quantile(share);
            report.say(format!(
                "  {name:<5} p50 {:>6} µs · p99 {:>6} µs · p99.9 {:>6} µs",
                q(0.5),
                q(0.99),
                q(0.999)
            ));
        }
        let (missed, late, lost) =
            (outcome.arms.board_missed, outcome.arms.board_late, outcome.arms.board_lost);
        if missed + late + lost > 0 {
            report.say(format!(
                "  board {missed} answers missed · {late} cycles late · {lost} times no room for bytes"
            ));
        }
    }
    for words in &outcome.words {
        report.warn(words);
    }
    report.result(result);
    let unsafe_motors = unconfirmed(&outcome.stopped);
    if !unsafe_motors.is_empty() {
        let why = outcome.lap.error.map(|error| format!("{error}; ")).unwrap_or_default();
        let remedy = match outcome.words.is_empty() {
            true => "switch the arm's power off, support the arm, and check these motors' cables",
            false => {
                "its own machine stops it as soon as nobody drives it: see there how it stands, or ask: \
                 sinew stop --robot zenoh://…"
            }
        };
        return Err(Failure::advise(
            Exit::Hardware,
            format!("{why}not confirmed stopped: {}", unsafe_motors.join(", ")),
            remedy,
        ));
    }
    if let Some(one) = outcome.stopped.first() {
        let line = match one.motors.is_empty() {
            // One that is somebody else's by now is not asked how it stands.
            true => format!("arm left to whoever drives it now ({})", one.cause),
            false => {
                let line = format!(
                    "arm left safe: {} ({}), confirmed by every motor",
                    one.policy, one.cause
                );
                report.tone(Tone::Good, &line)
            }
        };
        report.say(line);
    }
    match outcome.lap.error {
        None => Ok(Exit::Done),
        Some(error @ sinew_drivers::Error::Stopped { cause }) => match failure::stopped(cause) {
            // Nobody asked for it, so that it needs a word.
            Exit::Hardware | Exit::Failed => {
                let mut failure = Failure::from(error);
                if cause == Cause::DeadMan && !outcome.silent.is_empty() {
                    let silent = outcome.silent.join(", ");
                    failure.what = format!("{}: nothing was heard of {silent}", failure.what);
                }
                Err(failure)
            }
            exit => Ok(exit),
        },
        Some(error) => Err(error.into()),
    }
}
