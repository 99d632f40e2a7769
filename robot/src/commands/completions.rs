//! `sinew completions`

use clap::Args;
use clap_complete::Shell;

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::cli::{self};

/// Tab completion for your shell
///
/// Example: sinew completions bash > ~/.local/share/bash-completion/completions/sinew
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut cli::definition(), "sinew", &mut text);
        report.say(String::from_utf8_lossy(&text).trim_end());
        Ok(Exit::Done)
    }
}
