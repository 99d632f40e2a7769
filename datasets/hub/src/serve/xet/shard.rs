//! A shard: which chunks of which xorbs make which file. Of its parts only the first matters here.
//!
//! Everything is 48 bytes long: a head; then for each file a row that names it and counts its
//! segments, the segments, as many rows to check them by if bit 31 of its flags is set, and one with
//! the SHA-256 of the file if bit 30 is. A row of 32 bytes 0xff ends the files.

use std::io::{self, Read};

use crate::serve::store::hash::Hash;

/// How long a row is.
const ROW: usize = 48;
/// How many segments a file has at most.
const SEGMENTS: u32 = 1 << 20;
/// How many files a shard has at most.
const FILES: usize = 1 << 17;
/// Set if there are rows to check segments by.
const CHECKED: u32 = 1 << 31;
/// Set if there is a row with the SHA-256.
const HASHED: u32 = 1 << 30;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What its contents are, one after the other.
    pub segments: Vec<Segment>,
    /// What they come to.
    pub sha256: Option<Hash>,
}

/// Some chunks of a xorb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The xorb.
    pub xorb: Hash,
    /// How many bytes the chunks have.
    pub raw: u32,
    /// The first chunk.
    pub first: u32,
    /// The one behind the last.
    pub end: u32,
}

/// The files of a shard, one at a time.
#[derive(Debug)]
pub struct Files<R> {
    from: R,
    begun: bool,
    count: usize,
}

impl<R: Read> Files<R> {
    /// Those of a shard that is about to be read.
    pub fn new(from: R) -> Self {
        Self { from, begun: false, count: 0 }
    }

    /// The next file, if there is another.
    pub fn next_file(&mut self) -> io::Result<Option<File>> {
        if !self.begun {
            self.row()?;
            self.begun = true;
        }
        let head = self.row()?;
        if head.hash == [0xff; 32] {
            return Ok(None);
        }
        self.count += 1;
        let [flags, count, ..] = head.numbers;
        if count > SEGMENTS || self.count > FILES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "there is too much in it"));
        }
        let mut segments = Vec::new();
        for _ in 0..count {
            let row = self.row()?;
            let [_flags, raw, first, end] = row.numbers;
            if first >= end {
                let what = "a segment ends before it begins";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            segments.push(Segment { xorb: name(row.hash), raw, first, end });
        }
        if flags & CHECKED != 0 {
            for _ in 0..count {
                self.row()?;
            }
        }
        let sha256 = match flags & HASHED != 0 {
            true => Some(name(self.row()?.hash)),
            false => None,
        };
        Ok(Some(File { segments, sha256 }))
    }

    fn row(&mut self) -> io::Result<Row> {
        let mut row = [0; ROW];
        self.from.read_exact(&mut row)?;
        let (mut hash, mut numbers) = ([0; 32], [0; 4]);
        hash.iter_mut().zip(row).for_each(|(to, byte)| *to = byte);
        let fours = row.as_chunks::<4>().0.iter().skip(8);
        numbers.iter_mut().zip(fours).for_each(|(to, four)| *to = u32::from_le_bytes(*four));
        Ok(Row { hash, numbers })
    }
}

struct Row {
    hash: [u8; 32],
    numbers: [u32; 4],
}

/// A hash as it is written: four numbers, each with its highest byte first.
fn name(hash: [u8; 32]) -> Hash {
    let mut turned = hash;
    turned.as_chunks_mut::<8>().0.iter_mut().for_each(|number| number.reverse());
    Hash::of(&turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hash: [u8; 32], numbers: [u32; 4]) -> Vec<u8> {
        let numbers: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
        [&hash[..], &numbers].concat()
    }

    fn files(bytes: &[u8]) -> io::Result<Vec<File>> {
        let (mut files, mut found) = (Files::new(bytes), Vec::new());
        while let Some(file) = files.next_file()? {
            found.push(file);
        }
        Ok(found)
    }

    fn shard() -> Vec<u8> {
        let mut hash = [0; 32];
        (hash[0], hash[7], hash[8]) = (0x12, 0x34, 0x56);
        [
            row([9; 32], [2, 0, 0, 0]),
            row([1; 32], [CHECKED | HASHED, 2, 0, 0]),
            row([2; 32], [0, 100, 0, 3]),
            row([3; 32], [0, 50, 7, 8]),
            row([0; 32], [0; 4]),
            row([0; 32], [0; 4]),
            row(hash, [0; 4]),
            row([1; 32], [0, 0, 0, 0]),
            row([0xff; 32], [0; 4]),
        ]
        .concat()
    }

    #[test]
    fn files_are_made_of_segments() {
        let files = files(&[shard(), b"whatever follows".to_vec()].concat()).unwrap();
        assert_eq!(files.len(), 2);
        let sha256 = format!("3400000000000012{}56{}", "0".repeat(14), "0".repeat(32));
        assert_eq!(files[0].sha256.as_ref().unwrap().as_str(), sha256);
        let second = Segment { xorb: Hash::of(&[3; 32]), raw: 50, first: 7, end: 8 };
        assert_eq!(files[0].segments[1], second);
        assert_eq!(files[1], File { segments: Vec::new(), sha256: None });
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        let whole = shard();
        for length in 0..whole.len() {
            assert!(files(&whole[..length]).is_err(), "{length}");
        }
        let many = [row([0; 32], [0; 4]), row([1; 32], [0, u32::MAX, 0, 0])].concat();
        assert!(files(&many).is_err());
        let backwards =
            [row([0; 32], [0; 4]), row([1; 32], [0, 1, 0, 0]), row([2; 32], [0, 1, 5, 5])].concat();
        assert!(files(&backwards).is_err());
    }
}
