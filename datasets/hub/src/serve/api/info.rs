//! What a repository is, in one answer.

use serde_json::{Map, Value, json};

use super::{card, files};
use crate::Kind;
use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::{About, Leaf, Repository, Snapshot, Store};

/// As its main branch is.
pub fn newest(call: &mut Call) -> Result<Answer, Refusal> {
    at(call)
}

/// As a branch, a tag or a commit has it.
pub fn at(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.repository()?;
    let snapshot = repository.at(call.revision())?;
    let mut info = about(call.store(), &repository, &snapshot)?;
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
pub fn short(store: &Store, repository: &Repository) -> Result<Value, Refusal> {
    Ok(Value::Object(about(store, repository, &repository.at("main")?)?))
}

/// How access is said to be asked for.
pub fn gated(about: &About) -> Value {
    if about.gated { json!("manual") } else { json!(false) }
}

fn about(
    store: &Store,
    repository: &Repository,
    snapshot: &Snapshot,
) -> Result<Map<String, Value>, Refusal> {
    // A card that cannot be read says nothing; its writer is told when it is checked.
    let card = card::read(store, snapshot)?.unwrap_or_default();
    let card = card::parse(card::split(&card).0).unwrap_or_default();
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
    say("tags", json!(card::tags(&card)));
    if !card.is_empty() {
        say("cardData", Value::Object(card));
    }
    if let Some(sdk) = about.sdk {
        say("sdk", json!(sdk));
    }
    Ok(info)
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
