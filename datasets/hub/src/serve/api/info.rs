//! What a repository is, in one answer.

use serde_json::{Map, Value, json};

use super::files;
use crate::Kind;
use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::{About, Leaf, Repository, Snapshot};

/// As its main branch is.
pub fn newest(call: &mut Call) -> Result<Answer, Refusal> {
    at(call)
}

/// As a branch, a tag or a commit has it.
pub fn at(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.repository()?;
    let snapshot = repository.at(call.revision())?;
    let mut info = about(&repository, &snapshot);
    let siblings = snapshot.tree.files();
    let siblings = siblings.map(|(path, leaf)| sibling(path, leaf, call.says("blobs")));
    info.insert("siblings".to_owned(), siblings.collect());
    let used: u64 = snapshot.tree.files().map(|(_, leaf)| leaf.entry.size).sum();
    info.insert("usedStorage".to_owned(), json!(used));
    let wanted: Vec<&str> = call.query_all("expand").chain(call.query_all("expand[]")).collect();
    if !wanted.is_empty() {
        info.retain(|name, _| matches!(name.as_str(), "_id" | "id") || wanted.contains(&&**name));
    }
    Answer::json(&info)
}

/// What stands in a list of repositories.
pub fn short(repository: &Repository) -> Result<Value, Refusal> {
    Ok(Value::Object(about(repository, &repository.at("main")?)))
}

/// How access is said to be asked for.
pub fn gated(about: &About) -> Value {
    if about.gated { json!("manual") } else { json!(false) }
}

fn about(repository: &Repository, snapshot: &Snapshot) -> Map<String, Value> {
    let (repo, about) = (repository.repo(), repository.about());
    let mut info = Map::new();
    let mut say = |name: &str, value: Value| info.insert(name.to_owned(), value);
    say("_id", json!(repo.place()));
    say("id", json!(repo.id()));
    if repo.kind() == Kind::Model {
        say("modelId", json!(repo.id()));
    }
    say("author", json!(repo.owner()));
    say("sha", json!(snapshot.commit.id));
    say("lastModified", json!(snapshot.commit.date));
    say("createdAt", json!(about.created));
    say("private", json!(about.private));
    say("gated", gated(&about));
    say("disabled", json!(false));
    say("downloads", json!(0));
    say("likes", json!(0));
    say("tags", json!([]));
    if let Some(sdk) = about.sdk {
        say("sdk", json!(sdk));
    }
    info
}

fn sibling(path: &str, leaf: &Leaf, whole: bool) -> Value {
    let mut sibling = json!({ "rfilename": path });
    if whole {
        sibling["size"] = json!(leaf.entry.size);
        sibling["blobId"] = json!(leaf.entry.git);
        if leaf.entry.large {
            sibling["lfs"] = json!({
                "sha256": leaf.entry.sha256,
                "size": leaf.entry.size,
                "pointerSize": files::pointer_size(&leaf.entry),
            });
        }
    }
    sibling
}
