//! A hub's interface for programs: who one is, what repositories there are and what is in them.

mod entry;
mod person;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::Method;

pub(crate) use entry::is_commit;
pub use entry::{Digest, Entry, read_list};
use entry::{Listed, entries};
pub use person::{Group, Person, read_person};

use crate::error::Absent;
use crate::http::{Ask, Client, Content, Options, nonsense};
use crate::{Error, Kind, Repo, Result, address};

/// How many pages and files a list has before it is taken to be without end.
const MOST_PAGES: usize = 10_000;
const MOST_FILES: usize = 2_000_000;

/// A hub: the public one, or one of a lab's own.
#[derive(Clone, Debug)]
pub struct Hub {
    pub(crate) client: Arc<Client>,
    endpoint: String,
}

/// The state of a repository at a revision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct State {
    /// The commit.
    pub sha: String,
    /// Whether only its owner sees it.
    #[serde(default)]
    pub private: bool,
    /// What it is called, which is another name than was asked for once it was moved.
    #[serde(default)]
    id: Option<String>,
}

/// The branches and tags of a repository, with the commits they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    /// Branches.
    pub branches: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    branches: Vec<Name>,
    #[serde(default)]
    tags: Vec<Name>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Name {
    name: String,
    target_commit: String,
}

impl State {
    /// The repository, by the name that it has now; `asked` is the one that it was asked for by.
    pub fn repo(&self, asked: &Repo) -> Repo {
        let named = self.id.as_deref().and_then(|id| Repo::new(asked.kind(), id).ok());
        named.unwrap_or_else(|| asked.clone())
    }
}

impl Hub {
    /// The hub at this endpoint, such as `https://huggingface.co`.
    pub fn new(endpoint: &str, options: Options) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        address::check(&endpoint)?;
        Ok(Self { client: Arc::new(Client::new(options)?), endpoint })
    }

    /// Where it is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The page of a repository.
    pub fn page(&self, repo: &Repo) -> String {
        format!("{}/{}", self.endpoint, repo.place())
    }

    /// What the files of a repository at a revision are found below.
    pub fn files_of(&self, repo: &Repo, revision: &str) -> String {
        address::below(&format!("{}/resolve", self.page(repo)), [revision])
    }

    /// The address of one file.
    pub(crate) fn file(&self, repo: &Repo, revision: &str, path: &str) -> String {
        address::below(&self.files_of(repo, revision), path.split('/'))
    }

    /// An address of the interface for programs.
    pub(crate) fn api<'a>(&self, repo: &Repo, parts: impl IntoIterator<Item = &'a str>) -> String {
        let base = format!("{}/api/{}/{}", self.endpoint, repo.kind().plural(), repo.id());
        address::below(&base, parts)
    }

    /// Whose token this is.
    pub fn whoami(&self) -> Result<Person> {
        let url = format!("{}/api/whoami-v2", self.endpoint);
        let person: Person = self.client.ask(&Ask::get(&url))?.json()?;
        // Who somebody is gets shown: not so the token, should a hub call them by it.
        Ok(person.shown(|name| self.client.name(name)))
    }

    /// Makes a repository where there is none; tells whether there was none.
    pub fn create(&self, repo: &Repo, private: bool) -> Result<bool> {
        let url = format!("{}/api/repos/create", self.endpoint);
        let mut body = json!({
            "name": repo.name(),
            "organization": repo.owner(),
            "type": repo.kind().singular(),
            "private": private,
        });
        if repo.kind() == Kind::Space {
            body["sdk"] = json!("static");
        }
        match self.client.ask(&Ask::post(&url, Content::Json(&body)).repeatable()) {
            Ok(_made) => Ok(true),
            // Somebody else is just making it, or says so of something else.
            Err(busy @ Error::Conflict { .. }) => match self.state(repo, None) {
                Ok(_there) => Ok(false),
                Err(Error::Missing { .. }) => Err(busy),
                Err(error) => Err(error),
            },
            // Some tokens may write into a repository and make none: then it has to be there.
            Err(denied @ (Error::Denied { .. } | Error::Status { status: 402, .. })) => {
                match self.state(repo, None) {
                    Ok(_there) => Ok(false),
                    Err(_absent) => Err(denied),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The commit that a revision stands for; the newest of `main` without one.
    pub fn state(&self, repo: &Repo, revision: Option<&str>) -> Result<State> {
        let url = match revision {
            Some(revision) => self.api(repo, ["revision", revision]),
            None => self.api(repo, []),
        };
        let state: State = self.client.ask(&Ask::get(&url))?.json()?;
        self.check_commit(&state.sha, &url).map(|()| state)
    }

    /// Refuses what a hub says is a commit where it cannot be one.
    pub(crate) fn check_commit(&self, commit: &str, url: &str) -> Result<()> {
        if is_commit(commit) {
            return Ok(());
        }
        Err(self.client.told(nonsense(url, &format!("{commit:?} is no commit"))))
    }

    /// Every file of a repository at a revision, below `folder` where it is not empty.
    pub fn files(&self, repo: &Repo, revision: &str, folder: &str) -> Result<Vec<Entry>> {
        let below = folder.split('/').filter(|part| !part.is_empty());
        let first = self.api(repo, ["tree", revision].into_iter().chain(below));
        let mut url = format!("{first}?recursive=true&expand=false");
        let mut files = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer = self.client.ask(&Ask::get(&url))?;
            let page: Vec<Listed> = answer.json()?;
            files.extend(entries(page));
            let Some(next) = answer.header("link").as_deref().and_then(next_page) else {
                return Ok(files);
            };
            let next = address::joined(&url, &next).unwrap_or_default();
            if address::origin(&next) != address::origin(&first) {
                let what = "the next page of its list is on another server".to_owned();
                return Err(Error::Nonsense { what, url: first });
            }
            if next == url || files.len() > MOST_FILES {
                break;
            }
            url = next;
        }
        Err(Error::Nonsense { what: "its list of files has no end".into(), url: first })
    }

    /// Branches and tags.
    pub fn refs(&self, repo: &Repo) -> Result<Refs> {
        let names: Names = self.client.ask(&Ask::get(&self.api(repo, ["refs"])))?.json()?;
        let map = |names: Vec<Name>| {
            names.into_iter().map(|name| (name.name, name.target_commit)).collect()
        };
        Ok(Refs { branches: map(names.branches), tags: map(names.tags) })
    }

    /// Makes a branch where there is none, from the newest commit of `main`.
    pub fn branch(&self, repo: &Repo, branch: &str) -> Result<()> {
        let url = self.api(repo, ["branch", branch]);
        match self.client.ask(&Ask::post(&url, Content::Json(&json!({}))).repeatable()) {
            Ok(_) | Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Lets a tag stand for a revision, whatever it stood for before.
    pub fn tag(&self, repo: &Repo, tag: &str, revision: &str) -> Result<()> {
        self.untag(repo, tag)?;
        let url = self.api(repo, ["tag", revision]);
        let body = json!({ "tag": tag });
        match self.client.ask(&Ask::post(&url, Content::Json(&body)).repeatable()) {
            // The answer to the first try was lost, or somebody else was as quick: who, is asked.
            Err(conflict @ Error::Conflict { .. }) => {
                let wanted = self.state(repo, Some(revision))?.sha;
                match self.refs(repo)?.tags.get(tag) {
                    Some(there) if *there == wanted => Ok(()),
                    _ => Err(conflict),
                }
            }
            other => other.map(drop),
        }
    }

    fn untag(&self, repo: &Repo, tag: &str) -> Result<()> {
        let url = self.api(repo, ["tag", tag]);
        let ask = Ask { method: Method::DELETE, ..Ask::get(&url) };
        match self.client.ask(&ask) {
            Ok(_) | Err(Error::Missing { what: Absent::Revision, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes a repository with all that is in it.
    pub fn delete(&self, repo: &Repo) -> Result<()> {
        let url = format!("{}/api/repos/delete", self.endpoint);
        let body: Value = json!({
            "name": repo.name(),
            "organization": repo.owner(),
            "type": repo.kind().singular(),
        });
        let ask = Ask { method: Method::DELETE, ..Ask::post(&url, Content::Json(&body)) };
        self.client.ask(&ask).map(drop)
    }
}

/// The address in a `Link` header that leads to the next page.
fn next_page(link: &str) -> Option<String> {
    let next = link.split(',').find(|one| {
        one.split(';').skip(1).any(|word| word.trim().replace('"', "") == "rel=next")
    })?;
    let (_, behind) = next.split_once('<')?;
    Some(behind.split_once('>')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_where_the_link_says() {
        let next = next_page("<https://hub/api/x?cursor=a%3D>; rel=\"next\"");
        assert_eq!(next.as_deref(), Some("https://hub/api/x?cursor=a%3D"));
        let both = next_page("<http://a/1>; rel=\"prev\", <http://a/3>; rel=next");
        assert_eq!(both.as_deref(), Some("http://a/3"));
        for none in ["", "<http://a/1>; rel=\"prev\"", "rel=next", "<http://a/1; rel=next"] {
            assert_eq!(next_page(none), None, "{none}");
        }
    }

    #[test]
    fn addresses_name_the_kind_and_keep_a_revision_in_one_piece() {
        let hub = Hub::new("http://127.0.0.1:9/", Options::default()).unwrap();
        let (model, set) = (Repo::new(Kind::Model, "me/act"), Repo::new(Kind::Dataset, "me/pick"));
        let (model, set) = (model.unwrap(), set.unwrap());
        assert_eq!(
            hub.file(&set, "feat/x", "data/a b.bin"),
            "http://127.0.0.1:9/datasets/me/pick/resolve/feat%2Fx/data/a%20b.bin"
        );
        assert_eq!(hub.files_of(&model, "main"), "http://127.0.0.1:9/me/act/resolve/main");
        assert_eq!(hub.api(&model, ["refs"]), "http://127.0.0.1:9/api/models/me/act/refs");
    }
}
