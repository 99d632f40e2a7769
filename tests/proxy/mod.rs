//! A proxy before a hub, in which goes wrong what a plan says, at the byte that it says. What passes is
//! counted by what was asked, so that a test knows what a client has sent, and how often.
//!
//! Tests of other packages name this file as a module.
#![allow(dead_code, reason = "no test goes wrong in every way")]

mod relay;
mod storm;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

pub use storm::storm;

/// What a client asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Which one it is since the proxy began, from 0 on.
    pub number: u64,
    /// The method.
    pub method: String,
    /// The address below the hub's, with what stands behind the question mark.
    pub path: String,
    /// How many bytes it carries.
    pub length: u64,
    /// Whether a token is shown.
    pub signed: bool,
}

/// What goes wrong with a question.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connections end after so many bytes of what it carries; should that be all, the hub does
    /// what it is asked, and nobody hears of it.
    CutQuestion(u64),
    /// The hub has answered, and after so many bytes of that the connections end.
    CutAnswer(u64),
    /// The hub never hears of it, and this is the answer.
    Say(String),
    /// The same, said before the question is through; then the connection ends.
    SayEarly(String),
    /// Nothing happens for as long as the client cares to wait.
    Silence,
    /// The answer comes byte by byte.
    Trickle,
    /// What the question carries is taken sip by sip.
    Sip,
    /// A bit turns, in the byte at this place of what the question carries.
    FlipQuestion(u64),
    /// The same in the answer's body.
    FlipAnswer(u64),
    /// The answer says this instead of what the hub says in the header of this name, or besides.
    Header(&'static str, String),
}

/// What goes wrong with each question.
pub type Plan = Box<dyn FnMut(&Question) -> Option<Fault> + Send>;

/// A question that is over.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// What was asked.
    pub question: Question,
    /// How many times everything had been cut before.
    pub after: usize,
    /// How many bytes of what it carries the client has sent.
    pub sent: u64,
    /// The hub's answer, where it came.
    pub status: Option<u16>,
    /// How many bytes of the answer's body the client was sent.
    pub came: u64,
}

/// The proxy. It ends with the test.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: Option<JoinHandle<()>>,
}

/// What all connections share.
struct Shared {
    hub: SocketAddr,
    plan: Mutex<Plan>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    connections: HashMap<u64, [TcpStream; 2]>,
    begun: u64,
    questions: u64,
    passed: Vec<Passed>,
    cuts: usize,
    /// How many bytes clients have sent in all.
    sent: u64,
    /// At how many bytes everything stands still.
    stop_at: Option<u64>,
    /// Whether nobody is let in for now.
    closed: bool,
    /// Whether it no longer listens.
    away: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn wait_while(&self, condition: impl FnMut(&mut State) -> bool) -> MutexGuard<'_, State> {
        self.changed.wait_while(self.state(), condition).unwrap()
    }
}

impl Proxy {
    /// One before the hub at this address, in which all goes well.
    pub fn before(url: &str) -> Self {
        let hub = url.strip_prefix("http://").unwrap().parse().unwrap();
        let shared = Shared {
            hub,
            plan: Mutex::new(Box::new(|_| None)),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut proxy = Self { shared: Arc::new(shared), address, listening: None };
        proxy.come_back();
        proxy
    }

    /// Its address, as `HF_ENDPOINT` wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What goes wrong from now on.
    pub fn plan(&self, plan: impl FnMut(&Question) -> Option<Fault> + Send + 'static) {
        *self.shared.plan.lock().unwrap() = Box::new(plan);
    }

    /// All goes well from now on.
    pub fn calm(&self) {
        self.plan(|_| None);
    }

    /// The questions so far, in the order in which they ended, which is waited for.
    pub fn passed(&self) -> Vec<Passed> {
        let open = |state: &mut State| state.passed.len() as u64 != state.questions;
        self.shared.wait_while(open).passed.clone()
    }

    /// How many bytes clients have sent with their questions.
    pub fn sent(&self) -> u64 {
        self.shared.state().sent
    }

    /// Lets everything stand still once clients have sent so many bytes in all.
    pub fn stop_at(&self, sent: u64) {
        self.shared.state().stop_at = Some(sent);
    }

    /// Waits until everything stands still, or `ended` is so.
    pub fn wait_for_stop(&self, mut ended: impl FnMut() -> bool) {
        let mut state = self.shared.state();
        while !state.stands() && !ended() {
            let glance = std::time::Duration::from_millis(2);
            state = self.shared.changed.wait_timeout(state, glance).unwrap().0;
        }
    }

    /// Ends every connection, and lets everything move again.
    pub fn cut(&self) {
        let mut state = self.shared.state();
        state.closed = true;
        for stream in state.connections.values().flatten() {
            // It may have ended by itself.
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
        state.stop_at = None;
        drop(state);
        self.shared.changed.notify_all();
        let mut state = self.shared.wait_while(|state| !state.connections.is_empty());
        state.cuts += 1;
        state.closed = false;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Ends every connection, and takes no more.
    pub fn go_away(&mut self) {
        self.shared.state().away = true;
        // Whoever waits for a connection gets one, and sees that it was the last.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            listening.join().unwrap();
        }
        self.cut();
    }

    /// Listens again, where it did before.
    pub fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.address = listener.local_addr().unwrap();
        self.shared.state().away = false;
        let shared = Arc::clone(&self.shared);
        let listen = move || {
            for client in listener.incoming() {
                if shared.state().away {
                    return;
                }
                let Ok(client) = client else { continue };
                let shared = Arc::clone(&shared);
                let relay = move || relay::relay(&shared, client);
                std::thread::Builder::new().name("relay".into()).spawn(relay).unwrap();
            }
        };
        let thread = std::thread::Builder::new().name("proxy".into()).spawn(listen);
        self.listening = Some(thread.unwrap());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.go_away();
    }
}

impl State {
    fn stands(&self) -> bool {
        self.stop_at.is_some_and(|stop| self.sent >= stop)
    }
}

/// An answer of this status, with these headers, and nothing else.
pub fn answer(status: u16, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status} Whatever\r\n{headers}Content-Length: 0\r\n\r\n")
}
