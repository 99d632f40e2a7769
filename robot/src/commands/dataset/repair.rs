//! `sinew dataset repair`

use clap::Args;
use serde_json::{Map, Value, json};
use sinew_datasets::edit::{self, Loss, Made, Repaired};
use sinew_datasets::verify::{self, Finding, Options, Severity};

use super::edit::{Edit, Outcome};
use super::verify::{list, look};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// Make a damaged dataset sound again: all that can be read of it, in order
///
/// Episodes whose rows and pictures can be read are kept as they are; of those that are cut off or
/// damaged from some frame on, the frames before it; what is lost is told, and why. Tables, numbers,
/// times and statistics that are not in line with the data are made anew, and so is meta/info.json:
/// what was taken for what it does not say is told. The damaged dataset stays beside the new one until
/// you remove it.
///
/// Example: sinew dataset repair me/pick --dry-run
#[derive(Debug, Args)]
pub struct Repair {
    #[command(flatten)]
    edit: Edit,
}

/// A dataset that was made sound, and what was wrong with it.
struct Mended {
    repaired: Repaired,
    findings: Vec<Finding>,
}

impl Repair {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let source = self.edit.source(report)?;
        let found = look(report, &source, &Options::default());
        let mendable = |finding: &&Finding| {
            finding.severity == Severity::Error && !finding.code.is_of_the_recording()
        };
        let findings: Vec<Finding> = found.findings.iter().filter(mendable).cloned().collect();
        if findings.is_empty() && self.edit.in_place() {
            let (episodes, frames) = (found.episodes, found.frames);
            let whole = format!("nothing to repair: {episodes} episodes, {frames} frames");
            report.say(report.tone(Tone::Good, &whole));
            let root = source.display().to_string();
            report.result(json!({
                "root": root, "episodes": episodes, "frames": frames, "findings": [], "declared": [],
                "losses": [], "kept": null, "dry_run": false,
            }));
            return Ok(Exit::Done);
        }
        let wrong = verify::Report { findings, ..found };
        list(report, &wrong);
        let findings = wrong.findings;
        self.edit.run(report, |source, to, watch| {
            let repaired = edit::repair(source, to, watch)?;
            Ok(Mended { repaired, findings: findings.clone() })
        })
    }
}

impl Outcome for Mended {
    fn made(&self) -> &Made {
        &self.repaired.made
    }

    fn tell(&self, report: &Report) {
        for line in &self.repaired.declared {
            report.say(report.tone(Tone::Odd, line));
        }
        for Loss { episode, now, frames, kept, why } in &self.repaired.losses {
            let line = match now {
                None => format!("episode {episode}, {frames} frames, is lost: {why}"),
                Some(_) if kept == frames => format!("episode {episode}: {why}"),
                Some(_) => format!("episode {episode} keeps {kept} of {frames} frames: {why}"),
            };
            report.say(report.tone(Tone::Odd, &line));
        }
    }

    fn add(&self, fields: &mut Map<String, Value>) {
        fields.insert("findings".into(), json!(self.findings));
        fields.insert("declared".into(), json!(self.repaired.declared));
        fields.insert("losses".into(), json!(self.repaired.losses));
    }
}
