//! `sinew hub retry`

use clap::Args;
use serde_json::json;
use sinew_hub::Account;
use sinew_hub::queue::{Entry, Standing};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::commands::driving::listen;
use crate::uploads::{now, queue, rate, see_through, summary};

/// Go on with uploads that were not finished
///
/// Example: sinew hub retry; sinew hub retry me/pick
///
/// Goes on where each ended, and tries again what may pass until all of it is there or Ctrl-C is
/// pressed.
#[derive(Debug, Args)]
pub struct Retry {
    /// Only what goes to this repository
    #[arg(value_name = "REPO")]
    repo: Option<String>,
    /// At most so many bytes a second, such as 500k or 2M
    #[arg(long, value_name = "RATE", value_parser = rate)]
    limit: Option<u64>,
    /// Try each once
    #[arg(long)]
    once: bool,
}

impl Retry {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let account = Account::from_environment()?;
        let (entries, broken) = queue().entries()?;
        for error in &broken {
            report.warn(error.to_string());
        }
        let wanted = |entry: &Entry| {
            let named = self.repo.as_ref().is_none_or(|repo| *repo == entry.job.repo);
            named && entry.standing(now()) != Standing::Done
        };
        let open: Vec<Entry> = entries.into_iter().filter(wanted).collect();
        if open.is_empty() {
            report.say("Everything is uploaded.");
        }
        let flag = listen()?;
        let (mut done, mut failed) = (Vec::new(), None);
        for entry in &open {
            // Whoever asks for it wants it tried now, whatever it waited for.
            if let Some(mut turn) = entry.turn()? {
                let released = turn.state().clone().released();
                turn.went(released)?;
            }
            match see_through(&account, entry, self.limit, self.once, &flag, report) {
                Ok(pushed) => done.push(summary(&account, entry, &pushed, report)),
                Err(failure) if flag.raised().is_some() => return Err(failure),
                Err(failure) => {
                    report.warn(format!("{}: {}", entry.job.repo, failure.what));
                    failed.get_or_insert(failure);
                }
            }
        }
        match failed {
            Some(failure) => Err(failure),
            None => {
                report.result(json!({ "uploads": done }));
                Ok(Exit::Done)
            }
        }
    }
}
