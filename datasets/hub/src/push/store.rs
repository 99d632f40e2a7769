//! Large files on their way ahead of the commit that names them: in one piece, or in parts that need
//! not be sent again. Speaks Git LFS's batch interface with the Hub's parts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;

use serde::Deserialize;
use serde_json::{Value, json};

use super::flow::{Flow, Outgoing};
use super::ledger::{Ledger, Started};
use super::local::Local;
use super::room::Room;
use crate::http::{Ask, Content, nonsense};
use crate::{Error, Hub, Repo, Result, address};

/// How the batch interface calls itself.
const TYPED: [(&str, &str); 2] =
    [("content-type", "application/vnd.git-lfs+json"), ("accept", "application/vnd.git-lfs+json")];

/// What a hub does not say of the bytes: how they are sent is this side's business.
const OURS: [&str; 5] = ["connection", "content-length", "expect", "host", "transfer-encoding"];

/// The most parts that a file may have.
const MOST_PARTS: usize = 10_000;

/// A large file, and its hash.
#[derive(Clone, Debug)]
pub(crate) struct Large<'a> {
    pub file: &'a Local,
    pub size: u64,
    pub sha256: String,
}

/// What a hub wants done with a large file.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Actions {
    upload: Option<Action>,
    verify: Option<Action>,
}

#[derive(Clone, Debug, Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: HashMap<String, Value>,
}

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    transfer: Option<String>,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    message: String,
}

/// What large files stand on.
#[derive(Clone, Copy)]
pub(crate) struct Store<'a> {
    pub hub: &'a Hub,
    pub repo: &'a Repo,
    pub revision: &'a str,
    pub ledger: &'a Ledger,
    pub flow: &'a Flow,
    pub room: &'a Room,
}

/// Whether the permission that was given to send a file is not taken any more.
pub(crate) fn has_expired(error: &Error) -> bool {
    match error {
        Error::Denied { .. } | Error::Missing { .. } => true,
        Error::Status { status, .. } => (400..500).contains(status),
        _ => false,
    }
}

impl Actions {
    /// Whether the hub has to be sent the file.
    pub fn wants_bytes(&self) -> bool {
        self.upload.is_some()
    }
}

impl Store<'_> {
    /// What is to be done with each of at most as many files as a hub takes at once; nothing for those
    /// that it has.
    pub fn ask(&self, files: &[Large<'_>]) -> Result<HashMap<String, Actions>> {
        let url = format!("{}.git/info/lfs/objects/batch", self.hub.page(self.repo));
        let objects = files.iter().map(|file| json!({ "oid": file.sha256, "size": file.size }));
        let body = json!({
            "operation": "upload",
            "transfers": ["basic", "multipart"],
            "objects": objects.collect::<Vec<_>>(),
            "hash_algo": "sha256",
            "ref": { "name": self.revision },
        });
        let ask = Ask { headers: &TYPED, ..Ask::post(&url, Content::Json(&body)).repeatable() };
        let batch: Batch = self.hub.client.ask(&ask)?.json()?;
        if let Some(other) = batch.transfer.as_deref()
            && !matches!(other, "basic" | "multipart")
        {
            return Err(nonsense(&url, &format!("it wants files sent as {other:?}")));
        }
        let mut all = HashMap::new();
        for object in batch.objects {
            if let Some(Refused { code: status, message }) = object.error {
                return Err(Error::Status { status, message, url });
            }
            all.insert(object.oid, object.actions.unwrap_or_default());
        }
        match files.iter().find(|file| !all.contains_key(&file.sha256)) {
            Some(file) => {
                Err(nonsense(&url, &format!("it says nothing of {:?}", file.file.path())))
            }
            None => Ok(all),
        }
    }

    /// Brings one file to where the hub keeps it.
    pub fn send(&self, file: &Large<'_>, actions: &Actions) -> Result<()> {
        let Some(upload) = &actions.upload else { return Ok(()) };
        self.flow.go_on()?;
        self.check(&upload.href)?;
        match Started::offered(upload, file.size)? {
            Some(offered) => self.send_parts(file, offered)?,
            None => self.send_whole(file, upload)?,
        }
        let Some(verify) = &actions.verify else { return Ok(()) };
        self.check(&verify.href)?;
        let body = json!({ "oid": file.sha256, "size": file.size });
        // Whoever keeps the bytes may be another server, which the token is not for.
        let signed = address::origin(&verify.href) == address::origin(self.hub.endpoint());
        let ask = Ask::post(&verify.href, Content::Json(&body)).repeatable().work();
        self.hub.client.ask(&Ask { headers: &TYPED, signed, ..ask }).map(drop)
    }

    fn send_whole(&self, file: &Large<'_>, upload: &Action) -> Result<()> {
        let headers: Vec<(&str, &str)> = upload
            .header
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
            .filter(|(name, _)| !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)))
            .collect();
        let _taken = self.room.take(file.size, self.flow)?;
        let open = || self.open(file, 0, file.size);
        let put = Ask::put(&upload.href, Content::Stream(file.size, &open));
        self.hub.client.ask(&Ask { headers: &headers, ..put }).map(drop)
    }

    /// Sends the parts that are not there yet: where an earlier try began the same file, those that
    /// it did not finish.
    fn send_parts(&self, file: &Large<'_>, offered: Started) -> Result<()> {
        let oid = &file.sha256;
        if let Some(earlier) = self.ledger.started(oid)
            && earlier.fits(file.size)
            && earlier.goes_where(&offered)
        {
            match self.go_on(file, earlier) {
                // The way to the parts is good for some hours only.
                Err(error) if has_expired(&error) => self.ledger.over(oid)?,
                other => return other,
            }
        }
        self.ledger.start(oid, &offered)?;
        self.go_on(file, offered)
    }

    fn go_on(&self, file: &Large<'_>, mut started: Started) -> Result<()> {
        for (part, href) in started.parts.iter().enumerate() {
            if started.etags.contains_key(&part) {
                continue;
            }
            self.flow.go_on()?;
            self.check(href)?;
            let first = part as u64 * started.chunk;
            let length = (file.size - first).min(started.chunk);
            let taken = self.room.take(length, self.flow)?;
            let open = || self.open(file, first, length);
            let answer = self.hub.client.ask(&Ask::put(href, Content::Stream(length, &open)))?;
            let etag = answer.header("etag").ok_or_else(|| {
                nonsense(href, "it takes a part and does not say what it calls it (no ETag)")
            })?;
            self.ledger.part(&file.sha256, part, &etag)?;
            drop(taken);
            started.etags.insert(part, etag);
        }
        let parts = (0..started.parts.len())
            .map(|part| json!({ "partNumber": part + 1, "etag": started.etags.get(&part) }));
        let body = json!({ "oid": file.sha256, "parts": parts.collect::<Vec<_>>() });
        let ask = Ask::post(&started.href, Content::Json(&body)).repeatable().work();
        self.hub.client.ask(&Ask { headers: &TYPED, signed: false, ..ask })?;
        self.ledger.over(&file.sha256)
    }

    fn open<'a>(
        &'a self,
        file: &'a Large<'_>,
        first: u64,
        length: u64,
    ) -> Result<Box<dyn Read + 'a>> {
        let bytes = file.file.open(first)?;
        Ok(Box::new(Outgoing { bytes, flow: self.flow, left: length, path: file.file.path() }))
    }

    /// Files do not leave in the open where the hub is asked in secret, nor turn back to this machine.
    fn check(&self, href: &str) -> Result<()> {
        address::check(href)?;
        let open = |url: &str| address::origin(url).is_none_or(|(scheme, ..)| scheme != "https");
        if open(href) && !open(self.hub.endpoint()) {
            return Err(nonsense(href, "it wants files sent in the open"));
        }
        if address::leads_inside(self.hub.endpoint(), href) {
            return Err(nonsense(href, "it wants files sent to this machine itself"));
        }
        Ok(())
    }
}

impl Started {
    /// The parts that a hub asks for; none where it wants the file in one piece.
    fn offered(upload: &Action, size: u64) -> Result<Option<Self>> {
        let Some(chunk) = upload.header.get("chunk_size") else { return Ok(None) };
        let chunk = chunk.as_u64().or_else(|| chunk.as_str()?.parse().ok());
        let wrong = |what| nonsense(&upload.href, what);
        let chunk = chunk.filter(|chunk| *chunk > 0).ok_or_else(|| wrong("parts of no size"))?;
        let count = usize::try_from(size.div_ceil(chunk)).unwrap_or(usize::MAX);
        if count > MOST_PARTS {
            return Err(wrong("more parts than a file may have"));
        }
        // Numbered from 1, with noughts before or without.
        let numbered = upload.header.iter().filter_map(|(number, href)| {
            Some((number.parse::<usize>().ok()?, href.as_str()?.to_owned()))
        });
        let numbered: BTreeMap<_, _> = numbered.collect();
        if !numbered.keys().copied().eq(1..=count) {
            return Err(wrong("other parts than the file has"));
        }
        let parts = numbered.into_values().collect();
        Ok(Some(Self { href: upload.href.clone(), chunk, parts, etags: HashMap::new() }))
    }

    /// Whether its parts go to the same server as another's. An address that was damaged on its way may
    /// lead to where nobody ever answers.
    fn goes_where(&self, other: &Self) -> bool {
        let places = |one: &Self| {
            let hrefs = one.parts.iter().chain([&one.href]).map(|href| address::origin(href));
            hrefs.collect::<HashSet<_>>()
        };
        places(self) == places(other)
    }

    /// Whether its parts make a file of this size.
    fn fits(&self, size: u64) -> bool {
        self.chunk > 0 && size.div_ceil(self.chunk) == self.parts.len() as u64
    }
}

/// Takes bytes for what a hub answers about large files: how long the parts are, and how many, in which
/// it would have each file of this size. For fuzzing.
#[doc(hidden)]
pub fn read_batch(bytes: &[u8], size: u64) -> Vec<(u64, usize)> {
    let Ok(batch) = serde_json::from_slice::<Batch>(bytes) else { return Vec::new() };
    let actions = batch.objects.into_iter().filter_map(|object| object.actions?.upload);
    let offered = actions.filter_map(|upload| Started::offered(&upload, size).ok()?);
    offered.map(|started| (started.chunk, started.parts.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Options};

    #[test]
    fn files_leave_in_secret_and_to_somewhere_else() {
        let hub = Hub::new("https://hub.example", Options::default()).unwrap();
        let repo = Repo::new(Kind::Dataset, "me/pick").unwrap();
        let (ledger, flow, room) = (Ledger::default(), Flow::default(), Room::default());
        let store = Store {
            hub: &hub,
            repo: &repo,
            revision: "main",
            ledger: &ledger,
            flow: &flow,
            room: &room,
        };
        store.check("https://store.example/x?signature=1").unwrap();
        for wrong in [
            "http://store.example/x",
            "HTTP://store.example/x",
            "https://127.0.0.1/x",
            "https://localhost/x",
            "ftp://store.example/x",
            "file:///etc/passwd",
            "/x",
            "",
            "https://me:secret@store.example/x",
            "https://store.example\r\nX: y/x",
        ] {
            let error = store.check(wrong).unwrap_err();
            let refused = matches!(error, Error::Nonsense { .. } | Error::Address { .. });
            assert!(refused && !error.to_string().contains("secret"), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn parts_are_those_that_the_file_has() {
        let offered = |header: Value| {
            let action = json!({ "href": "http://hub/x?secret", "header": header });
            Started::offered(&serde_json::from_value(action).unwrap(), 25)
        };
        let right = json!({ "chunk_size": "10", "01": "a", "02": "b", "03": "c", "other": "d" });
        let right = offered(right).unwrap().unwrap();
        assert_eq!((right.chunk, right.parts), (10, vec!["a".into(), "b".into(), "c".into()]));
        assert!(offered(json!({})).unwrap().is_none());
        for wrong in [
            json!({ "chunk_size": 0, "1": "a" }),
            json!({ "chunk_size": -5, "1": "a" }),
            json!({ "chunk_size": "ten", "1": "a" }),
            json!({ "chunk_size": [10], "1": "a" }),
            json!({ "chunk_size": 10 }),
            json!({ "chunk_size": 10, "1": "a", "2": "b" }),
            json!({ "chunk_size": 10, "0": "a", "1": "b", "2": "c" }),
            json!({ "chunk_size": 10, "1": "a", "2": "b", "4": "c" }),
            json!({ "chunk_size": 10, "1": "a", "2": "b", "3": 7 }),
            json!({ "chunk_size": 1, "1": "a" }),
            json!({ "chunk_size": "18446744073709551615" }),
        ] {
            let error = offered(wrong.clone()).unwrap_err();
            assert!(matches!(error, Error::Nonsense { .. }), "{wrong}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
