//! A server that answers one question after the other with what it was given.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub struct Server {
    scheme: &'static str,
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Gives each question the next answer, and closes the connection after it.
    pub fn with(answers: Vec<String>) -> Self {
        Self::start("http", answers, |connection| Box::new(connection))
    }

    /// As [`Server::with`], over TLS.
    pub fn secret(answers: Vec<String>, config: ServerConfig) -> Self {
        let config = Arc::new(config);
        let wrap = move |connection| -> Box<dyn Stream> {
            let secret = ServerConnection::new(Arc::clone(&config)).unwrap();
            Box::new(StreamOwned::new(secret, connection))
        };
        Self::start("https", answers, wrap)
    }

    fn start(
        scheme: &'static str,
        answers: Vec<String>,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let questions = Arc::clone(&asked);
        let serve = move || {
            for answer in answers {
                let (connection, _) = listener.accept().unwrap();
                let silence = connection.try_clone().unwrap();
                let mut connection = wrap(connection);
                // Whoever does not trust the server goes without a question.
                let Some(question) = question(&mut connection) else { continue };
                questions.lock().unwrap().push(question);
                let _gone = connection.write_all(answer.as_bytes());
                if answer.is_empty() {
                    let _gone = silence.set_read_timeout(Some(Duration::from_secs(5)));
                    let _gone = connection.read(&mut [0]);
                }
            }
        };
        std::thread::Builder::new().name("server".into()).spawn(serve).unwrap();
        Self { scheme, port, asked }
    }

    pub fn url(&self, host: &str) -> String {
        format!("{}://{host}:{}/pick/file.mp4", self.scheme, self.port)
    }

    /// The heads of the questions so far, in small letters.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// What is said over, in the open or not.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn question(connection: &mut Box<dyn Stream>) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && connection.read(&mut byte).ok()? == 1 {
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).unwrap().to_lowercase())
}

/// An answer of this status, with these headers and a body of the length they say, or not.
pub fn answer(status: u16, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status} Whatever\r\nConnection: close\r\n{headers}\r\n{body}")
}

/// A part of a file of ten bytes, as it should be.
pub fn part(first: usize, body: &str) -> String {
    let last = first + body.len() - 1;
    let range = format!("Content-Range: bytes {first}-{last}/10");
    answer(206, &[&range, &format!("Content-Length: {}", body.len())], body)
}
