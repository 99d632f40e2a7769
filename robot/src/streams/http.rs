//! Cameras over HTTP, as phones and IP cameras serve theirs: `/NAME.mjpg` is a stream without end,
//! `/NAME.jpg` one picture, `/` a page with all of them.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use sinew_datasets::report::escape;

use super::{Form, Shown};

/// The longest request that is read, in bytes.
const LONGEST: usize = 8 << 10;
/// Between two pictures of a stream.
const BOUNDARY: &str = "picture";

/// Answers one request.
pub(super) fn serve(shown: &Shown, mut stream: TcpStream) -> io::Result<()> {
    let Some(path) = asked(&mut stream)? else {
        return answer(&mut stream, "400 Bad Request", "text/plain", b"GET /NAME.mjpg\n");
    };
    let camera = |ending| shown.place(path.strip_prefix('/')?.strip_suffix(ending)?);
    if path == "/" {
        let page = page(shown);
        answer(&mut stream, "200 OK", "text/html; charset=utf-8", page.as_bytes())
    } else if let Some(place) = camera(".mjpg") {
        show(shown, place, &mut stream)
    } else if let Some(place) = camera(".jpg") {
        match shown.wait(|| shown.newer(place, 0, Form::Plain)) {
            Some(file) => answer(&mut stream, "200 OK", "image/jpeg", &file.jpeg),
            None => answer(&mut stream, "503 Service Unavailable", "text/plain", b"no picture\n"),
        }
    } else {
        answer(&mut stream, "404 Not Found", "text/plain", b"no such camera\n")
    }
}

/// The path that is asked for, without what follows a question mark; nothing where the request makes
/// no sense.
fn asked(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    loop {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece)?;
        head.extend(piece.iter().take(read));
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => {
                let path = request.path.filter(|_| request.method == Some("GET"));
                return Ok(path.and_then(|path| path.split('?').next()).map(str::to_owned));
            }
            Ok(httparse::Status::Partial) if read > 0 && head.len() < LONGEST => {}
            _ => return Ok(None),
        }
    }
}

fn answer(stream: &mut impl Write, code: &str, kind: &str, body: &[u8]) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.0 {code}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

/// One picture after the other, until the viewer goes or no more come.
fn show(shown: &Shown, place: usize, stream: &mut impl Write) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary={BOUNDARY}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )?;
    let mut number = 0;
    while let Some(file) = shown.wait(|| shown.newer(place, number, Form::Plain)) {
        number = file.number;
        write!(
            stream,
            "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
            file.jpeg.len()
        )?;
        stream.write_all(&file.jpeg)?;
        stream.write_all(b"\r\n")?;
    }
    write!(stream, "--{BOUNDARY}--\r\n")
}

fn page(shown: &Shown) -> String {
    let figures = shown.cameras.iter().map(|camera| {
        let name = escape(camera.name());
        format!("<figure><img src=\"/{name}.mjpg\" alt=\"{name}\"><figcaption>{name}</figcaption></figure>\n")
    });
    let figures: String = figures.collect();
    format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>Sinew's cameras</title>\n{figures}")
}
