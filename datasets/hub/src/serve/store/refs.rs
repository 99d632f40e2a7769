//! What stands for which commit: branches, tags and pull requests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::Commit;

/// What branches and tags stand for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Refs {
    /// Branches.
    pub branches: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Pull requests, of which the first has the number 1.
    #[serde(default)]
    pub requests: Vec<Request>,
}

/// Changes that somebody asks to be taken over into a branch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// What they are, in a line.
    pub title: String,
    /// Who asks.
    pub author: String,
    /// Since when, as the interface writes it.
    pub created: String,
    /// The newest of their commits.
    pub head: String,
}

/// Where a commit goes.
#[derive(Clone, Copy, Debug)]
pub enum Onto<'a> {
    /// A branch, or a pull request by its reference.
    Head(&'a str),
    /// A pull request of its own, which begins where this branch is.
    Request(&'a str),
}

impl Refs {
    /// The commits that something stands for.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        let requests = self.requests.iter().map(|request| &request.head);
        self.branches.values().chain(self.tags.values()).chain(requests)
    }

    /// The newest commit of what commits can be added to: a branch, or a pull request.
    pub fn head(&self, name: &str) -> Option<&String> {
        let branch = name.strip_prefix("refs/heads/").unwrap_or(name);
        let request = || Some(&self.requests.get(request_of(name)?)?.head);
        self.branches.get(branch).or_else(request)
    }

    /// A commit is the newest from now on.
    pub fn put(&mut self, onto: Onto<'_>, commit: &Commit) {
        let head = commit.id.clone();
        match onto {
            Onto::Request(_) => {
                let (title, author) = (commit.title.clone(), commit.author.clone());
                let created = commit.date.clone();
                self.requests.push(Request { title, author, created, head });
            }
            Onto::Head(name) => match request_of(name).and_then(|at| self.requests.get_mut(at)) {
                Some(request) => request.head = head,
                None => {
                    let branch = name.strip_prefix("refs/heads/").unwrap_or(name);
                    self.branches.insert(branch.to_owned(), head);
                }
            },
        }
    }
}

/// What a pull request is called, by its number.
pub fn reference(number: usize) -> String {
    format!("refs/pr/{number}")
}

/// The place of a pull request that is called so.
fn request_of(name: &str) -> Option<usize> {
    let number: usize = name.strip_prefix("refs/pr/")?.parse().ok()?;
    number.checked_sub(1).filter(|_| name == reference(number))
}
