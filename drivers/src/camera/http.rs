//! A stream of JPEG pictures over HTTP, as phones and IP cameras serve it
//! (`multipart/x-mixed-replace`).
//!
//! HTTP/1.0 is asked for, so that the answer comes in one piece and not in chunks. A part is as long
//! as its `Content-Length` says, or ends where the next boundary begins.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{Moment, Source, Taken, jpeg};
use crate::descriptor::waiting;
use crate::line::{Line, connect};
use crate::{Clock, Error};

/// How long a picture may take before the stream is taken for dead.
const SILENCE: Duration = Duration::from_secs(3);
/// Pictures that are left out at most because newer ones are there.
const MOST_LEFT_OUT: usize = 1000;
/// The longest head of an answer or of a part, in bytes.
const LONGEST_HEAD: usize = 16 << 10;

/// A camera behind an address.
pub struct Http {
    name: String,
    size: (u32, u32),
    clock: Clock,
    parts: Parts<BufReader<Line>>,
}

impl Http {
    /// Asks for the stream at `http://host:port/path`.
    pub fn open(name: &str, url: &str, size: (u32, u32), clock: Clock) -> Result<Self, Error> {
        let failed = |what: String| Error::Camera { camera: name.to_owned(), what };
        let gone = |error: std::io::Error| failed(format!("{url} cannot be reached: {error}"));
        let (host, port, path) = address(url, "http://", 80).ok_or_else(|| {
            failed(format!("{url} is no address such as http://phone:8080/video"))
        })?;
        if let Some((_login, host)) = host.rsplit_once('@') {
            let what = format!(
                "{host} is asked without a login: let it serve its pictures without one, and leave it \
                 out of the address"
            );
            return Err(failed(what));
        }
        let stream = connect((host, port), SILENCE).map_err(gone)?;
        let mut line = Line::new(stream, &Arc::default()).map_err(gone)?;
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\nUser-Agent: sinew\r\n\
             Accept: multipart/x-mixed-replace\r\n\r\n"
        );
        line.within(SILENCE).write_all(request.as_bytes()).map_err(gone)?;
        let parts = Parts::begin(BufReader::with_capacity(64 << 10, line));
        let parts = parts.map_err(|what| failed(format!("{url}: {what}")))?;
        Ok(Self { name: name.to_owned(), size, clock, parts })
    }
}

impl Source for Http {
    fn shoot(&mut self) -> Result<Taken, Error> {
        let failed = |what: String| Error::Camera { camera: self.name.clone(), what };
        self.parts.reader.get_mut().within(SILENCE);
        let mut length = self.parts.next_part().map_err(failed)?.len();
        // Whoever decodes more slowly than the camera sends sees the newest picture, not one that has
        // waited behind others.
        for _ in 0..MOST_LEFT_OUT {
            if self.parts.reader.buffer().len()
                + waiting(self.parts.reader.get_ref().stream.as_fd())
                <= length
            {
                break;
            }
            length = self.parts.next_part().map_err(failed)?.len();
        }
        let jpeg = &self.parts.part;
        // When the whole picture was here; when it was taken only the camera knows.
        let at = self.clock.now();
        let (width, height) = self.size;
        let picture = jpeg::decode(jpeg, width, height).map_err(failed)?;
        Ok(Taken { at, moment: Moment::Arrival, picture })
    }

    fn heed(&mut self, over: &Arc<AtomicBool>) {
        self.parts.reader.get_mut().heed(over);
    }
}

/// Host, port and path of an address of this scheme, with this port where it names none.
pub(super) fn address<'a>(
    url: &'a str,
    scheme: &str,
    usual: u16,
) -> Option<(&'a str, u16, &'a str)> {
    let rest = url.strip_prefix(scheme)?;
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    let path = if path.is_empty() { "/" } else { path };
    let (host, port) = match host.rsplit_once(':') {
        // The colons of an address in brackets are its own, and so are those of a login.
        Some((host, port)) if !port.contains([']', '@']) => (host, port.parse().ok()?),
        _ => (host, usual),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // A line end would begin another request.
    let plain = |letter: char| letter.is_ascii_graphic();
    (!host.is_empty() && url.chars().all(plain)).then_some((host, port, path))
}

/// The parts of such a stream.
pub struct Parts<R> {
    reader: R,
    boundary: Vec<u8>,
    part: Vec<u8>,
    /// The line of the next part's boundary was read already.
    at_part: bool,
}

impl<R: BufRead> Parts<R> {
    /// Reads the answer's head.
    pub fn begin(mut reader: R) -> Result<Self, String> {
        let head = head(&mut reader)?;
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut answer = httparse::Response::new(&mut headers);
        let parsed = answer.parse(&head).map_err(|error| format!("no HTTP answer ({error})"))?;
        let code = answer.code.filter(|_| parsed.is_complete()).ok_or("no whole HTTP answer")?;
        if code != 200 {
            return Err(format!("the answer is {code} {}", answer.reason.unwrap_or_default()));
        }
        let kind = text(answer.headers, "content-type").unwrap_or_default();
        let boundary = boundary(kind).ok_or_else(|| {
            format!("it serves {kind:?}, no stream of pictures: is the address the stream's own?")
        })?;
        Ok(Self { reader, boundary, part: Vec::new(), at_part: false })
    }

    /// The next part's body.
    pub fn next_part(&mut self) -> Result<&[u8], String> {
        let mut line = Vec::new();
        while !std::mem::take(&mut self.at_part) {
            line.clear();
            read_line(&mut self.reader, &mut line)?;
            self.at_part = self.is_boundary(&line)?;
        }
        let head = head(&mut self.reader)?;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let parsed = httparse::parse_headers(&head, &mut headers);
        parsed.map_err(|error| format!("a part's head makes no sense ({error})"))?;
        let length = text(&headers, "content-length").map(|text| text.trim().parse::<usize>());
        self.part.clear();
        match length {
            Some(Ok(length)) if length <= jpeg::LARGEST => self.take(length)?,
            Some(_) => return Err("a part's length makes no sense".to_owned()),
            None => self.take_to_boundary()?,
        }
        Ok(&self.part)
    }

    /// Whether a line begins the next part.
    fn is_boundary(&self, line: &[u8]) -> Result<bool, String> {
        match line.strip_prefix(self.boundary.as_slice()) {
            Some(rest) if rest.starts_with(b"--") => Err(ENDED.to_owned()),
            rest => Ok(rest.is_some()),
        }
    }

    fn take(&mut self, length: usize) -> Result<(), String> {
        let mut body = self.reader.by_ref().take(length as u64);
        body.read_to_end(&mut self.part).map_err(gone)?;
        if self.part.len() == length { Ok(()) } else { Err(ENDED.to_owned()) }
    }

    fn take_to_boundary(&mut self) -> Result<(), String> {
        while !self.at_part {
            let begin = self.part.len();
            let most = jpeg::LARGEST.saturating_sub(begin) as u64;
            let mut line = self.reader.by_ref().take(most);
            if line.read_until(b'\n', &mut self.part).map_err(gone)? == 0 {
                return Err("the stream has ended, or a picture never does".to_owned());
            }
            self.at_part = self.is_boundary(self.part.get(begin..).unwrap_or_default())?;
            if self.at_part {
                // The line end before it is the boundary's.
                self.part.truncate(begin.saturating_sub(2));
            }
        }
        Ok(())
    }
}

const ENDED: &str = "the stream has ended";

fn gone(error: std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("nothing came for {} seconds", SILENCE.as_secs())
        }
        _ => error.to_string(),
    }
}

fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<(), String> {
    let read = reader.by_ref().take(LONGEST_HEAD as u64).read_until(b'\n', line).map_err(gone)?;
    if read == 0 { Err(ENDED.to_owned()) } else { Ok(()) }
}

/// Lines up to an empty one, and that one.
fn head(reader: &mut impl BufRead) -> Result<Vec<u8>, String> {
    let mut head = Vec::new();
    loop {
        let begin = head.len();
        read_line(reader, &mut head)?;
        if matches!(head.get(begin..), Some(b"\r\n" | b"\n")) {
            return Ok(head);
        }
        if head.len() > LONGEST_HEAD {
            return Err("its head has no end".to_owned());
        }
    }
}

fn text<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok()
}

/// `--` and the boundary, from the answer's kind. Some servers put the `--` into the name as well.
fn boundary(kind: &str) -> Option<Vec<u8>> {
    let mut fields = kind.split(';').map(str::trim);
    fields.next().filter(|kind| kind.starts_with("multipart/"))?;
    let named = fields.find_map(|field| {
        let (name, value) = field.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    let name = named.trim_start_matches('-');
    (!name.is_empty()).then(|| format!("--{name}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::net::TcpListener;

    use crate::camera::{Camera, PATIENCE};
    use jpeg_encoder::{ColorType, Encoder};

    const HEAD: &str =
        "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=x\r\n\r\n";

    fn parts(stream: &[u8]) -> Vec<Result<Vec<u8>, String>> {
        let mut parts = Parts::begin(Cursor::new(stream.to_vec())).unwrap();
        let next = || Some(parts.next_part().map(<[u8]>::to_vec));
        let mut seen: Vec<_> = std::iter::from_fn(next).take(4).collect();
        let end = seen.iter().position(Result::is_err).map_or(seen.len(), |at| at + 1);
        seen.truncate(end);
        seen
    }

    #[test]
    fn parts_with_and_without_their_length_are_told_apart() {
        let stream = format!(
            "{HEAD}--x\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\n\r\na\r\n--\r\n\
             --x\r\nContent-Type: image/jpeg\r\n\r\nb\nc\r\n--x\r\n\r\nd\r\n--x--\r\n"
        );
        let seen = parts(stream.as_bytes());
        assert_eq!(seen[0].as_deref(), Ok(&b"a\r\n--"[..]));
        assert_eq!(seen[1].as_deref(), Ok(&b"b\nc"[..]));
        assert!(seen[2].is_err(), "the last one is cut off by the end: {seen:?}");
    }

    #[test]
    fn what_is_no_stream_is_told() {
        for (answer, told) in [
            ("HTTP/1.1 404 Not Found\r\n\r\n", "404"),
            ("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n", "text/html"),
            ("SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
            ("HTTP/1.0 200 OK\r\n", "ended"),
        ] {
            let error = Parts::begin(Cursor::new(answer.as_bytes())).err().unwrap();
            assert!(error.contains(told), "{answer}: {error}");
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        let address = |url| address(url, "http://", 80);
        assert_eq!(address("http://phone:8080/video?x=1"), Some(("phone", 8080, "/video?x=1")));
        assert_eq!(address("http://10.0.0.2"), Some(("10.0.0.2", 80, "/")));
        assert_eq!(address("http://[::1]:81/"), Some(("::1", 81, "/")));
        assert_eq!(address("http://[::1]"), Some(("::1", 80, "/")));
        assert_eq!(address("http://me:word@phone"), Some(("me:word@phone", 80, "/")));
        for wrong in ["ftp://x", "http://", "http://x:y", "http://a b", "http://a/\r\nX: y"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_login_is_refused_and_not_told() {
        let refused = |url| Http::open("phone", url, (32, 16), Clock::Real).err().unwrap();
        for url in ["http://me:secret@phone/video", "http://me:secret@phone:8080/video"] {
            let error = refused(url).to_string();
            assert!(error.contains("phone is asked without a login"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn why_nobody_is_reached_is_told() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/video", server.local_addr().unwrap());
        drop(server);
        let error = Http::open("phone", &url, (32, 16), Clock::Real).err().unwrap().to_string();
        assert!(error.contains("refused"), "{error}");
    }

    #[test]
    fn nobody_waits_for_a_picture_that_is_not_wanted_any_more() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/video", server.local_addr().unwrap());
        let (go, went) = std::sync::mpsc::sync_channel::<()>(1);
        let serve = move || {
            let (mut client, _) = server.accept().unwrap();
            assert!(client.read(&mut [0; 512]).unwrap() > 0);
            client.write_all(HEAD.as_bytes()).unwrap();
            went.recv().unwrap();
            let mut jpeg = Vec::new();
            Encoder::new(&mut jpeg, 90).encode(&[9; 32 * 16], 32, 16, ColorType::Luma).unwrap();
            let head = format!("--x\r\nContent-Length: {}\r\n\r\n", jpeg.len());
            client.write_all(&[head.as_bytes(), &jpeg, b"\r\n--x\r\n"].concat()).unwrap();
            client
        };
        let server = std::thread::Builder::new().name("phone".into()).spawn(serve).unwrap();
        let mut source = Http::open("phone", &url, (32, 16), Clock::Real).unwrap();
        source.heed(&Arc::new(AtomicBool::new(true)));
        go.send(()).unwrap();
        let _open = server.join().unwrap();
        assert!(source.shoot().is_err(), "a picture is there, and nobody wants it");
    }

    #[test]
    fn a_phone_that_goes_away_comes_back() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/video", server.local_addr().unwrap());
        let serve = move || {
            // Two connections with three pictures each: the first is cut off.
            for grey in [60, 180] {
                let (mut client, _) = server.accept().unwrap();
                let mut request = [0; 512];
                let read = client.read(&mut request).unwrap();
                assert!(request[..read].starts_with(b"GET /video HTTP/1.0\r\n"));
                let mut jpeg = Vec::new();
                let pixels = vec![grey; 32 * 16];
                Encoder::new(&mut jpeg, 90).encode(&pixels, 32, 16, ColorType::Luma).unwrap();
                client.write_all(HEAD.as_bytes()).unwrap();
                for _ in 0..3 {
                    let head = format!("--x\r\nContent-Length: {}\r\n\r\n", jpeg.len());
                    client.write_all(head.as_bytes()).unwrap();
                    client.write_all(&jpeg).unwrap();
                    client.write_all(b"\r\n").unwrap();
                }
            }
        };
        let server = std::thread::Builder::new().name("phone".into()).spawn(serve).unwrap();
        let open = move || {
            let source = Http::open("phone", &url, (32, 16), Clock::Real)?;
            Ok(Box::new(source) as Box<dyn Source>)
        };
        let camera = Camera::start("phone", Box::new(open), &Clock::Real, PATIENCE).unwrap();
        let begun = std::time::Instant::now();
        let bright =
            |camera: &Camera| camera.newest().unwrap().picture.pixels[0].abs_diff(180) <= 2;
        while !bright(&camera) && begun.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        server.join().unwrap();
        let shot = camera.newest().unwrap();
        assert!(shot.picture.pixels[0].abs_diff(180) <= 2, "{:?}", camera.trouble());
        assert!(camera.counts().failures >= 1);
    }

    #[test]
    fn whoever_is_slow_sees_the_newest_picture() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/video", server.local_addr().unwrap());
        let serve = move || {
            let (mut client, _) = server.accept().unwrap();
            let mut request = [0; 512];
            assert!(client.read(&mut request).unwrap() > 0);
            client.write_all(HEAD.as_bytes()).unwrap();
            for grey in (10..=200).step_by(10) {
                let mut jpeg = Vec::new();
                let pixels = vec![grey; 32 * 16];
                Encoder::new(&mut jpeg, 90).encode(&pixels, 32, 16, ColorType::Luma).unwrap();
                let head = format!("--x\r\nContent-Length: {}\r\n\r\n", jpeg.len());
                client.write_all(&[head.as_bytes(), &jpeg, b"\r\n"].concat()).unwrap();
            }
            client
        };
        let server = std::thread::Builder::new().name("phone".into()).spawn(serve).unwrap();
        let mut source = Http::open("phone", &url, (32, 16), Clock::Real).unwrap();
        // All twenty have been sent before one is looked at.
        let _open = server.join().unwrap();
        let taken = source.shoot().unwrap();
        assert!(taken.picture.pixels[0].abs_diff(200) <= 2, "{}", taken.picture.pixels[0]);
    }
}
