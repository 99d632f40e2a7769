//! Whole files that do not fit into memory, from any byte on.

use std::io::Read;

use super::pace::Coming;
use super::part::sense;
use super::refusal::{Failed, text};
use super::{Ask, Client, Part, nonsense};
use crate::address;

/// The rest of a file, as it comes.
pub(crate) struct Rest {
    /// Where in the file it begins: where was asked, or at its beginning from a server that gives
    /// files only whole.
    pub first: u64,
    /// The bytes.
    pub bytes: Box<dyn Read>,
}

impl Client {
    /// A file of this size from a byte on. Tried once: where a flow ends early, whoever has kept what
    /// came asks for the rest.
    pub(crate) fn rest(&self, url: &str, first: u64, size: u64) -> Result<Rest, Failed> {
        address::check(url)?;
        let range = format!("bytes={first}-");
        let headers: &[(&str, &str)] = if first > 0 { &[("range", &range)] } else { &[] };
        let (response, _) = self.follow(&Ask { headers, ..Ask::get(url) }, url)?;
        let headers = response.headers();
        let first = match response.status().as_u16() {
            200 => 0,
            206 if first > 0 => {
                let says = text(headers, "content-range").unwrap_or_default();
                let asked = Part::From { first, length: size.saturating_sub(first) };
                let (_, _, total) = sense(asked, &says).ok_or_else(|| {
                    nonsense(url, &format!("asked for {range}, it says {says:?}"))
                })?;
                if total != size {
                    return Err(other_size(url, total, size));
                }
                first
            }
            status => return Err(self.refused(url, status, headers, &[])),
        };
        let body = response.into_body();
        match body.content_length() {
            Some(announced) if announced != size.saturating_sub(first) => {
                Err(other_size(url, first.saturating_add(announced), size))
            }
            _ => {
                let bytes = body.into_with_config().limit(u64::MAX).reader();
                Ok(Rest { first, bytes: Box::new(Coming::of(bytes, &self.options)) })
            }
        }
    }
}

fn other_size(url: &str, announced: u64, size: u64) -> Failed {
    nonsense(url, &format!("it has {announced} bytes, its list of files says {size}")).into()
}
