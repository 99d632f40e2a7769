//! What is said while a panel is drawn: lines go above it, and what is being done into it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is being done, and how much of it is done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Doing {
    /// In words.
    pub line: String,
    /// From 0 to 1, where that is known.
    pub share: Option<f64>,
}

/// What waits to be drawn.
#[derive(Debug, Default)]
pub struct Stage {
    above: Mutex<Vec<String>>,
    doing: Mutex<Doing>,
}

impl Stage {
    /// A line to be put above the panel.
    pub fn put(&self, line: &str) {
        lock(&self.above).push(line.to_owned());
    }

    /// The lines that came since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.above))
    }

    /// Changes what is being done.
    pub fn set(&self, doing: Doing) {
        *lock(&self.doing) = doing;
    }

    /// What is being done.
    pub fn doing(&self) -> Doing {
        lock(&self.doing).clone()
    }
}

/// Whoever panicked while writing has left words, and those are still words.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
