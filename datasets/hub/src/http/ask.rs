//! Questions in a server's interface for programs, which may carry something.

use std::io::Read;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{HeaderMap, Method, Request, Response, request};
use ureq::{AsSendBody, Body, SendBody};

use super::pace::Going;
use super::refusal::{Failed, text, unanswered};
use super::{AT_WORK, Client, nonsense};
use crate::error::is_unwell;
use crate::{Error, Result, address};

/// The longest answer that is taken: a page of a tree has a thousand files.
const LONGEST_ANSWER: u64 = 64 << 20;

/// One question.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    pub method: Method,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub content: Content<'a>,
    /// After what it is asked again.
    pub again: Again,
    /// Whether the token is shown. Some addresses are a permission themselves.
    pub signed: bool,
    /// Whether the server has work to do before it answers, and may take its time.
    pub work: bool,
}

/// After what a question is asked again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// After everything: asking twice does no more than asking once, so that an answer that was lost on the
    /// way may be asked for again.
    Always,
    /// After every answer that is not for ever, even that the server failed at it.
    Answered,
    /// After an answer that puts it off. Where the server failed at it, it may have done its part.
    PutOff,
}

/// What a question carries.
#[derive(Clone)]
pub(crate) enum Content<'a> {
    /// Nothing.
    Nothing,
    /// A value.
    Json(&'a Value),
    /// So many bytes, read from their beginning for each try.
    Stream(u64, &'a (dyn Fn() -> Result<Box<dyn Read + 'a>> + 'a)),
}

/// What came back, of status 2xx.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    client: &'a Client,
    url: String,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl<'a> Ask<'a> {
    /// A question that only looks.
    pub fn get(url: &'a str) -> Self {
        let (method, content) = (Method::GET, Content::Nothing);
        Self { method, url, headers: &[], content, again: Again::Always, signed: true, work: false }
    }

    /// One that does something, and is asked once unless [`Ask::repeatable`] says otherwise.
    pub fn post(url: &'a str, content: Content<'a>) -> Self {
        Self { method: Method::POST, content, again: Again::Answered, ..Self::get(url) }
    }

    /// Bytes for an address that is a permission itself.
    pub fn put(url: &'a str, content: Content<'a>) -> Self {
        Self { method: Method::PUT, content, signed: false, ..Self::get(url) }
    }

    /// Says that the server may take its time.
    pub fn work(self) -> Self {
        Self { work: true, ..self }
    }

    /// Says that asking twice does no harm.
    pub fn repeatable(self) -> Self {
        Self { again: Again::Always, ..self }
    }
}

impl Client {
    /// Asks; anything but 2xx is an error.
    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Result<Answer<'_>> {
        address::check(ask.url)?;
        let url = ask.url;
        let lost = |failed: Failed| match ask.again {
            Again::Always => failed,
            Again::Answered | Again::PutOff => failed.error.into(),
        };
        self.patiently(|| {
            let (mut response, _) = self.follow(ask, url).map_err(lost)?;
            let status = response.status().as_u16();
            let bytes = self.body(url, &mut response, LONGEST_ANSWER + 1);
            if !(200..300).contains(&status) {
                let said = bytes.unwrap_or_default();
                if !ask.signed && matches!(status, 401 | 403) {
                    let message = "the permission that the address is, is not taken".to_owned();
                    let url = address::shown(url).to_owned();
                    return Err(Error::Status { status, message, url }.into());
                }
                let refused = self.refused(url, status, response.headers(), &said);
                return Err(match ask.again {
                    Again::PutOff if is_unwell(status) => refused.error.into(),
                    _ => refused,
                });
            }
            let bytes = bytes.map_err(lost)?;
            if bytes.len() as u64 > LONGEST_ANSWER {
                let url = address::shown(url).to_owned();
                return Err(Error::TooLarge { limit: LONGEST_ANSWER, url }.into());
            }
            Ok(Answer {
                client: self,
                url: url.to_owned(),
                headers: response.headers().clone(),
                bytes,
            })
        })
    }

    /// Sends one request to one address.
    pub(super) fn send(
        &self,
        mut request: request::Builder,
        ask: &Ask<'_>,
    ) -> Result<Response<Body>, Failed> {
        let wrong = |error: ureq::http::Error| Failed::from(nonsense(ask.url, &error.to_string()));
        let typed = ask.headers.iter().any(|(name, _)| *name == "content-type");
        let ran = match &ask.content {
            Content::Nothing => self.run(request.body(()).map_err(wrong)?, ask),
            Content::Json(value) => {
                if !typed {
                    request = request.header("content-type", "application/json");
                }
                self.run(request.body(value.to_string()).map_err(wrong)?, ask)
            }
            Content::Stream(length, open) => {
                let mut bytes = Going::of(open()?, &self.options);
                let request = request.header("content-length", *length);
                let body = SendBody::from_reader(&mut bytes);
                self.run(request.body(body).map_err(wrong)?, ask)
            }
        };
        ran.map_err(|error| unanswered(ask.url, error))
    }

    fn run<B: AsSendBody>(
        &self,
        request: Request<B>,
        ask: &Ask<'_>,
    ) -> Result<Response<Body>, ureq::Error> {
        let patience = self.options.patience * if ask.work { AT_WORK } else { 1 };
        let request = self.agent.configure_request(request);
        // Nor does an answer begin byte by byte for ever.
        let begun = patience.saturating_add(self.options.slow);
        let request = request.timeout_per_read(Some(patience)).timeout_recv_response(Some(begun));
        self.agent.run(request.build())
    }
}

impl Answer<'_> {
    /// What it says, as a value of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes)
            .map_err(|error| self.client.told(nonsense(&self.url, &error.to_string())))
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<String> {
        text(&self.headers, name)
    }
}
