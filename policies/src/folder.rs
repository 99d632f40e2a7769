//! Where a policy's checkpoint is: a folder that LeRobot wrote, or files of a repository.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where training leaves checkpoints, from an output folder on.
const INSIDE: [&str; 4] =
    ["", "pretrained_model", "last/pretrained_model", "checkpoints/last/pretrained_model"];

/// The folder with `config.json` that a path stands for.
pub fn find(name: &Path) -> Result<PathBuf> {
    let found = INSIDE
        .iter()
        .map(|inside| if inside.is_empty() { name.to_owned() } else { name.join(inside) });
    if let Some(folder) = found.into_iter().find(|folder| folder.join("config.json").is_file()) {
        return Ok(folder);
    }
    let what = match name.exists() {
        true => {
            "holds no policy: there is no config.json in it, nor in pretrained_model, last or checkpoints/last below it"
        }
        false => "there is no such folder, and it is no Hub id such as lerobot/act_aloha either",
    };
    Err(Error::Malformed { what: what.to_owned(), path: name.to_owned() })
}

/// How large a file is; what is none, such as a pipe, would be waited for without an end.
pub(crate) fn insist_on_a_file(path: &Path) -> Result<u64> {
    let about = std::fs::metadata(path).map_err(Error::io("cannot read", path))?;
    match about.is_file() {
        true => Ok(about.len()),
        false => Err(Error::Malformed { what: "is no file".to_owned(), path: path.to_owned() }),
    }
}

/// Those files of a repository that a policy is run with: what else training leaves there, such as the
/// optimizer's state, need not be fetched. None where there is no policy.
#[must_use]
pub fn files<'a>(paths: &[&'a str]) -> Vec<&'a str> {
    let below = |inside: &str| -> Vec<&'a str> {
        let here = paths.iter().filter_map(|path| {
            let rest = path.strip_prefix(inside)?;
            Some((*path, if inside.is_empty() { rest } else { rest.strip_prefix('/')? }))
        });
        let files = here.filter(|(_, name)| {
            !name.contains('/') && (name.ends_with(".json") || name.ends_with(".safetensors"))
        });
        let files: Vec<_> = files.collect();
        let whole = files.iter().any(|(_, name)| *name == "config.json");
        if whole { files.into_iter().map(|(path, _)| path).collect() } else { Vec::new() }
    };
    INSIDE.into_iter().map(below).find(|files| !files.is_empty()).unwrap_or_default()
}

/// Where this user's packed weights are kept.
#[must_use]
pub fn weight_cache() -> Option<PathBuf> {
    below("XDG_CACHE_HOME", "sinew/weights").or_else(|| below("HOME", ".cache/sinew/weights"))
}

fn said(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn below(name: &str, path: &str) -> Option<PathBuf> {
    said(name).map(|at| PathBuf::from(at).join(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{files, find};

    #[test]
    fn a_checkpoint_is_found_from_every_folder_above_it() {
        let output = tempfile::tempdir().unwrap();
        let checkpoint = output.path().join("checkpoints/last/pretrained_model");
        fs::create_dir_all(&checkpoint).unwrap();
        fs::write(checkpoint.join("config.json"), "{}").unwrap();
        for from in ["", "checkpoints", "checkpoints/last", "checkpoints/last/pretrained_model"] {
            assert_eq!(find(&output.path().join(from)).unwrap(), checkpoint, "{from}");
        }
    }

    #[test]
    fn a_repositorys_policy_is_found_wherever_training_puts_it() {
        let top =
            ["README.md", "config.json", "model.safetensors", "training_state/x.json", "a.mp4"];
        assert_eq!(files(&top), ["config.json", "model.safetensors"]);
        let below = [
            "checkpoints/last/pretrained_model/config.json",
            "checkpoints/last/pretrained_model/model.safetensors",
            "checkpoints/last/training_state/optimizer_state.safetensors",
            "train_config.json",
        ];
        assert_eq!(files(&below), below[..2]);
        assert_eq!(files(&["pretrained_models/config.json", "model.safetensors"]), [""; 0]);
    }

    #[test]
    fn what_is_nothing_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("holds no policy"), "{error}");
        let error = find(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.starts_with("there is no such folder"), "{error}");
    }
}
