//! Questions to a server: a whole file, or a part of one.
//!
//! What may pass (no connection, a body that ends early, 408, 429, 5xx) is tried again, later each
//! time or when the server says. Redirects are followed here rather than by the library below, which
//! would show the token to another port of the same host: it goes where the address points, and
//! nowhere else. Certificates are checked against Mozilla's list, which is built in, so that a bare
//! board without any of its own can ask too; a server of one's own is known by [`Options::authorities`].

mod ask;
mod pace;
mod part;
mod refusal;
mod whole;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ureq::Body;
use ureq::http::{Request, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::address;
use crate::waiting::wait_until;
use crate::{Error, Result};
use refusal::{Wait, text};

pub(crate) use ask::{Again, Ask, Content};
pub use part::Part;
pub(crate) use refusal::{Failed, passing};

/// The longest wait between two tries, unless the server names one.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The longest wait that a server may ask for: the Hub counts in windows of five minutes.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(300);

/// How many times as long a server may be silent while it has work to do: to look over what it was sent.
const AT_WORK: u32 = 20;

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// How many connections are kept for the next question.
const MOST_IDLE: usize = 16;

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
    /// How long a transfer may be slower than `pace`.
    pub slow: Duration,
    /// Bytes that come or go at least in so long, of whatever is on its way.
    pub pace: u64,
    /// A PEM file with the authorities that may vouch for a server, such as a company's own: these
    /// and no others. Without it, those on Mozilla's list.
    pub authorities: Option<PathBuf>,
    /// Ends all waiting and asking once somebody sets it.
    pub end: Option<Arc<AtomicBool>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: None,
            tries: 5,
            first_wait: Duration::from_millis(500),
            patience: Duration::from_secs(15),
            // A fifth of what each of eight has that share a line of 20 kB/s.
            slow: Duration::from_secs(60),
            pace: 30_000,
            authorities: None,
            end: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "(hidden)");
        let mut out = out.debug_struct("Options");
        out.field("token", &token).field("tries", &self.tries);
        out.field("first_wait", &self.first_wait).field("patience", &self.patience);
        out.field("slow", &self.slow).field("pace", &self.pace);
        out.field("authorities", &self.authorities).finish()
    }
}

/// Asks servers, over connections that are kept.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    options: Options,
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
            .max_idle_connections(MOST_IDLE)
            .max_idle_connections_per_host(MOST_IDLE)
            .tls_config(tls.build())
            .timeout_connect(Some(options.patience))
            .timeout_per_read(Some(options.patience))
            .timeout_per_write(Some(options.patience))
            .allow_non_standard_methods(true)
            .user_agent(concat!("sinew/", env!("CARGO_PKG_VERSION")));
        Ok(Self { agent: config.build().into(), options })
    }

    /// How often something is tried that may pass.
    pub(crate) fn tries(&self) -> u32 {
        self.options.tries
    }

    /// Tries until it works, or does not pass, or was tried often enough.
    pub(crate) fn patiently<T>(&self, mut once: impl FnMut() -> Result<T, Failed>) -> Result<T> {
        let mut wait = self.options.first_wait;
        let mut tries = 1;
        loop {
            self.go_on()?;
            let failed = match once() {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            let Some(again) = failed.again else { return Err(self.told(failed.error)) };
            if tries >= self.options.tries {
                let last = Box::new(self.told(failed.error));
                return Err(Error::GaveUp { tries, last });
            }
            let span = match again {
                Wait::Usual => wait,
                Wait::Asked(asked) => asked.min(LONGEST_ASKED_WAIT),
            };
            wait_until(Instant::now() + span, || self.go_on())?;
            wait = (wait * 2).min(LONGEST_WAIT);
            tries += 1;
        }
    }

    /// Fails where somebody has ended it.
    fn go_on(&self) -> Result<()> {
        let ended = self.options.end.as_ref().is_some_and(|end| end.load(Ordering::Relaxed));
        if ended { Err(Error::Ended) } else { Ok(()) }
    }

    /// Asks, and follows where `start` leads in the end. The token is shown only where the question
    /// itself points; what is sent goes on only there, and where the server says that it may.
    fn follow(&self, ask: &Ask<'_>, start: &str) -> Result<(Response<Body>, String), Failed> {
        let home = address::origin(ask.url);
        let empty = matches!(ask.content, Content::Nothing);
        let mut at = start.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let at_home = address::origin(&at) == home;
            let mut request = Request::builder().method(&ask.method).uri(&at);
            request = request.header("accept-encoding", "identity");
            for (name, value) in ask.headers {
                request = request.header(*name, *value);
            }
            if let Some(token) = self.options.token.as_deref().filter(|_| at_home && ask.signed) {
                request = request.header("authorization", format!("Bearer {}", token.trim()));
            }
            let response = self.send(request, ask)?;
            let moved = match response.status().as_u16() {
                301..=303 => empty,
                307 | 308 => true,
                _ => false,
            };
            if !moved {
                return Ok((response, at));
            }
            let next = text(response.headers(), "location").unwrap_or_default();
            at = address::joined(&at, &next).ok_or_else(|| {
                nonsense(ask.url, "it sends on to an address that cannot be followed")
            })?;
            if address::leads_inside(ask.url, &at) {
                return Err(nonsense(ask.url, "it sends on to this machine itself").into());
            }
            if !empty && address::origin(&at) != home {
                let what = "it sends what is sent to it on to another server";
                return Err(nonsense(ask.url, what).into());
            }
        }
        Err(nonsense(ask.url, "it sends on without end").into())
    }
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

pub(crate) fn nonsense(url: &str, what: &str) -> Error {
    Error::Nonsense { what: what.to_owned(), url: address::shown(url).to_owned() }
}
