//! Which dataset is meant: a folder, or the name of one that LeRobot keeps.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use sinew_drivers::calibration_file::lerobot_home;

use crate::cli::failure::Failure;

/// Which dataset.
#[derive(Debug, Clone, Default, Args)]
pub struct Source {
    /// A folder, or a repo id such as me/pick, which is looked for in LeRobot's folder
    #[arg(value_name = "DIR|REPO", required_unless_present_any = ["repo_id", "root"])]
    dataset: Option<String>,
    /// The repo id, as LeRobot's own programs take it
    #[arg(long = "repo_id", alias = "dataset.repo_id", value_name = "REPO")]
    repo_id: Option<String>,
    /// The folder, as LeRobot's own programs take it
    #[arg(long = "root", alias = "dataset.root", value_name = "DIR")]
    root: Option<PathBuf>,
}

impl Source {
    /// The folder that is meant, and that there is one.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        let folder = match (&self.root, self.dataset.as_deref().or(self.repo_id.as_deref())) {
            (Some(root), _) => root.clone(),
            (None, Some(name)) => folder_of(name),
            (None, None) => PathBuf::from("."),
        };
        match folder.is_dir() {
            true => Ok(folder),
            false => Err(sinew_datasets::Error::NoDataset { path: folder }.into()),
        }
    }
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
