//! Branches, tags, and the commits behind them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::path::check_revision;
use crate::serve::store::{Request, reference};

/// How many commits are listed at once.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct Tag {
    tag: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Branch {
    starting_point: Option<String>,
    #[serde(default)]
    overwrite: bool,
}

/// All branches and tags.
pub fn all(call: &mut Call) -> Result<Answer, Refusal> {
    let refs = call.repository()?.refs();
    let rows = |folder: &str, refs: &BTreeMap<String, String>| -> Vec<Value> {
        let row = |(name, id): (&String, &String)| json!({ "name": name, "ref": format!("refs/{folder}/{name}"), "targetCommit": id });
        refs.iter().map(row).collect()
    };
    let mut answer = json!({
        "branches": rows("heads", &refs.branches),
        "tags": rows("tags", &refs.tags),
        "converts": [],
    });
    if call.says("include_prs") {
        let row = |(at, request): (usize, &Request)| json!({ "name": reference(at + 1), "ref": reference(at + 1), "targetCommit": request.head });
        answer["pullRequests"] = refs.requests.iter().enumerate().map(row).collect();
    }
    Answer::json(&answer)
}

/// The pull requests, the newest first, page by page.
pub fn requests(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.repository()?;
    let (repo, requests) = (repository.repo(), repository.refs().requests);
    let of = |name, all: &[&str]| call.query(name).is_none_or(|wanted| all.contains(&wanted));
    // There is nothing else to talk about, and nobody closes one here.
    let wanted = of("type", &["pull_request", "all"]) && of("status", &["open", "all"]);
    let by = |request: &Request| call.query("author").is_none_or(|name| name == request.author);
    let requests = requests.iter().enumerate().filter(|(_, request)| wanted && by(request)).rev();
    let rows: Vec<Value> = requests
        .map(|(at, request)| {
            json!({
                "num": at + 1,
                "title": request.title,
                "status": "open",
                "author": { "name": request.author },
                "createdAt": request.created,
                "isPullRequest": true,
                "repo": { "name": repo.id(), "type": repo.kind().singular() },
            })
        })
        .collect();
    let page: usize = call.query("p").and_then(|page| page.parse().ok()).unwrap_or(0);
    let first = page.saturating_mul(PAGE).min(rows.len());
    let page: Vec<&Value> = rows.iter().skip(first).take(PAGE).collect();
    Answer::json(&json!({ "discussions": page, "count": rows.len(), "start": first }))
}

/// Where a pull request is looked at.
pub fn request(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.repository()?;
    let number: usize = call.part("number").parse().map_err(|_none| Refusal::nothing())?;
    repository.at(&reference(number))?;
    let place = repository.repo().place();
    let mut answer = Answer::done().with("location", format!("/{place}/tree/refs%2Fpr%2F{number}"));
    answer.status = 302;
    Ok(answer)
}

/// A commit and those before it.
pub fn history(call: &mut Call) -> Result<Answer, Refusal> {
    let commits = call.repository()?.history(call.revision())?;
    let number = |name| call.query(name).and_then(|number| number.parse::<usize>().ok());
    let (page, limit) = (number("p").unwrap_or(0), number("limit").unwrap_or(PAGE).clamp(1, PAGE));
    let first = page.saturating_mul(limit);
    let rows = commits.iter().skip(first).take(limit).map(|commit| {
        json!({
            "id": commit.id,
            "title": commit.title,
            "message": commit.message,
            "date": commit.date,
            "authors": [{ "user": commit.author }],
        })
    });
    let answer = Answer::json(&rows.collect::<Vec<_>>())?;
    if first.saturating_add(limit) >= commits.len() {
        return Ok(answer);
    }
    let (origin, path, next) = (&call.origin, call.path(), page + 1);
    Ok(answer.with("link", format!("<{origin}{path}?p={next}&limit={limit}>; rel=\"next\"")))
}

/// Names a commit.
pub fn tag(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.writable()?;
    let Tag { tag } = call.json()?;
    check_revision(&tag).map_err(|what| Refusal::wrong(format!("{what}: {tag:?}")))?;
    let commit = repository.at(call.revision())?.commit;
    repository.change_refs(|refs| match refs.tags.contains_key(&tag) {
        true => Err(Refusal::exists("the tag")),
        false => {
            refs.tags.insert(tag.clone(), commit.id.clone());
            Ok(())
        }
    })?;
    Ok(Answer::done())
}

/// Takes the name back.
pub fn untag(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.writable()?;
    let name = call.revision();
    repository.change_refs(|refs| {
        refs.tags.remove(name).map(drop).ok_or_else(|| Refusal::no_revision(name))
    })?;
    Ok(Answer::done())
}

/// Begins a branch.
pub fn branch(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.writable()?;
    let bytes = call.bytes()?;
    let wish: Branch = match bytes.is_empty() {
        true => Branch::default(),
        false => serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::wrong(format!("the question makes no sense: {error}")))?,
    };
    let name = call.revision();
    check_revision(name).map_err(|what| Refusal::wrong(format!("{what}: {name:?}")))?;
    let commit = repository.at(wish.starting_point.as_deref().unwrap_or("main"))?.commit;
    repository.change_refs(|refs| match refs.branches.contains_key(name) && !wish.overwrite {
        true => Err(Refusal::exists("the branch")),
        false => {
            refs.branches.insert(name.to_owned(), commit.id.clone());
            Ok(())
        }
    })?;
    Ok(Answer::done())
}

/// Ends a branch. Its commits stay.
pub fn unbranch(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.writable()?;
    let name = call.revision();
    if name == "main" {
        return Err(Refusal::forbidden("a repository keeps its branch main"));
    }
    repository.change_refs(|refs| {
        refs.branches.remove(name).map(drop).ok_or_else(|| Refusal::no_revision(name))
    })?;
    Ok(Answer::done())
}
