//! Whether what is recorded is uploaded, and how: flags of every command that records episodes.

use std::path::Path;

use clap::Args;
use sinew_drivers::stop::StopFlag;
use sinew_hub::queue::{Entry, Job, Standing};
use sinew_hub::{Account, Kind, Repo};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::uploads::{Background, now, queue, rate};

/// Whether what is recorded is uploaded, and how.
#[derive(Debug, Clone, Args)]
pub struct UploadFlags {
    /// Upload every episode once it is saved, beside the recording; what is left over goes up later
    /// with: sinew hub retry
    #[arg(long, alias = "dataset.push_to_hub", value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    push: bool,
    /// Only you see it, where the repository has to be made first
    #[arg(long = "dataset.private", value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    private: bool,
    /// Words that it is found by on the Hub, with commas between them
    #[arg(long = "dataset.tags", value_name = "WORDS", value_parser = words, default_value = "", hide_default_value = true)]
    tags: Words,
    /// Upload at most so many bytes a second, such as 500k or 2M
    #[arg(long = "push-limit", value_name = "RATE", value_parser = rate)]
    limit: Option<u64>,
}

/// Words with commas between them, or as a list in brackets.
#[derive(Debug, Clone, Default)]
struct Words(Vec<String>);

fn words(text: &str) -> Result<Words, String> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let words = inner.split(',').map(|word| word.trim().trim_matches(['"', '\'']).to_owned());
    Ok(Words(words.filter(|word| !word.is_empty()).collect()))
}

impl UploadFlags {
    /// Gets ready to upload a folder into the repository of this name.
    pub fn start(
        &self,
        root: &Path,
        name: Option<&str>,
        resumed: bool,
        flag: &StopFlag,
        report: &Report,
    ) -> Result<Option<Background>, Failure> {
        if !self.push {
            return Ok(None);
        }
        let name = name.ok_or_else(|| {
            Failure::usage("what is it called on the Hub?", "name it: --dataset.repo_id=me/pick")
        })?;
        let account = Account::from_environment()?;
        if account.token()?.is_none() {
            return Err(Failure::advise(
                Exit::Refused,
                "--push uploads, and nobody is logged in",
                "sinew hub login; or record without --push and upload later",
            ));
        }
        let repo = Repo::new(Kind::Dataset, name)?;
        let queue = queue();
        let (entries, _told_by_status) = queue.entries()?;
        let open = entries.iter().filter(|entry| entry.standing(now()) != Standing::Done).count();
        if open > 0 {
            report.note(format!("{open} earlier uploads are not finished: sinew hub retry"));
        }
        let job = Job {
            root: std::path::absolute(root)
                .map_or_else(|_| root.to_owned(), |root| root.components().collect()),
            endpoint: account.endpoint().to_owned(),
            kind: Kind::Dataset,
            repo: repo.id(),
            branch: "main".to_owned(),
            private: self.private,
            tags: self.tags.0.clone(),
            license: None,
            replace: false,
            request: false,
            asked: 0,
        };
        if resumed {
            release(&entries, &job)?;
        } else if !root.join("meta/info.json").exists() && !queue.begin_anew(&job)? {
            return Err(Failure::advise(
                Exit::Refused,
                format!("another program is pushing {} just now", job.repo),
                "wait until it has: sinew hub status; or take another name",
            ));
        }
        report.note(format!("episodes go up to {}/{}", account.endpoint(), repo.place()));
        let background = Background::start(account, queue, job, self.limit, flag)?;
        if resumed && root.join("meta/info.json").is_file() {
            // What is there from before is compared before anything is added to it.
            background.ask();
        }
        Ok(Some(background))
    }
}

/// Lets what was held be tried again: somebody may have done something about it.
fn release(entries: &[Entry], job: &Job) -> Result<(), Failure> {
    let same = |entry: &&Entry| {
        let is = &entry.job;
        (&is.root, &is.endpoint, &is.repo, &is.branch)
            == (&job.root, &job.endpoint, &job.repo, &job.branch)
    };
    for entry in entries.iter().filter(same) {
        if let Some(mut turn) = entry.turn()? {
            let released = turn.state().clone().released();
            turn.went(released)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_as_lerobot_writes_lists_or_as_people_do() {
        for text in ["so101,table", "[so101, table]", "['so101', \"table\",]"] {
            assert_eq!(words(text).unwrap().0, ["so101", "table"], "{text}");
        }
        assert!(words("[]").unwrap().0.is_empty());
    }
}
