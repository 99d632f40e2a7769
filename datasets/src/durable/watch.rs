//! For tests: sees every step taken below a folder, in their order, and may forbid them.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Something done about a file.
#[derive(Clone, Debug)]
pub enum Step {
    Folder(PathBuf),
    Open {
        file: u64,
        path: PathBuf,
        fresh: bool,
    },
    Write {
        file: u64,
        at: u64,
        bytes: Vec<u8>,
    },
    SetLen {
        file: u64,
        length: u64,
    },
    Sync {
        file: u64,
    },
    SyncPath(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// Not a step: the test says what must not be lost from here on.
    Kept(Kept),
}

/// What must not be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Episodes saved.
    pub saved: u64,
    /// Frames of the one after them.
    pub frames: u64,
    /// How many frames of it were pushed.
    pub pushed: u64,
    /// Whether others see the saved ones already.
    pub settled: bool,
}

/// A file that was opened once.
#[derive(Debug)]
pub struct Opened {
    pub id: u64,
    pub path: PathBuf,
}

impl Opened {
    pub fn new(path: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), path: path.to_owned() }
    }
}

/// How the disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is full: nothing new finds room. A write that is too much is taken by half.
    Full,
    /// It may not be written any more.
    ReadOnly,
    /// Names may not be changed any more; what is open may be written.
    Denied,
    /// It says that it could not keep what it had taken.
    Broken,
}

impl Fault {
    pub const ALL: [Self; 4] = [Self::Full, Self::ReadOnly, Self::Denied, Self::Broken];

    pub fn code(self) -> i32 {
        match self {
            Self::Full => libc::ENOSPC,
            Self::ReadOnly => libc::EROFS,
            Self::Denied => libc::EACCES,
            Self::Broken => libc::EIO,
        }
    }

    fn forbids(self, step: &Step) -> bool {
        let names = matches!(
            step,
            Step::Folder(_) | Step::Open { .. } | Step::Rename(..) | Step::Remove(_)
        );
        let bytes = matches!(step, Step::Write { .. } | Step::SetLen { .. });
        match self {
            Self::Full => {
                matches!(step, Step::Folder(_) | Step::Open { fresh: true, .. })
                    || matches!(step, Step::Write { .. } | Step::Rename(..))
            }
            Self::ReadOnly => names || bytes,
            Self::Denied => names,
            Self::Broken => matches!(step, Step::Sync { .. } | Step::SyncPath(_)),
        }
    }
}

#[derive(Default)]
struct Seen {
    steps: Vec<Step>,
    fault: Option<(usize, Fault)>,
    failed: u64,
    /// The next write was cut to what found room.
    cut: bool,
}

impl Seen {
    fn fault(&self) -> Option<Fault> {
        self.fault.filter(|(from, _)| self.steps.len() >= *from).map(|(_, fault)| fault)
    }
}

#[derive(Default)]
struct Eye {
    seen: Mutex<Seen>,
    /// How the names of files end that have to wait.
    held: Mutex<Option<&'static str>>,
    freed: Condvar,
}

/// Watches a folder for as long as it lives.
pub struct Watch {
    root: PathBuf,
    eye: Arc<Eye>,
}

static WATCHED: Mutex<Vec<(PathBuf, Arc<Eye>)>> = Mutex::new(Vec::new());

impl Watch {
    pub fn begin(root: &Path) -> Self {
        let eye = Arc::new(Eye::default());
        WATCHED.lock().unwrap().push((root.to_owned(), Arc::clone(&eye)));
        Self { root: root.to_owned(), eye }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.eye.seen.lock().unwrap()
    }

    pub fn kept(&self, kept: Kept) {
        self.seen().steps.push(Step::Kept(kept));
    }

    pub fn steps(&self) -> Vec<Step> {
        self.seen().steps.clone()
    }

    pub fn count(&self) -> usize {
        self.seen().steps.len()
    }

    /// From this step on the disk fails; none heals it.
    pub fn fail(&self, fault: Option<(usize, Fault)>) {
        self.seen().fault = fault;
    }

    /// Whoever writes to files whose names end like this has to wait; none frees them.
    pub fn hold(&self, ends: Option<&'static str>) {
        *self.eye.held.lock().unwrap() = ends;
        self.eye.freed.notify_all();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hold(None);
        WATCHED.lock().unwrap().retain(|(root, _)| *root != self.root);
    }
}

fn eye(path: &Path) -> Option<Arc<Eye>> {
    let watched = WATCHED.lock().unwrap();
    let seen = watched.iter().find(|(root, _)| path.starts_with(root));
    seen.map(|(_, eye)| Arc::clone(eye))
}

/// How much of a write the disk takes.
pub fn room(path: &Path, bytes: usize) -> usize {
    let Some(eye) = eye(path) else { return bytes };
    let mut seen = eye.seen.lock().unwrap();
    seen.cut = bytes > 1 && seen.failed == 0 && seen.fault() == Some(Fault::Full);
    if seen.cut { bytes / 2 } else { bytes }
}

/// Takes a step, unless it is to fail. Nobody else takes one meanwhile, so that the order is true.
pub fn step<T>(
    path: &Path,
    step: impl FnOnce() -> Step,
    act: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(eye) = eye(path) else { return act() };
    let step = step();
    if matches!(step, Step::Write { .. }) {
        let held = eye.held.lock().unwrap();
        let waits = |held: &mut Option<&str>| {
            held.is_some_and(|ends| path.to_str().is_some_and(|path| path.ends_with(ends)))
        };
        drop(eye.freed.wait_while(held, waits).unwrap());
    }
    let mut seen = eye.seen.lock().unwrap();
    let cut = std::mem::take(&mut seen.cut);
    if let Some(fault) = seen.fault().filter(|fault| fault.forbids(&step)) {
        seen.failed += 1;
        if !cut {
            return Err(Error::from_raw_os_error(fault.code()));
        }
    }
    let done = act()?;
    seen.steps.push(step);
    Ok(done)
}
