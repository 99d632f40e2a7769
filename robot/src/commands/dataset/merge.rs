//! `sinew dataset merge`

use std::path::{Path, PathBuf};

use clap::Args;
use sinew_datasets::edit;
use sinew_datasets::pull::Choice;

use super::edit::{Output, describe, finish, show, tell};
use super::lists::Names;
use super::source::Place;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Put datasets of the same robot and features one behind the other
///
/// Example: sinew dataset merge me/monday me/tuesday --out me/week
#[derive(Debug, Args)]
pub struct Merge {
    /// Folders or repo ids, at least two, in this order
    #[arg(value_name = "DIR|REPO")]
    datasets: Vec<String>,
    /// The repo ids as LeRobot's own programs take them: "['a/b', 'a/c']"
    #[arg(long = "operation.repo_ids", value_name = "NAMES")]
    repo_ids: Option<Names>,
    /// Their folders, as LeRobot's own programs take them
    #[arg(long = "operation.roots", value_name = "NAMES")]
    roots: Option<Names>,
    #[command(flatten)]
    output: Output,
}

impl Merge {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let listed = self.roots.or(self.repo_ids).map(|names| names.0).unwrap_or_default();
        let folders: Vec<Place> =
            self.datasets.iter().chain(&listed).map(|name| Place::of(name)).collect();
        if folders.len() < 2 {
            return Err(Failure::usage(
                "merging takes at least two datasets",
                "sinew dataset merge me/monday me/tuesday --out me/week",
            ));
        }
        let Some(to) = self.output.folder() else {
            return Err(Failure::usage("where to?", "--out DIR|REPO names the new dataset"));
        };
        let fetched = folders.iter().map(|place| place.folder(report, &Choice::default()));
        let folders: Vec<PathBuf> = fetched.collect::<Result<_, _>>()?;
        let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
        let place = (!self.output.dry_run).then_some(to.as_path());
        let made = edit::merge(&folders, place, &|at| show(report, at));
        report.progress("");
        let made = made?;
        if self.output.dry_run {
            report.say(format!("would make {}", describe(&made, &to)));
            finish(report, &made, &to, None, true);
        } else {
            tell(report, &made, &to, None);
        }
        Ok(Exit::Done)
    }
}
