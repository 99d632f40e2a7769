//! A server of one folder, which knows ranges, counts what it serves, and fails as it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What happens to a question, by its number and the file asked for.
pub type Mood = fn(u64, &str) -> Fault;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// 503.
    Busy,
    /// The body ends in its middle.
    Cut,
    /// The whole file, whatever part was asked for.
    Whole,
    /// So many bytes are promised.
    Long(u64),
}

pub struct Server {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    mood: Mood,
    questions: AtomicU64,
    /// How often each file was asked for, and how many of its bytes were served.
    served: Mutex<BTreeMap<String, (u64, u64)>>,
}

impl Server {
    pub fn of(root: &Path) -> Self {
        Self::moody(root, |_, _| Fault::None)
    }

    pub fn moody(root: &Path, mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/datasets/me/pick", listener.local_addr().unwrap());
        let (questions, served) = (AtomicU64::new(0), Mutex::default());
        let shared = Arc::new(Shared { root: root.to_owned(), mood, questions, served });
        let all = Arc::clone(&shared);
        let listen = move || {
            for connection in listener.incoming() {
                let shared = Arc::clone(&all);
                let talk = move || while shared.answer(connection.as_ref().unwrap()).is_some() {};
                std::thread::Builder::new().name("talk".into()).spawn(talk).unwrap();
            }
        };
        std::thread::Builder::new().name("listen".into()).spawn(listen).unwrap();
        Self { url, shared }
    }

    /// How often files whose path contains this were asked for, and how many bytes of them served.
    pub fn served(&self, part: &str) -> (u64, u64) {
        let served = self.shared.served.lock().unwrap();
        let found = served.iter().filter(|(name, _)| name.contains(part)).map(|(_, sums)| *sums);
        found.fold((0, 0), |all, some| (all.0 + some.0, all.1 + some.1))
    }

    pub fn forget(&self) {
        self.shared.served.lock().unwrap().clear();
    }
}

impl Shared {
    /// Answers one question; none once the connection ends.
    fn answer(&self, mut connection: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(connection).lines();
        let question = lines.next()?.ok()?;
        let headers: Vec<String> =
            lines.map_while(|line| line.ok().filter(|line| !line.is_empty())).collect();
        let name = question.split(' ').nth(1)?.strip_prefix("/datasets/me/pick/")?.to_owned();
        let fault = (self.mood)(self.questions.fetch_add(1, Ordering::Relaxed), &name);
        let head = |status: &str, rest: &str| format!("HTTP/1.1 {status}\r\n{rest}\r\n");
        if fault == Fault::Busy {
            return connection.write_all(head("503 Busy", "Content-Length: 0\r\n").as_bytes()).ok();
        }
        let Ok(bytes) = fs::read(self.root.join(&name)) else {
            return connection.write_all(head("404 No", "Content-Length: 0\r\n").as_bytes()).ok();
        };
        let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes="));
        let (status, from, to) = match range.filter(|_| fault != Fault::Whole) {
            None => ("200 All", 0, bytes.len()),
            Some(range) => {
                let (first, last) = range.split_once('-')?;
                match first {
                    "" => ("206 Part", bytes.len().saturating_sub(last.parse().ok()?), bytes.len()),
                    first => {
                        let last: usize = last.parse().ok()?;
                        ("206 Part", first.parse().ok()?, bytes.len().min(last + 1))
                    }
                }
            }
        };
        let length = if let Fault::Long(length) = fault { length } else { (to - from) as u64 };
        let place = match status.starts_with("206") {
            true => format!("Content-Range: bytes {from}-{}/{}\r\n", to - 1, bytes.len()),
            false => String::new(),
        };
        let length = format!("{place}Content-Length: {length}\r\n");
        connection.write_all(head(status, &length).as_bytes()).ok()?;
        let cut = fault == Fault::Cut;
        let body = if cut { &bytes[from..from + (to - from) / 2] } else { &bytes[from..to] };
        let mut served = self.served.lock().unwrap();
        let sums = served.entry(name).or_default();
        *sums = (sums.0 + 1, sums.1 + body.len() as u64);
        drop(served);
        connection.write_all(body).ok()?;
        (!cut).then_some(())
    }
}
