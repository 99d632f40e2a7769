//! What is to be uploaded, kept on the disk until it is.
//!
//! ```text
//!  FOLDER/owner--name--1f3a…/   job.json      what, whereto; how often that was asked for
//!                               state.json    how much of that is done, and what went wrong last
//!                               push.ledger   how far the push is
//!                               lock          held by whoever pushes
//! ```
//! Who asks writes `job.json`, who pushes writes `state.json`: neither waits for the other. Each file
//! is whole at any instant, and whatever ends a push, the next one goes on.

mod job;

use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::hex::hex;
use crate::{Error, Ledger, Result, durable};
pub use job::{Job, Standing, State};

/// The longest file that is read here.
const LONGEST: u64 = 1 << 20;

/// A folder with what is to be uploaded.
#[derive(Clone, Debug)]
pub struct Queue {
    folder: PathBuf,
}

/// One job of a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    folder: PathBuf,
    /// What is to be uploaded, and whereto.
    pub job: Job,
    /// How that went so far.
    pub state: State,
}

/// The right to push what a job says, which one process at a time has.
#[derive(Debug)]
pub struct Turn {
    entry: Entry,
    _lock: File,
}

impl Queue {
    /// The queue in a folder, which need not be there yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Asks for an upload; returns once that is on the disk. An earlier job from the same folder to the
    /// same branch becomes this one, which keeps its licence and its words unless it brings its own.
    pub fn ask(&self, job: &Job) -> Result<Entry> {
        // The same folder, however it is written.
        let job = &Job { root: job.root.components().collect(), ..job.clone() };
        let folder = self.folder.join(name_of(job));
        let _one_at_a_time = self.lock()?;
        durable::make_secret_folders(&folder)?;
        let path = folder.join("job.json");
        // What cannot be read is written anew.
        let earlier = durable::read_value::<Job>(&path, LONGEST).ok().flatten();
        let state = durable::read_value(&folder.join("state.json"), LONGEST);
        let state: State = state.ok().flatten().unwrap_or_default();
        let mut job = job.clone();
        job.asked =
            earlier.as_ref().map_or(0, |earlier| earlier.asked).max(state.done).saturating_add(1);
        if let Some(earlier) = earlier {
            // What its page says is said once.
            job.license = job.license.or(earlier.license);
            if job.tags.is_empty() {
                job.tags = earlier.tags;
            }
        }
        durable::write_value(&path, &job)?;
        Ok(Entry { folder, job, state })
    }

    /// Takes a job that is done out of the queue; what it has brought to the hub stays there. Returns
    /// whether it was: not where more was asked for meanwhile, or somebody pushes it.
    pub fn forget(&self, entry: &Entry) -> Result<bool> {
        self.take_out(entry, |entry| entry.standing(u64::MAX) == Standing::Done)
    }

    /// Takes out of the queue whatever was asked for an earlier folder of the same name: what it brought
    /// to the hub is no longer taken for ours. Returns whether that could be done: not while somebody
    /// pushes it.
    pub fn begin_anew(&self, job: &Job) -> Result<bool> {
        let root = job.root.components().collect();
        let folder = self.folder.join(name_of(&Job { root, ..job.clone() }));
        let state = State::default();
        let entry = Entry { folder, job: job.clone(), state };
        if entry.folder.exists() { self.take_out(&entry, |_| true) } else { Ok(true) }
    }

    fn take_out(&self, entry: &Entry, may: impl Fn(&Entry) -> bool) -> Result<bool> {
        let _one_at_a_time = self.lock()?;
        let Some(turn) = entry.turn()? else { return Ok(false) };
        if !may(&turn.entry) {
            return Ok(false);
        }
        let folder = &turn.entry.folder;
        fs::remove_dir_all(folder).map_err(Error::io("cannot remove", folder))?;
        Ok(true)
    }

    /// Nobody else asks, or takes out what was asked for, while this is held.
    fn lock(&self) -> Result<File> {
        durable::make_secret_folders(&self.folder)?;
        // Where files lie and where they are to go is nobody else's business; nor was it before. Some
        // disks know no owners.
        fs::set_permissions(&self.folder, Permissions::from_mode(0o700)).ok();
        durable::lock(&self.folder.join("lock"))
    }

    /// Every job, in the order of their names, and what cannot be read.
    pub fn entries(&self) -> Result<(Vec<Entry>, Vec<Error>)> {
        let (mut entries, mut broken) = (Vec::new(), Vec::new());
        let folders = match fs::read_dir(&self.folder) {
            Ok(folders) => folders,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((entries, broken));
            }
            Err(error) => return Err(Error::io("cannot look into", &self.folder)(error)),
        };
        for folder in folders {
            let folder = folder.map_err(Error::io("cannot look into", &self.folder))?.path();
            if folder.is_dir() {
                match Entry::read(&folder) {
                    Ok(Some(entry)) => entries.push(entry),
                    // Nobody finished asking.
                    Ok(None) => {}
                    Err(error) => broken.push(error),
                }
            }
        }
        entries.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok((entries, broken))
    }
}

impl Entry {
    fn read(folder: &Path) -> Result<Option<Self>> {
        let Some(job) = durable::read_value(&folder.join("job.json"), LONGEST)? else {
            return Ok(None);
        };
        let state = durable::read_value(&folder.join("state.json"), LONGEST)?.unwrap_or_default();
        Ok(Some(Self { folder: folder.to_owned(), job, state }))
    }

    /// How it stands at this time, in seconds since 1970.
    pub fn standing(&self, now: u64) -> Standing {
        Standing::of(&self.job, &self.state, now)
    }

    /// Whether somebody is pushing it now.
    pub fn is_pushed(&self) -> bool {
        self.turn().is_ok_and(|turn| turn.is_none())
    }

    /// The right to push it, unless somebody has it. It is read again: it may have changed.
    pub fn turn(&self) -> Result<Option<Turn>> {
        let path = self.folder.join("lock");
        let lock = File::options().create(true).append(true).open(&path);
        let lock = lock.map_err(Error::io("cannot open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(Error::io("cannot lock", &path)(error)),
        }
        let entry = Self::read(&self.folder)?.unwrap_or_else(|| self.clone());
        Ok(Some(Turn { entry, _lock: lock }))
    }
}

impl Turn {
    /// What is to be done.
    pub fn job(&self) -> &Job {
        &self.entry.job
    }

    /// How that went so far.
    pub fn state(&self) -> &State {
        &self.entry.state
    }

    /// How far the push is.
    pub fn ledger(&self) -> Result<Ledger> {
        Ledger::open(&self.entry.folder.join("push.ledger"))
    }

    /// What its folder is called, which is like no other's.
    pub fn name(&self) -> String {
        let name = self.entry.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Keeps how it went.
    pub fn went(&mut self, state: State) -> Result<()> {
        durable::write_value(&self.entry.folder.join("state.json"), &state)?;
        self.entry.state = state;
        Ok(())
    }
}

/// A job's folder: where it leads, readable, and all of what makes it this one, as a hash.
fn name_of(job: &Job) -> String {
    let (endpoint, place, branch) = (&job.endpoint, job.kind.plural(), &job.branch);
    let mut whole = format!("{endpoint}\0{place}\0{}\0{branch}\0{}", job.repo, job.root.display());
    if job.request {
        // What a branch was given is another thing.
        whole.push_str("\0pr");
    }
    let hash = hex(&Sha256::digest(whole));
    format!("{}--{}", job.repo.replace('/', "--"), hash.get(..12).unwrap_or_default())
}

#[cfg(test)]
mod tests;
