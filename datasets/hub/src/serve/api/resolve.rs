//! Files themselves, whole or in part, never from elsewhere.

use axum::http::HeaderMap;

use crate::serve::answer::{Answer, Content, Refusal};
use crate::serve::call::Call;

/// A file as a branch, a tag or a commit has it.
pub fn file(call: &mut Call) -> Result<Answer, Refusal> {
    let repository = call.repository()?;
    let snapshot = repository.at(call.revision())?;
    let path = call.part("path");
    let Some(leaf) = snapshot.tree.file(path) else {
        let mut answer = Refusal::no_entry(path).answer();
        // Clients then remember that this commit has no such file.
        answer.headers.push(("x-repo-commit", snapshot.commit.id.clone()));
        return Ok(answer);
    };
    let entry = &leaf.entry;
    let name = if entry.large { entry.sha256.as_str() } else { entry.git.as_str() };
    let tag = format!("\"{name}\"");
    let mut answer = Answer::done()
        .with("etag", &tag)
        .with("x-repo-commit", &snapshot.commit.id)
        .with("accept-ranges", "bytes")
        .with("cache-control", "no-cache")
        .with("content-type", kind(path))
        // What somebody uploaded is nothing that a browser should run in this hub's name.
        .with("content-security-policy", "default-src 'none'; sandbox")
        .with("x-content-type-options", "nosniff");
    let header = |name| text(&call.headers, name);
    let known = header("if-none-match").is_some_and(|known| {
        known.split(',').any(|one| one.trim().trim_start_matches("W/").trim_matches('"') == name)
            || known.trim() == "*"
    });
    if known {
        answer.status = 304;
        return Ok(answer);
    }
    let unchanged = header("if-range").is_none_or(|known| known.trim() == tag);
    let range = header("range").filter(|_| unchanged).and_then(Range::parse);
    let (first, length) = match range.map(|range| range.within(entry.size)) {
        None => (0, entry.size),
        Some(Some((first, length))) => {
            let last = first + length - 1;
            answer.status = 206;
            answer = answer.with("content-range", format!("bytes {first}-{last}/{}", entry.size));
            (first, length)
        }
        Some(None) => {
            answer.status = 416;
            return Ok(answer.with("content-range", format!("bytes */{}", entry.size)));
        }
    };
    let file = call.store().objects().open_at(&entry.sha256, first)?;
    answer.body = Content::File { file, length };
    Ok(answer)
}

/// One range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

impl Range {
    /// What a header asks for; several ranges, and what is no range, are as if nothing were asked.
    fn parse(header: &str) -> Option<Self> {
        let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // More than can be counted is more than there is.
            digits.then(|| text.parse().unwrap_or(u64::MAX))
        };
        match (first.trim(), last.trim()) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// Where it begins in a file of this size, and how long it is; nothing, if it is outside.
    fn within(self, size: u64) -> Option<(u64, u64)> {
        let (first, length) = match self {
            Self::From(first) => (first, u64::MAX),
            Self::Between(first, last) => (first, (last - first).saturating_add(1)),
            Self::Last(length) => (size.saturating_sub(length), length),
        };
        let length = length.min(size.checked_sub(first)?);
        (length > 0).then_some((first, length))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a browser may show as what it is; anything else is text or bytes.
pub fn kind(path: &str) -> &'static str {
    let end = path.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    match end.as_deref().unwrap_or_default() {
        "json" => "application/json; charset=utf-8",
        "md" | "txt" | "yaml" | "yml" | "toml" | "csv" | "py" | "jsonl" | "html" | "svg"
        | "xml" => "text/plain; charset=utf-8",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_within_the_file_or_nothing() {
        let within = |header: &str, size| Range::parse(header).map(|range| range.within(size));
        assert_eq!(within("bytes=0-9", 100), Some(Some((0, 10))));
        assert_eq!(within("bytes=90-", 100), Some(Some((90, 10))));
        assert_eq!(within("bytes=90-1000", 100), Some(Some((90, 10))));
        assert_eq!(within("bytes=-10", 100), Some(Some((90, 10))));
        assert_eq!(within("bytes=-1000", 100), Some(Some((0, 100))));
        assert_eq!(within("bytes=0-99999999999999999999999", 100), Some(Some((0, 100))));
        for outside in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(within(outside, 100), Some(None), "{outside}");
        }
        assert_eq!(within("bytes=0-", 0), Some(None));
        for nothing in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "rows=0-1",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "bytes=--1",
        ] {
            assert_eq!(within(nothing, 100), None, "{nothing}");
        }
    }
}
