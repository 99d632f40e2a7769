//! `sinew policy check`

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use sinew_datasets::Dataset;
use sinew_datasets::pull::Choice;
use sinew_policies::Policy;
use sinew_policies::preflight::{self, Finding, Offered, Preflight, Severity};

use super::super::dataset::Place;
use super::offered;
use super::source::{Machine, Source};
use super::training;
use crate::cameras;
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{RemoteFlags, RobotFlags};
use crate::cli::report::{Report, Tone};
use crate::robot::Robot;

/// Whether a policy and a dataset or robot go together, before anything moves
///
/// Example: sinew policy check outputs/act_so101 --dataset me/pick
///
/// Names, sizes, joints and their ranges are held beside each other. What cannot be run ends it
/// with exit code 4, and names that differ with the rename map that would make it fit.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    machine: Machine,
    /// A dataset: its folder, or a repo id that is looked for in LeRobot's folder and on the Hub
    #[arg(long, alias = "dataset.repo_id", value_name = "DIR|REPO")]
    dataset: Option<PathBuf>,
    #[command(flatten)]
    robot: RobotFlags,
    #[command(flatten)]
    remote: RemoteFlags,
    #[command(flatten)]
    cameras: CameraFlags,
}

impl Check {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let offered = match (&self.dataset, self.robot.any()) {
            (Some(name), _) => {
                let tables = Choice { meta_only: true, ..Choice::default() };
                let root = Place::of(&name.to_string_lossy()).folder(report, &tables)?;
                offered::by_dataset(&Dataset::open(&root)?)
            }
            (None, true) => {
                let robot = Robot::find(&self.robot, &self.remote)?;
                offered::by_robot(&robot, &cameras::chosen(&self.cameras, &robot)?)
            }
            (None, false) => {
                return Err(Failure::usage(
                    "check it beside what?",
                    "name a dataset (--dataset DIR) or a robot (--robot NAME)",
                ));
            }
        };
        let policy = self.source.load(&self.machine, report)?;
        let blind = self.dataset.is_none() && offered.cameras.is_empty();
        let mut found = look(&policy, &offered, blind);
        let trained = training::rate(policy.folder()).zip(offered.fps);
        if let Some(((rate, name), fps)) = trained.filter(|((rate, _), fps)| rate != fps) {
            found.findings.push(Finding {
                severity: Severity::Warning,
                feature: "fps".to_owned(),
                message: format!("{name}, which it was trained on, has {rate}, and this has {fps}"),
            });
        }
        say(report, &found);
        report.result(told(&found));
        Ok(if found.ok() { Exit::Done } else { Exit::Data })
    }
}

/// Holds both beside each other. Blind, it says of the cameras only that none is looked at.
pub fn look(policy: &Policy, offered: &Offered, blind: bool) -> Preflight {
    let common = policy.config().common();
    let mut found = preflight::check(&common.inputs, common.action_dim(), policy.before(), offered);
    if blind {
        let cameras: Vec<&str> = common.images().map(|(name, _)| name).collect();
        found.findings.retain(|finding| !cameras.contains(&finding.feature.as_str()));
        if !cameras.is_empty() {
            found.findings.push(Finding {
                severity: Severity::Warning,
                feature: "cameras".to_owned(),
                message: "none is looked at; name them: --camera NAME=SOURCE".to_owned(),
            });
        }
    }
    found
}

fn told(found: &Preflight) -> Value {
    json!({
        "ok": found.ok(),
        "findings": found.findings.iter().map(|finding| json!({
            "severity": word(finding.severity),
            "feature": finding.feature,
            "message": finding.message,
        })).collect::<Vec<_>>(),
        "rename_map": found.rename,
    })
}

/// Says what was found.
pub fn say(report: &Report, found: &Preflight) {
    let mut event = told(found);
    event["type"] = "preflight".into();
    report.event(&event);
    for finding in &found.findings {
        let tone = match finding.severity {
            Severity::Error => report.tone(Tone::Bad, "error  "),
            Severity::Warning => report.tone(Tone::Odd, "warning"),
        };
        report.say(format!("{tone} {}: {}", finding.feature, finding.message));
    }
    report.say(match found.ok() {
        true => report.tone(Tone::Good, "it can be run"),
        false => report.tone(Tone::Bad, "it cannot be run like this"),
    });
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
