//! Large files on their way in: as a whole, or in parts that may be sent again.
//!
//! Links are signed, since clients show no token where they lead, and tell all that is to be known:
//! they stay good through a restart, and so do the parts that have come.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::serve::access::{sign, signed};
use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::hash::Hash;
use crate::{Error, durable};

/// How long a link is good for, in seconds.
const GOOD: i64 = 24 * 3600;
/// How many parts a file is sent in at most; the parts grow instead.
const PARTS: u64 = 10_000;

const KIND: &str = "application/vnd.git-lfs+json";

#[derive(Deserialize)]
struct Batch {
    operation: String,
    #[serde(default)]
    transfers: Vec<String>,
    objects: Vec<Wanted>,
    hash_algo: Option<String>,
}

#[derive(Deserialize)]
struct Wanted {
    oid: String,
    size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complete {
    oid: String,
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    part_number: u64,
    etag: String,
}

/// What a link is good for: contents of this hash and size, in parts of that size, until then.
struct Ticket {
    hash: Hash,
    size: u64,
    part: u64,
}

/// How large files are to be sent, and which are here already.
pub fn batch(call: &mut Call) -> Result<Answer, Refusal> {
    call.writable()?;
    let batch: Batch = call.json()?;
    if batch.operation != "upload" {
        let what = "large files are read at their own addresses, below …/resolve/";
        return Err(Refusal::wrong(what));
    }
    if batch.hash_algo.is_some_and(|algo| algo != "sha256") {
        return Err(Refusal::wrong("large files are called by their SHA-256"));
    }
    let offered = |transfer: &str| batch.transfers.iter().any(|offered| offered == transfer);
    let in_parts = offered("multipart");
    let mut objects = Vec::with_capacity(batch.objects.len());
    // Some clients that offer the newest way know no other.
    let mut transfer = if offered("xet") { "xet" } else { "basic" };
    for wanted in &batch.objects {
        let (object, parts) = object(call, wanted, in_parts)?;
        objects.push(object);
        if parts && transfer == "basic" {
            transfer = "multipart";
        }
    }
    let text = json!({ "transfer": transfer, "objects": objects, "hash_algo": "sha256" });
    Ok(Answer::text(KIND, text.to_string()))
}

fn object(call: &Call, wanted: &Wanted, in_parts: bool) -> Result<(Value, bool), Refusal> {
    let limits = call.limits();
    let mut object = json!({ "oid": wanted.oid, "size": wanted.size, "authenticated": true });
    let mut refuse = |code: u16, what: String| {
        object["error"] = json!({ "code": code, "message": what });
        Ok((object.clone(), false))
    };
    let Some(hash) = Hash::parse(&wanted.oid) else {
        return refuse(422, "not a SHA-256".to_owned());
    };
    if wanted.size > limits.file {
        return refuse(413, format!("more than the {} bytes that are taken", limits.file));
    }
    match call.store().objects().size(&hash) {
        Some(size) if size == wanted.size => {
            call.store().objects().touch(&hash)?;
            return Ok((object, false));
        }
        Some(size) => return refuse(422, format!("what has this name has {size} bytes")),
        None => {}
    }
    let parts = in_parts && wanted.size > limits.part;
    let part = if parts { limits.part.max(wanted.size.div_ceil(PARTS)) } else { 0 };
    let ticket = Ticket { hash, size: wanted.size, part };
    let href = format!("{}/api/lfs/{}", call.origin, ticket.write(call.store().secret()));
    let mut header = BTreeMap::new();
    if parts {
        header.insert("chunk_size".to_owned(), part.to_string());
        for number in 1..=ticket.parts() {
            header.insert(number.to_string(), format!("{href}/{number}"));
        }
    }
    object["actions"] = json!({
        "upload": { "href": href, "header": header, "expires_in": GOOD },
        "verify": { "href": format!("{}/api/lfs/verify", call.origin), "header": {} },
    });
    Ok((object, parts))
}

/// Takes a file.
pub fn whole(call: &mut Call) -> Result<Answer, Refusal> {
    let ticket = Ticket::read(call)?;
    announced(call, ticket.size)?;
    let (store, body) = call.parts();
    let mut incoming = store.objects().incoming(ticket.size)?;
    incoming.take(body)?;
    incoming.keep(Some(&ticket.hash))?;
    Ok(Answer::done())
}

/// Takes a part of a file, for as long as the others need.
pub fn piece(call: &mut Call) -> Result<Answer, Refusal> {
    let ticket = Ticket::read(call)?;
    let number: u64 = call.part("number").parse().unwrap_or(0);
    let expected = ticket.length(number).ok_or_else(Refusal::nothing)?;
    announced(call, expected)?;
    let folder = ticket.folder(call);
    durable::make_secret_folders(&folder)?;
    let (store, body) = call.parts();
    let mut incoming = store.objects().incoming(expected)?;
    incoming.take(body)?;
    if incoming.size() != expected {
        let what = format!("part {number} has {expected} bytes, and {} came", incoming.size());
        return Err(Refusal::wrong(what));
    }
    let hash = incoming.put(&folder.join(number.to_string()))?;
    Ok(Answer::done().with("etag", format!("\"{hash}\"")))
}

/// Makes a file of its parts.
pub fn complete(call: &mut Call) -> Result<Answer, Refusal> {
    let ticket = Ticket::read(call)?;
    let complete: Complete = call.json()?;
    if complete.oid != ticket.hash.as_str() {
        return Err(Refusal::wrong("the parts are another file's"));
    }
    let (store, folder) = (call.store(), ticket.folder(call));
    // Who waited for too long asks again, and waits for what they asked for first.
    let _turn = store.alone(&folder);
    if store.objects().size(&ticket.hash).is_some() {
        return Ok(Answer::done());
    }
    let numbers = complete.parts.iter().map(|part| part.part_number);
    if !numbers.eq(1..=ticket.parts()) {
        let what = format!("the parts are 1 to {}, in this order", ticket.parts());
        return Err(Refusal::wrong(what));
    }
    let mut incoming = store.objects().incoming(ticket.size)?;
    for part in &complete.parts {
        let path = folder.join(part.part_number.to_string());
        let mut file = File::open(&path).map_err(|_missing| {
            Refusal::wrong(format!("part {} has not come", part.part_number))
        })?;
        let before = incoming.size();
        incoming.take(&mut file)?;
        let came = Some(incoming.size() - before);
        if came != ticket.length(part.part_number) || part.etag.is_empty() {
            return Err(Refusal::wrong(format!("part {} is not whole", part.part_number)));
        }
    }
    incoming.keep(Some(&ticket.hash))?;
    std::fs::remove_dir_all(&folder).map_err(Error::io("cannot remove the parts", &folder))?;
    Ok(Answer::done())
}

/// Whether a file has come whole.
pub fn verify(call: &mut Call) -> Result<Answer, Refusal> {
    call.writer()?;
    let wanted: Wanted = call.json()?;
    let hash = Hash::parse(&wanted.oid);
    let hash = hash.ok_or_else(|| Refusal::wrong("the name is not a SHA-256"))?;
    match call.store().objects().size(&hash) {
        Some(size) if size == wanted.size => Ok(Answer::done()),
        Some(size) => Err(Refusal::wrong(format!("it has {size} bytes, not {}", wanted.size))),
        None => Err(Refusal::no_entry(hash.as_str())),
    }
}

/// Refuses what says that it is of another size before it is read.
fn announced(call: &Call, expected: u64) -> Result<(), Refusal> {
    let length = call.headers.get("content-length").and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    match length.is_some_and(|length| length != expected) {
        true => Err(Refusal::wrong(format!("{expected} bytes are expected here"))),
        false => Ok(()),
    }
}

impl Ticket {
    /// As a part of a link.
    fn write(&self, secret: &[u8]) -> String {
        let until = chrono::Utc::now().timestamp().saturating_add(GOOD);
        let text = format!("{}-{}-{}-{until}", self.hash, self.size, self.part);
        let signature = sign(secret, &text);
        format!("{text}-{signature}")
    }

    /// Out of the address that was asked for.
    fn read(call: &Call) -> Result<Self, Refusal> {
        let bad = || Refusal::forbidden("this link was not given out here, or too long ago");
        let (text, signature) = call.part("ticket").rsplit_once('-').ok_or_else(bad)?;
        if !signed(call.store().secret(), text, signature) {
            return Err(bad());
        }
        let mut fields = text.split('-');
        let hash = fields.next().and_then(Hash::parse).ok_or_else(bad)?;
        let mut number = || fields.next().and_then(|field| field.parse::<u64>().ok());
        let (size, part) = (number().ok_or_else(bad)?, number().ok_or_else(bad)?);
        let until = number().and_then(|until| i64::try_from(until).ok()).ok_or_else(bad)?;
        match until < chrono::Utc::now().timestamp() {
            true => Err(bad()),
            false => Ok(Self { hash, size, part }),
        }
    }

    /// How many parts the file comes in.
    fn parts(&self) -> u64 {
        if self.part == 0 { 0 } else { self.size.div_ceil(self.part) }
    }

    /// How long a part is.
    fn length(&self, number: u64) -> Option<u64> {
        let in_range = (1..=self.parts()).contains(&number);
        in_range.then(|| self.part.min(self.size - (number - 1) * self.part))
    }

    /// Where the parts wait.
    fn folder(&self, call: &Call) -> PathBuf {
        call.store().uploads().join(format!("{}-{}", self.hash, self.part))
    }
}
