//! `sinew setup`: the other commands of this folder in the order in which a new arm needs them.
//!
//! ```text
//! find the port ─▶ scan ─▶ ids, where they are missing ─▶ calibrate ─▶ name
//! ```
//! What is in order already is left as it is, so it can be run again after anything went wrong.

use clap::Args;
use serde_json::json;
use sinew_drivers::port::{self, PortInfo};
use sinew_drivers::scan::{self, Expected, ScanOptions, ScanReport};
use sinew_drivers::spec::{self, Role};
use sinew_drivers::{Clock, calibrate, setup, stop};

use super::calibrate::by_hand;
use super::driving::remember;
use super::scan::{Format, look, show_problems};
use super::setup_motors::{agreed, everywhere, expected, one_by_one, tell};
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{RobotFlags, TeleopFlags};
use crate::cli::keys::Keys;
use crate::cli::report::{Report, Tone};
use crate::part::Part;
use crate::robot::Robot;
use crate::robot_file::config_folder;

/// Find the port, set the motors up, calibrate and name an arm, in one go
///
/// Example: sinew setup --robot.type=so101_follower
///
/// Asks for what is not said by flags. What is in order already is left as it is, so it can be
/// run again at any time. Without a terminal it asks nothing and says which flags it needs.
#[derive(Debug, Args)]
pub struct Setup {
    /// Change ids and rates without asking
    #[arg(long, short)]
    yes: bool,
    /// Only say which ids and rates would be changed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    robot: RobotFlags,
    #[command(flatten)]
    teleop: TeleopFlags,
}

impl Setup {
    pub fn run(mut self, report: &Report) -> Result<Exit, Failure> {
        if self.robot.any() && self.teleop.any() {
            return Err(Failure::usage(
                "an arm and a leader at once",
                "set one up, then the other",
            ));
        }
        let keys = Keys::listen()?;
        let may_ask = Keys::at_terminal() && !report.for_scripts();
        let asks = Asks { report, keys: may_ask.then_some(&keys) };
        self.complete(&asks)?;
        let device = if self.teleop.any() {
            Robot::choose_leader(&self.teleop, None)?
        } else {
            Robot::choose(&self.robot)?
        };
        let mut changed = 0;
        for part in device.parts() {
            changed += self.motors(report, part, &keys)?;
        }
        if self.dry_run {
            report.say("nothing was changed");
            report.result(json!({ "ok": true, "changed": 0, "calibrated": 0 }));
            return Ok(Exit::Done);
        }
        let mut swept = 0;
        for part in device.parts() {
            swept += usize::from(calibrated_anew(&asks, part, &keys)?);
        }
        title(report, 5, "Name");
        remember(&device, report);
        report.say(report.tone(Tone::Good, &format!("{} is ready", device.name)));
        next_step(report, &device);
        let port = device.parts().first().map(|part| part.port.as_str());
        report.result(json!({
            "ok": true, "name": device.name, "robot_type": device.kind, "port": port,
            "changed": changed, "calibrated": swept,
        }));
        Ok(Exit::Done)
    }

    /// Finds out what the flags leave open: the type, the port and the name.
    fn complete(&mut self, asks: &Asks) -> Result<(), Failure> {
        let named = self.robot.robot.is_some() || self.teleop.teleop.is_some();
        if named {
            return Ok(());
        }
        if !self.robot.any() && !self.teleop.any() {
            let kind = asks.kind()?;
            let leads = spec::find(&kind, &[&config_folder().join("arms")])?
                .iter()
                .all(|part| part.role == Role::Leader);
            let place =
                if leads { &mut self.teleop.teleop_type } else { &mut self.robot.robot_type };
            *place = Some(kind);
        }
        let leads = self.teleop.any();
        let (side, kind, id, port, paired) = if leads {
            let flags = &mut self.teleop;
            let paired = flags.teleop_left_port.is_some() || flags.teleop_right_port.is_some();
            ("teleop", &flags.teleop_type, &mut flags.teleop_id, &mut flags.teleop_port, paired)
        } else {
            let flags = &mut self.robot;
            let paired = flags.robot_left_port.is_some() || flags.robot_right_port.is_some();
            ("robot", &flags.robot_type, &mut flags.robot_id, &mut flags.robot_port, paired)
        };
        if id.is_none() {
            *id = Some(asks.name(side)?);
        }
        let kind = kind.as_deref().unwrap_or_default();
        let pair = spec::find(kind, &[&config_folder().join("arms")]).is_ok_and(|p| p.len() > 1);
        let known = port.as_deref().unwrap_or_default();
        title(asks.report, 1, format!("Port {known}").trim_end());
        if port.is_none() && !paired && !pair {
            *port = Some(find_port(asks, side)?);
        }
        Ok(())
    }

    /// Sees to it that every motor of the arm answers with its own id, and says how many were
    /// changed for that.
    fn motors(&self, report: &Report, part: &Part, keys: &Keys) -> Result<usize, Failure> {
        title(report, 2, &format!("Motors of {} on {}", part.spec.title, part.port));
        let servos = expected(&part.spec);
        let mut changed = 0;
        for round in 0.. {
            let found = scan_at(report, part, &here(part))?;
            let missing = unready(&found, &servos);
            if missing.is_empty() {
                let line = format!("all {} motors answer", servos.len());
                report.say(report.tone(Tone::Good, &line));
                if changed == 0 {
                    title(report, 3, "Ids and rates: in order");
                }
                show_problems(report, &found.problems);
                report.event(&json!({ "type": "step", "step": "motors", "missing": [] }));
                return Ok(changed);
            }
            report.note("Some do not answer: looking at every rate.");
            let everything = scan_at(report, part, &everywhere(part))?;
            let plan = setup::plan(&everything, &servos);
            for repair in &plan.repairs {
                report.say(repair.describe());
            }
            if self.dry_run {
                show_problems(report, &everything.problems);
                return Ok(0);
            }
            // What two rounds did not mend is for hands.
            if round < 2 && !plan.repairs.is_empty() && (self.yes || agreed(report, keys)?) {
                title(report, 3, "Ids and rates");
                let mut bus = part.open(Clock::Real)?;
                for repair in &plan.repairs {
                    tell(report, &setup::apply(&mut bus, repair)?);
                    changed += 1;
                }
                continue;
            }
            changed += by_hands(report, part, &everything, &missing, keys)?;
        }
        Ok(changed)
    }
}

/// Lets somebody check cables, or give motors their ids one at a time.
fn by_hands(
    report: &Report,
    part: &Part,
    found: &ScanReport,
    missing: &[Expected],
    keys: &Keys,
) -> Result<usize, Failure> {
    let names: Vec<_> = missing.iter().map(|one| format!("{} (id {})", one.name, one.id)).collect();
    show_problems(report, &found.problems);
    let line = format!("not there, or not alone with their id: {}", names.join(", "));
    report.say(report.tone(Tone::Odd, &line));
    let joints: Vec<_> = missing.iter().map(|one| one.name).collect();
    report.event(&json!({ "type": "step", "step": "motors", "missing": joints }));
    report.ask(
        "Check cables and the power supply, then press Enter to look again. If motors are new and \
         have no ids of their own yet, type new and press Enter: they get them one at a time.",
    );
    match keys.line().as_deref() {
        Some("new") => {
            title(report, 3, "Ids and rates");
            let changed = one_by_one(report, part, missing, keys)?;
            report.say("Plug all motors in, then press Enter.");
            report.event(&json!({ "type": "step", "step": "plug_all" }));
            keys.line();
            Ok(changed)
        }
        Some(_) => Ok(0),
        None => Err(Failure::advise(
            Exit::Hardware,
            format!("{}: {} of {} do not answer", part.port, names.join(", "), part.spec.title),
            "check cables and the power supply; new motors get their ids in a terminal: sinew setup",
        )),
    }
}

/// Calibrates an arm unless that is done; says whether it was calibrated anew.
fn calibrated_anew(asks: &Asks, part: &Part, keys: &Keys) -> Result<bool, Failure> {
    let report = asks.report;
    title(report, 4, &format!("Calibration of {}", part.spec.title));
    if let Ok(rows) = part.calibration() {
        let checked = calibrate::check(&mut part.open(Clock::Real)?, &part.spec, &rows)?;
        let wrong: Vec<_> = checked.iter().filter(|row| !row.findings.is_empty()).collect();
        for row in &wrong {
            let findings: Vec<_> = row.findings.iter().map(ToString::to_string).collect();
            report.warn(format!("{}: {}", row.name, findings.join("; ")));
        }
        if wrong.is_empty() {
            let place = part.calibration_path.display();
            report.say(report.tone(Tone::Good, &format!("calibrated already: {place}")));
            let keep = "Press Enter to keep that, or type new and press Enter to calibrate anew.";
            if asks.answer(keep).is_none_or(|answer| answer != "new") {
                return Ok(false);
            }
        }
    }
    by_hand(report, part, keys)?;
    Ok(true)
}

/// Somebody who can be asked, or nobody.
struct Asks<'a> {
    report: &'a Report,
    keys: Option<&'a Keys>,
}

impl Asks<'_> {
    /// What is answered to `question`, if there is somebody who answers.
    fn answer(&self, question: &str) -> Option<String> {
        let keys = self.keys?;
        self.report.ask(question);
        keys.line()
    }

    /// Asks until the answer is one that `check` takes; `flag` says it without being asked.
    fn until<T>(
        &self,
        question: &str,
        flag: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let nobody = || {
            Failure::usage(
                format!("setup needs {flag}: there is no terminal to ask at"),
                "say all of it: sinew setup --robot.type=so101_follower --robot.port=/dev/ttyACM0 \
                 --robot.id=white (a leader: --teleop. instead of --robot.)",
            )
        };
        loop {
            match check(&self.answer(question).ok_or_else(nobody)?) {
                Ok(value) => return Ok(value),
                Err(why) => self.report.ask(why),
            }
        }
    }

    fn kind(&self) -> Result<String, Failure> {
        let names = spec::names(&[&config_folder().join("arms")]);
        let question = format!("What is it? Type one of {}.", names.join(", "));
        self.until(&question, "--robot.type or --teleop.type", |answer| {
            let known = names.iter().find(|name| *name == answer);
            known.cloned().ok_or_else(|| format!("no arm is called {answer}"))
        })
    }

    fn name(&self, side: &str) -> Result<String, Failure> {
        let question = "What is it to be called? Its calibration and `sinew stop` go by that name; \
                        for instance white.";
        self.until(question, &format!("--{side}.id"), |answer| {
            stop::socket_path(answer).map(|_| answer.to_owned()).map_err(|error| error.to_string())
        })
    }
}

/// The port with the arm: the only one with motors, else the only one there is, else whichever
/// somebody names.
fn find_port(asks: &Asks, side: &str) -> Result<String, Failure> {
    let report = asks.report;
    let ports: Vec<_> = port::list().into_iter().filter(|port| port.usb.is_some()).collect();
    let mut found = Vec::new();
    for port in ports {
        let motors = match look(report, &port.path, 1_000_000, Format::Auto, false) {
            Ok(scanned) => scanned.motors.len(),
            Err(failure) => {
                report.warn(&failure.what);
                0
            }
        };
        report.say(format!("{:<16} {motors} motors answer", port.path));
        found.push((port, motors));
    }
    let flag = format!("--{side}.port");
    if let Some(port) = only(&found) {
        let name = lasting(port);
        report.say(report.tone(Tone::Good, &name));
        return Ok(name);
    }
    if found.is_empty() {
        return Err(Failure::advise(
            Exit::Hardware,
            "no USB adapter is plugged in",
            format!("plug the arm in, or name its port: {flag}=PORT"),
        ));
    }
    let names: Vec<_> = found.iter().map(|(port, _)| port.path.as_str()).collect();
    let question = format!(
        "Which port is this arm on? Type one of {}; `sinew find-port --unplug` tells.",
        names.join(", ")
    );
    asks.until(&question, &flag, |answer| {
        let port = found.iter().find(|(port, _)| port.path == answer);
        port.map(|(port, _)| lasting(port)).ok_or_else(|| format!("{answer} is none of these"))
    })
}

fn only(found: &[(PortInfo, usize)]) -> Option<&PortInfo> {
    let with_motors: Vec<_> = found.iter().filter(|(_, motors)| *motors > 0).collect();
    match (with_motors.as_slice(), found) {
        ([(port, _)], _) | ([], [(port, _)]) => Some(port),
        _ => None,
    }
}

/// The name that a port keeps when cables change places.
fn lasting(port: &PortInfo) -> String {
    port.by_id.as_ref().map_or_else(|| port.path.clone(), |path| path.display().to_string())
}

fn here(part: &Part) -> ScanOptions {
    ScanOptions::here(part.spec.baud, part.spec.series.protocol)
}

fn scan_at(report: &Report, part: &Part, options: &ScanOptions) -> Result<ScanReport, Failure> {
    let mut bus = part.open(Clock::Real)?;
    let found = scan::scan(&mut bus, options, |progress| {
        report.progress(&format!("{}/{} · {} baud", progress.done + 1, progress.of, progress.baud));
    });
    report.progress("");
    Ok(found?)
}

/// The servos that are not there at the arm's rate, or not alone with their id.
fn unready<'a>(found: &ScanReport, servos: &[Expected<'a>]) -> Vec<Expected<'a>> {
    let alone = |servo: &Expected| {
        let mut same = found.motors.iter().filter(|motor| motor.id == servo.id);
        let first = same.next();
        same.next().is_none()
            && first.is_some_and(|motor| !motor.shared && motor.baud == found.home)
    };
    servos.iter().copied().filter(|servo| !alone(servo)).collect()
}

fn title(report: &Report, step: u8, what: &str) {
    report.say(report.tone(Tone::Strong, &format!("{step}/5 {what}")));
}

fn next_step(report: &Report, device: &Robot) {
    let name = &device.name;
    report.say(match device.side {
        "teleop" => format!("next: sinew teleoperate --robot NAME --teleop {name}"),
        _ => format!("next: set its leader up (sinew setup --teleop.type=…), then: sinew teleoperate --robot {name} --teleop NAME"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(path: &str, motors: usize) -> (PortInfo, usize) {
        let info =
            PortInfo { path: path.to_owned(), by_id: None, usb: None, label: None, known: None };
        (info, motors)
    }

    #[test]
    fn the_only_port_with_motors_is_meant_or_else_the_only_one() {
        let path = |found: &[(PortInfo, usize)]| only(found).map(|port| port.path.clone());
        assert_eq!(path(&[port("a", 0), port("b", 6)]).as_deref(), Some("b"));
        assert_eq!(path(&[port("a", 0)]).as_deref(), Some("a"));
        assert_eq!(path(&[port("a", 6), port("b", 6)]), None);
        assert_eq!(path(&[port("a", 0), port("b", 0)]), None);
        assert_eq!(path(&[]), None);
    }

    #[test]
    fn a_lasting_name_is_preferred() {
        let (mut info, _) = port("/dev/ttyACM0", 6);
        assert_eq!(lasting(&info), "/dev/ttyACM0");
        info.by_id = Some("/dev/serial/by-id/usb-arm".into());
        assert_eq!(lasting(&info), "/dev/serial/by-id/usb-arm");
    }
}
