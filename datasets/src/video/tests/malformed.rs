use std::io;
use std::path::Path;

use proptest::prelude::*;

use super::begin;
use super::peer::golden;
use crate::Error;
use crate::video::{ReadAt, VideoReader};

/// Bytes in memory that refuse to be read past their end.
struct Memory(Vec<u8>);

impl ReadAt for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let found = start.checked_add(buffer.len()).and_then(|end| self.0.get(start..end));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn open(bytes: Vec<u8>) -> crate::Result<VideoReader> {
    VideoReader::from_source(Path::new("memory"), Box::new(Memory(bytes)))
}

/// Whatever the bytes are: reading gives frames or errors.
fn try_all(bytes: Vec<u8>) {
    if let Ok(mut reader) = open(bytes) {
        assert!(reader.info().frames <= 1 << 16);
        for n in [0, 1, 7, 8, 19] {
            drop((reader.frame(n), reader.frame_at(n as f64 / 30.0, 1e-4)));
        }
    }
}

/// One of the files, all of which have about ten thousand bytes.
fn file(which: usize) -> Vec<u8> {
    let names = ["lerobot_av1.mp4", "h264_high.mp4", "h264_reordered.mp4", "hevc.mp4"];
    if let Some(name) = names.get(which) {
        return std::fs::read(golden(name)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    begin(&path, 0, 20).finish().unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_file_without_its_end_is_no_video() {
    for which in 0..5 {
        let bytes = file(which);
        for cut in [0, 7, 8, 30, 100, 800, bytes.len() / 2, bytes.len() - 1] {
            let opened = open(bytes[..cut].to_vec());
            assert!(matches!(opened, Err(Error::Malformed { .. })), "{which} cut at {cut}");
        }
    }
}

#[test]
fn a_huge_number_anywhere_in_the_tables_is_an_error_at_most() {
    for which in 0..5 {
        let bytes = file(which);
        let moov = bytes.windows(4).position(|four| four == b"moov").unwrap() - 4;
        for at in moov..(moov + 1400).min(bytes.len() - 4) {
            for huge in [u32::MAX, 0x7fff_ffff, 0x00ff_ffff, 0] {
                let mut wrong = bytes.clone();
                wrong[at..at + 4].copy_from_slice(&huge.to_be_bytes());
                if let Ok(reader) = open(wrong) {
                    assert!(reader.info().frames <= 1 << 16);
                }
            }
        }
    }
}

/// A decoder that painted over what it cannot read would let every check of a dataset pass.
#[test]
fn damage_to_pictures_is_told_and_not_painted_over() {
    let whole = file(4);
    let pictures = whole.windows(4).position(|four| four == b"mdat").unwrap() + 4;
    let frames = |bytes: Vec<u8>| -> crate::Result<Vec<_>> {
        let mut reader = open(bytes)?;
        (0..20).map(|n| Ok(reader.frame(n)?.pixels().to_vec())).collect()
    };
    let shown = frames(whole.clone()).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let (mut told, mut other) = (0, 0);
    for _ in 0..200 {
        let mut damaged = whole.clone();
        damaged[random.usize(pictures..whole.len())] ^= 1 << random.u32(..8);
        match frames(damaged) {
            Err(_) => told += 1,
            Ok(frames) if frames != shown => other += 1,
            Ok(_) => {}
        }
    }
    // Some damaged pictures are pictures too.
    assert!(told > other, "{told} told, {other} shown otherwise");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Wrong bits in tables or pictures: frames or errors.
    #[test]
    fn flipped_bits_are_survived(which in 0usize..5, flips in prop::collection::vec(any::<u32>(), 1..8)) {
        let mut bytes = file(which);
        for flip in flips {
            let at = flip as usize / 8 % bytes.len();
            bytes[at] ^= 1 << (flip % 8);
        }
        try_all(bytes);
    }

    /// Bytes taken out, so that everything after them is in the wrong place.
    #[test]
    fn missing_bytes_are_survived(which in 0usize..5, at in any::<prop::sample::Index>(), count in 1usize..64) {
        let mut bytes = file(which);
        let at = at.index(bytes.len());
        bytes.drain(at..(at + count).min(bytes.len()));
        try_all(bytes);
    }
}
