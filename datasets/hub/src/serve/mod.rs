//! A Hub of one's own: the interface of the real one over a folder, for a lab or a bench without
//! internet, and for the tests.
//!
//! ```text
//! listen     connections, bounded in number and patience
//! routes     addresses to handlers; each runs on a thread that may wait
//! call       one request: who asks, for which repository, with what body
//! api/       what programs ask for         page/   what people look at
//! xet/       how newer clients send large files
//! store/     contents, commits, branches: durable before anybody hears of it
//! ```

mod access;
mod answer;
mod api;
mod call;
mod listen;
mod page;
mod routes;
mod store;
#[cfg(test)]
mod tests;
mod tokens;
pub mod xet;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use crate::{Error, Result};
use call::App;
use store::Store;

/// What to serve, where, and to whom.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds everything; it is made if it is not there.
    pub folder: PathBuf,
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 for any that is free.
    pub port: u16,
    /// Who may do what. With nobody here, any token will do, and only this machine may ask.
    pub tokens: Vec<Access>,
    /// How much is taken.
    pub limits: Limits,
}

/// A token and what it is good for.
#[derive(Clone)]
pub struct Access {
    /// The token.
    pub token: String,
    /// Whose it is.
    pub name: String,
    /// Whether it may change anything.
    pub write: bool,
}

/// How much is taken from whoever asks.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in a file.
    pub file: u64,
    /// Bytes in a file that is sent inside a commit.
    pub inline: u64,
    /// Bytes in a commit.
    pub commit: u64,
    /// Bytes in any other question.
    pub question: u64,
    /// Files from this size on are asked for in parts of this size.
    pub part: u64,
    /// Connections at a time.
    pub connections: usize,
    /// Requests at a time.
    pub requests: usize,
    /// How long nothing may come from somebody who is sending.
    pub patience: Duration,
    /// How long a question may take to come, other than a file or a commit.
    pub asking: Duration,
    /// How long somebody may send less than `pace` in.
    pub slow: Duration,
    /// Bytes that come at least in so long, of whatever is sent.
    pub pace: u64,
}

/// A Hub that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    app: Arc<App>,
}

impl Options {
    /// This folder, for this machine alone, on any port.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (tokens, limits) = (Vec::new(), Limits::default());
        Self { folder: folder.into(), host, port: 0, tokens, limits }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: 256 << 30,
            inline: 16 << 20,
            commit: 4 << 30,
            question: 16 << 20,
            part: 32 << 20,
            connections: 256,
            requests: 48,
            patience: Duration::from_secs(30),
            asking: Duration::from_secs(60),
            slow: Duration::from_secs(60),
            pace: 60_000,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Access");
        out.field("name", &self.name).field("write", &self.write).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the folder and listens. Nobody but this machine is let in without tokens.
    pub fn start(options: Options) -> Result<Self> {
        let at = SocketAddr::new(options.host, options.port);
        if options.tokens.is_empty() && !options.host.is_loopback() {
            return Err(Error::Open { address: at });
        }
        let failed = |source| Error::Listen { source, address: at };
        let listener = TcpListener::bind(at).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let store = Store::open(&options.folder)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("hub-worker")
            .worker_threads(2)
            .max_blocking_threads(options.limits.requests + 16)
            .enable_all()
            .build()
            .map_err(failed)?;
        let app = Arc::new(App::new(store, &options));
        let (stop, stopped) = watch::channel(false);
        let serving = Arc::clone(&app);
        let serve = move || {
            runtime.block_on(listen::serve(listener, serving, stopped));
            runtime.shutdown_timeout(Duration::from_secs(5));
        };
        let thread = std::thread::Builder::new().name("hub-server".to_owned()).spawn(serve);
        Ok(Self { address, stop, thread: Some(thread.map_err(failed)?), app })
    }

    /// Where it is, as `HF_ENDPOINT` wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Why repositories are not served that are in the folder: one that is damaged is left as it is,
    /// and keeps nobody from the others.
    pub fn aside(&self) -> &[Error] {
        self.app.store().aside()
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        self.join();
    }

    /// Ends what is going on and gives the folder back.
    pub fn stop(self) {
        drop(self);
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic there has been told by its hook; there is nothing left to end.
            drop(thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.join();
    }
}
