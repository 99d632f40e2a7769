//! `sinew dataset`: one file per operation; this table is all that knows them all.

mod export;
mod info;
mod recover;
mod report;
mod source;
mod verify;
mod viz;

use clap::{Args, Subcommand};

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
    Report(report::Page),
    Viz(viz::Viz),
    Export(export::Export),
}

impl Dataset {
    /// Does it.
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        match self.what {
            What::Info(command) => command.run(report),
            What::Verify(command) => command.run(report),
            What::Recover(command) => command.run(report),
            What::Report(command) => command.run(report),
            What::Viz(command) => command.run(report),
            What::Export(command) => command.run(report),
        }
    }
}
