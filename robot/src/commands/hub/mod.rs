//! `sinew hub`: one file per operation; this table is all that knows them all.

mod login;
mod logout;
mod pull;
mod push;
mod retry;
#[cfg(feature = "hub-serve")]
mod serve;
mod status;
mod whoami;

use clap::{Args, Subcommand};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Share datasets and policies through the Hugging Face Hub, or one of your own
#[derive(Debug, Args)]
pub struct Hub {
    #[command(subcommand)]
    what: What,
}

/// What is done with a hub.
#[derive(Debug, Subcommand)]
enum What {
    Login(login::Login),
    Logout(logout::Logout),
    Whoami(whoami::Whoami),
    Push(push::Push),
    Pull(pull::Pull),
    Status(status::Status),
    Retry(retry::Retry),
    #[cfg(feature = "hub-serve")]
    Serve(serve::Serve),
}

impl Hub {
    /// Does it.
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        match self.what {
            What::Login(command) => command.run(report),
            What::Logout(command) => command.run(report),
            What::Whoami(command) => command.run(report),
            What::Push(command) => command.run(report),
            What::Pull(command) => command.run(report),
            What::Status(command) => command.run(report),
            What::Retry(command) => command.run(report),
            #[cfg(feature = "hub-serve")]
            What::Serve(command) => command.run(report),
        }
    }
}
