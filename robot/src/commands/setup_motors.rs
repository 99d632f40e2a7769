//! `sinew setup-motors`

use clap::Args;
use serde_json::{Value, json};
use sinew_drivers::scan::{self, Expected, ScanOptions};
use sinew_drivers::setup::{self, Step};
use sinew_drivers::{ArmSpec, Bus, Clock};

use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{RobotFlags, TeleopFlags};
use crate::cli::keys::Keys;
use crate::cli::report::{Report, Tone};
use crate::part::Part;
use crate::robot::Robot;

/// Give motors their ids and rate: one at a time, or by mending what a scan finds
///
/// Example: sinew setup-motors --robot.type=so101_follower --robot.port=/dev/ttyACM0
///
/// New motors all carry the same id, so they are plugged in one at a time, the gripper's first.
/// With --fix the whole arm stays plugged in, and only what is beyond doubt is changed.
#[derive(Debug, Args)]
pub struct SetupMotors {
    /// Scan the arm at every rate and mend ids and rates
    #[arg(long)]
    fix: bool,
    /// With --fix: only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// With --fix: do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    robot: RobotFlags,
    #[command(flatten)]
    teleop: TeleopFlags,
}

impl SetupMotors {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let device = match (self.robot.any(), self.teleop.any()) {
            (true, true) => {
                return Err(Failure::usage(
                    "an arm and a leader at once",
                    "set one up, then the other",
                ));
            }
            (false, true) => Robot::choose_leader(&self.teleop, None)?,
            _ => Robot::choose(&self.robot)?,
        };
        let keys = Keys::listen()?;
        let mut changed = 0;
        for part in device.parts() {
            changed += if self.fix {
                self.mend(report, part, &keys)?
            } else {
                one_by_one(report, part, &expected(&part.spec), &keys)?
            };
        }
        report.result(json!({ "ok": true, "changed": changed }));
        Ok(Exit::Done)
    }

    fn mend(&self, report: &Report, part: &Part, keys: &Keys) -> Result<usize, Failure> {
        let mut bus = part.open(Clock::Real)?;
        let found = scan::scan(&mut bus, &everywhere(part), |progress| {
            report.progress(&format!(
                "{}/{} · {} baud",
                progress.done + 1,
                progress.of,
                progress.baud
            ));
        });
        report.progress("");
        let plan = setup::plan(&found?, &expected(&part.spec));
        for line in &plan.by_hand {
            report.warn(line);
        }
        for repair in &plan.repairs {
            report.say(repair.describe());
        }
        if plan.repairs.is_empty() {
            report.say(report.tone(Tone::Good, "nothing that could be mended from here"));
            return Ok(0);
        }
        if self.dry_run || !(self.yes || agreed(report, keys)?) {
            report.say("nothing was changed");
            return Ok(0);
        }
        for repair in &plan.repairs {
            tell(report, &setup::apply(&mut bus, repair)?);
        }
        Ok(plan.repairs.len())
    }
}

/// Every rate that the arm's motors may have.
pub fn everywhere(part: &Part) -> ScanOptions {
    ScanOptions::all_bauds(part.spec.baud, &[part.spec.series.protocol])
}

/// The motors that the arm is made of.
pub fn expected(spec: &ArmSpec) -> Vec<Expected<'_>> {
    spec.servos().map(|(name, id, model)| Expected { name, id, model }).collect()
}

/// Whether somebody agrees to what was just described.
pub fn agreed(report: &Report, keys: &Keys) -> Result<bool, Failure> {
    keys.agree(report, "changing motors", "Change these?")
}

fn line(keys: &Keys) -> Result<String, Failure> {
    keys.line().ok_or_else(|| {
        Failure::advise(
            Exit::Failed,
            "the input ended before everything was set up",
            "run it in a terminal; motors that were set up stay so",
        )
    })
}

/// The last motor of the arm first, as LeRobot goes.
pub fn one_by_one(
    report: &Report,
    part: &Part,
    servos: &[Expected],
    keys: &Keys,
) -> Result<usize, Failure> {
    let mut bus: Bus = part.open(Clock::Real)?;
    for servo in servos.iter().rev() {
        report.say(format!("Plug in the {} motor alone, then press Enter.", servo.name));
        report
            .event(&json!({ "type": "step", "step": "plug", "motor": servo.name, "id": servo.id }));
        line(keys)?;
        let steps = setup::only_motor(&mut bus, servo, &everywhere(part), |progress| {
            report.progress(&format!("looking at {} baud", progress.baud));
        });
        report.progress("");
        tell(report, &steps?);
        report.say(report.tone(Tone::Good, &format!("{} is id {}", servo.name, servo.id)));
    }
    Ok(servos.len())
}

/// What was set.
pub fn tell(report: &Report, steps: &[Step]) {
    for step in steps {
        report.say(format!("  id {}: {} {} → {}", step.id, step.what, step.was, step.now));
        let event: Value = json!({
            "type": "set", "id": step.id, "register": step.what, "was": step.was, "now": step.now,
        });
        report.event(&event);
    }
}
