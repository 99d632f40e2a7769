//! What the Hub calls things.

use std::fmt;

use crate::{Error, Result};

/// The longest name of an owner or a repository.
const LONGEST_NAME: usize = 96;

/// What a repository holds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A policy's weights.
    Model,
    /// Recorded episodes.
    Dataset,
    /// A program with a page.
    Space,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repo {
    kind: Kind,
    owner: String,
    name: String,
}

impl Kind {
    /// As the interface for programs writes it in a body.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }

    /// As its addresses and the cache's folders write it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// The kind with this name, in the singular or the plural.
    pub fn named(name: &str) -> Option<Self> {
        let kinds = [Self::Model, Self::Dataset, Self::Space];
        kinds.into_iter().find(|kind| name == kind.singular() || name == kind.plural())
    }
}

impl Repo {
    /// The repository `id`, which is `owner/name`, in the letters that the Hub allows.
    pub fn new(kind: Kind, id: &str) -> Result<Self> {
        let wrong = |what| Error::Name { what, name: id.to_owned() };
        let Some((owner, name)) = id.split_once('/') else {
            return Err(wrong("it has two parts, as in me/pick"));
        };
        for part in [owner, name] {
            check(part).map_err(wrong)?;
        }
        Ok(Self { kind, owner: owner.to_owned(), name: name.to_owned() })
    }

    /// What it holds.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whose it is.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name without the owner's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `owner/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// What its pages and files are found under, below an endpoint: `datasets/owner/name`, or
    /// `owner/name` for a model.
    pub fn place(&self) -> String {
        match self.kind {
            Kind::Model => self.id(),
            kind => format!("{}/{}", kind.plural(), self.id()),
        }
    }

    /// Its folder in the cache.
    pub fn folder(&self) -> String {
        format!("{}--{}--{}", self.kind.plural(), self.owner, self.name)
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.owner, self.name)
    }
}

/// Whether an owner or a repository may be called so.
fn check(part: &str) -> Result<(), &'static str> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if part.is_empty() {
        return Err("a part of it is empty");
    }
    if part.len() > LONGEST_NAME {
        return Err("each part has at most 96 letters");
    }
    if !part.bytes().all(letter) {
        return Err("it may have letters without accents, digits, '-', '_' and '.', and one '/'");
    }
    if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
        return Err("its parts begin and end with neither '-' nor '.'");
    }
    if part.contains("--") || part.contains("..") {
        return Err("'--' and '..' are not allowed in it");
    }
    if part.ends_with(".git") || part.ends_with(".ipynb") {
        return Err("it may not end with .git or .ipynb");
    }
    Ok(())
}

/// Refuses what would not be found below the folder that it is joined to.
pub(crate) fn check_path(path: &str) -> Result<()> {
    let wrong = |what| Err(Error::Name { what, name: path.to_owned() });
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("a file's path in a repository has names between single '/'");
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return wrong("a file's path in a repository has neither '\\' nor control letters");
    }
    // What lies there is run by git.
    if path.split('/').any(|part| part.eq_ignore_ascii_case(".git")) {
        return wrong("a repository's own .git cannot be written");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        let repo = Repo::new(Kind::Dataset, "me/pick_1.0").unwrap();
        assert_eq!((repo.owner(), repo.name()), ("me", "pick_1.0"));
        assert_eq!(repo.place(), "datasets/me/pick_1.0");
        assert_eq!(repo.folder(), "datasets--me--pick_1.0");
        assert_eq!(Repo::new(Kind::Model, "me/act").unwrap().place(), "me/act");
        assert_eq!(Kind::named("datasets"), Some(Kind::Dataset));
        assert_eq!(Kind::named("dataset"), Some(Kind::Dataset));
        assert_eq!(Kind::named("data"), None);
    }

    #[test]
    fn what_leads_out_of_a_folder_is_no_name() {
        let long = format!("me/{}", "x".repeat(97));
        for wrong in [
            "", "pick", "me/", "/pick", "me/../x", "../x", "a/b/c", "me/a--b", "me/.git",
            "me/x.git", "me/pi ck", "me/ü", "me/a\0", "C:/x", &long,
        ] {
            assert!(matches!(Repo::new(Kind::Model, wrong), Err(Error::Name { .. })), "{wrong}");
        }
    }
}
