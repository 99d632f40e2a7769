//! `sinew stop`

use clap::Args;
use serde_json::json;
use sinew_drivers::Clock;
use sinew_drivers::arm::{Arm, ArmOptions};
use sinew_drivers::stop::{self, Asked, StopPolicy, StopReport};

use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::RobotFlags;
#[cfg(feature = "zenoh")]
use crate::cli::network::{ConnectFlags, named};
use crate::cli::report::{Report, Tone};
#[cfg(feature = "zenoh")]
use crate::remote;
use crate::robot::Robot;

/// Stop a robot from any terminal, whatever its own program does
///
/// Example: sinew stop --robot white
///
/// Asks the program that runs the robot. If there is none (it was killed, say), takes the bus and
/// stops every motor itself. A robot that another machine hosts (zenoh://NAME@HOST:PORT) is stopped by its
/// host, whoever drives it.
#[derive(Debug, Args)]
pub struct Stop {
    /// Take the torque off, whatever the robot's own way to stop is; a raised arm falls
    #[arg(long)]
    limp: bool,
    #[command(flatten)]
    robot: RobotFlags,
    #[cfg(feature = "zenoh")]
    #[command(flatten)]
    network: ConnectFlags,
}

impl Stop {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let policy = self.limp.then_some(StopPolicy::Limp);
        #[cfg(feature = "zenoh")]
        if let Some((name, at)) = self.robot.robot.as_deref().and_then(named) {
            return tell(report, "its host", &remote::stop(&self.network, name, at, self.limp)?);
        }
        let robot = match Robot::choose(&self.robot) {
            Ok(robot) => robot,
            Err(failure) => return self.stop_by_name(report, policy, failure),
        };
        if let Asked::Stopped(reports) = stop::ask(&robot.name, policy)? {
            return tell(report, "its program", &reports);
        }
        report.note(format!("no program runs {}: taking its bus", robot.name));
        let mut reports = Vec::new();
        for part in robot.parts() {
            let bus = part.open(Clock::Real)?;
            let options = ArmOptions { stop: robot.options.stop, ..ArmOptions::default() };
            let mut arm = Arm::take_over(part.spec.clone(), bus, options)?;
            reports.push(arm.stop(policy.unwrap_or(robot.options.stop)));
        }
        tell(report, "sinew stop", &reports)
    }

    /// Stops a robot that no readable file describes, such as one that LeRobot calibrated: its
    /// program goes by its id all the same. Where there is no such program, `failure` stands.
    fn stop_by_name(
        &self,
        report: &Report,
        policy: Option<StopPolicy>,
        failure: Failure,
    ) -> Result<Exit, Failure> {
        let name = self.robot.robot.as_deref().unwrap_or_default();
        if stop::socket_path(name).is_err() {
            return Err(failure);
        }
        match stop::ask(name, policy)? {
            Asked::Stopped(reports) => tell(report, "its program", &reports),
            Asked::NotRunning => Err(failure),
        }
    }
}

/// Says how a stop went, motor by motor where one did not.
pub fn tell(report: &Report, by: &str, reports: &[StopReport]) -> Result<Exit, Failure> {
    let motors = reports.iter().map(|one| one.motors.len()).sum::<usize>();
    let bad = unconfirmed(reports);
    report.result(json!({ "by": by, "stopped": stopped(reports) }));
    if !is_said(reports) {
        return Err(Failure::advise(
            Exit::Hardware,
            format!("{by} does not say how every arm was left"),
            "switch the arm's power off, support the arm, and ask again once nothing else runs it",
        ));
    }
    if bad.is_empty() {
        let policy = reports.first().map_or(StopPolicy::Limp, |one| one.policy);
        let line = format!("stopped ({policy}): all {motors} motors confirm");
        report.say(report.tone(Tone::Good, &line));
        return Ok(Exit::Done);
    }
    Err(Failure::advise(
        Exit::Hardware,
        format!("{} of {motors} motors do not confirm: {}", bad.len(), bad.join(", ")),
        "switch the arm's power off, support the arm, and check these motors' cables",
    ))
}

/// Whether anything is said at all, and of every arm.
fn is_said(reports: &[StopReport]) -> bool {
    !reports.is_empty() && reports.iter().all(|one| !one.motors.is_empty())
}

/// The motors that did not confirm how they were left, each with the arm it belongs to.
pub fn unconfirmed(reports: &[StopReport]) -> Vec<String> {
    let motors = reports.iter().flat_map(|one| one.motors.iter().map(|motor| (&one.arm, motor)));
    let bad = motors.filter(|(_, motor)| !motor.ok);
    bad.map(|(arm, motor)| format!("{} (id {}) of {arm}", motor.name, motor.id)).collect()
}

/// The JSON of how arms were left.
pub fn stopped(reports: &[StopReport]) -> serde_json::Value {
    let motors = reports.iter().flat_map(|one| one.motors.iter().map(|motor| (&one.arm, motor)));
    let motors = motors.map(|(arm, motor)| {
        json!({
            "arm": arm, "id": motor.id, "name": motor.name, "torque": motor.torque, "ok": motor.ok
        })
    });
    json!({
        "policy": reports.first().map(|one| one.policy),
        "cause": reports.first().map(|one| one.cause),
        "motors": motors.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use sinew_drivers::stop::{Cause, MotorStop};

    use super::*;

    #[test]
    fn who_says_nothing_of_an_arm_confirms_nothing() {
        let motors = |count| {
            let motor = |id| MotorStop { id, name: "wrist".into(), torque: Some(false), ok: true };
            let motors = (1..=count).map(motor).collect();
            let (arm, policy) = ("so101_follower".into(), StopPolicy::Limp);
            StopReport { arm, policy, cause: Cause::Asked, motors }
        };
        assert!(is_said(&[motors(6), motors(1)]));
        assert!(!is_said(&[]));
        assert!(!is_said(&[motors(6), motors(0)]));
    }
}
