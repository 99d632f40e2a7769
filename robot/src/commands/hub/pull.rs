//! `sinew hub pull`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use sinew_datasets::pull::{self, Choice};
use sinew_hub::{Absent, Account, Error, Kind, Repo, Snapshot, Target};

use super::super::dataset::bytes;
use super::super::dataset::lists::{Episodes, Names};
use super::super::fetching;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Fetch a dataset or a policy, or parts of a dataset
///
/// Example: sinew hub pull me/pick --episodes 0,3-5
///
/// It goes into the cache that all programs of this machine share, and its folder is printed. What is
/// there is not fetched again, and what was cut off is gone on with. Of a dataset the newest version
/// is taken that can be read, as LeRobot does.
#[derive(Debug, Args)]
pub struct Pull {
    /// Whose it is, and its name
    #[arg(value_name = "OWNER/NAME")]
    repo: String,
    /// What it is; without it, a dataset is looked for first, then a policy
    #[arg(long = "type", alias = "repo-type", value_enum, value_name = "WHAT")]
    kind: Option<What>,
    /// A branch, a tag or a commit
    #[arg(long, value_name = "NAME")]
    revision: Option<String>,
    /// Only the files of these episodes: 0,3-5
    #[arg(long, value_name = "LIST")]
    episodes: Option<Episodes>,
    /// Only the videos of these cameras: front,wrist
    #[arg(long, value_name = "NAMES")]
    cameras: Option<Names>,
    /// Only a dataset's tables, which tell what is in it
    #[arg(long, conflicts_with_all = ["episodes", "cameras"])]
    meta_only: bool,
    /// Only this file, by its path there; its place on this machine is printed
    #[arg(long, value_name = "PATH", conflicts_with_all = ["episodes", "cameras", "meta_only"])]
    file: Option<String>,
    /// Put the files into this folder instead, as they are, to change them; files that were changed
    /// there are never written over
    #[arg(long, value_name = "DIR")]
    local_dir: Option<PathBuf>,
}

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Dataset,
    Model,
}

impl Pull {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let account = Account::from_environment()?;
        let choice = Choice {
            episodes: self.episodes.clone().map(|list| list.0),
            cameras: self.cameras.clone().map(|names| names.0),
            meta_only: self.meta_only,
        };
        if let Some(path) = &self.file
            && let Some(repo) = self.lacking(&account, path)?
        {
            return Err(none(&repo, path));
        }
        let snapshot = self.find(&account)?;
        let repo = snapshot.repo();
        let kind = repo.kind().singular();
        report.note(format!(
            "{repo} is a {kind}, {} at {}",
            snapshot.revision(),
            snapshot.commit()
        ));
        fetching::warn(report, &snapshot);
        let is_dataset = repo.kind() == Kind::Dataset;
        if is_dataset && self.revision.is_none() && pull::is_unversioned(&snapshot) {
            report.warn("it has no version such as v3.0: nobody says that it is whole");
        }
        if !is_dataset && choice != Choice::default() {
            return Err(Failure::usage(
                format!("{repo} is a model: it has neither episodes nor cameras"),
                "leave --episodes, --cameras and --meta-only out",
            ));
        }
        let tell = fetching::teller(report, repo);
        let done = match &self.file {
            Some(path) => match snapshot.file(path, &tell)? {
                Some(done) => Ok(done),
                None => return Err(none(repo, path)),
            },
            None => choice.fetch(&snapshot, &tell),
        };
        report.progress("");
        let done = done?;
        fetching::tell(report, repo, done);
        report.note(format!(
            "{} files, {}, {} of them fetched now",
            done.files,
            bytes(done.bytes),
            bytes(done.came)
        ));
        let place = snapshot.folder();
        let place = self.file.as_ref().map_or(place.clone(), |path| place.join(path));
        let place = place.display().to_string();
        report.say(&place);
        report.result(json!({
            "repo": repo.to_string(),
            "kind": kind,
            "revision": snapshot.revision(),
            "commit": snapshot.commit(),
            "path": place,
            "files": done.files,
            "bytes": done.bytes,
            "fetched": done.came,
        }));
        Ok(Exit::Done)
    }

    /// Where the files of a repository go.
    fn place(&self, account: &Account, repo: &Repo) -> Target {
        match &self.local_dir {
            Some(folder) => Target::Folder(folder.clone()),
            None if repo.kind() == Kind::Dataset => fetching::cache(account, repo),
            None => Target::Cache(account.cache().to_owned()),
        }
    }

    /// The repository that is known to have no such file, without anybody being asked.
    fn lacking(&self, account: &Account, path: &str) -> Result<Option<Repo>, Error> {
        for kind in [(What::Dataset, Kind::Dataset), (What::Model, Kind::Model)] {
            let repo = Repo::new(kind.1, &self.repo)?;
            let place = self.place(account, &repo);
            let meant = self.kind.is_none_or(|wanted| wanted == kind.0);
            if meant && account.lacks(&repo, self.revision.as_deref(), path, &place) {
                return Ok(Some(repo));
            }
        }
        Ok(None)
    }

    /// The repository, whatever it is.
    fn find(&self, account: &Account) -> Result<Snapshot, Failure> {
        let place = |repo: &Repo| self.place(account, repo);
        let dataset = || -> Result<_, sinew_datasets::Error> {
            let repo = Repo::new(Kind::Dataset, &self.repo)?;
            pull::find(account, &repo, self.revision.as_deref(), &place(&repo))
        };
        let model = || -> Result<_, Error> {
            let repo = Repo::new(Kind::Model, &self.repo)?;
            account.snapshot(&repo, self.revision.as_deref(), &place(&repo))
        };
        match self.kind {
            Some(What::Dataset) => Ok(dataset()?),
            Some(What::Model) => Ok(model()?),
            None => match dataset() {
                // Whoever is not known to the Hub is not told either whether there is such a thing.
                Err(sinew_datasets::Error::Server(error))
                    if error.is_missing()
                        || matches!(error, Error::Denied { .. } | Error::NotFetched { .. }) =>
                {
                    model().map_err(|other| neither(error, other))
                }
                other => Ok(other?),
            },
        }
    }
}

fn none(repo: &Repo, path: &str) -> Failure {
    Failure::advise(
        Exit::Data,
        format!("{repo} has no file {path:?}"),
        "name it by its path there, with the folders that it lies in",
    )
}

/// Which of two errors says more.
fn neither(dataset: Error, model: Error) -> Failure {
    match (&dataset, &model) {
        // There is one, without what was asked of it.
        (Error::Missing { what: Absent::Revision | Absent::Entry, .. }, _) => dataset.into(),
        (Error::Missing { .. }, Error::Missing { what: Absent::Repo, .. }) => {
            let mut failure = Failure::from(model);
            failure.what = format!("neither as a dataset nor as a model: {}", failure.what);
            failure
        }
        (Error::Missing { .. } | Error::NotFetched { .. }, _) => model.into(),
        _ => dataset.into(),
    }
}
