//! `sinew doctor`

#[cfg(feature = "policies")]
mod board;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use sinew_drivers::clock::{MICRO, MILLI};
use sinew_drivers::scan::{self, Problem};
use sinew_drivers::{Clock, port};
use sinew_hub::{Account, Hub, Options};

use super::scan::{Format, look};
use super::space::free;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// Look over ports, motors, permissions, disk, timers and the Hub, and name each remedy
///
/// Example: sinew doctor
///
/// Example, on the board that a policy is to run on: sinew doctor --board
#[derive(Debug, Args)]
pub struct Doctor {
    /// Look at this port only
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Also look at every rate, which takes up to a minute a port
    #[arg(long)]
    all_bauds: bool,
    /// Find out by a benchmark, in about a minute, which sizes of policies this machine can run how often
    #[arg(long, conflicts_with_all = ["port", "all_bauds"])]
    board: bool,
}

/// What was looked at, and how it is.
struct Finding {
    what: String,
    fine: bool,
    says: String,
    remedy: Option<String>,
}

impl Finding {
    fn fine(what: &str, says: impl Into<String>) -> Self {
        Self { what: what.to_owned(), fine: true, says: says.into(), remedy: None }
    }

    fn wrong(what: &str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { what: what.to_owned(), fine: false, says: says.into(), remedy }
    }
}

/// Free space below which a recording is at risk, in bytes.
const LITTLE_SPACE: u64 = 5 << 30;
/// How long the Hub may take to say who this is.
const HUB_PATIENCE: Duration = Duration::from_secs(3);
/// A timer later than this costs a control loop its rhythm.
const LATE: i64 = 2 * MILLI;

impl Doctor {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        if self.board {
            return board(report);
        }
        let mut findings = vec![timer(), disk(&lerobot_home()), group(), hub()];
        let ports = match &self.port {
            Some(port) => vec![port.clone()],
            None => port::list().into_iter().filter(|p| p.usb.is_some()).map(|p| p.path).collect(),
        };
        if ports.is_empty() {
            findings.push(Finding::wrong(
                "ports",
                "no USB adapter is plugged in",
                "plug the arm in; a cable that only charges has no data wires",
            ));
        }
        for port in &ports {
            findings.extend(self.port(report, port));
        }
        tell(report, &findings, json!({}))
    }

    fn port(&self, report: &Report, port: &str) -> Vec<Finding> {
        let found = match look(report, port, 1_000_000, Format::Auto, self.all_bauds) {
            Ok(found) => found,
            Err(failure) => {
                let says = failure.on(port).to_owned();
                let remedy = failure.remedy.unwrap_or_else(|| "see sinew find-port".to_owned());
                return vec![Finding::wrong(port, says, remedy)];
            }
        };
        let mut findings = Vec::new();
        if !found.motors.is_empty() {
            let ids: Vec<_> = found.motors.iter().map(|motor| motor.id.to_string()).collect();
            let says = format!("{} motors answer: {}", found.motors.len(), ids.join(", "));
            findings.push(Finding::fine(port, says));
        }
        findings.extend(found.problems.into_iter().map(|problem| as_finding(port, problem)));
        findings
    }
}

#[cfg(feature = "policies")]
fn board(report: &Report) -> Result<Exit, Failure> {
    let (mut findings, policies) = board::findings(report)?;
    findings.push(timer());
    tell(report, &findings, json!({ "policies": policies }))
}

#[cfg(not(feature = "policies"))]
fn board(_report: &Report) -> Result<Exit, Failure> {
    Err(Failure::usage("this sinew runs no policies", "build with the feature policies"))
}

fn as_finding(port: &str, problem: scan::Problem) -> Finding {
    let Problem { message, remedy, .. } = problem;
    Finding::wrong(port, message, remedy)
}

/// How late a sleeping thread wakes up.
fn timer() -> Finding {
    let clock = Clock::Real;
    let mut late: Vec<i64> = (0..200)
        .map(|_| {
            let deadline = clock.now() + MILLI;
            clock.sleep_until(deadline);
            clock.now() - deadline
        })
        .collect();
    late.sort_unstable();
    let worst = late.get(late.len() * 99 / 100).copied().unwrap_or_default();
    let says = format!("99 of 100 sleeps end within {} µs", worst / MICRO);
    if worst < LATE {
        return Finding::fine("timer", says);
    }
    Finding::wrong("timer", says, "close what keeps the processor busy, or lower the loop's rate")
}

fn lerobot_home() -> PathBuf {
    let path = sinew_drivers::calibration_file::path_of(
        sinew_drivers::calibration_file::Kind::Robot,
        "x",
        None,
    );
    path.ancestors().nth(4).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn disk(folder: &Path) -> Finding {
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder);
    let what = format!("disk at {}", there.display());
    let Some(free) = free(there) else {
        return Finding::wrong(&what, "cannot tell how much is free", "check that it is mounted");
    };
    let says = format!("{:.1} GB free", free as f64 / 1e9);
    let writable = fs::metadata(there).is_ok_and(|found| !found.permissions().readonly());
    match (writable, free < LITTLE_SPACE) {
        (false, _) => Finding::wrong(&what, "cannot be written", "check its owner and mount"),
        (true, true) => Finding::wrong(&what, says, "make room before recording"),
        (true, false) => Finding::fine(&what, says),
    }
}

/// Who this is on the Hub.
fn hub() -> Finding {
    let wrong = |error: sinew_hub::Error| {
        let failure = Failure::from(error);
        let remedy = failure.remedy.unwrap_or_else(|| "see sinew hub whoami".to_owned());
        Finding::wrong("hub", failure.what, remedy)
    };
    let look = || -> Result<Finding, sinew_hub::Error> {
        let account = Account::from_environment()?;
        let Some(token) = account.token()? else {
            return Ok(Finding::fine("hub", "nobody is logged in; to upload: sinew hub login"));
        };
        if account.is_offline() {
            return Ok(Finding::fine(
                "hub",
                "logged in, and HF_HUB_OFFLINE keeps it from being asked",
            ));
        }
        let token = Some(token);
        let options = Options { token, tries: 1, patience: HUB_PATIENCE, ..Options::default() };
        let person = Hub::new(account.endpoint(), options)?.whoami()?;
        Ok(Finding::fine("hub", format!("{} at {}", person.name, account.endpoint())))
    };
    look().unwrap_or_else(wrong)
}

/// Whether this user may open serial ports.
fn group() -> Finding {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let dialout = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some("dialout")).then(|| fields.nth(1))?.and_then(|id| id.parse().ok())
    });
    // SAFETY: asks for numbers and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    if root || dialout.is_none_or(in_group) {
        return Finding::fine("permissions", "this user may open serial ports");
    }
    Finding::wrong(
        "permissions",
        "this user is not in the group dialout",
        "run once, then log in again: sudo usermod -aG dialout $USER (or: sinew udev --help)",
    )
}

fn in_group(id: libc::gid_t) -> bool {
    let mut groups = [0; 256];
    // SAFETY: the array has as many places as said.
    let count = unsafe { libc::getgroups(256, groups.as_mut_ptr()) };
    let count = usize::try_from(count).unwrap_or(0);
    groups.iter().take(count).any(|group| *group == id)
}

/// Tells what was found; the result says `more` as well.
fn tell(report: &Report, findings: &[Finding], mut more: Value) -> Result<Exit, Failure> {
    for finding in findings {
        let (mark, tone) = if finding.fine { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        report.say(format!("{} {}: {}", report.tone(tone, mark), finding.what, finding.says));
        if let Some(remedy) = &finding.remedy {
            report.say(format!("  {} {remedy}", report.tone(Tone::Good, "do:")));
        }
        report.event(&json!({
            "type": "finding", "what": finding.what, "ok": finding.fine,
            "message": finding.says, "remedy": finding.remedy,
        }));
    }
    let wrong = findings.iter().filter(|finding| !finding.fine).count();
    more["ok"] = json!(wrong == 0);
    more["findings"] = json!(findings.len());
    more["wrong"] = json!(wrong);
    report.result(more);
    Ok(if wrong == 0 { Exit::Done } else { Exit::Hardware })
}
