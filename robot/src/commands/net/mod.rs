//! `sinew net …`

mod keygen;
mod trust;

use clap::{Args, Subcommand};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Certificates, so that machines trust one another and nobody else
///
/// Example, for an arm on a Raspberry Pi that is reached as pi.local, driven from a laptop. On the laptop:
/// sinew net keygen, and then: sinew net keygen pi.local. Carry the file that this writes to the Pi, and
/// there: sinew net trust pi.local.papers, and: sinew host --robot white --listen tls/0.0.0.0:7447
#[derive(Debug, Args)]
pub struct Net {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keygen(keygen::Keygen),
    Trust(trust::Trust),
}

impl Net {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        match self.command {
            Command::Keygen(command) => command.run(report),
            Command::Trust(command) => command.run(report),
        }
    }
}
