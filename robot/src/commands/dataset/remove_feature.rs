//! `sinew dataset remove-feature`

use clap::Args;
use sinew_datasets::edit;

use super::edit::Edit;
use super::lists::Names;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Leave features out, cameras or columns
///
/// Example: sinew dataset remove-feature me/pick --feature observation.images.top --out me/blind
#[derive(Debug, Args)]
pub struct RemoveFeature {
    #[command(flatten)]
    edit: Edit,
    /// Which, as a,b or "['a', 'b']"
    #[arg(long, alias = "operation.feature_names", value_name = "NAMES")]
    feature: Names,
}

impl RemoveFeature {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        self.edit
            .run(report, |from, to, watch| edit::remove_features(from, &self.feature.0, to, watch))
    }
}
