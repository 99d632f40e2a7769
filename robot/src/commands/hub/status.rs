//! `sinew hub status`

use clap::Args;
use serde_json::{Value, json};
use sinew_hub::queue::{Entry, Standing};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};
use crate::uploads::{now, queue};

/// What was to be uploaded, and how far it is
///
/// Example: sinew hub status
#[derive(Debug, Args)]
pub struct Status {
    /// Forget what is uploaded; on the Hub it stays
    #[arg(long)]
    clear: bool,
}

impl Status {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let queue = queue();
        let (entries, broken) = queue.entries()?;
        for error in &broken {
            report.warn(error.to_string());
        }
        if entries.is_empty() {
            report.say("Nothing was to be uploaded from this machine.");
        }
        let now = now();
        let mut rows = Vec::new();
        for entry in entries {
            let busy = entry.is_pushed();
            let standing = entry.standing(now);
            let (tone, word) = word(standing, busy);
            let job = &entry.job;
            report.say(format!(
                "{}  {} {}  from {}",
                report.tone(tone, &format!("{word:<12}")),
                job.kind.singular(),
                report.tone(Tone::Strong, &job.repo),
                job.root.display()
            ));
            if let Some(error) = entry.state.error.as_ref().filter(|_| standing != Standing::Done) {
                report.say(format!("{:14}{error}", ""));
            }
            rows.push(row(&entry, word));
            if self.clear && standing == Standing::Done && !busy {
                queue.forget(&entry)?;
            }
        }
        if rows.iter().any(|row| row["standing"] != "done") {
            report.note("go on with what is not there: sinew hub retry");
        }
        report.result(json!({ "uploads": rows }));
        Ok(Exit::Done)
    }
}

fn word(standing: Standing, busy: bool) -> (Tone, &'static str) {
    match standing {
        _ if busy => (Tone::Good, "uploading"),
        Standing::Done => (Tone::Good, "done"),
        Standing::Due => (Tone::Odd, "to do"),
        Standing::Waiting(_) => (Tone::Odd, "waits"),
        Standing::Held => (Tone::Bad, "needs you"),
    }
}

fn row(entry: &Entry, word: &str) -> Value {
    let (job, state) = (&entry.job, &entry.state);
    json!({
        "repo": job.repo,
        "type": job.kind.singular(),
        "endpoint": job.endpoint,
        "branch": job.branch,
        "root": job.root,
        "standing": word,
        "commit": state.commit,
        "failures": state.failures,
        "error": state.error,
    })
}
