use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{begin, shows};
use crate::Error;
use crate::video::{VideoReader, concat, recover};

/// A video of ten frames as it lies on disk when its writer is killed.
fn unfinished(path: &Path) -> Vec<u8> {
    let mut writer = begin(path, 0, 10);
    writer.flush().unwrap();
    std::mem::forget(writer);
    fs::read(path).unwrap()
}

/// Where each whole frame ends, found by finishing at every length.
fn check(path: &Path, bytes: &[u8], frames: Option<u64>) -> u64 {
    fs::write(path, bytes).unwrap();
    let written = recover(path, frames).unwrap();
    assert_eq!(written.bytes, path.metadata().unwrap().len());
    assert!(frames.is_none_or(|frames| written.frames <= frames));
    if written.frames > 0 {
        let mut reader = VideoReader::open(path).unwrap();
        assert_eq!(*reader.info(), written.info);
        (0..written.frames).for_each(|n| shows(&mut reader, n, n));
        assert!(reader.frame(written.frames).is_err());
        let again = recover(path, frames).unwrap();
        assert_eq!(again, written, "recovering twice changes nothing");
    }
    written.frames
}

#[test]
fn a_killed_recording_keeps_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let bytes = unfinished(&path);
    assert_eq!(check(&path, &bytes, None), 10);
    assert_eq!(check(&path, &bytes, Some(7)), 7);
    assert_eq!(check(&path, &bytes, Some(12)), 10);
}

#[test]
fn recovered_and_finished_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a.mp4"), folder.path().join("b.mp4"));
    unfinished(&path);
    recover(&path, None).unwrap();
    begin(&other, 0, 10).finish().unwrap();
    assert_eq!(fs::read(path).unwrap(), fs::read(other).unwrap());
}

#[test]
fn a_kill_before_the_last_write_of_finish_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let mut bytes = unfinished(&path);
    let other = folder.path().join("b.mp4");
    begin(&other, 0, 10).finish().unwrap();
    let finished = fs::read(&other).unwrap();
    let moov = finished[bytes.len()..].to_vec();
    for part in [4, 5, 8, 100, moov.len()] {
        let before = bytes.len();
        bytes.extend(&moov[..part]);
        assert_eq!(check(&path, &bytes, None), 10);
        bytes.truncate(before);
    }
}

#[test]
fn a_finished_video_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    begin(&path, 0, 10).finish().unwrap();
    let finished = fs::read(&path).unwrap();
    assert_eq!(check(&path, &finished, Some(10)), 10);
    assert_eq!(fs::read(&path).unwrap(), finished);
    assert_eq!(check(&path, &finished, Some(3)), 3);
    let joined = folder.path().join("joined.mp4");
    fs::write(&path, &finished).unwrap();
    concat(&[path.clone(), path.clone()], &joined).unwrap();
    let joined = fs::read(joined).unwrap();
    assert_eq!(check(&path, &joined, Some(9)), 9);
}

#[test]
fn what_no_writer_began_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    for bytes in [&b""[..], b"hello", &[0; 100], b"\0\0\0\x08free\0\0\0\0mdat"] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(recover(&path, None), Err(Error::Malformed { .. })));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Cut anywhere: whole frames, and only those.
    #[test]
    fn any_cut_leaves_whole_frames(cut in 76usize..6000, junk in prop::collection::vec(any::<u8>(), 0..20)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let bytes = unfinished(&path);
        let cut = cut.min(bytes.len());
        let whole = check(&path, &bytes[..cut], None);
        let ends = ends(&bytes);
        prop_assert_eq!(whole, ends.iter().filter(|end| **end <= cut).count() as u64);
        // What a power cut leaves behind may hold anything after the last whole unit.
        let mut torn = bytes[..cut].to_vec();
        torn.extend([0; 8]);
        torn.extend(junk);
        fs::write(&path, torn).unwrap();
        prop_assert!(recover(&path, None).is_ok());
    }
}

/// Where each frame ends.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 76;
    while at < bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if matches!(bytes[at + 4] & 0x1f, 1 | 5) {
            ends.push(at + 4 + size);
        }
        at += 4 + size;
    }
    assert_eq!(ends.len(), 10);
    ends
}
