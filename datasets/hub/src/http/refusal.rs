//! Why a try came to nothing, and whether another may help.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use ureq::http::HeaderMap;

use super::Client;
use crate::error::{Absent, is_unwell};
use crate::{Error, address};

/// The most of a server's own words that is repeated.
const LONGEST_MESSAGE: usize = 500;

/// A token that is shorter than this may be somebody's name: those of the Hub have 37 letters.
const SHORTEST_SECRET: usize = 16;

/// Why one try came to nothing.
pub(crate) struct Failed {
    pub error: Error,
    /// How long to wait before the next try makes sense; none: it never does.
    pub again: Option<Wait>,
}

pub(crate) enum Wait {
    Usual,
    Asked(Duration),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, again: None }
    }
}

impl Client {
    /// What an answer of this status means. `said` is its body, where it is one for programs.
    pub(super) fn refused(
        &self,
        url: &str,
        status: u16,
        headers: &HeaderMap,
        said: &[u8],
    ) -> Failed {
        let url = self.words(address::shown(url));
        let message = self.message(headers, said);
        let error = match status {
            401 | 403 => {
                let with_token = self.options.token.is_some();
                Error::Denied { status, with_token, message, url }
            }
            404 | 410 => {
                let code = text(headers, "x-error-code").unwrap_or_default();
                Error::Missing { status, what: Absent::from_code(&code), url }
            }
            409 => Error::Conflict { message, url },
            412 => Error::Stale { url },
            _ => Error::Status { status, message, url },
        };
        let passes = matches!(status, 408 | 429) || is_unwell(status);
        let wait = || asked_wait(status, headers).map_or(Wait::Usual, Wait::Asked);
        Failed { error, again: passes.then(wait) }
    }

    /// What the server says about it, where it does.
    fn message(&self, headers: &HeaderMap, said: &[u8]) -> String {
        let header = text(headers, "x-error-message").filter(|words| !words.is_empty());
        let words = header.or_else(|| {
            let body: Value = serde_json::from_slice(said).ok()?;
            let error = body.get("error").or_else(|| body.get("message"));
            let error = error.and_then(Value::as_str).map(str::to_owned);
            error.or_else(|| Some(listed(body.get("errors")?.as_array()?)))
        });
        self.words(&words.unwrap_or_default())
    }

    /// An error in which a server's words stand, as it may be shown.
    pub(crate) fn told(&self, error: Error) -> Error {
        let words = |text: String| self.words(&text);
        // Files are called here what they are called there.
        let place = |path: PathBuf| match path.to_str() {
            Some(text) => PathBuf::from(self.hidden(text)),
            None => path,
        };
        match error {
            Error::Address { what, url } => Error::Address { what, url: words(url) },
            Error::Unreachable { what, url } => {
                Error::Unreachable { what: words(what), url: words(url) }
            }
            Error::Untrusted { what, url } => {
                Error::Untrusted { what: words(what), url: words(url) }
            }
            Error::Denied { status, with_token, message, url } => {
                Error::Denied { status, with_token, message: words(message), url: words(url) }
            }
            Error::Missing { status, what, url } => {
                Error::Missing { status, what, url: words(url) }
            }
            Error::Conflict { message, url } => {
                Error::Conflict { message: words(message), url: words(url) }
            }
            Error::Stale { url } => Error::Stale { url: words(url) },
            Error::Status { status, message, url } => {
                Error::Status { status, message: words(message), url: words(url) }
            }
            Error::NoRanges { url } => Error::NoRanges { url: words(url) },
            Error::Nonsense { what, url } => Error::Nonsense { what: words(what), url: words(url) },
            Error::TooLarge { limit, url } => Error::TooLarge { limit, url: words(url) },
            Error::Changed { url } => Error::Changed { url: words(url) },
            Error::WrongHash { path, expected, found, url } => {
                let (path, expected) = (words(path), words(expected));
                Error::WrongHash { path, expected, found, url: words(url) }
            }
            Error::Name { what, name } => Error::Name { what, name: words(name) },
            Error::Theirs { path, url } => Error::Theirs { path: words(path), url: words(url) },
            Error::Page { path, message, url } => {
                Error::Page { path: words(path), message: words(message), url: words(url) }
            }
            Error::Unheard { url } => Error::Unheard { url: words(url) },
            Error::Altered { path } => Error::Altered { path: words(path) },
            Error::Unverified { path, url } => {
                Error::Unverified { path: words(path), url: words(url) }
            }
            Error::InTheWay { path } => Error::InTheWay { path: place(path) },
            Error::NotFetched { what, repo, path } => {
                Error::NotFetched { what: words(what), repo, path: place(path) }
            }
            Error::Io { what, source, path } => Error::Io { what, source, path: place(path) },
            Error::GaveUp { tries, last } => {
                Error::GaveUp { tries, last: Box::new(self.told(*last)) }
            }
            other => other,
        }
    }

    /// A server's words: short, in one line, and without the token, which some repeat.
    pub(crate) fn words(&self, words: &str) -> String {
        let words = self.hidden(&words.replace(char::is_control, " "));
        match words.char_indices().nth(LONGEST_MESSAGE) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None => words,
        }
    }

    /// What a server calls somebody, without the token: a short one may be a name, and is the one that any
    /// hub of one's own takes.
    pub(crate) fn name(&self, name: &str) -> String {
        match &self.options.token {
            Some(token) if token.trim().len() < SHORTEST_SECRET => name.to_owned(),
            _ => self.words(name),
        }
    }

    /// A text without the token, as it is or as addresses and quotations have it.
    fn hidden(&self, text: &str) -> String {
        let token = self.options.token.as_deref().map(str::trim).filter(|t| !t.is_empty());
        let Some(token) = token else { return text.to_owned() };
        let address = address::below("", [token]);
        let quoted = format!("{token:?}");
        let ways = [token, address.trim_start_matches('/'), quoted.trim_matches('"')];
        ways.iter().fold(text.to_owned(), |text, way| text.replace(way, "(hidden)"))
    }
}

/// What stands in a list of errors, each with its message.
fn listed(errors: &[Value]) -> String {
    let messages = errors.iter().filter_map(|error| error.get("message")?.as_str());
    messages.take(LONGEST_MESSAGE).collect::<Vec<_>>().join("; ")
}

/// How long the server wants to be left alone, and a second more: the Hub says so in `RateLimit` once
/// nothing is left of what may be asked, others in `Retry-After`.
fn asked_wait(status: u16, headers: &HeaderMap) -> Option<Duration> {
    let entry = |limit: &str, name: &str| {
        limit.split(';').find_map(|entry| entry.trim().strip_prefix(name)?.parse::<u64>().ok())
    };
    let hub = text(headers, "ratelimit").filter(|_| status == 429);
    let hub = hub.filter(|limit| entry(limit, "r=") == Some(0));
    let hub = hub.and_then(|limit| entry(&limit, "t="));
    let asked = hub.or_else(|| text(headers, "retry-after")?.trim().parse().ok())?;
    Some(Duration::from_secs(if asked > 0 { asked.saturating_add(1) } else { 0 }))
}

/// A header that is text.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

pub(super) fn cut(url: &str, bytes: &[u8], length: u64) -> Failed {
    passing(url, format!("it ended after {} of {length} bytes", bytes.len()))
}

pub(crate) fn passing(url: &str, what: String) -> Failed {
    Failed {
        error: Error::Unreachable { what, url: address::shown(url).to_owned() },
        again: Some(Wait::Usual),
    }
}

/// What the library below could not do; what a second try would not mend is not tried again.
pub(super) fn unanswered(url: &str, error: ureq::Error) -> Failed {
    let error = match error {
        // What was to be sent could not be read: that is no fault of the server's.
        ureq::Error::Io(source) => match source.downcast::<Error>() {
            Ok(ours) => return ours.into(),
            Err(source) => ureq::Error::Io(source),
        },
        other => other,
    };
    if let ureq::Error::Io(source) = &error
        && source.kind() == std::io::ErrorKind::InvalidData
    {
        // What came is no TLS, or the certificate is not to be trusted: so it stays.
        let url = address::shown(url).to_owned();
        return Error::Untrusted { what: source.to_string(), url }.into();
    }
    let mut failed = passing(url, error.to_string());
    let passes = matches!(
        error,
        ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Protocol(_)
    );
    failed.again = failed.again.filter(|_| passes);
    failed
}
