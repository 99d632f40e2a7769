//! Files over HTTP: whole ones, and parts of them.

use std::io::Read;

use ureq::Body;
use ureq::http::Response;

use super::pace::Coming;
use super::refusal::{Failed, cut, passing, text};
use super::{Ask, Client, nonsense};
use crate::address;
use crate::{Error, Result};

/// How much memory is taken before the first byte has come, whatever the server announces.
const FIRST_TAKEN: u64 = 1 << 20;

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

impl Client {
    /// A whole file of at most `limit` bytes.
    pub fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>> {
        address::check(url)?;
        self.patiently(|| {
            let (mut response, _) = self.follow(&Ask::get(url), url)?;
            if response.status().as_u16() != 200 {
                return Err(self.refused(url, response.status().as_u16(), response.headers(), &[]));
            }
            let announced = response.body().content_length();
            if announced.is_some_and(|length| length > limit) {
                return Err(Error::TooLarge { limit, url: address::shown(url).to_owned() }.into());
            }
            let bytes = self.body(url, &mut response, limit.saturating_add(1))?;
            match announced {
                _ if bytes.len() as u64 > limit => {
                    Err(Error::TooLarge { limit, url: address::shown(url).to_owned() }.into())
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
            let (mut response, location) =
                self.follow(&Ask { headers: &[("range", &range)], ..Ask::get(url) }, start)?;
            match response.status().as_u16() {
                206 => {}
                200 => return Err(Error::NoRanges { url: address::shown(url).to_owned() }.into()),
                status => return Err(self.refused(url, status, response.headers(), &[])),
            }
            let headers = response.headers();
            let says = text(headers, "content-range").unwrap_or_default();
            let nonsense = || nonsense(url, &format!("asked for {range}, it says {says:?}"));
            let (first, length, total) = sense(part, &says).ok_or_else(nonsense)?;
            let announced = response.body().content_length();
            if announced.is_some_and(|announced| announced != length) {
                return Err(nonsense().into());
            }
            let version = text(headers, "etag").filter(|tag| !tag.starts_with("W/"));
            let bytes = self.body(url, &mut response, length.saturating_add(1))?;
            match bytes.len() as u64 {
                whole if whole == length => Ok(Sent { first, bytes, total, version, location }),
                less if less < length => Err(cut(url, &bytes, length)),
                _ => Err(nonsense().into()),
            }
        })
    }

    /// The body of an answer, of which no more than `most` bytes are taken.
    pub(super) fn body(
        &self,
        url: &str,
        response: &mut Response<Body>,
        most: u64,
    ) -> Result<Vec<u8>, Failed> {
        let known = response.body().content_length().unwrap_or(0).min(most).min(FIRST_TAKEN);
        let mut bytes = Vec::with_capacity(known as usize);
        let reader = response.body_mut().with_config().limit(u64::MAX).reader();
        match Coming::of(reader, &self.options).take(most).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(passing(url, error.to_string())),
        }
    }
}

/// Where the part begins, how long it is, and how long the file is, where that fits the question.
pub(super) fn sense(part: Part, content_range: &str) -> Option<(u64, u64, u64)> {
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
