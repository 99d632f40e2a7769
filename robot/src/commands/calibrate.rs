//! `sinew calibrate`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sinew_core::calibration::Calibration;
use sinew_drivers::calibrate::{self, Calibrator, CheckRow, Live};
use sinew_drivers::clock::MILLI;
use sinew_drivers::{Clock, calibration_file};

use super::driving::remember;
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{RobotFlags, TeleopFlags};
use crate::cli::keys::Keys;
use crate::cli::report::{Report, Tone};
use crate::part::Part;
use crate::robot::Robot;

/// Teach an arm's ranges: move every joint from stop to stop
///
/// Example: sinew calibrate --robot.type=so101_follower --robot.port=/dev/ttyACM0 --robot.id=white
///
/// Writes LeRobot's own file in LeRobot's own place, and the motors' EEPROM. No pose has to be
/// struck first: the middle is computed from what was swept.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// Compare file and motors, change nothing; with both an arm and a leader, these two as well
    #[arg(long)]
    check: bool,
    /// Write this LeRobot calibration to the motors and to LeRobot's place instead of sweeping
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
    /// Copy the calibration there
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    #[command(flatten)]
    robot: RobotFlags,
    #[command(flatten)]
    teleop: TeleopFlags,
}

type Rows = Vec<(String, Calibration)>;

impl Calibrate {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let (wants_robot, wants_leader) = (self.robot.any(), self.teleop.any());
        if self.check && wants_leader && wants_robot {
            let robot = Robot::choose(&self.robot)?;
            let leader = Robot::choose_leader(&self.teleop, Some(&robot))?;
            return compare(report, &robot, &leader);
        }
        let device = match (wants_robot, wants_leader) {
            (true, true) => {
                return Err(Failure::usage(
                    "an arm and a leader at once",
                    "calibrate one after the other; --check compares both",
                ));
            }
            (false, true) => Robot::choose_leader(&self.teleop, None)?,
            _ => Robot::choose(&self.robot)?,
        };
        if let Some(file) = &self.export {
            return export(report, &device, file);
        }
        if self.check {
            return check(report, &device);
        }
        let keys = Keys::listen()?;
        for part in device.parts() {
            match &self.import {
                Some(file) => import(report, part, file)?,
                None => by_hand(report, part, &keys)?,
            }
        }
        match &device.id {
            Some(id) if !wants_leader => {
                device.file().write(id)?;
                report.say(format!("from now on: --robot {id}"));
            }
            // A leader never takes a robot's name: `sinew stop` goes by it.
            _ => remember(&device, report),
        }
        report.result(json!({ "ok": true }));
        Ok(Exit::Done)
    }
}

/// Calibrates one arm by what somebody does with it.
pub fn by_hand(report: &Report, part: &Part, keys: &Keys) -> Result<(), Failure> {
    if let Some(factory) = calibrate::factory(&part.spec) {
        report.say(format!("{} comes calibrated", part.spec.title));
        let mut calibrator = Calibrator::begin(part.spec.clone(), part.open(Clock::Real)?)?;
        return keep(report, part, &mut calibrator, &factory);
    }
    let mut calibrator = Calibrator::begin(part.spec.clone(), part.open(Clock::Real)?)?;
    for notice in calibrator.notices() {
        report.warn(notice.to_string());
    }
    report
        .say(format!("Calibrating {}. The torque is off: the arm can be moved.", part.spec.title));
    let turning: Vec<_> = part.spec.joints.iter().filter(|joint| joint.full_turn).collect();
    if !turning.is_empty() {
        let names: Vec<_> = turning.iter().map(|joint| joint.name.as_str()).collect();
        report.say(format!("1. Turn {} to the middle, then press Enter.", names.join(" and ")));
        report.event(&json!({ "type": "step", "step": "middle", "joints": names }));
        sweep(report, &mut calibrator, keys)?;
        calibrator.take_reference();
    }
    report.say("2. Move every other joint from stop to stop, then press Enter.");
    report.event(&json!({ "type": "step", "step": "sweep" }));
    loop {
        sweep(report, &mut calibrator, keys)?;
        let proposal = calibrator.proposal();
        for (joint, finding) in &proposal.findings {
            report.warn(format!("{joint}: {finding}"));
        }
        if proposal.complete() {
            return keep(report, part, &mut calibrator, &proposal.calibration);
        }
        report.say("Move those from stop to stop as well, then press Enter.");
    }
}

/// Shows where the joints are until Enter is pressed.
fn sweep(report: &Report, calibrator: &mut Calibrator, keys: &Keys) -> Result<(), Failure> {
    let clock = Clock::Real;
    let mut drawn = 0;
    loop {
        let live = calibrator.look()?;
        // Enter has moved the cursor on: the picture must not be drawn over once more.
        match keys.pressed() {
            Some(true) => return Ok(()),
            Some(false) => {}
            None => {
                return Err(Failure::advise(
                    Exit::Failed,
                    "the input ended before the sweep was done; nothing was written",
                    "run it in a terminal and press Enter when told",
                ));
            }
        }
        if report.drawing() {
            report.draw(&picture(live, drawn));
            drawn = live.len();
        }
        clock.sleep(20 * MILLI);
    }
}

fn keep(
    report: &Report,
    part: &Part,
    calibrator: &mut Calibrator,
    rows: &Rows,
) -> Result<(), Failure> {
    calibrator.write(rows)?;
    calibration_file::write(&part.calibration_path, rows)?;
    for (name, row) in rows {
        report.say(format!(
            "  {name:<18} id {:>2}  offset {:>5}  range {:>4} … {:>4}",
            row.id, row.homing_offset, row.range_min, row.range_max
        ));
        report.event(&json!({
            "type": "joint", "name": name, "id": row.id, "drive_mode": row.drive_mode,
            "homing_offset": row.homing_offset, "range_min": row.range_min, "range_max": row.range_max,
        }));
    }
    let place = part.calibration_path.display();
    report
        .say(report.tone(Tone::Good, &format!("written to the motors, read back, and to {place}")));
    Ok(())
}

fn import(report: &Report, part: &Part, file: &Path) -> Result<(), Failure> {
    let rows = calibration_file::read(file)?;
    let mut calibrator = Calibrator::begin(part.spec.clone(), part.open(Clock::Real)?)?;
    let unknown = rows.iter().find(|(name, row)| {
        !part.spec.servos().any(|(servo, id, _)| servo == name && id == row.id)
    });
    if let Some((name, row)) = unknown {
        return Err(Failure::advise(
            Exit::Data,
            format!("{}: {} has no {name} with id {}", file.display(), part.spec.title, row.id),
            "is it another arm's file?",
        ));
    }
    keep(report, part, &mut calibrator, &rows)
}

fn export(report: &Report, device: &Robot, file: &Path) -> Result<Exit, Failure> {
    let [part] = device.parts() else {
        return Err(Failure::usage(
            "a pair has two calibrations",
            "copy them from LeRobot's folder",
        ));
    };
    let rows = part.calibration()?;
    calibration_file::write(file, &rows)?;
    report.say(format!("{} joints to {}", rows.len(), file.display()));
    report.result(json!({ "ok": true, "joints": rows.len() }));
    Ok(Exit::Done)
}

fn check(report: &Report, device: &Robot) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for part in device.parts() {
        rows.extend(check_part(part)?);
    }
    tell(report, &rows)
}

fn check_part(part: &Part) -> Result<Vec<CheckRow>, Failure> {
    let mut bus = part.open(Clock::Real)?;
    Ok(calibrate::check(&mut bus, &part.spec, &part.calibration()?)?)
}

fn compare(report: &Report, robot: &Robot, leader: &Robot) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for (follows, leads) in robot.parts().iter().zip(leader.parts()) {
        let mut both = check_part(follows)?;
        let files = (leads.calibration()?, follows.calibration()?);
        for (name, finding) in
            calibrate::compare((&leads.spec, &files.0), (&follows.spec, &files.1))
        {
            if let Some(row) = both.iter_mut().find(|row| row.name == name) {
                row.findings.push(finding);
            }
        }
        rows.extend(both);
        rows.extend(check_part(leads)?);
    }
    tell(report, &rows)
}

fn tell(report: &Report, rows: &[CheckRow]) -> Result<Exit, Failure> {
    let mut wrong = 0;
    for row in rows {
        let findings: Vec<_> = row.findings.iter().map(ToString::to_string).collect();
        wrong += usize::from(!findings.is_empty());
        let verdict = if findings.is_empty() {
            report.tone(Tone::Good, "as it should be")
        } else {
            report.tone(Tone::Bad, &findings.join("; "))
        };
        report.say(format!("{:<18} {verdict}", row.name));
        report.event(&json!({ "type": "joint", "name": row.name, "findings": findings }));
    }
    report.result(json!({ "ok": wrong == 0, "joints": rows.len(), "wrong": wrong }));
    Ok(if wrong == 0 { Exit::Done } else { Exit::Data })
}

/// Every joint's sweep so far, drawn over the last picture.
fn picture(live: &[Live], drawn: usize) -> String {
    const WIDTH: i32 = 32;
    let mut text = if drawn > 0 { format!("\x1b[{drawn}A") } else { String::new() };
    for joint in live {
        let swept = joint.max - joint.min;
        let whole = joint.travel.unwrap_or(swept).max(1);
        let full = (swept.saturating_mul(WIDTH) / whole).clamp(0, WIDTH);
        let bar = "█".repeat(full as usize) + &"·".repeat((WIDTH - full) as usize);
        let remark = match (joint.fresh, joint.full_turn) {
            (false, _) => "no answer",
            (true, true) => "turns on: middle pose only",
            (true, false) if full > WIDTH * 9 / 10 => "enough",
            (true, false) => "",
        };
        text += &format!(
            "\x1b[2K{:<16}{bar} min {:>5}  now {:>5}  max {:>5}  {remark}\n",
            joint.name, joint.min, joint.position, joint.max
        );
    }
    text
}
