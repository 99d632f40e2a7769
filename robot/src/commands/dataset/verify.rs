//! `sinew dataset verify`

use clap::Args;
use serde_json::json;
use sinew_datasets::verify::{self, Options, Severity};

use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// Look a dataset over: counts, times, images, statistics, cameras and joints
///
/// Example: sinew dataset verify me/pick --sample 20
///
/// Errors end it with exit code 4, warnings only with --strict.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    source: Source,
    /// Decode only so many images of each camera in each episode, instead of all
    #[arg(long, value_name = "N")]
    sample: Option<u64>,
    /// How long an image may stay the same while joints move
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    frozen: f64,
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
}

impl Verify {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let root = self.source.folder(report)?;
        let options = Options { sample: self.sample, frozen_s: self.frozen };
        let mut found = look(report, &root, &options);
        found.ok &= !self.strict || found.findings.is_empty();
        say(report, &found);
        report.result(json!(found));
        Ok(if found.ok { Exit::Done } else { Exit::Data })
    }
}

/// Looks it over, with progress.
pub fn look(report: &Report, root: &std::path::Path, options: &Options) -> verify::Report {
    let found = verify::verify(root, options, &mut |at| {
        report.progress(&format!("{} of {} frames · {} findings", at.done, at.of, at.findings));
    });
    report.progress("");
    found
}

/// Lists what was found.
pub fn list(report: &Report, found: &verify::Report) {
    for finding in &found.findings {
        let tone = match finding.severity {
            Severity::Error => report.tone(Tone::Bad, "error  "),
            Severity::Warning => report.tone(Tone::Odd, "warning"),
        };
        let place = match finding.place.as_str() {
            "" => String::new(),
            place => format!("{place}: "),
        };
        report.say(format!("{tone} {place}{}", finding.message));
    }
}

fn say(report: &Report, found: &verify::Report) {
    list(report, found);
    // One remedy often mends many things.
    let mut remedies: Vec<&str> = found.findings.iter().filter_map(|f| f.remedy).collect();
    let mut seen = std::collections::BTreeSet::new();
    remedies.retain(|remedy| seen.insert(*remedy));
    for remedy in remedies {
        report.say(format!("{} {remedy}", report.tone(Tone::Good, "do:")));
    }
    let looked = format!(
        "{} episodes, {} frames, {} images looked at",
        found.episodes, found.frames, found.images
    );
    report.say(match (found.ok, found.findings.len()) {
        (true, 0) => report.tone(Tone::Good, &format!("all is well: {looked}")),
        (true, odd) => report.tone(Tone::Good, &format!("sound, {odd} oddities: {looked}")),
        (false, wrong) => report.tone(Tone::Bad, &format!("not sound, {wrong} findings: {looked}")),
    });
}
