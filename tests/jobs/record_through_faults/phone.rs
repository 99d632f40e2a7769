//! A phone's camera over HTTP that falls silent, and goes away, when it is told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::{Duration, Instant};

use jpeg_encoder::{ColorType, Encoder};

pub const SIZE: (u16, u16) = (160, 120);
const HEAD: &str = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=x\r\n\r\n";

/// The phone; its threads end with the process.
pub struct Phone {
    address: String,
    moods: Arc<Mutex<Moods>>,
}

/// What it does besides sending pictures.
struct Moods {
    silent_until: Instant,
    away_until: Instant,
    /// How often it has gone away.
    leaves: u64,
}

impl Phone {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/video", listener.local_addr().unwrap());
        let now = Instant::now();
        let moods = Arc::new(Mutex::new(Moods { silent_until: now, away_until: now, leaves: 0 }));
        let theirs = Arc::clone(&moods);
        let accept = move || {
            for client in listener.incoming().flatten() {
                let moods = Arc::clone(&theirs);
                let serve = move || serve(client, &moods).unwrap_or_default();
                Builder::new().name("phone".into()).spawn(serve).unwrap();
            }
        };
        Builder::new().name("phones".into()).spawn(accept).unwrap();
        Self { address, moods }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends nothing for so long.
    pub fn fall_silent(&self, span: Duration) {
        self.moods.lock().unwrap().silent_until = Instant::now() + span;
    }

    /// Hangs up, and takes no call for so long.
    pub fn go_away(&self, span: Duration) {
        let mut moods = self.moods.lock().unwrap();
        moods.away_until = Instant::now() + span;
        moods.leaves += 1;
    }
}

/// Sends pictures until whoever looks, or the phone itself, hangs up.
fn serve(mut client: TcpStream, moods: &Mutex<Moods>) -> std::io::Result<()> {
    let begun = moods.lock().unwrap().leaves;
    if Instant::now() < moods.lock().unwrap().away_until {
        return Ok(());
    }
    // The whole request comes at once.
    let _length = client.read(&mut [0; 1024])?;
    client.write_all(HEAD.as_bytes())?;
    for number in 0_u32.. {
        std::thread::sleep(Duration::from_millis(33));
        let (silent, leaves) = {
            let moods = moods.lock().unwrap();
            (Instant::now() < moods.silent_until, moods.leaves)
        };
        if leaves != begun {
            return Ok(());
        }
        if !silent {
            let jpeg = picture(number);
            let head = format!("--x\r\nContent-Length: {}\r\n\r\n", jpeg.len());
            client.write_all(&[head.as_bytes(), &jpeg, b"\r\n"].concat())?;
        }
    }
    Ok(())
}

/// A bright column that wanders.
fn picture(number: u32) -> Vec<u8> {
    let (width, height) = SIZE;
    let column = number % u32::from(width);
    let row = (0..u32::from(width)).map(|at| if at.abs_diff(column) < 8 { 220 } else { 60 });
    let row: Vec<u8> = row.collect();
    let pixels = row.repeat(usize::from(height));
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, 80).encode(&pixels, width, height, ColorType::Luma).unwrap();
    jpeg
}
