//! `sinew net trust`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sinew_net::trust::{Bundle, Papers};

use crate::cli::failure::{Exit, Failure};
use crate::cli::network::papers;
use crate::cli::report::Report;

/// Take a certificate that was made for this machine elsewhere
///
/// Example: sinew net trust pi.local.papers
#[derive(Debug, Args)]
pub struct Trust {
    /// What `sinew net keygen NAME` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Take it although this machine has a certificate, which is lost
    #[arg(long)]
    yes: bool,
}

impl Trust {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let folder = papers();
        let here = Papers::at(&folder);
        let bundle = Bundle::read(&self.file)?;
        if here.make_others() {
            return Err(Failure::advise(
                Exit::Refused,
                format!("this machine founded a house of its own: {}", folder.display()),
                "delete that folder if that house is no longer wanted: the machines in it will not be \
                 trusted here any more",
            ));
        }
        if here.are_there() && !self.yes {
            return Err(Failure::advise(
                Exit::Refused,
                format!("this machine has a certificate: {}", folder.display()),
                "to take another one in its place: --yes",
            ));
        }
        here.take(&bundle)?;
        report.say("this machine trusts its house, and is trusted there");
        report.note(format!("{} is no longer needed; delete it", self.file.display()));
        report.result(json!({"folder": folder}));
        Ok(Exit::Done)
    }
}
