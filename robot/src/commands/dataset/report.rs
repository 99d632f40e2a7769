//! `sinew dataset report`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sinew_datasets::pull::Choice;
use sinew_datasets::report::{self, Options};
use sinew_datasets::verify;

use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// A page to look at: pictures, joints, ticks and findings in one HTML file
///
/// Example: sinew dataset report me/pick -o report.html
#[derive(Debug, Args)]
pub struct Page {
    #[command(flatten)]
    source: Source,
    /// The file to write
    #[arg(long, short, default_value = "report.html", value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

/// What is shown.
#[derive(Debug, Args)]
pub struct Shown {
    /// Only these episodes: 0,3,7
    #[arg(long, alias = "episode_index", value_name = "LIST", value_delimiter = ',')]
    episodes: Option<Vec<u64>>,
    /// Pictures of each camera in each episode
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u64).range(..=60))]
    pictures: u64,
    /// At most so many episodes in full, spread evenly
    #[arg(long, default_value_t = 40, value_name = "N")]
    most: usize,
    /// Decode only so many images of each camera in each episode to look them over
    #[arg(long, default_value_t = 10, value_name = "N")]
    sample: u64,
}

impl Page {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let episodes = self.shown.episodes.clone();
        let choice = Choice { episodes, ..Choice::default() };
        let root = self.source.place().folder(report, &choice)?;
        self.shown.write(report, &root, &self.output)
    }
}

impl Shown {
    /// Writes the page of a dataset.
    pub fn write(self, report: &Report, root: &Path, output: &Path) -> Result<Exit, Failure> {
        let look = verify::Options { sample: Some(self.sample), ..verify::Options::default() };
        let found = super::verify::look(report, root, &look);
        let options = Options { episodes: self.episodes, pictures: self.pictures, most: self.most };
        let page = report::html(root, &options, &found, &mut |at, of| {
            report.progress(&format!("episode {} of {of}", at + 1));
        });
        report.progress("");
        let failed = sinew_datasets::Error::io("cannot write", output);
        std::fs::write(output, page?).map_err(failed)?;
        report.say(output.display().to_string());
        let (path, findings) = (output.display().to_string(), found.findings.len());
        report.result(json!({ "path": path, "ok": found.ok, "findings": findings }));
        Ok(Exit::Done)
    }
}
