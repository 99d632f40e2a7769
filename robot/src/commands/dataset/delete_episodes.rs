//! `sinew dataset delete-episodes`

use clap::Args;
use sinew_datasets::edit;

use super::edit::Edit;
use super::lists::Episodes;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Leave episodes out; the others are numbered anew
///
/// Example: sinew dataset delete-episodes me/pick --episodes 0,2,5-7 --out me/pick_good
#[derive(Debug, Args)]
pub struct DeleteEpisodes {
    #[command(flatten)]
    edit: Edit,
    /// Which, as 0,2,5-7 or "[0, 2, 5]"
    #[arg(long, alias = "operation.episode_indices", value_name = "LIST")]
    episodes: Episodes,
}

impl DeleteEpisodes {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        self.edit
            .run(report, |from, to, watch| edit::delete_episodes(from, &self.episodes.0, to, watch))
    }
}
