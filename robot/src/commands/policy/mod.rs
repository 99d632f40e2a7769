//! `sinew policy`: one file per operation; this table is all that knows them all.

mod bench;
pub mod check;
pub mod chosen;
mod convert;
mod info;
pub mod offered;
mod open_loop;
mod run;
mod sight;
pub mod source;
pub mod training;

use clap::{Args, Subcommand};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Look at, check and run policies
#[derive(Debug, Args)]
pub struct Policy {
    #[command(subcommand)]
    what: What,
}

/// What is done with a policy.
#[derive(Debug, Subcommand)]
enum What {
    Info(info::Info),
    Check(Box<check::Check>),
    Run(run::Run),
    Bench(bench::Bench),
    Convert(convert::Convert),
}

impl Policy {
    /// Does it.
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        match self.what {
            What::Info(command) => command.run(report),
            What::Check(command) => command.run(report),
            What::Run(command) => command.run(report),
            What::Bench(command) => command.run(report),
            What::Convert(command) => command.run(report),
        }
    }
}
