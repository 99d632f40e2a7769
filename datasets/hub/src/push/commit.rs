//! A change of a repository: one line for each file, sent as it is read.

use std::io::{Cursor, Read};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::flow::{Flow, Outgoing};
use super::local::Local;
use crate::http::{Again, Ask, Content};
use crate::hub::{Digest, is_commit};
use crate::{Error, Hub, Repo, Result};

/// How many bytes are encoded at once: a multiple of three, so that the pieces join.
const STEP: usize = 48 << 10;

/// What happens to a path.
#[derive(Clone, Debug)]
pub(crate) enum Change<'a> {
    /// This file is there from now on.
    Put { file: &'a Local, size: u64, digest: Digest },
    /// Nothing is there from now on.
    Remove(String),
}

impl Change<'_> {
    pub fn path(&self) -> &str {
        match self {
            Self::Put { file, .. } => file.path(),
            Self::Remove(path) => path,
        }
    }

    /// How many bytes of files it takes along.
    pub fn carried(&self) -> u64 {
        match self {
            Self::Put { size, digest: Digest::Git(_), .. } => *size,
            _ => 0,
        }
    }
}

/// What a commit says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub title: &'a str,
    pub text: &'a str,
    /// The commit that the repository must still be at.
    pub parent: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Made {
    /// The new commit.
    pub commit_oid: String,
    /// The address of the pull request, where that was asked for.
    #[serde(default)]
    pull_request_url: Option<String>,
}

impl Made {
    /// The number of the pull request, where it has one.
    pub fn request(&self) -> Option<u64> {
        let (_, number) = self.pull_request_url.as_deref()?.rsplit_once("/discussions/")?;
        number.parse().ok()
    }
}

/// Takes bytes for what a hub answers to a commit: which it is, if it can be one, and the number of its
/// pull request. For fuzzing.
#[doc(hidden)]
pub fn read_commit(bytes: &[u8]) -> Option<(String, Option<u64>)> {
    let made: Made = serde_json::from_slice(bytes).ok()?;
    let request = made.request();
    Some((made.commit_oid, request)).filter(|(commit, _)| is_commit(commit))
}

/// Makes the changes, all or none: of the revision, or in a pull request to it.
pub(crate) fn commit(
    hub: &Hub,
    repo: &Repo,
    (revision, asks): (&str, bool),
    message: &Message<'_>,
    changes: &[Change<'_>],
    flow: &Flow,
) -> Result<Made> {
    let url = hub.api(repo, ["commit", revision]) + if asks { "?create_pr=1" } else { "" };
    let lines = Lines { message, changes };
    let length = lines.length();
    let open = || -> Result<Box<dyn Read + '_>> {
        let pieces = lines.pieces().map(|piece| piece.open(flow));
        Ok(Box::new(Joined { pieces, now: None }))
    };
    let ask = Ask::post(&url, Content::Stream(length, &open)).work();
    // A change knows its parent and is made once; a pull request is another one each time.
    let again = if asks { Again::PutOff } else { Again::Answered };
    let ask = Ask { headers: &[("content-type", "application/x-ndjson")], again, ..ask };
    let made: Made = hub.client.ask(&ask)?.json()?;
    hub.check_commit(&made.commit_oid, &url).map(|()| made)
}

struct Lines<'a> {
    message: &'a Message<'a>,
    changes: &'a [Change<'a>],
}

/// Text, or a file in base64.
enum Piece<'a> {
    Text(String),
    File(&'a Local, u64),
}

impl<'a> Lines<'a> {
    fn pieces(&self) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let Message { title, text, parent } = *self.message;
        let header = json!({ "summary": title, "description": text, "parentCommit": parent });
        let header = Piece::Text(line("header", &header));
        std::iter::once(header).chain(self.changes.iter().flat_map(pieces))
    }

    fn length(&self) -> u64 {
        self.pieces().map(|piece| piece.length()).sum()
    }
}

fn pieces<'a>(change: &'a Change<'a>) -> Vec<Piece<'a>> {
    match change {
        Change::Remove(path) => vec![Piece::Text(line("deletedFile", &json!({ "path": path })))],
        Change::Put { file, size, digest: Digest::Sha256(oid) } => {
            let value = json!({ "path": file.path(), "algo": "sha256", "oid": oid, "size": size });
            vec![Piece::Text(line("lfsFile", &value))]
        }
        Change::Put { file, size, digest: Digest::Git(_) } => {
            let value = json!({ "path": file.path(), "encoding": "base64", "content": "" });
            // The content goes between the last two quotation marks.
            let mut before = line("file", &value);
            let after = before.split_off(before.rfind("\"}").unwrap_or_default());
            vec![Piece::Text(before), Piece::File(file, *size), Piece::Text(after)]
        }
    }
}

fn line(key: &str, value: &Value) -> String {
    format!("{}\n", json!({ "key": key, "value": value }))
}

impl<'a> Piece<'a> {
    fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::File(_, size) => size.div_ceil(3) * 4,
        }
    }

    fn open<'b>(self, flow: &'b Flow) -> Result<Box<dyn Read + 'b>>
    where
        'a: 'b,
    {
        Ok(match self {
            Self::Text(text) => Box::new(Cursor::new(text.into_bytes())),
            Self::File(file, size) => {
                let bytes = file.open(0)?;
                let bytes = Outgoing { bytes, flow, left: size, path: file.path() };
                Box::new(Encoded { bytes, ready: Cursor::default() })
            }
        })
    }
}

/// Bytes in base64.
struct Encoded<R> {
    bytes: R,
    ready: Cursor<Vec<u8>>,
}

impl<R: Read> Read for Encoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.ready.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        let mut raw = Vec::with_capacity(STEP);
        self.bytes.by_ref().take(STEP as u64).read_to_end(&mut raw)?;
        self.ready = Cursor::new(BASE64_STANDARD.encode(raw).into_bytes());
        self.ready.read(buffer)
    }
}

/// One after the other, each opened when it is its turn.
struct Joined<'a, I> {
    pieces: I,
    now: Option<Box<dyn Read + 'a>>,
}

impl<'a, I: Iterator<Item = Result<Box<dyn Read + 'a>>>> Read for Joined<'a, I> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(piece) = &mut self.now {
                let count = piece.read(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            let Some(next) = self.pieces.next() else { return Ok(0) };
            self.now = Some(next.map_err(std::io::Error::other::<Error>)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_a_line_for_each_file_and_as_long_as_it_says() {
        let small = Local::bytes("a \"b\".txt", vec![7; 100_001]).unwrap();
        let large = Local::bytes("c.bin", Vec::new()).unwrap();
        let changes = [
            Change::Put { file: &small, size: 100_001, digest: Digest::Git(String::new()) },
            Change::Put { file: &large, size: 5, digest: Digest::Sha256("ab".into()) },
            Change::Remove("d".into()),
        ];
        let message = Message { title: "t", text: "", parent: "p" };
        let (lines, flow) = (Lines { message: &message, changes: &changes }, Flow::default());
        let mut text = String::new();
        let pieces = lines.pieces().map(|piece| piece.open(&flow));
        Joined { pieces, now: None }.read_to_string(&mut text).unwrap();
        assert_eq!(text.len() as u64, lines.length());
        let said: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(said[0]["value"]["parentCommit"], "p");
        assert_eq!(said[1]["key"], "file");
        assert_eq!(said[1]["value"]["path"], "a \"b\".txt");
        let content =
            BASE64_STANDARD.decode(said[1]["value"]["content"].as_str().unwrap()).unwrap();
        assert_eq!(content, vec![7; 100_001]);
        let oid = json!({ "path": "c.bin", "algo": "sha256", "oid": "ab", "size": 5 });
        assert_eq!(said[2], json!({ "key": "lfsFile", "value": oid }));
        assert_eq!(said[3], json!({ "key": "deletedFile", "value": { "path": "d" } }));
        assert_eq!((said.len(), flow.sent()), (4, 100_001));
    }
}
