//! Which files there are.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::hex::is_hex;
use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::{Call, pairs};
use crate::serve::store::hash;
use crate::serve::store::{Entry, Item, Leaf, Repository, Snapshot};

/// How many rows an answer has at most.
const PAGE: usize = 1000;
/// And where each row takes a look at its history.
const EXPANDED_PAGE: usize = 100;

/// A folder's files and folders, page by page.
pub fn tree(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.repository()?;
    let (recursive, expand) = (call.says("recursive"), call.says("expand"));
    // Later pages are of the state that the first was of.
    let cursor = call.query("cursor").and_then(|cursor| cursor.split_once('-'));
    let (revision, first) = match cursor {
        Some((commit, first)) if is_hex(commit, 40) => (commit, first.parse().unwrap_or(0)),
        _ => (call.revision(), 0usize),
    };
    let snapshot = repository.at(revision)?;
    let folder = call.part("path").trim_end_matches('/');
    if !snapshot.tree.has_folder(folder) {
        return Err(Refusal::no_entry(folder));
    }
    let most = if expand { EXPANDED_PAGE } else { PAGE };
    let limit = call.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(most);
    let limit = limit.clamp(1, most);
    let items = snapshot.tree.list(folder, recursive);
    let page = items.iter().skip(first).take(limit);
    let rows = page.map(|item| row(&repository, &snapshot, *item, expand));
    let answer = Answer::json(&rows.collect::<Vec<_>>())?;
    let next = first.saturating_add(limit);
    if next >= items.len() {
        return Ok(answer);
    }
    let link = format!(
        "<{}{}?recursive={recursive}&expand={expand}&limit={limit}&cursor={}-{next}>; rel=\"next\"",
        call.origin,
        call.path(),
        snapshot.commit.id,
    );
    Ok(answer.with("link", link))
}

#[derive(Deserialize)]
struct Asked {
    paths: Vec<String>,
    #[serde(default)]
    expand: bool,
}

/// What is at these paths; those with nothing are left out.
pub fn paths(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.repository()?;
    let snapshot = repository.at(call.revision())?;
    let kind = call.headers.get("content-type").and_then(|kind| kind.to_str().ok());
    let asked = match kind.is_some_and(|kind| kind.starts_with("application/json")) {
        true => call.json()?,
        false => form(&call.bytes()?)?,
    };
    let mut rows = Vec::new();
    for path in &asked.paths {
        let path = path.trim_end_matches('/');
        let file = snapshot.tree.file(path).map(|leaf| Item::File(path, leaf));
        let folder = || (!path.is_empty() && snapshot.tree.has_folder(path)).then_some(path);
        let item = file.or_else(|| folder().map(Item::Folder));
        rows.extend(item.map(|item| row(&repository, &snapshot, item, asked.expand)));
    }
    Answer::json(&rows)
}

fn form(bytes: &[u8]) -> Result<Asked, Refusal> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Refusal::wrong(format!("the form is no text: {error}")))?;
    let (mut paths, mut expand) = (Vec::new(), false);
    for (name, value) in pairs(text) {
        match name.as_str() {
            "paths" => paths.push(value),
            "expand" => expand = matches!(value.as_str(), "1" | "true" | "True"),
            _ => {}
        }
    }
    Ok(Asked { paths, expand })
}

/// How long the pointer is that git would keep.
pub fn pointer_size(entry: &Entry) -> usize {
    hash::pointer(&entry.sha256, entry.size).len()
}

fn row(repository: &Repository, snapshot: &Snapshot, item: Item<'_>, expand: bool) -> Value {
    let (mut row, commit) = match item {
        Item::File(path, leaf) => (file(path, leaf), Some(leaf.commit)),
        Item::Folder(path) => {
            let oid = snapshot.tree.folder_hash(path);
            let row = json!({ "type": "directory", "oid": oid, "size": 0, "path": path });
            (row, snapshot.tree.newest(path).filter(|_| expand))
        }
    };
    if let Some(commit) = commit.filter(|_| expand).and_then(|place| repository.commit_at(place)) {
        row["lastCommit"] = json!({ "id": commit.id, "title": commit.title, "date": commit.date });
    }
    row
}

fn file(path: &str, leaf: &Leaf) -> Value {
    let entry = &leaf.entry;
    let mut row = json!({ "type": "file", "oid": entry.git, "size": entry.size, "path": path });
    if entry.large {
        row["lfs"] = json!({
            "oid": entry.sha256,
            "size": entry.size,
            "pointerSize": pointer_size(entry),
        });
    }
    row
}
