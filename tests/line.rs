//! A line between two machines with weather on it: it can be cut, go dead, lose what is sent, and deliver in
//! gusts. What is lost comes later, and all behind it waits, as with TCP.
//!
//! Benches of other packages name this file as a module.
#![allow(dead_code, reason = "not everybody has every weather")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the line does to what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// This share is lost, and sent again after 200 ms, then 400 and so on.
    pub loss: f64,
    /// Everything takes up to so long, each piece for itself.
    pub jitter: Duration,
    /// Nothing arrives any more, and nobody is told.
    pub dead: bool,
}

/// A line to somebody, until it is dropped.
pub struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    weather: Mutex<Weather>,
    over: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Line {
    /// A line to who listens there.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::<Shared>::default());
        let theirs = Arc::clone(&shared);
        let accept = move || {
            for stream in listener.incoming() {
                let (false, Ok(here)) = (theirs.over.load(Ordering::Acquire), stream) else {
                    return;
                };
                let Ok(there) = TcpStream::connect(target) else { continue };
                let ways = [(&here, &there, 1), (&there, &here, 2)];
                for (from, to, seed) in ways {
                    from.set_nodelay(true).unwrap();
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let theirs = Arc::clone(&theirs);
                    let way = std::thread::Builder::new().name("line".into());
                    way.spawn(move || carry(&theirs, from, to, seed)).unwrap();
                }
                theirs.streams.lock().unwrap().extend([here, there]);
            }
        };
        std::thread::Builder::new().name("line".into()).spawn(accept).unwrap();
        Self { address, shared }
    }

    /// Where one gets hold of it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather.
    pub fn weather(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap() = weather;
    }

    /// Cuts every connection; new ones come about.
    pub fn cut(&self) {
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        self.cut();
        TcpStream::connect(self.address).map(drop).unwrap_or_default();
    }
}

/// Carries one way: takes what is there, and delivers each piece when it is due, in order.
fn carry(shared: &Arc<Shared>, mut from: TcpStream, mut to: TcpStream, mut seed: u64) {
    let (send, pieces) = std::sync::mpsc::sync_channel::<(Instant, Vec<u8>)>(4096);
    let theirs = Arc::clone(shared);
    let deliver = move || {
        for (due, piece) in pieces {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            while theirs.weather.lock().unwrap().dead && !theirs.over.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Both).unwrap_or_default();
    };
    std::thread::Builder::new().name("line".into()).spawn(deliver).unwrap();
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1_u64 << 53) as f64
    };
    let (mut block, mut last) = ([0; 4096], Instant::now());
    while let Ok(count @ 1..) = from.read(&mut block) {
        let Weather { loss, jitter, .. } = *shared.weather.lock().unwrap();
        let mut due = Instant::now() + jitter.mul_f64(random());
        let mut again = Duration::from_millis(200);
        while random() < loss && again < Duration::from_secs(10) {
            due += again;
            again *= 2;
        }
        last = last.max(due);
        if send.send((last, block[..count].to_vec())).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).unwrap_or_default();
}
