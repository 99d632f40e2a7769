//! What a hub makes of a repository's page, asked before anything of it is sent.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::local::Local;
use crate::http::{Ask, Content};
use crate::{Error, Hub, Repo, Result};

/// The longest page that is looked at; what is longer goes up as a large file, and is no page.
const LONGEST: u64 = 1 << 20;

/// What a hub says of a page.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    errors: Vec<Remark>,
    #[serde(default)]
    warnings: Vec<Remark>,
}

#[derive(Deserialize)]
struct Remark {
    #[serde(default)]
    message: String,
}

/// Whether it is the page of a repository.
pub(crate) fn is_page(file: &Local) -> bool {
    file.path().eq_ignore_ascii_case("README.md")
}

/// Fails where the hub cannot read what the page says for programs; returns what it finds odd. A hub that
/// does not look at pages finds nothing.
pub(crate) fn check(hub: &Hub, repo: &Repo, page: &Local) -> Result<Vec<String>> {
    let mut bytes = Vec::new();
    let place = page.place().unwrap_or(Path::new(page.path()));
    let read = page.open(0)?.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(Error::io("cannot read", place))?;
    let Ok(content) = String::from_utf8(bytes) else { return Ok(Vec::new()) };
    if content.len() as u64 > LONGEST {
        return Ok(Vec::new());
    }
    let url = format!("{}/api/validate-yaml", hub.endpoint());
    let body = json!({ "repoType": repo.kind().singular(), "content": content });
    let wrong = |message| Error::Page { path: page.path().to_owned(), message, url: url.clone() };
    match hub.client.ask(&Ask::post(&url, Content::Json(&body)).repeatable()) {
        Ok(answer) => {
            let said: Said = answer.json()?;
            match said.errors.is_empty() {
                true => Ok(said
                    .warnings
                    .into_iter()
                    .map(|one| hub.client.words(&one.message))
                    .collect()),
                false => {
                    let errors: Vec<_> = said.errors.into_iter().map(|one| one.message).collect();
                    Err(wrong(hub.client.words(&errors.join("; "))))
                }
            }
        }
        Err(Error::Status { status: 400, message, .. }) => Err(wrong(message)),
        Err(Error::Missing { .. } | Error::Status { status: 405 | 501, .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
