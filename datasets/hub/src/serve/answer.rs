//! What the server says: an answer, or why there is none.

use std::fs::File;
use std::io;

use serde::Serialize;
use serde_json::json;

use crate::Error;

/// How many letters of what people are shown are in a header.
const SHOWN: usize = 1000;

/// An answer to one request.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// What follows them.
    pub body: Content,
}

/// What an answer consists of.
#[derive(Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A part of a file, which is sent while it is read.
    File {
        /// The file, at the beginning of the part.
        file: File,
        /// How long the part is.
        length: u64,
    },
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// By what clients recognise what is not there.
    pub code: Option<&'static str>,
    /// What people are shown.
    pub message: String,
    /// The address of what is there already, or to ask at instead.
    pub url: Option<String>,
}

impl Answer {
    /// An answer with this text of this type.
    pub fn text(kind: &str, text: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", kind.to_owned())];
        Self { status: 200, headers, body: Content::Bytes(text.into()) }
    }

    /// An answer for programs.
    pub fn json(value: &impl Serialize) -> Result<Self, Refusal> {
        let text = serde_json::to_vec(value).map_err(|error| Refusal::fault(error.to_string()))?;
        Ok(Self::text("application/json; charset=utf-8", text))
    }

    /// An answer that says nothing but that it is done.
    pub fn done() -> Self {
        Self { status: 200, headers: Vec::new(), body: Content::Bytes(Vec::new()) }
    }

    /// With one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Refusal {
    fn new(status: u16, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), url: None }
    }

    /// The request makes no sense, however often it is sent.
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::new(400, None, message)
    }

    /// Nobody has said who is asking, or nobody known.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(401, None, message)
    }

    /// Who asks may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, None, message)
    }

    /// There is nothing at this address.
    pub fn nothing() -> Self {
        Self::new(404, None, "there is nothing at this address")
    }

    /// No such repository, or none that may be known of.
    pub fn no_repo() -> Self {
        Self::new(404, Some("RepoNotFound"), "there is no such repository")
    }

    /// No such branch, tag or commit.
    pub fn no_revision(revision: &str) -> Self {
        let message = format!("there is no branch, tag or commit {revision:?}");
        Self::new(404, Some("RevisionNotFound"), message)
    }

    /// No such file or folder.
    pub fn no_entry(path: &str) -> Self {
        Self::new(404, Some("EntryNotFound"), format!("there is no {path:?} in it"))
    }

    /// It is there already.
    pub fn exists(what: &str) -> Self {
        Self::new(409, None, format!("{what} exists already"))
    }

    /// The branch is no longer where the change was made for.
    pub fn stale(branch: &str, head: &str) -> Self {
        Self::new(412, None, format!("{branch} has moved on meanwhile, to {head}"))
    }

    /// It has another name by now.
    pub fn moved(to: String) -> Self {
        Self::new(307, None, "the repository has another name by now").at(to)
    }

    /// More than is taken.
    pub fn too_large(what: &str, limit: u64) -> Self {
        Self::new(413, None, format!("{what} has more than the {limit} bytes that are taken"))
    }

    /// Whoever sent stopped in the middle.
    pub fn cut(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => {
                Self::new(408, None, "nothing came for too long, or too little")
            }
            _ => Self::new(400, None, format!("what was sent broke off: {error}")),
        }
    }

    /// Something is wrong on this side.
    pub fn fault(message: impl Into<String>) -> Self {
        Self::new(500, None, message)
    }

    /// With the address of what is there already.
    pub fn at(mut self, url: String) -> Self {
        self.url = Some(url);
        self
    }

    /// As it is sent.
    pub fn answer(self) -> Answer {
        let mut body = json!({ "error": self.message });
        let mut more = Vec::from_iter(self.code.map(|code| ("x-error-code", code.to_owned())));
        if let Some(url) = self.url {
            body["url"] = json!(url);
            more.extend((self.status == 307).then_some(("location", url)));
        }
        let mut answer = Answer::text("application/json; charset=utf-8", body.to_string());
        answer.status = self.status;
        answer.headers.extend(more);
        let plain = |letter: char| if (' '..='~').contains(&letter) { letter } else { '?' };
        answer.with(
            "x-error-message",
            self.message.chars().take(SHOWN).map(plain).collect::<String>(),
        )
    }
}

impl From<Error> for Refusal {
    /// Without the path, which is nobody's business on the other side.
    fn from(error: Error) -> Self {
        match error {
            Error::Io { what, source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Self::new(507, None, format!("{what}: the server's disk is full"))
            }
            Error::Io { what, source, .. } => Self::fault(format!("{what}: {source}")),
            Error::Damaged { what, .. } => Self::fault(what),
            other => Self::wrong(other.to_string()),
        }
    }
}
