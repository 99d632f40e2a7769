//! Requests as a phone's browser makes them, one after the other over one connection.

use std::io::{self, ErrorKind, Read, Write};

use sinew_teleop::phone::LONGEST;

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8 << 10;
/// The most headers.
const MOST_HEADERS: usize = 64;

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Whether it brings something, and does not ask for something.
    pub posts: bool,
    /// Which path, without what follows a question mark.
    pub path: String,
    /// What it brings.
    pub body: Vec<u8>,
    /// Whether more may follow over the same connection.
    pub stays: bool,
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// Reads the next request; `waiting` has what was read beyond the one before.
pub fn read(stream: &mut impl Read, waiting: &mut Vec<u8>) -> io::Result<Request> {
    let mut more = |waiting: &mut Vec<u8>| -> io::Result<()> {
        let mut bytes = [0; 2048];
        let count = stream.read(&mut bytes)?;
        waiting.extend_from_slice(bytes.get(..count).unwrap_or_default());
        if count == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    };
    let (mut request, head, length) = loop {
        if let Some(read) = parse(waiting)? {
            break read;
        }
        if waiting.len() > LONGEST_HEAD {
            return Err(wrong("a head without an end"));
        }
        more(waiting)?;
    };
    while waiting.len() < head + length {
        more(waiting)?;
    }
    let rest = waiting.split_off(head + length);
    request.body = std::mem::replace(waiting, rest).split_off(head);
    Ok(request)
}

/// The request whose head this is the begin of, how long that is, and how much follows; nothing where the head
/// is not whole.
fn parse(bytes: &[u8]) -> io::Result<Option<(Request, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(bytes).map_err(|error| wrong(&error.to_string()))?;
    let httparse::Status::Complete(head) = parsed else { return Ok(None) };
    let posts = match request.method {
        Some("GET") => false,
        Some("POST") => true,
        _ => return Err(wrong("neither asked nor brought")),
    };
    let path = request.path.unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
    let text = |name: &str| {
        let mut all =
            request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        let first = all.next();
        // Two that differ are how requests are smuggled past each other.
        if all.next().is_some() { Err(wrong("a header twice")) } else { Ok(first) }
    };
    if text("transfer-encoding")?.is_some() {
        return Err(wrong("in pieces"));
    }
    let length = match text("content-length")? {
        None => 0,
        Some(header) => {
            let digits = std::str::from_utf8(header.value).ok();
            let digits = digits.filter(|text| text.bytes().all(|letter| letter.is_ascii_digit()));
            digits.and_then(|text| text.parse().ok()).ok_or_else(|| wrong("no length"))?
        }
    };
    if length > LONGEST {
        return Err(wrong("too long"));
    }
    let closes = text("connection")?.is_some_and(|it| it.value.eq_ignore_ascii_case(b"close"));
    let stays = request.version == Some(1) && !closes;
    Ok(Some((Request { posts, path, body: Vec::new(), stays }, head, length)))
}

/// Answers one.
pub fn answer(
    stream: &mut impl Write,
    status: &str,
    kind: &str,
    body: &[u8],
    stays: bool,
) -> io::Result<()> {
    let (length, connection) = (body.len(), if stays { "keep-alive" } else { "close" });
    // In one piece: each write is a packet of its own.
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: {connection}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'self' 'unsafe-inline'; img-src data:; \
         frame-ancestors 'none'\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<Result<Request, ErrorKind>> {
        let (mut stream, mut waiting) = (bytes, Vec::new());
        let next = || Some(read(&mut stream, &mut waiting).map_err(|error| error.kind()));
        let mut seen: Vec<_> = std::iter::from_fn(next).take(9).collect();
        let end = seen.iter().position(Result::is_err).map_or(seen.len(), |at| at + 1);
        seen.truncate(end);
        seen
    }

    #[test]
    fn requests_follow_each_other_over_one_connection() {
        let bytes = b"GET /t?x=1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /t/say/p HTTP/1.1\r\nContent-Length: 3\r\n\r\n\
            {1}GET /t HTTP/1.0\r\n\r\n";
        let seen = all(bytes);
        let is = |posts, path: &str, body: &[u8], stays| {
            Ok(Request { posts, path: path.to_owned(), body: body.to_vec(), stays })
        };
        assert_eq!(seen[0], is(false, "/t", b"", true));
        assert_eq!(seen[1], is(true, "/t/say/p", b"{1}", true));
        assert_eq!(seen[2], is(false, "/t", b"", false));
        assert_eq!(seen[3], Err(ErrorKind::UnexpectedEof));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for head in [
            "nonsense",
            "PUT / HTTP/1.1",
            "POST / HTTP/1.1\r\nContent-Length: 5000",
            "POST / HTTP/1.1\r\nContent-Length: +3",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked",
        ] {
            let bytes = format!("{head}\r\n\r\nabc");
            assert_eq!(all(bytes.as_bytes()), [Err(ErrorKind::InvalidData)], "{head}");
        }
        let endless = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(LONGEST_HEAD));
        assert_eq!(all(endless.as_bytes()), [Err(ErrorKind::InvalidData)]);
        let short = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab";
        assert_eq!(all(short), [Err(ErrorKind::UnexpectedEof)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_small_requests_or_refused(
            noise in prop::collection::vec(any::<u8>(), 0..300),
            at in 0usize..60,
        ) {
            let mut bytes = b"POST /t/say/p HTTP/1.1\r\nContent-Length: 12\r\n\r\n{\"n\":1}     ".to_vec();
            let at = at.min(bytes.len());
            bytes.splice(at..at, noise.iter().copied());
            for request in all(&bytes).into_iter().chain(all(&noise)).flatten() {
                prop_assert!(request.body.len() <= LONGEST);
            }
        }
    }
}
