//! Taking a token in, and giving it up.

use std::path::{Path, PathBuf};

use super::stored::Stored;
use super::{Account, clean, sendable};
use crate::{Error, Person, Result, durable};

/// The largest list of tokens that is read.
const LARGEST_LIST: u64 = 1 << 20;

/// A token that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Whose it is.
    pub person: Person,
    /// What it is called in the list of tokens.
    pub name: String,
    /// The file that it is kept in.
    pub path: PathBuf,
}

/// What was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logout {
    /// Whether there was anything to give up.
    pub was_in: bool,
    /// Whether the environment brings a token nevertheless.
    pub still_given: bool,
}

impl Account {
    /// Asks the hub whose token this is, and keeps it for all programs of this machine.
    pub fn login(&self, token: &str) -> Result<Login> {
        let token = clean(token).ok_or(Error::Token { what: "it is empty" }).and_then(sendable)?;
        if token.starts_with("api_org") {
            return Err(Error::Token { what: "it is an organization's: take a person's" });
        }
        let person = self.hub_with(Some(token.clone()))?.whoami()?;
        let name = match person.token_name() {
            Some(name) => name.to_owned(),
            None => format!("oauth-{}", person.name),
        };
        durable::make_secret_folders(durable::folder_of(&self.token_file))?;
        let _one_at_a_time = durable::lock(&self.list().with_extension("lock"))?;
        let mut stored = self.stored()?;
        stored.put(&name, &token);
        keep(&self.list(), &stored.render())?;
        keep(&self.token_file, &token)?;
        Ok(Login { person, name, path: self.token_file.clone() })
    }

    /// Forgets the token of this name, or all of them.
    pub fn logout(&self, name: Option<&str>) -> Result<Logout> {
        let still_given = self.is_given();
        if !self.token_file.exists() && !self.list().exists() {
            return Ok(Logout { was_in: false, still_given });
        }
        let _one_at_a_time = durable::lock(&self.list().with_extension("lock"))?;
        let Some(name) = name else {
            durable::remove(&self.list())?;
            durable::remove(&self.token_file)?;
            return Ok(Logout { was_in: true, still_given });
        };
        let mut stored = self.stored()?;
        let active = durable::read_text(&self.token_file, LARGEST_LIST)?.as_deref().and_then(clean);
        let is_active = active.is_some() && stored.token(name).and_then(clean) == active;
        if !stored.forget(name) {
            let known = stored.names().map(str::to_owned).collect();
            return Err(Error::NoSuchToken { name: name.to_owned(), known });
        }
        keep(&self.list(), &stored.render())?;
        if is_active {
            durable::remove(&self.token_file)?;
        }
        Ok(Logout { was_in: true, still_given })
    }

    /// Where the list of tokens is: beside the one that is used.
    fn list(&self) -> PathBuf {
        self.token_file.with_file_name("stored_tokens")
    }

    fn stored(&self) -> Result<Stored> {
        let text = durable::read_text(&self.list(), LARGEST_LIST)?;
        Ok(text.as_deref().map(Stored::parse).unwrap_or_default())
    }
}

fn keep(path: &Path, text: &str) -> Result<()> {
    durable::write_secretly(path, |to| to.write_all(text.as_bytes()))
}
