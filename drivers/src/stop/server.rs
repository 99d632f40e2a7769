//! `sinew stop` from another process: a socket per running robot.
//!
//! One request, one answer, each a line of JSON: `{"stop":"limp"}` (or `null` for the configured
//! way), then the list of [`StopReport`]s once every arm has stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cause, StopFlag, StopPolicy, StopReport};
use crate::Error;

/// A request is a short line; nobody makes the server keep more.
const LONGEST_REQUEST: u64 = 256;
/// An answer names each motor of each arm.
const LONGEST_ANSWER: u64 = 1 << 20;
/// How long an arm may take to stop, parking included.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a client that connected may take to say what it wants.
const HEARING: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct Request {
    stop: Option<StopPolicy>,
}

/// Where the running robot `name` listens: in the user's runtime folder, else in one of their own
/// under `/tmp`.
pub fn socket_path(name: &str) -> Result<PathBuf, Error> {
    let usable = !name.is_empty() && name.len() <= 64 && !name.starts_with('.');
    if !usable || name.contains(['/', '\\', '\0']) {
        return Err(Error::BadRobotName { name: name.to_owned() });
    }
    // SAFETY: asks for a number and cannot fail.
    let user = unsafe { libc::getuid() };
    let folder = match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => Path::new(&folder).join("sinew"),
        None => PathBuf::from(format!("/tmp/sinew-{user}")),
    };
    Ok(folder.join(format!("{name}.sock")))
}

/// Listens for the wish to stop as long as it lives.
#[derive(Debug)]
pub struct StopServer {
    path: PathBuf,
    ending: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl StopServer {
    /// Listens for robot `name` and raises `flag`. Refuses where another process already runs a
    /// robot of that name.
    pub fn start(name: &str, flag: StopFlag) -> Result<Self, Error> {
        Self::start_at(socket_path(name)?, flag)
    }

    fn start_at(path: PathBuf, flag: StopFlag) -> Result<Self, Error> {
        let listener = bind(&path)?;
        let ending = Arc::new(AtomicBool::new(false));
        let seen = ending.clone();
        let thread = std::thread::Builder::new()
            .name("stop".to_owned())
            .spawn(move || serve(&listener, &flag, &seen))
            .map_err(|source| Error::File { path: path.clone(), source })?;
        Ok(Self { path, ending, thread: Some(thread) })
    }
}

impl Drop for StopServer {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        // Wakes the listener; if that fails it is gone already.
        let awake = UnixStream::connect(&self.path).is_ok();
        std::fs::remove_file(&self.path).ok();
        if let Some(thread) = self.thread.take()
            && awake
        {
            thread.join().ok();
        }
    }
}

fn bind(path: &Path) -> Result<UnixListener, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed)?;
        let owner = std::fs::metadata(folder).map_err(failed)?.uid();
        // SAFETY: asks for a number and cannot fail.
        if owner != unsafe { libc::getuid() } {
            return Err(failed(std::io::Error::other("the folder belongs to another user")));
        }
    }
    match UnixListener::bind(path) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                return Err(Error::AlreadyRunning { name });
            }
            // Left behind by a process that was killed.
            std::fs::remove_file(path).map_err(failed)?;
            UnixListener::bind(path).map_err(failed)
        }
        Err(source) => Err(failed(source)),
    }
}

fn serve(listener: &UnixListener, flag: &StopFlag, ending: &AtomicBool) {
    for stream in listener.incoming() {
        if ending.load(Ordering::Acquire) {
            return;
        }
        // A client that goes away does not get its answer; the arm stops all the same.
        if let Ok(stream) = stream {
            answer(&stream, flag).ok();
        }
    }
}

fn answer(stream: &UnixStream, flag: &StopFlag) -> std::io::Result<()> {
    stream.set_read_timeout(Some(HEARING))?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST_REQUEST)).read_line(&mut line)?;
    let Ok(request) = serde_json::from_str::<Request>(&line) else { return Ok(()) };
    flag.raise(Cause::Remote, request.stop);
    let reports = flag.wait_for_reports(PATIENCE);
    let mut text = serde_json::to_string(&reports)?;
    text.push('\n');
    let mut stream = stream;
    stream.write_all(text.as_bytes())
}

/// What became of asking a robot to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its process stopped every arm and said how that went.
    Stopped(Vec<StopReport>),
    /// No process runs it: whoever asks must take the bus.
    NotRunning,
}

/// Asks the process that runs robot `name` to stop it.
pub fn ask(name: &str, policy: Option<StopPolicy>) -> Result<Asked, Error> {
    ask_at(&socket_path(name)?, policy)
}

fn ask_at(path: &Path, policy: Option<StopPolicy>) -> Result<Asked, Error> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ConnectionRefused | NotFound) => {
            return Ok(Asked::NotRunning);
        }
        Err(source) => return Err(failed(source)),
    };
    stream.set_read_timeout(Some(PATIENCE + HEARING)).map_err(failed)?;
    let mut line =
        serde_json::to_string(&Request { stop: policy }).map_err(|error| failed(error.into()))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(failed)?;
    let mut text = String::new();
    BufReader::new((&stream).take(LONGEST_ANSWER)).read_line(&mut text).map_err(failed)?;
    let reports: Vec<StopReport> =
        serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
    // A process without an arm on the bus has nothing to stop.
    Ok(if reports.is_empty() { Asked::NotRunning } else { Asked::Stopped(reports) })
}

#[cfg(test)]
mod tests {
    use super::super::MotorStop;
    use super::*;

    fn place(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("sinew-stop-{}-{name}", std::process::id()))
    }

    #[test]
    fn asking_reaches_the_flag_and_brings_the_report_back() {
        let path = place("asked").join("white.sock");
        let flag = StopFlag::new();
        let arm = flag.join();
        let server = StopServer::start_at(path.clone(), flag.clone()).unwrap();
        let motor = MotorStop { id: 1, name: "a".into(), torque: Some(false), ok: true };
        let report = StopReport {
            arm: String::new(),
            policy: StopPolicy::Park,
            cause: Cause::Remote,
            motors: vec![motor],
        };
        flag.report(arm, Some(&report));
        let asked = ask_at(&path, Some(StopPolicy::Park)).unwrap();
        assert_eq!(asked, Asked::Stopped(vec![report]));
        assert_eq!(flag.raised().unwrap().policy, Some(StopPolicy::Park));
        let again = StopServer::start_at(path.clone(), flag.clone());
        assert!(matches!(again, Err(Error::AlreadyRunning { name }) if name == "white"));
        drop(server);
        assert_eq!(ask_at(&path, None).unwrap(), Asked::NotRunning);
        std::fs::remove_dir_all(place("asked")).unwrap();
    }

    #[test]
    fn a_socket_left_behind_is_taken_over() {
        let path = place("stale").join("white.sock");
        drop(bind(&path).unwrap());
        assert!(path.exists());
        assert_eq!(ask_at(&path, None).unwrap(), Asked::NotRunning);
        drop(StopServer::start_at(path, StopFlag::new()).unwrap());
        std::fs::remove_dir_all(place("stale")).unwrap();
    }

    #[test]
    fn nonsense_on_the_socket_neither_stops_nor_hurts() {
        let path = place("nonsense").join("white.sock");
        let flag = StopFlag::new();
        let server = StopServer::start_at(path.clone(), flag.clone()).unwrap();
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(&[b'{'; 300]).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        assert!(answer.is_empty());
        assert_eq!(flag.raised(), None);
        drop(server);
        std::fs::remove_dir_all(place("nonsense")).unwrap();
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        for name in ["", "../x", "a/b", ".hidden", "a\0b"] {
            assert!(socket_path(name).is_err(), "{name:?}");
        }
    }
}
