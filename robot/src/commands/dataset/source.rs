//! Which dataset is meant: a folder, the name of one that LeRobot keeps, or of one on the Hub.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use sinew_datasets::Dataset;
use sinew_datasets::pull::Choice;
use sinew_drivers::calibration_file::lerobot_home;
use sinew_hub::{Kind, Repo};

use super::super::fetching;
use crate::cli::failure::Failure;
use crate::cli::report::Report;

/// Which dataset.
#[derive(Debug, Clone, Default, Args)]
pub struct Source {
    /// A folder, or a repo id such as me/pick, which is looked for in LeRobot's folder and on the Hub
    #[arg(value_name = "DIR|REPO", required_unless_present_any = ["repo_id", "root"])]
    dataset: Option<String>,
    /// The repo id, as LeRobot's own programs take it
    #[arg(long = "repo_id", alias = "dataset.repo_id", value_name = "REPO")]
    repo_id: Option<String>,
    /// The folder, as LeRobot's own programs take it
    #[arg(long = "root", alias = "dataset.root", value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Where a dataset is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a folder of this machine.
    Here(PathBuf),
    /// On the Hub, whatever of it may have been fetched.
    Hub(Repo),
}

impl Source {
    /// Where it is.
    pub fn place(&self) -> Place {
        match (&self.root, self.dataset.as_deref().or(self.repo_id.as_deref())) {
            (Some(root), _) => Place::Here(root.clone()),
            (None, Some(name)) => Place::of(name),
            (None, None) => Place::Here(PathBuf::from(".")),
        }
    }

    /// The folder that is meant, and that there is one; fetched where it is on the Hub.
    pub fn folder(&self, report: &Report) -> Result<PathBuf, Failure> {
        self.place().folder(report, &Choice::default())
    }

    /// The folder that is meant, which has to be the user's own.
    pub fn own_folder(&self) -> Result<PathBuf, Failure> {
        match self.place() {
            Place::Here(folder) => there(folder),
            Place::Hub(repo) => Err(Failure::usage(
                format!("{repo} is not a folder of this machine, and only that can be changed"),
                format!(
                    "fetch it into a folder of your own: sinew hub pull {repo} --local-dir DIR, or \
                     name the new dataset with --out"
                ),
            )),
        }
    }
}

impl Place {
    /// What a path or a repo id stands for.
    pub fn of(name: &str) -> Self {
        let folder = folder_of(name);
        match (Repo::new(Kind::Dataset, name), newest(&folder)) {
            (Ok(_), Some(newest)) if !folder.is_dir() => Self::Here(newest),
            (Ok(repo), None) if !folder.is_dir() => Self::Hub(repo),
            _ => Self::Here(folder),
        }
    }

    /// A folder with what is wanted of it, fetched where it is on the Hub.
    pub fn folder(&self, report: &Report, choice: &Choice) -> Result<PathBuf, Failure> {
        match self {
            Self::Here(folder) => there(folder.clone()),
            Self::Hub(repo) => fetching::fetch(report, repo, choice),
        }
    }

    /// Opens it, to read some of its rows or pictures: from the Hub where it is not here.
    pub fn open(&self, report: &Report) -> Result<Dataset, Failure> {
        match self {
            Self::Here(folder) => Ok(Dataset::open(folder)?),
            Self::Hub(repo) => fetching::open(report, repo),
        }
    }
}

fn there(folder: PathBuf) -> Result<PathBuf, Failure> {
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(sinew_datasets::Error::NoDataset { path: folder }.into()),
    }
}

/// The newest folder of this name with a date and a time behind it, as recording names them.
pub fn newest(folder: &Path) -> Option<PathBuf> {
    let name = folder.file_name()?.to_str()?;
    let stamped = |other: &str| {
        let stamp = other.strip_prefix(name).and_then(|rest| rest.strip_prefix('_'));
        let parts = stamp.and_then(|stamp| stamp.split_once('_'));
        let digits = |text: &str, many: usize| {
            text.len() == many && text.bytes().all(|letter| letter.is_ascii_digit())
        };
        parts.is_some_and(|(date, time)| digits(date, 8) && digits(time, 6))
    };
    let beside = std::fs::read_dir(folder.parent()?).ok()?.flatten();
    let names = beside.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|other| stamped(other)).max().map(|newest| folder.with_file_name(newest))
}

/// The folder that a path or a repo id stands for, whether or not it is there.
pub fn folder_of(name: &str) -> PathBuf {
    let path = Path::new(name);
    let parts: Vec<_> = path.components().collect();
    let is_id = matches!(parts[..], [Component::Normal(_), Component::Normal(_)]);
    if path.is_dir() || !is_id {
        return path.to_owned();
    }
    lerobot_home().join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_stamp_means_the_newest_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(newest(&at("pick")), None);
        for name in [
            "pick_20260101_120000",
            "pick_20261123_101645",
            "pick_20261123_091645",
            "pick_up_20270101_000000",
            "pick_2027_1",
            "pick_20270101_000000_merged",
        ] {
            std::fs::create_dir(at(name)).unwrap();
        }
        assert_eq!(newest(&at("pick")), Some(at("pick_20261123_101645")));
        assert_eq!(newest(&at("pick_up")), Some(at("pick_up_20270101_000000")));
        assert_eq!(newest(&at("pic")), None);
    }
}
