//! Where visitors come in over TCP: so many at once, each with a thread of its own.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use sinew_drivers::Clock;
use sinew_drivers::clock::MILLI;

/// How long a visitor that takes nothing is kept, or one that asks nothing.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Lets visitors in. Dropping it ends that; whoever is inside is served to the end.
pub struct Door {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Lets visitors in who are served so, as many as may be at once.
    pub fn open(
        name: &str,
        listener: TcpListener,
        most: usize,
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (address, over) = (listener.local_addr()?, Arc::<AtomicBool>::default());
        let (closed, serve) = (Arc::clone(&over), Arc::new(serve));
        let run = move || admit(&listener, most, &serve, &closed);
        let thread = Some(Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(Self { address, over, thread })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // One more visitor, so that it is looked up. Where that fails it ends with the process.
        if TcpStream::connect_timeout(&self.address, PATIENCE).is_ok() {
            // A thread that panicked has already said so.
            let _ended = self.thread.take().map(JoinHandle::join);
        }
    }
}

fn admit<S>(listener: &TcpListener, most: usize, serve: &Arc<S>, over: &AtomicBool)
where
    S: Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
{
    let inside = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if over.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else {
            // Out of descriptors, for instance: that passes.
            Clock::Real.sleep(20 * MILLI);
            continue;
        };
        if inside.load(Ordering::Acquire) >= most {
            continue;
        }
        inside.fetch_add(1, Ordering::AcqRel);
        let (serve, left) = (Arc::clone(serve), Arc::clone(&inside));
        let run = move || {
            // A visitor that goes has had enough.
            receive(stream, &*serve).unwrap_or_default();
            left.fetch_sub(1, Ordering::AcqRel);
        };
        if Builder::new().name("visitor".to_owned()).spawn(run).is_err() {
            inside.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn receive(stream: TcpStream, serve: impl Fn(TcpStream) -> io::Result<()>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    serve(stream)
}
