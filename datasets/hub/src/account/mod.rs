//! Who one is on which hub, and where this machine keeps what comes from it: as the official
//! client sees it, by the same variables and the same files.

mod environment;
mod login;
mod stored;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use environment::Environment;
pub use login::{Login, Logout};
pub use stored::Stored;

use crate::{Error, Hub, Options, Result, durable};

/// The public hub.
const PUBLIC: &str = "https://huggingface.co";

/// No token is longer.
const LONGEST_TOKEN: usize = 4096;

/// Who one is on which hub.
#[derive(Clone)]
pub struct Account {
    endpoint: String,
    /// The token of the environment, which wins over the file's.
    given: Option<String>,
    /// Whether the token is shown without being asked for it.
    implicit: bool,
    offline: bool,
    patience: Duration,
    cache: PathBuf,
    token_file: PathBuf,
}

impl Account {
    /// The account of this process: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and their like.
    pub fn from_environment() -> Result<Self> {
        Self::of(&|name| std::env::var_os(name))
    }

    /// The account of a process with these variables. What a file says is read when it is needed.
    pub fn of(var: &dyn Fn(&str) -> Option<OsString>) -> Result<Self> {
        let variables = Environment::of(var);
        let home = variables.path("HF_HOME").unwrap_or_else(|| {
            let cache = variables.plain_path("XDG_CACHE_HOME");
            cache.unwrap_or_else(|| variables.own_home().join(".cache")).join("huggingface")
        });
        let cache = variables.path("HF_HUB_CACHE").or_else(|| {
            // As the client that still had this name, which expands nothing in it.
            variables.plain_path("HUGGINGFACE_HUB_CACHE")
        });
        let endpoint = variables.text("HF_ENDPOINT").unwrap_or_else(|| PUBLIC.to_owned());
        let given = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].into_iter().find_map(|name| {
            // An empty one is none; one of blanks is the answer, and none either.
            variables.text(name).filter(|token| !token.is_empty())
        });
        let offline =
            variables.is_set("HF_HUB_OFFLINE").or(variables.is_set("TRANSFORMERS_OFFLINE"));
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            given: given.as_deref().and_then(clean),
            implicit: variables.is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN") != Some(true),
            offline: offline == Some(true),
            patience: variables.seconds("HF_HUB_DOWNLOAD_TIMEOUT")?,
            cache: cache.unwrap_or_else(|| home.join("hub")),
            token_file: variables.path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token")),
        })
    }

    /// Where the hub is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The folder in which all programs of this machine share what they fetched.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Whether no server may be asked.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// Whether the environment brings a token, which wins over the one that a login stored.
    pub fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// The token, where there is one.
    pub fn token(&self) -> Result<Option<String>> {
        let read = || durable::read_text(&self.token_file, LONGEST_TOKEN as u64);
        let token = match &self.given {
            Some(given) => Some(given.clone()),
            None => read()?.as_deref().and_then(clean),
        };
        token.map(sendable).transpose()
    }

    /// The hub, asked with the token where there is one.
    pub fn hub(&self) -> Result<Hub> {
        if self.offline {
            return Err(Error::Offline { url: self.endpoint.clone() });
        }
        Hub::new(&self.endpoint, self.options()?)
    }

    /// The hub, asked once for whatever it is asked.
    pub(crate) fn hasty_hub(&self) -> Result<Hub> {
        Hub::new(&self.endpoint, Options { tries: 1, ..self.options()? })
    }

    /// The hub, asked until somebody sets `end`.
    pub fn hub_until(&self, end: Arc<AtomicBool>) -> Result<Hub> {
        if self.offline {
            return Err(Error::Offline { url: self.endpoint.clone() });
        }
        Hub::new(&self.endpoint, Options { end: Some(end), ..self.options()? })
    }

    /// How the hub is asked: with the token where there is one.
    pub fn options(&self) -> Result<Options> {
        let token = if self.implicit { self.token()? } else { None };
        Ok(self.options_with(token))
    }

    /// The hub, asked with this token or none. It is shown to the endpoint and nobody else.
    pub fn hub_with(&self, token: Option<String>) -> Result<Hub> {
        if self.offline {
            return Err(Error::Offline { url: self.endpoint.clone() });
        }
        Hub::new(&self.endpoint, self.options_with(token))
    }

    fn options_with(&self, token: Option<String>) -> Options {
        Options { token, patience: self.patience, ..Options::default() }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.given.as_ref().map(|_token| "(hidden)");
        let mut out = out.debug_struct("Account");
        out.field("endpoint", &self.endpoint).field("given", &given);
        out.field("offline", &self.offline).field("cache", &self.cache);
        out.field("token_file", &self.token_file).finish_non_exhaustive()
    }
}

/// A token without what copying it brought along; none where nothing is left.
fn clean(token: &str) -> Option<String> {
    let token = token.replace(['\r', '\n'], "");
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// A token that can be sent.
fn sendable(token: String) -> Result<String> {
    let wrong = |what| Err(Error::Token { what });
    match token.bytes().all(|byte| byte.is_ascii_graphic()) {
        _ if token.len() > LONGEST_TOKEN => wrong("it is far too long"),
        true => Ok(token),
        false => wrong("it has blanks in it, or letters that no token has"),
    }
}

#[cfg(test)]
mod tests;
