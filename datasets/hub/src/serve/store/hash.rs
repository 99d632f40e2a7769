//! What contents are called by.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hashing::Hasher;
use crate::hex::{hex, is_hex};

/// The SHA-256 of an object, in 64 small hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(String);

impl Hash {
    /// These digits, if they are some.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 64).then(|| Self(text.to_owned()))
    }

    /// What a hasher came to.
    pub fn of(bytes: &[u8; 32]) -> Self {
        Self(hex(bytes))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a SHA-256 in 64 hexadecimal digits")
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What git would call an object of this kind.
pub fn git(kind: &str, content: &[u8]) -> String {
    let mut hasher = Hasher::git(kind, content.len() as u64);
    hasher.update(content);
    hasher.digits()
}

/// The file that git would keep in the place of a large one.
pub fn pointer(hash: &Hash, size: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{hash}\nsize {size}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_would_call_it_the_same() {
        // `printf hello | git hash-object --stdin`, and the empty blob and tree.
        assert_eq!(git("blob", b"hello"), "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0");
        assert_eq!(git("blob", b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(git("tree", b""), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    }

    #[test]
    fn a_hash_is_64_small_digits() {
        assert!(Hash::parse(&"0a".repeat(32)).is_some());
        for wrong in ["", "0A", &"0A".repeat(32), &"0a".repeat(33), &"é".repeat(32)] {
            assert!(Hash::parse(wrong).is_none(), "{wrong}");
        }
    }
}
