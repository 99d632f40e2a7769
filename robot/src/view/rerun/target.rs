//! Where it is shown: a viewer that is started, one that listens somewhere, or a file for later.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use re_sdk::log::LogMsg;
use re_sdk::sink::{GrpcSink, GrpcSinkConnectionState, LogSink, SinkFlushError};
use re_sdk::{SpawnError, SpawnOptions};

use super::file::FileSink;
use crate::cli::failure::{Exit, Failure};

/// How long a viewer may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long what was sent may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Where something is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// In a viewer of this machine, started if none runs; where none is installed, in this file.
    Viewer(PathBuf),
    /// In a viewer that listens at this address.
    Server(String),
    /// In this file.
    File(PathBuf),
}

/// Somewhere messages go.
#[derive(Clone)]
pub enum Sink {
    /// To a viewer, at its address.
    Viewer(Arc<GrpcSink>, String),
    /// To a file.
    File(Arc<FileSink>, PathBuf),
}

/// What installs the viewer that fits.
pub fn install_line() -> String {
    format!("pip install rerun-sdk=={}", re_sdk::build_info().version)
}

impl Target {
    /// Finds or starts the viewer, or begins the file. Says where it goes, if that is not where it
    /// was wanted.
    pub fn open(&self, note: &mut dyn FnMut(&str)) -> Result<Sink, Failure> {
        match self {
            Self::File(path) => Sink::file(path),
            Self::Server(url) => Sink::server(url),
            Self::Viewer(instead) => match re_sdk::spawn(&SpawnOptions::default()) {
                Ok(viewer) => {
                    Sink::server(&format!("rerun+http://127.0.0.1:{}/proxy", viewer.port))
                }
                Err(SpawnError::ExecutableNotFoundInPath { .. }) => {
                    note(&format!("no Rerun viewer here; this installs it: {}", install_line()));
                    note(&format!("meanwhile it goes to {}", instead.display()));
                    Sink::file(instead)
                }
                Err(error) => Err(Failure::new(Exit::Failed, error.to_string())),
            },
        }
    }
}

impl Sink {
    fn file(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(sinew_datasets::Error::io("cannot create", path))?;
        let sink = FileSink::new(file).map_err(|why| unwritten(path, &why))?;
        Ok(Self::File(Arc::new(sink), path.to_owned()))
    }

    fn server(url: &str) -> Result<Self, Failure> {
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::usage(
                format!("{url} is no address of a viewer: {error}"),
                "it looks like rerun+http://127.0.0.1:9876/proxy; the viewer shows its own",
            )
        };
        let uri = url.parse().map_err(|error| wrong(&error))?;
        let sink = GrpcSink::new(uri);
        let began = Instant::now();
        loop {
            match sink.status() {
                GrpcSinkConnectionState::Connected => {
                    return Ok(Self::Viewer(Arc::new(sink), url.to_owned()));
                }
                GrpcSinkConnectionState::Connecting { .. } if began.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => return Err(unreachable(url, "nobody answers")),
            }
        }
    }

    /// The file that is written, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Viewer(..) => None,
            Self::File(_, path) => Some(path),
        }
    }

    /// Waits until everything has arrived, and says what has not.
    pub fn end(&self) -> Result<(), Failure> {
        match self {
            Self::Viewer(sink, url) => {
                sink.flush_blocking(ARRIVAL).map_err(|error| unreachable(url, &error.to_string()))
            }
            Self::File(sink, path) => sink.end().map_err(|why| unwritten(path, &why)),
        }
    }
}

impl LogSink for Sink {
    fn send(&self, message: LogMsg) {
        match self {
            Self::Viewer(sink, _) => sink.send(message),
            Self::File(sink, _) => sink.send(message),
        }
    }

    fn flush_blocking(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        match self {
            Self::Viewer(sink, _) => sink.flush_blocking(timeout),
            Self::File(sink, _) => sink.flush_blocking(timeout),
        }
    }
}

fn unreachable(url: &str, why: &str) -> Failure {
    Failure::advise(
        Exit::Failed,
        format!("the viewer at {url} cannot be reached: {why}"),
        "start it there with `rerun`, or write a file with --save FILE.rrd",
    )
}

fn unwritten(path: &Path, why: &str) -> Failure {
    Failure::advise(
        Exit::Failed,
        format!("cannot write {}: {why}", path.display()),
        "free some space on that disk, or name a file on another",
    )
}
