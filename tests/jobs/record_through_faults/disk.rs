//! A small disk that can be filled to the last byte, and made free again.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A file system in memory, in a mount namespace that a process keeps.
pub struct Disk {
    keeper: Child,
    place: PathBuf,
}

impl Disk {
    /// Makes one, or says on stderr why the system lets nobody do so.
    pub fn new(folder: &Path, megabytes: u64) -> Option<Self> {
        let script = format!(
            "mount -t tmpfs -o size={megabytes}m none '{}' && echo ready && exec cat",
            folder.display()
        );
        let mut keeper = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(keeper.stdout.as_mut()?).read_line(&mut line).ok()?;
        if line.trim() != "ready" {
            eprintln!("SKIPPED full disk: this system lets nobody mount one of his own");
            return None;
        }
        // From outside a namespace its files are reached through the process that keeps it.
        let root = PathBuf::from(format!("/proc/{}/root", keeper.id()));
        let place = root.join(folder.strip_prefix("/").ok()?);
        Some(Self { keeper, place })
    }

    /// Where it is.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        // Until it is full.
        while file.write_all(&[0; 1 << 16]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    /// Makes it free again.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.place.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Without its keeper it is gone.
        self.keeper.kill().unwrap_or_default();
        drop(self.keeper.wait());
    }
}
