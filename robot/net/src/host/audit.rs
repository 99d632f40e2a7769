//! What happened, for those who ask later: a line of JSON each, kept on the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::Error;
use crate::message::Event;

/// A log longer than this is set aside, in place of the one set aside before.
const MOST_BYTES: u64 = 16 << 20;

/// A log on the disk.
pub struct Audit {
    path: PathBuf,
    file: File,
    bytes: u64,
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
        Ok(Self { path: path.to_owned(), file, bytes })
    }

    /// Writes an event down; it is on the disk when this returns.
    pub fn write(&mut self, robot: &str, event: &Event) -> io::Result<()> {
        if self.bytes > MOST_BYTES {
            fs::rename(&self.path, self.path.with_extension("old.jsonl"))?;
            (self.file, self.bytes) = (begin(&self.path)?, 0);
        }
        let line = json!({
            "at": event.wall as f64 / 1e9,
            "robot": robot,
            "event": event.kind,
            "who": event.who,
            "text": event.text,
        });
        let line = format!("{line}\n");
        self.bytes += line.len() as u64;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()
    }
}

fn begin(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Kind, VERSION};

    #[test]
    fn lines_are_added_and_a_long_log_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit/white.jsonl");
        let who = "anna\"\nben".to_owned();
        let event = Event {
            v: VERSION,
            kind: Kind::LeaseTaken,
            wall: 1_500_000_000,
            who,
            text: "x".into(),
        };
        Audit::open(&path).unwrap().write("white", &event).unwrap();
        let mut audit = Audit::open(&path).unwrap();
        audit.write("white", &event).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["event"], &lines[0]["at"]), (&json!("lease_taken"), &json!(1.5)));
        audit.bytes = MOST_BYTES + 1;
        audit.write("white", &event).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        let aside = fs::read_to_string(path.with_extension("old.jsonl")).unwrap();
        assert_eq!(aside.lines().count(), 2);
    }
}
