//! Questions in a server's interface for programs, which may carry something.

use std::io::Read;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{HeaderMap, Method, Response, request};
use ureq::{Body, SendBody};

use super::part::body;
use super::refusal::{Failed, text, unanswered};
use super::{Client, nonsense};
use crate::{Error, Result, address};

/// The longest answer that is taken: a page of a tree has a thousand files.
const LONGEST_ANSWER: u64 = 64 << 20;

/// One question.
pub(crate) struct Ask<'a> {
    pub method: Method,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub content: Content<'a>,
    /// Whether asking twice does no more than asking once, so that an answer that was lost on the
    /// way may be asked for again.
    pub repeatable: bool,
}

/// What a question carries.
pub(crate) enum Content<'a> {
    /// Nothing.
    Nothing,
    /// A value.
    Json(&'a Value),
    /// Bytes of this media type.
    Bytes(&'static str, &'a [u8]),
    /// So many bytes of a file, opened anew for each try, to an address that is itself the
    /// permission: the token is not shown.
    File(u64, &'a dyn Fn() -> std::io::Result<Box<dyn Read + 'a>>),
}

/// What came back, of status 2xx.
#[derive(Debug)]
pub(crate) struct Answer {
    url: String,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Content<'_> {
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// Whether the token goes with it.
    pub(super) fn signed(&self) -> bool {
        !matches!(self, Self::File(..))
    }
}

impl<'a> Ask<'a> {
    /// A question that only looks.
    pub fn get(url: &'a str) -> Self {
        Self { method: Method::GET, url, headers: &[], content: Content::Nothing, repeatable: true }
    }

    /// One that does something, and is asked once unless [`Ask::repeatable`] says otherwise.
    pub fn post(url: &'a str, content: Content<'a>) -> Self {
        Self { method: Method::POST, url, headers: &[], content, repeatable: false }
    }

    /// Says that asking twice does no harm.
    pub fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }
}

impl Client {
    /// Asks; anything but 2xx is an error.
    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Result<Answer> {
        address::check(ask.url)?;
        self.patiently(|| {
            let mut response = self
                .follow(ask.url, ask.url, ask.method.clone(), ask.headers, &ask.content)
                .map_err(|failed| if ask.repeatable { failed } else { failed.error.into() })?
                .0;
            let status = response.status().as_u16();
            let bytes = body(ask.url, &mut response, LONGEST_ANSWER + 1);
            if !(200..300).contains(&status) {
                let said = bytes.unwrap_or_default();
                return Err(self.refused(ask.url, status, response.headers(), &said));
            }
            let bytes = bytes
                .map_err(|failed| if ask.repeatable { failed } else { failed.error.into() })?;
            if bytes.len() as u64 > LONGEST_ANSWER {
                let url = address::shown(ask.url).to_owned();
                return Err(Error::TooLarge { limit: LONGEST_ANSWER, url }.into());
            }
            Ok(Answer { url: ask.url.to_owned(), headers: response.headers().clone(), bytes })
        })
    }

    /// Sends one request to one address.
    pub(super) fn send(
        &self,
        request: request::Builder,
        content: &Content<'_>,
        url: &str,
    ) -> Result<Response<Body>, Failed> {
        let wrong = |error: ureq::http::Error| Failed::from(nonsense(url, &error.to_string()));
        let ran = match content {
            Content::Nothing => self.agent.run(request.body(()).map_err(wrong)?),
            Content::Json(value) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(value.to_string()).map_err(wrong)?)
            }
            Content::Bytes(kind, bytes) => {
                let request = request.header("content-type", *kind);
                self.agent.run(request.body(*bytes).map_err(wrong)?)
            }
            Content::File(length, open) => {
                let mut file =
                    open().map_err(|source| Failed::from(nonsense(url, &source.to_string())))?;
                let request = request.header("content-length", *length);
                self.agent.run(request.body(SendBody::from_reader(&mut file)).map_err(wrong)?)
            }
        };
        ran.map_err(|error| unanswered(url, &error))
    }
}

impl Answer {
    /// What it says, as a value of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes).map_err(|error| nonsense(&self.url, &error.to_string()))
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<String> {
        text(&self.headers, name)
    }
}
