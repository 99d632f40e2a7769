//! `sinew hub push`

use std::path::{Path, PathBuf};

use clap::Args;
use sinew_drivers::calibration_file::lerobot_home;
use sinew_hub::queue::Job;
use sinew_hub::{Account, Kind, Repo};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::commands::driving::listen;
use crate::uploads::{kind_of, queue, rate, see_through, summary};

/// Upload a dataset or a policy
///
/// Example: sinew hub push me/pick; sinew hub push outputs/train/act/checkpoints/last me/act_pick
///
/// What the repository has already is not sent again, and what a broken connection or Ctrl-C leaves
/// undone is taken up where it ended: by the same command, or by `sinew hub retry`. Large files go up
/// in parts, ahead of the commit that names them; every file is verified before a dataset is tagged
/// with its version. A card is written where there is none.
#[derive(Debug, Args)]
pub struct Push {
    /// A dataset's or a policy's folder, or a dataset of this name in LeRobot's folder
    #[arg(value_name = "DIR|REPO")]
    what: PathBuf,
    /// The repository, such as me/pick; by default the name that the dataset has here
    #[arg(value_name = "REPO")]
    repo: Option<String>,
    /// Only you see it, where it has to be made first
    #[arg(long)]
    private: bool,
    /// The branch, made where there is none
    #[arg(long, alias = "revision", default_value = "main", value_name = "NAME")]
    branch: String,
    /// Words that it is found by, with commas between them
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    tags: Vec<String>,
    /// The licence that the card names [default: apache-2.0, or what was said before]
    #[arg(long, value_name = "NAME")]
    license: Option<String>,
    /// Do not replace what others have written there since you last pushed
    #[arg(long)]
    careful: bool,
    /// Leave the branch as it is, and make a pull request to it, whose address is told; files that are
    /// gone here stay in it
    #[arg(long)]
    create_pr: bool,
    /// At most so many bytes a second, such as 500k or 2M
    #[arg(long, value_name = "RATE", value_parser = rate)]
    limit: Option<u64>,
    /// Try once, and leave what fails to `sinew hub retry`
    #[arg(long)]
    once: bool,
}

impl Push {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let account = Account::from_environment()?;
        let (root, named) = self.folder()?;
        let kind = kind_of(&root).ok_or_else(|| {
            Failure::advise(
                Exit::Data,
                format!("neither a dataset nor a policy: {}", root.display()),
                "a dataset has meta/info.json, a policy config.json and model.safetensors",
            )
        })?;
        let repo = self.repo(&account, kind, named)?;
        let flag = listen()?;
        let job = Job {
            root,
            endpoint: account.endpoint().to_owned(),
            kind,
            repo: repo.id(),
            branch: self.branch,
            private: self.private,
            tags: self.tags,
            license: self.license,
            replace: !self.careful,
            request: self.create_pr,
            asked: 0,
        };
        let entry = queue().ask(&job)?;
        let pushed = see_through(&account, &entry, self.limit, self.once, &flag, report)?;
        report.result(summary(&account, &entry, &pushed, report));
        Ok(Exit::Done)
    }

    /// The folder that is meant, and the name that it goes by here.
    fn folder(&self) -> Result<(PathBuf, Option<String>), Failure> {
        let home = lerobot_home();
        let below = [self.what.clone(), home.join(&self.what)];
        let inner = |folder: &Path| -> Option<PathBuf> {
            let checkpoint = [
                "",
                "pretrained_model",
                "last/pretrained_model",
                "checkpoints/last/pretrained_model",
            ];
            checkpoint.iter().map(|way| folder.join(way)).find(|way| kind_of(way).is_some())
        };
        let Some(root) = below.iter().find_map(|folder| inner(folder)) else {
            return Err(Failure::advise(
                Exit::Data,
                format!("there is no dataset or policy: {}", self.what.display()),
                format!("name its folder, or a dataset below {}", home.display()),
            ));
        };
        let root = std::path::absolute(&root).unwrap_or(root);
        let named = root.strip_prefix(&home).ok().and_then(Path::to_str).map(str::to_owned);
        Ok((root, named))
    }

    fn repo(&self, account: &Account, kind: Kind, named: Option<String>) -> Result<Repo, Failure> {
        let Some(id) = self.repo.clone().or(named) else {
            return Err(Failure::usage(
                "where does it go?",
                format!("name the repository: sinew hub push {} me/name", self.what.display()),
            ));
        };
        // Without an owner it is one's own.
        let id = match id.contains('/') {
            true => id,
            false => format!("{}/{id}", account.hub()?.whoami()?.name),
        };
        Ok(Repo::new(kind, &id)?)
    }
}
