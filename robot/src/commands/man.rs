//! `sinew man`

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::cli;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Manual pages, a file per command
///
/// Example: sinew man ~/.local/share/man/man1
#[derive(Debug, Args)]
pub struct Man {
    /// The folder to write them to
    dir: PathBuf,
}

impl Man {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failed, format!("{}: {error}", self.dir.display()))
        };
        fs::create_dir_all(&self.dir).map_err(failed)?;
        clap_mangen::generate_to(cli::definition(), &self.dir).map_err(failed)?;
        report.note(format!("manual pages are in {}", self.dir.display()));
        Ok(Exit::Done)
    }
}
