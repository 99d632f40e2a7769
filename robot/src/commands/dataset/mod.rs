//! `sinew dataset`: one file per operation; this table is all that knows them all.

mod compact;
mod convert;
mod delete_episodes;
mod edit;
mod export;
mod info;
pub mod lists;
mod merge;
mod modify_tasks;
mod recompute_stats;
mod recording;
mod recover;
mod reencode;
mod remove_feature;
mod repair;
mod report;
mod source;
mod split;
mod verify;
mod viz;

use clap::{Args, Subcommand};

pub use info::bytes;
pub use source::Place;
#[cfg(feature = "policies")]
pub use source::folder_of;
pub use source::newest;

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Look at, check and edit datasets
#[derive(Debug, Args)]
pub struct Dataset {
    #[command(subcommand)]
    what: What,
}

/// What is done with a dataset.
#[derive(Debug, Subcommand)]
enum What {
    Info(info::Info),
    Verify(verify::Verify),
    Recover(recover::Recover),
    Repair(repair::Repair),
    Report(report::Page),
    Viz(viz::Viz),
    Export(export::Export),
    Compact(compact::Compact),
    DeleteEpisodes(delete_episodes::DeleteEpisodes),
    Split(split::Split),
    Merge(merge::Merge),
    RemoveFeature(remove_feature::RemoveFeature),
    ModifyTasks(modify_tasks::ModifyTasks),
    Reencode(reencode::Reencode),
    Convert(convert::Convert),
    #[command(visible_alias = "stats")]
    RecomputeStats(recompute_stats::RecomputeStats),
}

impl Dataset {
    /// Does it.
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        match self.what {
            What::Info(command) => command.run(report),
            What::Verify(command) => command.run(report),
            What::Recover(command) => command.run(report),
            What::Repair(command) => command.run(report),
            What::Report(command) => command.run(report),
            What::Viz(command) => command.run(report),
            What::Export(command) => command.run(report),
            What::Compact(command) => command.run(report),
            What::DeleteEpisodes(command) => command.run(report),
            What::Split(command) => command.run(report),
            What::Merge(command) => command.run(report),
            What::RemoveFeature(command) => command.run(report),
            What::ModifyTasks(command) => command.run(report),
            What::Reencode(command) => command.run(report),
            What::Convert(command) => command.run(report),
            What::RecomputeStats(command) => command.run(report),
        }
    }
}
