//! `sinew dataset recompute-stats`

use clap::Args;
use sinew_datasets::edit;

use super::edit::Edit;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Compute all statistics anew, number for number as LeRobot does
///
/// Example: sinew dataset recompute-stats me/pick --yes
///
/// Those of videos are taken from the decoded pictures, so they differ a little from LeRobot's own,
/// which are taken before encoding.
#[derive(Debug, Args)]
pub struct RecomputeStats {
    #[command(flatten)]
    edit: Edit,
}

impl RecomputeStats {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        self.edit.run(report, edit::recompute_stats)
    }
}
