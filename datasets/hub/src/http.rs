//! Questions to a server: a whole file, or a part of one.
//!
//! What may pass (no connection, a body that ends early, 408, 429, 5xx) is tried again, later each
//! time or when the server says. Redirects are followed here rather than by the library below, which
//! would show the token to another port of the same host: it goes where the address points, and
//! nowhere else. Certificates are checked against Mozilla's list, which is built in, so that a bare
//! board without any of its own can ask too; a server of one's own is known by [`Options::authorities`].

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Body;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::address;
use crate::{Error, Result};

/// The longest wait between two tries, unless the server names one.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The longest wait that a server may ask for: the Hub counts in windows of five minutes.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(300);

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// How much memory is taken before the first byte has come, whatever the server announces.
const FIRST_TAKEN: u64 = 1 << 20;

/// Who asks, and with how much patience.
#[derive(Clone)]
pub struct Options {
    /// What opens a private repository.
    pub token: Option<String>,
    /// How often something is tried that may pass.
    pub tries: u32,
    /// How long is waited before the second try; from then on twice as long each time.
    pub first_wait: Duration,
    /// How long the server may be silent.
    pub patience: Duration,
    /// A PEM file with the authorities that may vouch for a server, such as a company's own: these
    /// and no others. Without it, those on Mozilla's list.
    pub authorities: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let (first_wait, patience) = (Duration::from_millis(500), Duration::from_secs(15));
        Self { token: None, tries: 5, first_wait, patience, authorities: None }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "(hidden)");
        let mut out = out.debug_struct("Options");
        out.field("token", &token).field("tries", &self.tries);
        out.field("first_wait", &self.first_wait).field("patience", &self.patience);
        out.field("authorities", &self.authorities).finish()
    }
}

/// Asks servers, over connections that are kept.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    options: Options,
}

/// Which part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// So many bytes from an offset on, or as many as there are.
    From {
        /// The offset.
        first: u64,
        /// How many bytes; at least one.
        length: u64,
    },
    /// So many bytes at the end, or as many as there are.
    Last(u64),
}

/// A part of a file as a server sent it.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Where in the file it begins.
    pub first: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many bytes the whole file has.
    pub total: u64,
    /// What the server calls this state of the file.
    pub version: Option<String>,
    /// The address that answered in the end.
    pub location: String,
}

/// Why one try came to nothing.
struct Failed {
    error: Error,
    /// How long to wait before the next try makes sense; none: it never does.
    again: Option<Wait>,
}

enum Wait {
    Usual,
    Asked(Duration),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, again: None }
    }
}

impl Client {
    /// A client that has not asked anything yet. Fails where the authorities cannot be read.
    pub fn new(options: Options) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &options.authorities {
            tls = tls.root_certs(authorities(path)?);
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls.build())
            .timeout_connect(Some(options.patience))
            .timeout_per_read(Some(options.patience))
            .timeout_per_write(Some(options.patience))
            .user_agent(concat!("sinew/", env!("CARGO_PKG_VERSION")));
        Ok(Self { agent: config.build().into(), options })
    }

    /// A whole file of at most `limit` bytes.
    pub fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>> {
        address::check(url)?;
        self.patiently(|| {
            let (mut response, _) = self.follow(url, url, None)?;
            if response.status().as_u16() != 200 {
                return Err(self.refused(url, &response));
            }
            let announced = response.body().content_length();
            if announced.is_some_and(|length| length > limit) {
                return Err(Error::TooLarge { limit, url: url.to_owned() }.into());
            }
            let bytes = body(url, &mut response, limit.saturating_add(1))?;
            match announced {
                _ if bytes.len() as u64 > limit => {
                    Err(Error::TooLarge { limit, url: url.to_owned() }.into())
                }
                Some(length) if bytes.len() as u64 != length => Err(cut(url, &bytes, length)),
                _ => Ok(bytes),
            }
        })
    }

    /// A part of a file, asked for at `start`, where an earlier question about `url` ended up.
    pub(crate) fn part(&self, url: &str, start: &str, part: Part) -> Result<Sent> {
        address::check(url)?;
        let range = match part {
            Part::From { first, length } => {
                format!("bytes={first}-{}", first.saturating_add(length.max(1) - 1))
            }
            Part::Last(length) => format!("bytes=-{}", length.max(1)),
        };
        self.patiently(|| {
            let (mut response, location) = self.follow(url, start, Some(&range))?;
            match response.status().as_u16() {
                206 => {}
                200 => return Err(Error::NoRanges { url: url.to_owned() }.into()),
                _ => return Err(self.refused(url, &response)),
            }
            let headers = response.headers();
            let says = text(headers, "content-range").unwrap_or_default();
            let nonsense = || Error::Nonsense {
                what: format!("asked for {range}, it says {says:?}"),
                url: url.to_owned(),
            };
            let (first, length, total) = sense(part, &says).ok_or_else(nonsense)?;
            let announced = response.body().content_length();
            if announced.is_some_and(|announced| announced != length) {
                return Err(nonsense().into());
            }
            let version = text(headers, "etag").filter(|tag| !tag.starts_with("W/"));
            let bytes = body(url, &mut response, length.saturating_add(1))?;
            match bytes.len() as u64 {
                whole if whole == length => Ok(Sent { first, bytes, total, version, location }),
                less if less < length => Err(cut(url, &bytes, length)),
                _ => Err(nonsense().into()),
            }
        })
    }

    fn patiently<T>(&self, mut once: impl FnMut() -> Result<T, Failed>) -> Result<T> {
        let mut wait = self.options.first_wait;
        let mut tries = 1;
        loop {
            let failed = match once() {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            let Some(again) = failed.again else { return Err(failed.error) };
            if tries >= self.options.tries {
                return Err(Error::GaveUp { tries, last: Box::new(failed.error) });
            }
            std::thread::sleep(match again {
                Wait::Usual => wait,
                Wait::Asked(asked) => asked.min(LONGEST_ASKED_WAIT),
            });
            wait = (wait * 2).min(LONGEST_WAIT);
            tries += 1;
        }
    }

    /// Asks where `start` leads in the end. The token is shown only where `url` itself points.
    fn follow(
        &self,
        url: &str,
        start: &str,
        range: Option<&str>,
    ) -> Result<(Response<Body>, String), Failed> {
        let mut at = start.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.agent.get(&at).header("accept-encoding", "identity");
            if let Some(range) = range {
                request = request.header("range", range);
            }
            if let Some(token) = &self.options.token
                && address::origin(&at) == address::origin(url)
            {
                request = request.header("authorization", format!("Bearer {}", token.trim()));
            }
            let response = request.call().map_err(|error| unanswered(url, &error))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((response, at));
            }
            let next = text(response.headers(), "location").unwrap_or_default();
            at = address::joined(&at, &next)
                .ok_or_else(|| Error::Nonsense {
                    what: "it sends on to an address that cannot be followed".into(),
                    url: url.to_owned(),
                })
                .map_err(Failed::from)?;
        }
        Err(Error::Nonsense { what: "it sends on without end".into(), url: url.to_owned() }.into())
    }

    fn refused(&self, url: &str, response: &Response<Body>) -> Failed {
        let (status, url) = (response.status().as_u16(), url.to_owned());
        let error = match status {
            401 | 403 => Error::Denied { status, with_token: self.options.token.is_some(), url },
            404 | 410 => Error::Missing { status, url },
            _ => {
                let message = text(response.headers(), "x-error-message").unwrap_or_default();
                Error::Status { status, message, url }
            }
        };
        let passes = matches!(status, 408 | 429 | 500..=599);
        let wait = || asked_wait(response.headers()).map_or(Wait::Usual, Wait::Asked);
        Failed { error, again: passes.then(wait) }
    }
}

/// How long the server wants to be left alone: the Hub says so in `RateLimit`, others in
/// `Retry-After`.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let hub = text(headers, "ratelimit");
    let hub = hub.as_deref().and_then(|limit| {
        limit.split(';').find_map(|entry| entry.trim().strip_prefix("t=")?.parse::<u64>().ok())
    });
    let asked = hub.or_else(|| text(headers, "retry-after")?.trim().parse().ok())?;
    Some(Duration::from_secs(asked))
}

/// Where the part begins, how long it is, and how long the file is, where that fits the question.
fn sense(part: Part, content_range: &str) -> Option<(u64, u64, u64)> {
    let (span, total) = content_range.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    let (from, length) = match part {
        Part::From { first, length } => (first, total.checked_sub(first)?.min(length.max(1))),
        Part::Last(length) => (total.saturating_sub(length.max(1)), total.min(length.max(1))),
    };
    let fits = first == from && last < total && last.checked_sub(first)? + 1 == length;
    fits.then_some((first, length, total))
}

/// The certificates in a PEM file, all of which are trusted from now on.
fn authorities(path: &Path) -> Result<RootCerts> {
    let wrong = |what: String| Error::Authorities { what, path: path.to_owned() };
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut known = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(one) = item.map_err(|error| wrong(error.to_string()))? {
            known.push(one);
        }
    }
    match known.is_empty() {
        true => Err(wrong("there is no certificate in it".into())),
        false => Ok(RootCerts::from(known)),
    }
}

/// A header that is text.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The body, of which no more than `most` bytes are taken.
fn body(url: &str, response: &mut Response<Body>, most: u64) -> Result<Vec<u8>, Failed> {
    let known = response.body().content_length().unwrap_or(0).min(most).min(FIRST_TAKEN);
    let mut bytes = Vec::with_capacity(known as usize);
    let reader = response.body_mut().with_config().limit(u64::MAX).reader();
    match reader.take(most).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(passing(url, error.to_string())),
    }
}

fn cut(url: &str, bytes: &[u8], length: u64) -> Failed {
    passing(url, format!("it ended after {} of {length} bytes", bytes.len()))
}

fn passing(url: &str, what: String) -> Failed {
    Failed { error: Error::Unreachable { what, url: url.to_owned() }, again: Some(Wait::Usual) }
}

/// What the library below could not do; what a second try would not mend is not tried again.
fn unanswered(url: &str, error: &ureq::Error) -> Failed {
    if let ureq::Error::Io(source) = error
        && source.kind() == std::io::ErrorKind::InvalidData
    {
        // What came is no TLS, or the certificate is not to be trusted: so it stays.
        return Error::Untrusted { what: source.to_string(), url: url.to_owned() }.into();
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
