//! What is done by one at a time for each folder, while others go on with theirs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

/// The folders that somebody is at.
#[derive(Debug, Default)]
pub struct Alone {
    busy: Mutex<HashSet<PathBuf>>,
    freed: Condvar,
}

/// Being the only one at a folder, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    alone: &'a Alone,
    folder: &'a Path,
}

impl Alone {
    /// Waits until nobody else is at a folder.
    pub fn at<'a>(&'a self, folder: &'a Path) -> Turn<'a> {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(busy, |busy| busy.contains(folder));
        waited.unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        Turn { alone: self, folder }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut busy = self.alone.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(self.folder);
        self.alone.freed.notify_all();
    }
}
