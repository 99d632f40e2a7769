//! One file on a server, all parts of which must be of the same state of it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::http::{Client, Part};
use crate::{Error, Result, address};

/// A file on a server.
#[derive(Debug)]
pub struct Link {
    client: Arc<Client>,
    url: String,
    known: Mutex<Known>,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where in the file it begins.
    pub first: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How many bytes the whole file has.
    pub total: u64,
}

/// What earlier answers told.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Where the file really is: the Hub sends on to where it keeps large files. The way there is
    /// good for an hour or so and costs a question each time.
    location: Option<String>,
    total: Option<u64>,
    version: Option<String>,
}

impl Link {
    /// The file below a base whose path has these parts.
    pub fn new(
        client: &Arc<Client>,
        base: &str,
        parts: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Self {
        let url = address::below(base, parts);
        Self { client: Arc::clone(client), url, known: Mutex::default() }
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All of the file, if it has at most `limit` bytes.
    pub fn whole(&self, limit: u64) -> Result<Vec<u8>> {
        self.client.get(&self.url, limit)
    }

    /// A part of the file.
    pub fn part(&self, part: Part) -> Result<Piece> {
        let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let start = before.location.as_deref().unwrap_or(&self.url);
        let sent = match self.client.part(&self.url, start, part) {
            // What the way led to may have expired: go it again from its beginning.
            Err(Error::Denied { .. } | Error::Missing { .. } | Error::Status { .. })
                if before.location.is_some() =>
            {
                self.client.part(&self.url, &self.url, part)
            }
            other => other,
        }?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = known.total.is_some_and(|total| total != sent.total)
            || known.version.as_ref().zip(sent.version.as_ref()).is_some_and(|(a, b)| a != b);
        if changed {
            return Err(Error::Changed { url: address::shown(&self.url).to_owned() });
        }
        known.total = Some(sent.total);
        known.version = known.version.take().or(sent.version);
        known.location = (sent.location != self.url).then_some(sent.location);
        Ok(Piece { first: sent.first, bytes: sent.bytes, total: sent.total })
    }
}
