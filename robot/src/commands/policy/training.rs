//! What a checkpoint's training left beside it, and what of that is still on this machine.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sinew_datasets::schema::Info;

use super::super::dataset::folder_of;

/// No `train_config.json` and no `info.json` is larger than this.
const LARGEST_FILE: u64 = 4 << 20;

/// How often a second the dataset of a policy's training was recorded, and what it is called; nothing where
/// the checkpoint does not say which it was, or it is not here any more.
pub fn rate(checkpoint: &Path) -> Option<(f64, String)> {
    let config: Value =
        serde_json::from_slice(&bytes(&checkpoint.join("train_config.json"))?).ok()?;
    let said = |field: &str| config.get("dataset")?.get(field)?.as_str();
    let name = said("repo_id")?;
    let root = said("root").map_or_else(|| folder_of(name), PathBuf::from);
    let path = root.join("meta/info.json");
    let info = Info::parse(&bytes(&path)?, &path).ok()?;
    Some((f64::from(info.fps), name.to_owned()))
}

/// A small file; nothing where there is none, or none that can be read.
fn bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    path.is_file().then_some(())?;
    File::open(path).ok()?.take(LARGEST_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
