//! Where a policy's checkpoint is: a folder that LeRobot wrote, or one that its Hub client has
//! already fetched.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};

/// Where training leaves checkpoints, from an output folder on.
const INSIDE: [&str; 4] =
    ["", "pretrained_model", "last/pretrained_model", "checkpoints/last/pretrained_model"];

/// The folder with `config.json` that a path or a Hub id such as `lerobot/act_aloha` stands for.
pub fn find(name: &Path) -> Result<PathBuf> {
    find_in(name, hub_cache().as_deref())
}

fn find_in(name: &Path, cache: Option<&Path>) -> Result<PathBuf> {
    let found = INSIDE
        .iter()
        .map(|inside| if inside.is_empty() { name.to_owned() } else { name.join(inside) });
    if let Some(folder) = found.into_iter().find(|folder| folder.join("config.json").is_file()) {
        return Ok(folder);
    }
    if name.exists() {
        let what = "holds no policy: there is no config.json in it, nor in pretrained_model, last or checkpoints/last below it";
        return Err(Error::Malformed { what: what.to_owned(), path: name.to_owned() });
    }
    let Some(id) = hub_id(name) else {
        let what = "there is no such folder, and it is no Hub id such as lerobot/act_aloha either";
        return Err(Error::Malformed { what: what.to_owned(), path: name.to_owned() });
    };
    cache.and_then(|cache| snapshot(cache, &id)).ok_or_else(|| Error::Unsupported {
        what: format!("{id} is neither a folder nor among what was fetched from the Hub before, and policies are not fetched from the Hub yet; fetch it with: hf download {id}"),
    })
}

fn hub_id(name: &Path) -> Option<String> {
    let parts: Vec<_> = name.components().collect();
    match parts.as_slice() {
        [Component::Normal(owner), Component::Normal(name)] => {
            Some(format!("{}/{}", owner.to_str()?, name.to_str()?))
        }
        _ => None,
    }
}

/// What `main` of a Hub id is in the cache of LeRobot's Hub client.
fn snapshot(cache: &Path, id: &str) -> Option<PathBuf> {
    let model = cache.join(format!("models--{}", id.replace('/', "--")));
    let revision = std::fs::read_to_string(model.join("refs/main")).ok()?;
    let folder = model.join("snapshots").join(revision.trim());
    folder.join("config.json").is_file().then_some(folder)
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

/// Where that client keeps what it fetched, by the variables that it goes by.
fn hub_cache() -> Option<PathBuf> {
    said("HF_HUB_CACHE")
        .map(PathBuf::from)
        .or_else(|| below("HF_HOME", "hub"))
        .or_else(|| below("XDG_CACHE_HOME", "huggingface/hub"))
        .or_else(|| below("HOME", ".cache/huggingface/hub"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::find_in;

    #[test]
    fn a_checkpoint_is_found_from_every_folder_above_it() {
        let output = tempfile::tempdir().unwrap();
        let checkpoint = output.path().join("checkpoints/last/pretrained_model");
        fs::create_dir_all(&checkpoint).unwrap();
        fs::write(checkpoint.join("config.json"), "{}").unwrap();
        for from in ["", "checkpoints", "checkpoints/last", "checkpoints/last/pretrained_model"] {
            assert_eq!(find_in(&output.path().join(from), None).unwrap(), checkpoint, "{from}");
        }
    }

    #[test]
    fn a_hub_id_is_found_where_it_was_fetched_to() {
        let cache = tempfile::tempdir().unwrap();
        let model = cache.path().join("models--me--pick");
        let snapshot = model.join("snapshots/0123abc");
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir_all(model.join("refs")).unwrap();
        fs::write(model.join("refs/main"), "0123abc\n").unwrap();
        fs::write(snapshot.join("config.json"), "{}").unwrap();
        assert_eq!(find_in(Path::new("me/pick"), Some(cache.path())).unwrap(), snapshot);
        let error = find_in(Path::new("me/place"), Some(cache.path())).unwrap_err().to_string();
        assert!(error.contains("hf download me/place"), "{error}");
    }

    #[test]
    fn what_is_nothing_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = find_in(folder.path(), None).unwrap_err().to_string();
        assert!(error.starts_with("holds no policy"), "{error}");
        let error = find_in(&folder.path().join("none"), None).unwrap_err().to_string();
        assert!(error.starts_with("there is no such folder"), "{error}");
    }
}
