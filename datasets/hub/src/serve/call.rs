//! One request: who asks, for what, with which body; and the threads that answer.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::io::ReaderStream;

use super::access::{Caller, Guests};
use super::answer::{Answer, Content, Refusal};
use super::store::{Repository, Store};
use super::{Limits, Options};
use crate::{Kind, Repo};

/// What is read of a body that nobody wants, so that its sender gets to read why.
const DRAINED: usize = 16 << 20;
/// How much of a file is read at a time.
const BLOCK: usize = 256 * 1024;

/// What all requests share.
#[derive(Debug)]
pub struct App {
    store: Store,
    guests: Guests,
    limits: Limits,
    turns: Semaphore,
    /// A share of the turns for those who show nothing, so that they leave some to the others.
    strangers: Semaphore,
}

/// A request.
pub struct Call {
    app: Arc<App>,
    /// Whoever showed a token.
    pub caller: Option<Caller>,
    /// What links begin with: protocol and host, as asked for.
    pub origin: String,
    /// The headers.
    pub headers: HeaderMap,
    /// What comes with it.
    pub body: Box<dyn Read + Send>,
    parameters: BTreeMap<String, String>,
    query: Vec<(String, String)>,
    path: String,
    /// What is behind the question mark, as it was asked.
    behind: Option<String>,
}

/// How somebody shows that they may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// With a token, or without one where everybody may look.
    Token,
    /// With something that was given out here; the handler looks at it.
    Signature,
}

/// Answers one kind of request. It may take its time and wait for disks.
pub type Handler = fn(&mut Call) -> Result<Answer, Refusal>;

impl App {
    /// What these options ask for.
    pub fn new(store: Store, options: &Options) -> Self {
        let (guests, limits) = (Guests::new(&options.tokens), options.limits);
        let (turns, strangers) = (limits.requests, (limits.requests / 2).max(1));
        let (turns, strangers) = (Semaphore::new(turns), Semaphore::new(strangers));
        Self { store, guests, limits, turns, strangers }
    }

    /// All that is kept.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How much is taken.
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

impl Call {
    /// All that is kept.
    pub fn store(&self) -> &Store {
        &self.app.store
    }

    /// All that is kept, beside a body that is being read.
    pub fn parts(&mut self) -> (&Store, &mut (dyn Read + Send)) {
        (&self.app.store, &mut *self.body)
    }

    /// How much is taken.
    pub fn limits(&self) -> Limits {
        self.app.limits
    }

    /// A part of the address.
    pub fn part(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// Something behind the question mark.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query_all(name).next()
    }

    /// All of that name behind the question mark.
    pub fn query_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether something behind the question mark is said to be so.
    pub fn says(&self, name: &str) -> bool {
        matches!(self.query(name), Some("1" | "true" | "True" | "on"))
    }

    /// The address that was asked for, without what is behind the question mark.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The repository that the address speaks of.
    pub fn repo(&self) -> Result<Repo, Refusal> {
        let kind = match self.part("kind") {
            "" if self.path.starts_with("/datasets/") => Kind::Dataset,
            "" if self.path.starts_with("/spaces/") => Kind::Space,
            "" => Kind::Model,
            kind => Kind::named(kind).ok_or_else(Refusal::nothing)?,
        };
        let name = self.part("name");
        let name = name.strip_suffix(".git").unwrap_or(name);
        Repo::new(kind, &format!("{}/{name}", self.part("owner")))
            .map_err(|_not_a_name| Refusal::no_repo())
    }

    /// The repository that the address speaks of, for whoever may see it.
    pub fn repository(&self) -> Result<Arc<Repository>, Refusal> {
        let repo = self.repo()?;
        self.visible(&repo).map_err(|refusal| self.moved(&repo).unwrap_or(refusal))
    }

    /// Where to ask instead for a repository that has another name by now, if whoever asks may see it.
    fn moved(&self, from: &Repo) -> Option<Refusal> {
        let to = self.store().moved(from)?;
        self.visible(&to).ok()?;
        let (before, after) = self.path.split_once(&format!("/{from}"))?;
        let behind = self.behind.as_ref().map_or_else(String::new, |behind| format!("?{behind}"));
        Some(Refusal::moved(format!("{before}/{to}{after}{behind}")))
    }

    /// A repository, for whoever may see it.
    pub fn visible(&self, repo: &Repo) -> Result<Arc<Repository>, Refusal> {
        let found = self.store().find(repo).ok_or_else(Refusal::no_repo)?;
        let hidden = self.caller.is_none() && found.about().private;
        if hidden { Err(Refusal::no_repo()) } else { Ok(found) }
    }

    /// The repository that the address speaks of, for whoever may change it.
    pub fn writable(&self) -> Result<Arc<Repository>, Refusal> {
        self.writer()?;
        self.repository()
    }

    /// Whoever asks, if they may change things.
    pub fn writer(&self) -> Result<&Caller, Refusal> {
        let caller = self
            .caller
            .as_ref()
            .ok_or_else(|| Refusal::unknown("this takes a token: set HF_TOKEN, or log in"))?;
        match caller.write {
            true => Ok(caller),
            false => Err(Refusal::forbidden("this token may read, and not write")),
        }
    }

    /// The revision that the address speaks of.
    pub fn revision(&self) -> &str {
        match self.part("rev") {
            "" => "main",
            revision => revision,
        }
    }

    /// The whole body, which is a question of ordinary size.
    pub fn bytes(&mut self) -> Result<Vec<u8>, Refusal> {
        let limit = self.limits().question;
        let (asking, since) = (self.limits().asking, Instant::now());
        let mut bytes = Vec::new();
        let mut body =
            Timely { body: self.body.by_ref().take(limit.saturating_add(1)), asking, since };
        body.read_to_end(&mut bytes).map_err(|error| Refusal::cut(&error))?;
        match bytes.len() as u64 > limit {
            true => Err(Refusal::too_large("the question", limit)),
            false => Ok(bytes),
        }
    }

    /// The body, which is JSON.
    pub fn json<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let bytes = self.bytes()?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::wrong(format!("the question makes no sense: {error}")))
    }
}

/// Answers a request on a thread that may wait.
pub async fn answer(
    State(app): State<Arc<App>>,
    (door, handler): (Door, Handler),
    parameters: RawPathParams,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let known = app.guests.host(&head.headers);
    let known = known.and_then(|host| {
        let caller = match door {
            Door::Token => app.guests.caller(&head.headers)?,
            Door::Signature => None,
        };
        Ok((host, caller))
    });
    let parameters = parameters.iter().map(|(name, part)| (name.to_owned(), part.to_owned()));
    let parameters: BTreeMap<_, _> = parameters.collect();
    let body = Box::new(Sent::pump(body, app.limits));
    let (host, caller) = match known {
        Ok(known) => known,
        Err(refusal) => return response(refusal.answer()),
    };
    let stranger = door == Door::Token && caller.is_none() && !app.guests.everybody();
    let _share = if stranger { app.strangers.acquire().await.ok() } else { None };
    let Ok(_turn) = app.turns.acquire().await else { return response(Refusal::nothing().answer()) };
    let mut call = Call {
        app: Arc::clone(&app),
        caller,
        origin: format!("http://{host}"),
        headers: head.headers,
        body,
        parameters,
        query: query(&head.uri),
        path: head.uri.path().to_owned(),
        behind: head.uri.query().map(str::to_owned),
    };
    let work = move || handler(&mut call).unwrap_or_else(Refusal::answer);
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => response(answer),
        Err(_panicked) => response(Refusal::fault("the server made a mistake").answer()),
    }
}

fn query(uri: &Uri) -> Vec<(String, String)> {
    pairs(uri.query().unwrap_or_default())
}

/// What a form or the end of an address says.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let plain = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name), plain(value))
    };
    pairs.map(pair).collect()
}

fn response(answer: Answer) -> Response {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(*name, value);
    }
    let body = match answer.body {
        Content::Bytes(bytes) => Body::from(bytes),
        Content::File { file, length } => {
            builder = builder.header("content-length", length);
            file_body(file, length)
        }
    };
    builder.body(body).unwrap_or_else(|_header| {
        let mut empty = Response::new(Body::empty());
        *empty.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        empty
    })
}

fn file_body(file: std::fs::File, length: u64) -> Body {
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(BLOCK);
    Body::from_stream(ReaderStream::with_capacity(file.take(length), BLOCK))
}

/// A body that must have come by a certain time.
struct Timely<R> {
    body: R,
    asking: Duration,
    since: Instant,
}

impl<R: Read> Read for Timely<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.body.read(to)? {
            count if count > 0 && self.since.elapsed() > self.asking => {
                Err(io::ErrorKind::TimedOut.into())
            }
            count => Ok(count),
        }
    }
}

/// A body that comes in while a thread reads it.
struct Sent {
    blocks: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
    ended: bool,
}

impl Sent {
    fn pump(mut body: Body, limits: Limits) -> Self {
        let (sender, blocks) = mpsc::channel(4);
        tokio::spawn(async move {
            let (mut unwanted, mut waited, mut came) = (0, Duration::ZERO, 0);
            loop {
                // While the other end is not listened to, it is not slow.
                let since = Instant::now();
                let frame = tokio::time::timeout(limits.patience, body.frame()).await;
                waited += since.elapsed();
                let mut block = match frame {
                    Ok(None) => Ok(Bytes::new()),
                    Ok(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) if !data.is_empty() => Ok(data),
                        _ => continue,
                    },
                    Ok(Some(Err(error))) => Err(io::Error::other(error)),
                    Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
                };
                let mut size = block.as_ref().map_or(0, Bytes::len);
                came += size as u64;
                if size > 0 && waited > limits.slow {
                    if came < limits.pace {
                        (block, size) = (Err(io::ErrorKind::TimedOut.into()), 0);
                    }
                    (waited, came) = (Duration::ZERO, 0);
                }
                let last = size == 0;
                if sender.send(block).await.is_err() {
                    unwanted += size;
                }
                if last || unwanted > DRAINED {
                    return;
                }
            }
        });
        Self { blocks, rest: Bytes::new(), ended: false }
    }
}

impl Read for Sent {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && !self.ended {
            // Without its end, which is an empty block, a body is only the beginning of one.
            let block = self.blocks.blocking_recv();
            self.rest = block.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
            self.ended = self.rest.is_empty();
        }
        let count = Read::read(&mut self.rest.as_ref(), to)?;
        drop(self.rest.split_to(count));
        Ok(count)
    }
}
