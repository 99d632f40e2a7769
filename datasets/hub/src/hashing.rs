//! What files are called by: large ones by their SHA-256, small ones as git calls them.

use std::io::{self, ErrorKind, Read};

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::hex::hex;

/// How many bytes are hashed at once.
const STEP: u64 = 256 << 10;

/// A hash that goes on.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    /// Of a large file.
    pub fn sha256() -> Self {
        Self::Sha256(Sha256::new())
    }

    /// Of an object of git's that has so many bytes: a small file is a `blob`.
    pub fn git(kind: &str, size: u64) -> Self {
        Self::Git(Sha1::new_with_prefix(format!("{kind} {size}\0")))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Git(hash) => hash.update(bytes),
        }
    }

    /// What it is so far, in hexadecimal digits.
    pub fn digits(&self) -> String {
        match self.clone() {
            Self::Sha256(hash) => hex(&hash.finalize()),
            Self::Git(hash) => hex(&hash.finalize()),
        }
    }

    /// Takes a file in that is about so long; how long it is.
    pub fn read(&mut self, mut file: impl Read, about: u64) -> io::Result<u64> {
        // A thousand small files want no thousand large buffers.
        let mut buffer = vec![0; about.saturating_add(1).min(STEP) as usize];
        let mut length = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(length),
                Ok(count) => {
                    self.update(buffer.get(..count).unwrap_or_default());
                    length += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
