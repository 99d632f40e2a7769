//! `sinew net keygen`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sinew_net::trust::Papers;

use crate::cli::failure::{Exit, Failure};
use crate::cli::network::papers;
use crate::cli::report::Report;

/// Make a certificate for this machine, or for another one
///
/// Example: sinew net keygen pi.local 192.168.1.20
///
/// Without names it is for this machine; the first time this founds a house, in which all machines trust
/// one another. With names it is for the machine that is reached by them, as a file to carry there.
#[derive(Debug, Args)]
pub struct Keygen {
    /// By which names and addresses the other machine is reached
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The file for the other machine; by default NAME.papers
    #[arg(long, value_name = "FILE", requires = "names")]
    out: Option<PathBuf>,
}

impl Keygen {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let folder = papers();
        let here = Papers::at(&folder);
        if here.are_there() && !here.make_others() {
            return Err(Failure::advise(
                Exit::Refused,
                format!(
                    "this machine belongs to a house that was founded elsewhere: {}",
                    folder.display()
                ),
                "make certificates there; or delete that folder, and found a house here",
            ));
        }
        let founded = here.found()?;
        if founded {
            report.say(format!("a house is founded; its key stays in {}", folder.display()));
        }
        if founded || !here.are_there() {
            here.take(&here.issue(&own_names())?)?;
            report.say("this machine has its certificate");
        }
        let Some(name) = self.names.first() else {
            if !founded {
                report.note("this machine has its certificate already; for another one: sinew net keygen NAME");
            }
            report.result(json!({"folder": folder, "founded": founded}));
            return Ok(Exit::Done);
        };
        let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_:".contains(letter);
        if let Some(odd) =
            self.names.iter().find(|name| name.is_empty() || !name.chars().all(plain))
        {
            return Err(Failure::usage(
                format!("`{odd}` is neither a machine's name nor its address"),
                "for instance: sinew net keygen pi.local 192.168.1.20",
            ));
        }
        let out = self.out.unwrap_or_else(|| format!("{}.papers", name.replace(':', "_")).into());
        here.issue(&self.names)?.write_new(&out)?;
        report.say(format!("{} is for {}", out.display(), self.names.join(", ")));
        report.note(format!(
            "carry it there in a way that nobody else sees (scp), there: sinew net trust {}; then delete it",
            out.display()
        ));
        report.result(
            json!({"folder": folder, "founded": founded, "papers": out, "names": self.names}),
        );
        Ok(Exit::Done)
    }
}

/// By which names this machine may be reached.
fn own_names() -> Vec<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    let mut names = Vec::new();
    if !host.is_empty() && host.chars().all(plain) {
        names.push(host.to_owned());
        if !host.contains('.') {
            names.push(format!("{host}.local"));
        }
    }
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    names
}
