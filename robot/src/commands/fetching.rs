//! What is named by its place on the Hub and not on this machine: fetched, or read from there.
//!
//! What reads all of a dataset fetches it, into the cache that all programs of this machine share;
//! what reads a few rows or pictures reads those from the Hub.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;
use sinew_datasets::pull::{self, Choice};
use sinew_datasets::{Dataset, remote};
use sinew_drivers::calibration_file::lerobot_home;
use sinew_hub::{Account, Pulled, Repo, Snapshot, Target};

use super::dataset::bytes;
use crate::cli::failure::Failure;
use crate::cli::report::Report;

/// How often it is told how far a pull is.
const OFTEN: Duration = Duration::from_millis(100);

/// Tells how far the pull of a repository is.
pub fn teller(report: &Report, repo: &Repo) -> impl Fn(Pulled) + Sync {
    let told = Mutex::new(None::<Instant>);
    let repo = repo.clone();
    move |at: Pulled| {
        // Whoever tells it right now says it for all.
        let Ok(mut told) = told.try_lock() else { return };
        if told.is_some_and(|told| told.elapsed() < OFTEN) {
            return;
        }
        *told = Some(Instant::now());
        let (done, all) = (bytes(at.bytes), bytes(at.of_bytes));
        let share = at.bytes as f64 / at.of_bytes.max(1) as f64;
        let line = format!("{} of {} files · {done} of {all}", at.files, at.of_files);
        report.progress_at(&line, Some(share));
        tell(report, &repo, at);
    }
}

/// Tells programs how far the pull of a repository is.
pub fn tell(report: &Report, repo: &Repo, at: Pulled) {
    report.event(&json!({
        "type": "progress",
        "repo": repo.to_string(),
        "files": at.files,
        "of_files": at.of_files,
        "bytes": at.bytes,
        "of_bytes": at.of_bytes,
    }));
}

/// The cache that a dataset is kept in: LeRobot's own where that has it, else everybody's.
pub fn cache(account: &Account, repo: &Repo) -> Target {
    let lerobots = lerobot_home().join("hub");
    let there = lerobots.join(repo.folder()).is_dir();
    Target::Cache(if there { lerobots } else { account.cache().to_owned() })
}

/// Says what is odd about what was found.
pub fn warn(report: &Report, snapshot: &Snapshot) {
    if let Some(trouble) = snapshot.trouble() {
        report.warn(format!("{trouble}: what was fetched before is taken"));
    }
}

/// A dataset on the Hub, of which nothing but the list of its files needs to be here.
pub fn find(report: &Report, repo: &Repo) -> Result<Snapshot, Failure> {
    let account = Account::from_environment()?;
    let found = pull::find(&account, repo, None, &cache(&account, repo));
    let snapshot = found.map_err(|error| elsewhere(repo, error))?;
    warn(report, &snapshot);
    if pull::is_unversioned(&snapshot) {
        report.warn(format!(
            "{repo} has no version such as v3.0: {} is taken, of which nobody says that it is whole",
            snapshot.revision()
        ));
    }
    Ok(snapshot)
}

/// Says that it was looked for on this machine first: whoever mistyped a path meant no hub.
pub fn elsewhere(repo: &Repo, error: impl Into<Failure>) -> Failure {
    let mut failure = error.into();
    failure.what =
        format!("{repo} is no folder of this machine, and not to be had: {}", failure.what);
    failure
}

/// Fetches what is wanted of a dataset; its folder.
pub fn fetch(report: &Report, repo: &Repo, choice: &Choice) -> Result<PathBuf, Failure> {
    let snapshot = find(report, repo)?;
    let done = choice.fetch(&snapshot, &teller(report, repo));
    report.progress("");
    let done = done?;
    if done.came > 0 {
        report.note(format!("{repo}: {} fetched", bytes(done.came)));
    }
    Ok(snapshot.folder())
}

/// Fetches those files of a policy that it is run with; its folder.
#[cfg(feature = "policies")]
pub fn policy(report: &Report, repo: &Repo) -> Result<PathBuf, Failure> {
    let account = Account::from_environment()?;
    let found = account.snapshot(repo, None, &Target::Cache(account.cache().to_owned()));
    let snapshot = found.map_err(|error| elsewhere(repo, error))?;
    warn(report, &snapshot);
    let paths: Vec<&str> = snapshot.files().iter().map(|(path, _)| *path).collect();
    let wanted = sinew_policies::folder::files(&paths);
    let done = snapshot.fetch(&|path| wanted.contains(&path), &teller(report, repo));
    report.progress("");
    let done = done?;
    if done.came > 0 {
        report.note(format!("{repo}: {} fetched", bytes(done.came)));
    }
    Ok(sinew_policies::folder::find(&snapshot.folder())?)
}

/// Opens a dataset: here if all of it is here, else on the Hub, of which only what is looked at comes.
pub fn open(report: &Report, repo: &Repo) -> Result<Dataset, Failure> {
    let snapshot = find(report, repo)?;
    match snapshot.address() {
        Some(base) if !snapshot.has(&|_| true)? => {
            let server = Account::from_environment()?.options()?;
            report.note(format!("{repo} is read from the Hub"));
            Ok(Dataset::stream(&base, &remote::Options { server, ..remote::Options::default() })?)
        }
        _ => Ok(Dataset::open(&snapshot.folder())?),
    }
}
