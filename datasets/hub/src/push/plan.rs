//! What a hub wants of a file: inside the commit, ahead of it, or not at all since it is there.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::local::Local;
use crate::http::{Ask, Content, nonsense};
use crate::{Hub, Repo, Result};

/// How many files a hub is asked about at once.
pub(crate) const MOST_FILES: usize = 256;

/// What a hub says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether its bytes go ahead of the commit.
    pub large: bool,
    /// Whether the repository's own rules leave it out.
    pub ignored: bool,
    /// The hash of what is there under its path.
    pub there: Option<String>,
}

#[derive(Deserialize)]
struct Files {
    files: Vec<One>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    path: String,
    upload_mode: String,
    #[serde(default)]
    should_ignore: bool,
    oid: Option<String>,
}

/// What a hub wants of each of at most [`MOST_FILES`] files.
pub(crate) fn wanted(
    hub: &Hub,
    repo: &Repo,
    revision: &str,
    files: &[(&Local, u64)],
) -> Result<Vec<Wanted>> {
    let url = hub.api(repo, ["preupload", revision]);
    let list = files.iter().map(|(file, size)| {
        let sample = BASE64_STANDARD.encode(file.sample()?);
        Ok(json!({ "path": file.path(), "size": size, "sample": sample }))
    });
    let body = json!({ "files": list.collect::<Result<Vec<Value>>>()? });
    let ask = Ask::post(&url, Content::Json(&body)).repeatable();
    let said: Files = hub.client.ask(&ask)?.json()?;
    let files = files.iter().map(|(file, size)| (file.path(), *size));
    read(said, files).map_err(|what| nonsense(&url, &what))
}

/// What is said of each file of these paths and sizes, or what does not fit.
fn read<'a>(
    said: Files,
    files: impl Iterator<Item = (&'a str, u64)>,
) -> Result<Vec<Wanted>, String> {
    let mut said: HashMap<String, One> =
        said.files.into_iter().map(|one| (one.path.clone(), one)).collect();
    let of = |(path, size): (&str, u64)| {
        let one = said.remove(path).ok_or_else(|| format!("it says nothing of {path:?}"))?;
        let large = match one.upload_mode.as_str() {
            "lfs" => true,
            "regular" => false,
            other => return Err(format!("it wants files sent as {other:?}")),
        };
        // A file without a byte has nothing that could go ahead.
        Ok(Wanted { large: large && size > 0, ignored: one.should_ignore, there: one.oid })
    };
    files.map(of).collect()
}

/// Takes bytes for what a hub wants of files of these paths and sizes: which go ahead of the commit, and
/// which are left out. For fuzzing.
#[doc(hidden)]
pub fn read_plan(bytes: &[u8], files: &[(&str, u64)]) -> Option<Vec<(bool, bool)>> {
    let wanted = read(serde_json::from_slice(bytes).ok()?, files.iter().copied()).ok()?;
    Some(wanted.into_iter().map(|one| (one.large, one.ignored)).collect())
}
