//! Why a try came to nothing, and whether another may help.

use std::time::Duration;

use ureq::http::HeaderMap;

use super::Client;
use crate::error::Absent;
use crate::{Error, address};

/// The most of a server's own words that is repeated.
const LONGEST_MESSAGE: usize = 500;

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
        let passes = matches!(status, 408 | 429 | 500..=599);
        let wait = || asked_wait(status, headers).map_or(Wait::Usual, Wait::Asked);
        Failed { error, again: passes.then(wait) }
    }

    /// What the server says about it, where it does.
    fn message(&self, headers: &HeaderMap, said: &[u8]) -> String {
        let header = text(headers, "x-error-message").filter(|words| !words.is_empty());
        let words = header.or_else(|| {
            let body: serde_json::Value = serde_json::from_slice(said).ok()?;
            let error = body.get("error").or_else(|| body.get("message"))?;
            error.as_str().map(str::to_owned)
        });
        self.words(&words.unwrap_or_default())
    }

    /// An error in which a server's words stand, as it may be shown.
    pub(crate) fn told(&self, error: Error) -> Error {
        let words = |text: String| self.words(&text);
        match error {
            Error::Nonsense { what, url } => Error::Nonsense { what: words(what), url: words(url) },
            Error::Unreachable { what, url } => {
                Error::Unreachable { what: words(what), url: words(url) }
            }
            Error::Status { status, message, url } => {
                Error::Status { status, message: words(message), url: words(url) }
            }
            Error::Address { what, url } => Error::Address { what, url: words(url) },
            Error::GaveUp { tries, last } => {
                Error::GaveUp { tries, last: Box::new(self.told(*last)) }
            }
            other => other,
        }
    }

    /// A server's words: short, in one line, and without the token, which some repeat.
    fn words(&self, words: &str) -> String {
        let mut words = words.replace(char::is_control, " ");
        if let Some(token) = self.options.token.as_deref().map(str::trim).filter(|t| !t.is_empty())
        {
            words = words.replace(token, "(hidden)");
        }
        match words.char_indices().nth(LONGEST_MESSAGE) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None => words,
        }
    }
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
