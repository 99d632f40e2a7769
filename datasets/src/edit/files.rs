//! Which file of the new dataset an episode goes into.

use crate::schema::{Info, Version};
use crate::tables::episodes::FileAt;

/// The files of one kind, filled one after the other.
pub struct Files {
    /// In the older layouts every episode has a file of its own, counted by episodes.
    alone: bool,
    chunks_size: u64,
    limit: u64,
    next: FileAt,
    /// How many were begun.
    pub begun: u64,
}

impl Files {
    /// Files of at most this many megabytes, where they can be shared.
    pub fn new(info: &Info, megabytes: u64) -> Self {
        Self {
            alone: info.version != Version::V30,
            chunks_size: info.chunks_size,
            limit: megabytes.saturating_mul(1 << 20),
            next: FileAt::default(),
            begun: 0,
        }
    }

    /// Whether episodes can share a file.
    pub fn shared(&self) -> bool {
        !self.alone
    }

    /// Whether a file with so many bytes takes an episode of so many more.
    pub fn takes(&self, bytes: u64, more: u64) -> bool {
        self.shared() && bytes.saturating_add(more) < self.limit
    }

    /// The place of a new file.
    pub fn begin(&mut self) -> FileAt {
        let at = self.next;
        self.begun += 1;
        self.next = match self.alone {
            true => FileAt { chunk: self.begun / self.chunks_size, file: self.begun },
            false => at.next(self.chunks_size),
        };
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_left_when_the_next_episode_would_fill_it() {
        let info = Info::new(30, None, Vec::new()).unwrap();
        let mut files = Files::new(&Info { chunks_size: 2, ..info.clone() }, 1);
        assert!(files.takes(1 << 19, 1 << 18) && !files.takes(1 << 19, 1 << 19));
        let places: Vec<_> = (0..3).map(|_| files.begin()).map(|at| (at.chunk, at.file)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (1, 0)]);
        let old = Info { version: Version::V21, chunks_size: 2, ..info };
        let mut files = Files::new(&old, 1);
        assert!(!files.takes(0, 0));
        let places: Vec<_> = (0..3).map(|_| files.begin()).map(|at| (at.chunk, at.file)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (1, 2)]);
    }
}
