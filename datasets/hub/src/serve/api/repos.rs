//! Repositories as wholes: made, listed, renamed, hidden, removed.

use serde::Deserialize;
use serde_json::{Value, json};

use super::info;
use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::{self, About};
use crate::{Kind, Repo};

/// Owners whose repositories would have the addresses of something else.
const RESERVED: [&str; 5] = ["api", "datasets", "models", "page", "spaces"];
/// How many repositories are listed at once.
const LISTED: usize = 1000;

#[derive(Deserialize)]
struct Named {
    name: String,
    organization: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    visibility: Option<String>,
    private: Option<bool>,
    sdk: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Move {
    from_repo: String,
    to_repo: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Settings {
    visibility: Option<String>,
    private: Option<bool>,
    gated: Option<Value>,
}

/// Makes one.
pub fn create(call: &mut Call) -> Result<Answer, Refusal> {
    let author = call.writer()?.name.clone();
    let named: Named = call.json()?;
    let repo = repo(&named, &author)?;
    let url = format!("{}/{}", call.origin, repo.place());
    let about = About {
        created: store::now(),
        private: hidden(named.visibility.as_deref(), named.private).unwrap_or(false),
        gated: false,
        sdk: named.sdk,
    };
    call.store().create(&repo, &about, &author).map_err(|refusal| match refusal.status {
        409 => refusal.at(url.clone()),
        _ => refusal,
    })?;
    Answer::json(&json!({ "url": url, "name": repo.id(), "id": repo.id() }))
}

/// Removes one.
pub fn delete(call: &mut Call) -> Result<Answer, Refusal> {
    let author = call.writer()?.name.clone();
    let named: Named = call.json()?;
    call.store().delete(&repo(&named, &author)?)?;
    Ok(Answer::done())
}

/// Gives one another name.
pub fn rename(call: &mut Call) -> Result<Answer, Refusal> {
    call.writer()?;
    let wish: Move = call.json()?;
    let kind = kind(wish.kind.as_deref())?;
    let (from, to) = (Repo::new(kind, &wish.from_repo)?, allowed(kind, &wish.to_repo)?);
    call.store().rename(&from, &to)?;
    Answer::json(&json!({ "url": format!("{}/{}", call.origin, to.place()) }))
}

/// Changes who may see one.
pub fn settings(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.writable()?;
    let settings: Settings = call.json()?;
    repository.change_about(|about| {
        let private = hidden(settings.visibility.as_deref(), settings.private);
        about.private = private.unwrap_or(about.private);
        if let Some(gated) = &settings.gated {
            about.gated = gated.is_string() || *gated == json!(true);
        }
    })?;
    let about = repository.about();
    Answer::json(&json!({ "private": about.private, "gated": info::gated(&about) }))
}

/// Whether whoever asks may read one.
pub fn readable(call: &mut Call) -> Result<Answer, Refusal> {
    call.repository()?;
    Ok(Answer::done())
}

/// All of a kind, or those of an owner, or those with something in their names.
pub fn list(call: &mut Call) -> Result<Answer, Refusal> {
    let kind = Kind::named(call.part("kind")).filter(|kind| kind.plural() == call.part("kind"));
    let kind = kind.ok_or_else(Refusal::nothing)?;
    let limit = call.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(LISTED);
    let search = call.query("search").unwrap_or_default().to_ascii_lowercase();
    let mut found = Vec::new();
    for repository in call.store().all() {
        let repo = repository.repo();
        let wanted = repo.kind() == kind
            && call.query("author").is_none_or(|author| author == repo.owner())
            && repo.id().to_ascii_lowercase().contains(&search);
        if wanted && call.visible(repo).is_ok() && found.len() < limit.min(LISTED) {
            found.push(info::short(call.store(), &repository)?);
        }
    }
    Answer::json(&found)
}

fn kind(name: Option<&str>) -> Result<Kind, Refusal> {
    let wrong = || Refusal::wrong("a repository is a model, a dataset or a space");
    name.map_or(Ok(Kind::Model), |name| Kind::named(name).ok_or_else(wrong))
}

fn repo(named: &Named, caller: &str) -> Result<Repo, Refusal> {
    let owner = named.organization.as_deref().unwrap_or(caller);
    let id = match named.name.contains('/') {
        true => named.name.clone(),
        false => format!("{owner}/{}", named.name),
    };
    allowed(kind(named.kind.as_deref())?, &id)
}

fn allowed(kind: Kind, id: &str) -> Result<Repo, Refusal> {
    let repo = Repo::new(kind, id)?;
    match RESERVED.iter().any(|reserved| repo.owner().eq_ignore_ascii_case(reserved)) {
        true => Err(Refusal::wrong(format!("nobody may be called {}", repo.owner()))),
        false => Ok(repo),
    }
}

fn hidden(visibility: Option<&str>, private: Option<bool>) -> Option<bool> {
    visibility.map(|visibility| visibility != "public").or(private)
}
