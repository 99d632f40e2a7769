//! Connections: how many at a time, and how long a silent one is kept.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, watch};

use super::call::App;
use super::routes;

/// How large the head of a request may be; the longest path, percent-encoded, fits.
const HEAD: usize = 64 * 1024;
/// How many headers a request may have.
const HEADERS: usize = 100;
/// How long to wait after the system gave no connection, for want of files for instance.
const BREATH: Duration = Duration::from_millis(100);

/// Serves until it is told to stop.
pub async fn serve(listener: TcpListener, app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let limits = app.limits();
    let places = Arc::new(Semaphore::new(limits.connections));
    let routes = routes::all(app);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let next = async { (place.await, listener.accept().await) };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            (Ok(place), Ok((stream, _))) => {
                let (routes, patience) = (routes.clone(), limits.patience);
                tokio::spawn(async move {
                    connection(stream, routes, patience).await;
                    drop(place);
                });
            }
            _ => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn connection(stream: tokio::net::TcpStream, routes: Router, patience: Duration) {
    // What is small goes at once; a socket that cannot is as good.
    stream.set_nodelay(true).unwrap_or_default();
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    // Who broke off knows it; nobody else is concerned.
    drop(served.await);
}
