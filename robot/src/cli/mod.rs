//! From what was typed to a command that runs, and from how it ended to an exit code.

pub mod arguments;
pub mod cameras;
pub mod config;
pub mod failure;
pub mod flags;
pub mod help;
pub mod keys;
#[cfg(feature = "zenoh")]
pub mod network;
pub mod output;
#[cfg(feature = "sim")]
pub mod physics;
pub mod report;
pub mod stage;
mod usage;
mod version;
pub mod voice;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};

use crate::commands::Command;
use failure::{Exit, Failure};
use report::Report;

/// LeRobot's whole job in one binary.
#[derive(Debug, Parser)]
#[command(name = "sinew", version, disable_help_subcommand = true, args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    pub globals: flags::Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// The whole command line as clap knows it, with the guide as its help.
pub fn definition() -> clap::Command {
    let plain = Cli::command();
    let guide = help::guide(&plain);
    plain.override_help(guide)
}

/// Runs what was typed.
pub fn main(typed: impl Iterator<Item = OsString>) -> ExitCode {
    let words: Vec<String> = typed.map(|word| word.to_string_lossy().into_owned()).collect();
    // Before anything is parsed it must be known how to complain.
    let mut report = Report::before_parsing(&words);
    match parse(&words, &report) {
        Ok(cli) => {
            report.configure(&cli.globals);
            let ended = cli.command.run(&report).and_then(|exit| {
                report.written()?;
                report.close();
                report.written()?;
                Ok(exit)
            });
            ended.map_or_else(|failure| report.fail(&failure), ExitCode::from)
        }
        Err(Refused::Clap(error)) if error.use_stderr() && report.for_scripts() => {
            report.fail(&usage::failure(&error, &words, &definition()))
        }
        Err(Refused::Clap(error))
            if error.kind() == ErrorKind::DisplayVersion && version::is_verbose(&words) =>
        {
            version::tell(&report);
            report.close();
            Exit::Done.into()
        }
        Err(Refused::Clap(error)) => report.clap(&error),
        Err(Refused::Failure(failure)) => report.fail(&failure),
    }
}

/// Why nothing was run.
enum Refused {
    /// Help, version, or words that make no command.
    Clap(clap::Error),
    /// A configuration file, say.
    Failure(Failure),
}

fn parse(words: &[String], report: &Report) -> Result<Cli, Refused> {
    let definition = definition();
    let words = config::spread(words, &definition).map_err(Refused::Failure)?;
    let arranged = arguments::arrange(&words, &definition);
    for warning in &arranged.warnings {
        report.warn(warning);
    }
    let matches = definition.try_get_matches_from(arranged.words).map_err(Refused::Clap)?;
    Cli::from_arg_matches(&matches).map_err(Refused::Clap)
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
