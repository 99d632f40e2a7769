//! The interface that newer clients send large files through.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};

use serde_json::json;

use super::shard::{Files, Segment};
use super::xorb::{self, Layout};
use crate::Error;
use crate::serve::access::{sign, signed};
use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;
use crate::serve::store::hash::Hash;
use crate::serve::store::{Objects, Store};

/// How long a token is good for, in seconds; clients ask for another by themselves.
const GOOD: i64 = 3600;
/// How long a shard is at most; clients stop at 64 MiB.
const SHARD: u64 = 128 << 20;
/// How many xorbs are kept open while files are put together.
const OPEN: usize = 16;

/// Where to send large files, and what to show there.
pub fn token(call: &mut Call) -> Result<Answer, Refusal> {
    call.writable()?;
    let until = chrono::Utc::now().timestamp().saturating_add(GOOD);
    let token = format!("{until}-{}", sign(call.store().secret(), &meaning(until)));
    let url = format!("{}/api/cas/{}", call.origin, call.store().xorbs().current());
    let answer = json!({ "accessToken": token, "exp": until, "casUrl": url });
    Ok(Answer::json(&answer)?
        .with("x-xet-access-token", token)
        .with("x-xet-token-expiration", until.to_string())
        .with("x-xet-cas-url", url))
}

/// Takes a xorb.
pub fn xorb(call: &mut Call) -> Result<Answer, Refusal> {
    allowed(call)?;
    let hash = Hash::parse(call.part("hash"));
    let hash = hash.ok_or_else(|| Refusal::wrong("a xorb is called by 64 digits"))?;
    let place = call.store().xorbs().place(call.part("id"), &hash).ok_or_else(Refusal::nothing)?;
    let (store, body) = call.parts();
    let mut incoming = store.objects().incoming(xorb::MOST)?;
    incoming.take(body)?;
    Layout::read(&mut incoming.reader()?).map_err(|error| wrong("the xorb", &error))?;
    // Nothing tells whether it is what its name says, and files may be made of the first already.
    let new = incoming.put_first(&place)?;
    Answer::json(&json!({ "was_inserted": new }))
}

/// Puts together the files of a shard.
pub fn shard(call: &mut Call) -> Result<Answer, Refusal> {
    allowed(call)?;
    let (generation, limit) = (call.part("id").to_owned(), call.limits().file);
    let (store, body) = call.parts();
    let mut body = BufReader::new(body.take(SHARD));
    let (mut files, mut bench) = (Files::new(&mut body), Bench::new(store, &generation));
    let mut made = 0;
    while let Some(file) = files.next_file().map_err(|error| wrong("the shard", &error))? {
        made += u32::from(bench.make(&file.segments, file.sha256.as_ref(), limit)?);
    }
    // What follows is about xorbs, and is read so that its sender is done.
    io::copy(&mut body, &mut io::sink()).map_err(|error| Refusal::cut(&error))?;
    Answer::json(&json!({ "result": u32::from(made > 0) }))
}

fn meaning(until: i64) -> String {
    format!("large files until {until}")
}

/// Whether the token was given out here, and not too long ago.
fn allowed(call: &Call) -> Result<(), Refusal> {
    let header = call.headers.get("authorization").and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer "));
    let good = token.and_then(|token| token.split_once('-')).is_some_and(|(until, signature)| {
        until.parse::<i64>().is_ok_and(|until| {
            signed(call.store().secret(), &meaning(until), signature)
                && until >= chrono::Utc::now().timestamp()
        })
    });
    match good {
        true => Ok(()),
        false => Err(Refusal::unknown("this token was not given out here, or too long ago")),
    }
}

/// What came is wrong, or did not come whole; clients repeat for minutes what is anybody else's
/// fault.
fn wrong(what: &str, error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::TimedOut => Refusal::cut(error),
        _ => Refusal::wrong(format!("{what} makes no sense: {error}")),
    }
}

/// Where files are put together, with the xorbs that were needed last.
struct Bench<'a> {
    store: &'a Store,
    generation: &'a str,
    open: VecDeque<(Hash, File, Layout)>,
}

impl<'a> Bench<'a> {
    fn new(store: &'a Store, generation: &'a str) -> Self {
        Self { store, generation, open: VecDeque::new() }
    }

    /// Makes a file, if it is not there already.
    fn make(
        &mut self,
        segments: &[Segment],
        sha256: Option<&Hash>,
        limit: u64,
    ) -> Result<bool, Refusal> {
        let size = segments.iter().map(|segment| u64::from(segment.raw)).sum::<u64>();
        if size > limit {
            return Err(Refusal::too_large("the file", limit));
        }
        let objects: &Objects = self.store.objects();
        if let Some(hash) = sha256.filter(|hash| objects.size(hash) == Some(size)) {
            objects.touch(hash)?;
            return Ok(false);
        }
        let mut incoming = objects.incoming(limit)?;
        let mut bytes = Vec::new();
        for segment in segments {
            let (file, layout) = self.xorb(&segment.xorb)?;
            let chunks = layout.chunks(segment.first, segment.end).ok_or_else(|| {
                Refusal::wrong(format!("the xorb {} has not so many chunks", segment.xorb))
            })?;
            let raw = chunks.iter().map(|chunk| u64::from(chunk.raw())).sum::<u64>();
            if raw != u64::from(segment.raw) {
                let what = format!("chunks of the xorb {} have {raw} bytes", segment.xorb);
                return Err(Refusal::wrong(what));
            }
            for chunk in chunks {
                chunk.unpack(file, &mut bytes).map_err(|error| wrong("the xorb", &error))?;
                incoming.add(&bytes)?;
            }
        }
        incoming.keep(sha256)?;
        Ok(true)
    }

    fn xorb(&mut self, hash: &Hash) -> Result<(&mut File, &Layout), Refusal> {
        let at = self.open.iter().position(|(open, _, _)| open == hash);
        let found = match at.and_then(|at| self.open.remove(at)) {
            Some(found) => found,
            None => {
                let place = self.store.xorbs().place(self.generation, hash);
                let place = place.ok_or_else(Refusal::nothing)?;
                let mut file = File::open(&place).map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => {
                        Refusal::wrong(format!("the xorb {hash} was never uploaded"))
                    }
                    _ => Error::io("cannot open the xorb", &place)(error).into(),
                })?;
                let layout = Layout::read(&mut file).map_err(|error| wrong("the xorb", &error))?;
                (hash.clone(), file, layout)
            }
        };
        if self.open.len() >= OPEN {
            self.open.pop_front();
        }
        self.open.push_back(found);
        let missing = || Refusal::fault("a xorb that was opened is not open");
        self.open.back_mut().map(|(_, file, layout)| (file, &*layout)).ok_or_else(missing)
    }
}
