//! A phone drives an arm with nothing but its browser: one page, served from here.
//!
//! ```text
//! phone ── HTTPS: the page, then a message some sixty times a second ─▶ door ─▶ seat ─▶ stick ─▶ jog
//!                        who may drive, and whether it is still there ──────────────┘
//! ```
//! HTTPS, because browsers hand motion sensors to secure pages alone; the certificate is made here and signed
//! by nobody, so that the browser asks once whether it is meant. Messages are ordinary requests and no
//! WebSocket, which Safari does not open over such a certificate (WebKit bug 145819). Whoever has not the
//! address with its token is told nothing.

mod line;
mod networks;
mod papers;
mod request;
mod seat;

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anstyle::AnsiColor;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use sinew_drivers::Clock;
use sinew_drivers::clock::MILLI;
use sinew_teleop::jog::Stick;
use sinew_teleop::keys::Key;

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::door::Door;
use line::Line;
use request::{Request, answer};
use seat::{News, Refusal, Seat};

/// How many connections there may be: a browser opens six.
const VISITORS: usize = 16;
/// How often it is looked whether the phone is still there.
const GLANCE: i64 = 50 * MILLI;
/// What it shows.
const PAGE: &str = include_str!("page.html");

/// A page that phones drive from. Dropping it ends that.
pub struct Phone {
    _door: Door,
    over: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

/// What visitors share.
struct Room {
    token: String,
    papers: Arc<ServerConfig>,
    seat: Mutex<Seat>,
    report: Report,
    over: Arc<AtomicBool>,
}

impl Phone {
    /// Serves the page at this port of all networks, says where, and lets a phone move what the stick moves
    /// and press a recording's keys.
    pub fn start(
        stick: Stick,
        press: SyncSender<Key>,
        port: u16,
        report: &Report,
    ) -> Result<Self, Failure> {
        let failed = |error: String| {
            let what = format!("no page for a phone can be served at port {port}: {error}");
            Failure::advise(Exit::Failed, what, "name another port: --teleop.port=8444")
        };
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
        let listener = listener.map_err(|error| failed(error.to_string()))?;
        let port = listener.local_addr().map_err(|error| failed(error.to_string()))?.port();
        let (addresses, token) = (networks::addresses(), token().map_err(failed)?);
        let papers = papers::make(&addresses).map_err(failed)?;
        let url = |address: &IpAddr| format!("https://{address}:{port}/{token}");
        tell(&addresses.iter().map(url).collect::<Vec<_>>(), report);
        let over = Arc::<AtomicBool>::default();
        let room = Arc::new(Room {
            token,
            papers,
            seat: Mutex::new(Seat::new(stick, press)),
            report: report.clone(),
            over: Arc::clone(&over),
        });
        let watching = Arc::clone(&room);
        let watch = std::thread::Builder::new().name("phone".to_owned());
        let watch = watch.spawn(move || watching.watch());
        let watch = Some(watch.map_err(|error| failed(error.to_string()))?);
        let serve = move |stream| room.serve(stream);
        let door = Door::open("phone door", listener, VISITORS, serve);
        let door = door.map_err(|error| failed(error.to_string()))?;
        Ok(Self { _door: door, over, watch })
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // A thread that panicked has already said so.
        let _ended = self.watch.take().map(JoinHandle::join);
    }
}

impl Room {
    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks whether the phone is still there, until it is over.
    fn watch(&self) {
        while !self.over.load(Ordering::Acquire) {
            Clock::Real.sleep(GLANCE);
            let news = self.seat().look(Clock::Real.now());
            self.tell(news);
        }
    }

    fn tell(&self, news: Option<News>) {
        let Some(news) = news else { return };
        match news {
            News::Silent => self.report.warn(news.line()),
            _ => self.report.note(news.line()),
        }
        self.report.event(&json!({ "type": "phone", "state": news.word() }));
    }

    /// Answers one visitor's requests, until it has no more.
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let connection =
            ServerConnection::new(Arc::clone(&self.papers)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, Line::new(stream));
        let ended = self.requests(&mut stream);
        // A line that ends without this word may have been cut by anybody.
        stream.conn.send_close_notify();
        stream.flush()?;
        ended
    }

    fn requests(&self, stream: &mut StreamOwned<ServerConnection, Line>) -> io::Result<()> {
        let mut waiting = Vec::new();
        while !self.over.load(Ordering::Acquire) {
            let request = match request::read(stream, &mut waiting) {
                Ok(request) => request,
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return answer(stream, "400 Bad Request", "text/plain", b"", false);
                }
                Err(error) => return Err(error),
            };
            if !self.answer(stream, &request)? {
                break;
            }
            stream.sock.again();
        }
        Ok(())
    }

    /// Answers a request. Returns whether more may follow: strangers take nobody's place for long.
    fn answer(&self, stream: &mut impl Write, request: &Request) -> io::Result<bool> {
        let path = request.path.trim_matches('/');
        let (token, rest) = path.split_once('/').unwrap_or((path, ""));
        let (word, phone) = rest.split_once('/').unwrap_or((rest, ""));
        let known = same(token, &self.token);
        let plain = "text/plain; charset=utf-8";
        let (status, kind, body) = match (known, request.posts, word) {
            (true, false, "") => ("200 OK", "text/html; charset=utf-8", PAGE.to_owned()),
            (true, true, "say") => {
                let (told, news) = self.seat().take(phone, &request.body, Clock::Real.now());
                self.tell(news);
                match told {
                    Ok(state) => ("200 OK", plain, state.to_owned()),
                    Err(Refusal::Taken) => ("409 Conflict", plain, "taken".to_owned()),
                    Err(Refusal::Message(error)) => ("400 Bad Request", plain, error.to_string()),
                }
            }
            (true, true, "leave") => {
                let news = self.seat().leave(phone);
                self.tell(news);
                ("200 OK", plain, String::new())
            }
            _ => ("404 Not Found", plain, String::new()),
        };
        let stays = request.stays && known;
        answer(stream, status, kind, body.as_bytes(), stays).map(|()| stays)
    }
}

/// Compares what may be secret in a time that tells nothing of it.
fn same(one: &str, other: &str) -> bool {
    let off = one.bytes().zip(other.bytes()).fold(0, |off, (one, other)| off | (one ^ other));
    one.len() == other.len() && off == 0
}

/// What nobody guesses, short enough to be typed.
fn token() -> Result<String, String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).map(|letter| char::from(*letter));
    Ok(bytes.iter().filter_map(letter).collect())
}

/// A code as cameras know it, dark on light; without colours it takes a dark terminal for that.
fn drawn(code: &QrCode, coloured: bool) -> String {
    let mut picture = code.render::<Dense1x2>();
    if !coloured {
        return picture.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    }
    let style = AnsiColor::Black.on(AnsiColor::BrightWhite);
    let lines = picture.build();
    let lines = lines.lines().map(|line| format!("{style}{line}{style:#}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Says where the page is: in one network, and in others.
fn tell(urls: &[String], report: &Report) {
    let Some((url, others)) = urls.split_first() else { return };
    report.event(&json!({ "type": "phone", "state": "served", "url": url, "others": others }));
    if let Ok(code) = QrCode::new(url) {
        report.note(drawn(&code, report.coloured()));
    }
    report.note(format!("open {url} with the phone's browser, in the same network"));
    for other in others {
        report.note(format!("in another network: {other}"));
    }
    report.note(
        "its certificate is made here and signed by nobody: agree to it (\"advanced\", \"visit this website\")",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_enough_and_never_the_same() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert_eq!((one.len(), other.len()), (16, 16));
        assert!(same(&one, &one.clone()) && !same(&one, &other));
        assert!(!same(&one, &one[..15]) && !same("", &one) && !same(&format!("{one}a"), &one));
    }

    #[test]
    fn a_code_is_dark_on_light_on_every_terminal() {
        let code = QrCode::new("https://192.168.178.100:8443/abcdefghijkmnpqr").unwrap();
        let (plain, coloured) = (drawn(&code, false), drawn(&code, true));
        // The free edge around it is light: blocks on a dark terminal, and nothing on a light ground.
        assert!(plain.lines().next().unwrap().chars().all(|letter| letter == '█'), "{plain}");
        let first = coloured.lines().next().unwrap();
        assert!(
            first.starts_with("\x1b[30m\x1b[107m ") && first.ends_with(" \x1b[0m"),
            "{first:?}"
        );
        assert!(plain.lines().count() < 24 && plain.lines().all(|line| line.chars().count() < 80));
    }

    #[test]
    fn papers_are_made_for_any_address() {
        for address in ["192.168.1.2", "::1"] {
            assert!(papers::make(&[address.parse().unwrap()]).is_ok(), "{address}");
        }
    }
}
