//! What happened, for those who ask later: a line of JSON each, kept on the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use crate::Error;
use crate::message::Event;

/// A log longer than this is set aside, in place of the one set aside before.
const MOST_BYTES: u64 = 16 << 20;
/// Events that may wait for the disk.
const WAITING: usize = 1024;
/// After so long a disk that took nothing is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// A log on the disk.
pub struct Audit {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Whether behind that lies a piece of a line, which could not be removed.
    torn: bool,
}

impl Audit {
    /// Goes on with the log at this place, or begins it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = begin(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        Ok(Self { path: path.to_owned(), file, bytes, torn: false })
    }

    /// Writes an event down; it is on the disk when this returns.
    pub fn write(&mut self, robot: &str, event: &Event) -> io::Result<()> {
        if self.bytes > MOST_BYTES {
            self.set_aside()?;
        }
        let line = json!({
            "at": event.wall as f64 / 1e9,
            "robot": robot,
            "event": event.kind,
            "who": event.who,
            "text": event.text,
        });
        let line = format!("{line}\n");
        self.whole(line.len() as u64, |file| {
            file.write_all(line.as_bytes())?;
            file.sync_data()
        })
    }

    /// Adds so many bytes, or none of them.
    fn whole(
        &mut self,
        bytes: u64,
        add: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.bytes)?;
            self.torn = false;
        }
        let added = add(&mut self.file);
        match added {
            Ok(()) => self.bytes += bytes,
            Err(_) => self.torn = self.file.set_len(self.bytes).is_err(),
        }
        added
    }

    fn set_aside(&mut self) -> io::Result<()> {
        match fs::rename(&self.path, self.path.with_extension("old.jsonl")) {
            // It was, and a new one could not be begun.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        (self.file, self.bytes, self.torn) = (begin(&self.path)?, 0, false);
        Ok(())
    }
}

/// A log with its name in its folder.
fn begin(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file)
}

/// Who writes a log, in a thread of its own: a slow disk keeps nobody waiting.
pub struct Clerk {
    events: Option<SyncSender<Event>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Clerk {
    /// Begins to write down what happens to this robot.
    pub fn start(robot: &str, audit: Audit) -> Result<Self, Error> {
        let (events, waiting) = sync_channel(WAITING);
        let (robot, over) = (robot.to_owned(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::Builder::new().name("audit".into());
        let ends = Arc::clone(&over);
        let thread = thread.spawn(move || write_down(&robot, audit, waiting, &ends));
        let thread =
            thread.map_err(|error| Error::System { what: "a thread", why: error.to_string() })?;
        Ok(Self { events: Some(events), over, thread: Some(thread) })
    }

    /// Leaves an event to be written down, where there is room for it. Never waits.
    #[must_use = "what there is no room for is not written down"]
    pub fn leave(&self, event: Event) -> bool {
        self.events.as_ref().is_some_and(|events| events.try_send(event).is_ok())
    }
}

impl Drop for Clerk {
    /// Waits until all is on the disk that the disk takes.
    fn drop(&mut self) {
        self.events = None;
        self.over.store(true, Ordering::Release);
        self.thread.iter().for_each(|thread| thread.thread().unpark());
        // A thread that panicked has already said so.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Writes in order. A disk that takes nothing is asked again until it is over; meanwhile the others wait.
fn write_down(robot: &str, mut audit: Audit, events: Receiver<Event>, over: &AtomicBool) {
    for event in events {
        while audit.write(robot, &event).is_err() && !over.load(Ordering::Acquire) {
            std::thread::park_timeout(AGAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Kind, VERSION};

    fn taken() -> Event {
        let (kind, who) = (Kind::LeaseTaken, "anna\"\nben".to_owned());
        Event { v: VERSION, kind, wall: 1_500_000_000, who, text: "x".into() }
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn what_was_written_in_part_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("white.jsonl");
        let mut audit = Audit::open(&path).unwrap();
        audit.write("white", &taken()).unwrap();
        let half = |file: &mut File| {
            file.write_all(b"{\"half")?;
            Err(io::ErrorKind::StorageFull.into())
        };
        assert!(audit.whole(100, half).is_err());
        assert_eq!(lines(&path).len(), 1);
        audit.write("white", &taken()).unwrap();
        // Where that could not be removed at once.
        fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"half").unwrap();
        audit.torn = true;
        audit.write("white", &taken()).unwrap();
        assert_eq!(lines(&path).len(), 3);
        assert_eq!(audit.bytes, fs::metadata(&path).unwrap().len());
    }

    #[test]
    fn a_disk_that_takes_nothing_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("white.jsonl");
        let mut audit = Audit::open(&path).unwrap();
        audit.file = File::open(&path).unwrap();
        let clerk = Clerk::start("white", audit).unwrap();
        let left = (0..2 * WAITING).filter(|_| clerk.leave(taken())).count();
        assert!((WAITING..=WAITING + 1).contains(&left), "{left}");
        drop(clerk);
        assert!(lines(&path).is_empty());
        let clerk = Clerk::start("white", Audit::open(&path).unwrap()).unwrap();
        assert!((0..50).all(|_| clerk.leave(taken())));
        drop(clerk);
        assert_eq!(lines(&path).len(), 50);
    }

    #[test]
    fn lines_are_added_and_a_long_log_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit/white.jsonl");
        let event = taken();
        Audit::open(&path).unwrap().write("white", &event).unwrap();
        let mut audit = Audit::open(&path).unwrap();
        audit.write("white", &event).unwrap();
        let lines = lines(&path);
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["event"], &lines[0]["at"]), (&json!("lease_taken"), &json!(1.5)));
        audit.bytes = MOST_BYTES + 1;
        audit.write("white", &event).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        let aside = fs::read_to_string(path.with_extension("old.jsonl")).unwrap();
        assert_eq!(aside.lines().count(), 2);
    }
}
