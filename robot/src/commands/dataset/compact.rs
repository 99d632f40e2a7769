//! `sinew dataset compact`

use clap::Args;
use sinew_datasets::edit;

use super::edit::Edit;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Roll a recording's many small files up into a few of LeRobot's size
///
/// Example: sinew dataset compact me/pick --yes
///
/// Values and coded pictures stay what they are, bit for bit.
#[derive(Debug, Args)]
pub struct Compact {
    #[command(flatten)]
    edit: Edit,
}

impl Compact {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        self.edit.run(report, edit::compact)
    }
}
