use std::fs;

use super::{begin, picture, shows};
use crate::Error;
use crate::video::{VideoReader, VideoWriter, concat, cut, recover};

#[test]
fn joined_videos_are_found_by_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = [7, 1, 10];
    let parts: Vec<_> = (0..3).map(|part| folder.path().join(format!("{part}.mp4"))).collect();
    for (index, (part, length)) in parts.iter().zip(lengths).enumerate() {
        let first = index as u64 * 20;
        begin(part, first, first + length).finish().unwrap();
    }
    let out = folder.path().join("all.mp4");
    let ranges = concat(&parts, &out).unwrap();
    assert_eq!(ranges, [(0.0, 7.0 / 30.0), (7.0 / 30.0, 8.0 / 30.0), (8.0 / 30.0, 18.0 / 30.0)]);
    let bytes = fs::read(&out).unwrap();
    assert_eq!(&bytes[36..40], b"moov", "the tables come first");

    let mut reader = VideoReader::open(&out).unwrap();
    assert_eq!(reader.info().frames, 18);
    let mut frame = 0;
    for (index, ((from, _), length)) in ranges.iter().zip(lengths).enumerate() {
        for n in 0..length {
            let at = reader.frame_at(from + n as f64 / 30.0, 1e-4).unwrap();
            assert_eq!(at, reader.frame(frame).unwrap());
            shows(&mut reader, frame, index as u64 * 20 + n);
            frame += 1;
        }
    }
}

#[test]
fn a_video_grows_by_joining_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (all, next) = (folder.path().join("all.mp4"), folder.path().join("next.mp4"));
    begin(&all, 0, 3).finish().unwrap();
    for n in 1..4 {
        begin(&next, n * 3, n * 3 + 3).finish().unwrap();
        let ranges = concat(&[all.clone(), next.clone()], &all).unwrap();
        assert_eq!(ranges[1], (n as f64 / 10.0, (n + 1) as f64 / 10.0));
    }
    let mut reader = VideoReader::open(&all).unwrap();
    assert_eq!(reader.info().frames, 12);
    (0..12).for_each(|n| shows(&mut reader, n, n));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn videos_coded_differently_are_not_joined() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    begin(&path("a"), 0, 3).finish().unwrap();
    for (name, width, fps) in [("wide", 80, 30), ("fast", 64, 60)] {
        let mut writer = VideoWriter::create(&path(name), width, 48, fps).unwrap();
        writer.push(&picture(0, width, 48)).unwrap();
        writer.finish().unwrap();
        let joined = concat(&[path("a"), path(name)], &path("out"));
        assert!(matches!(joined, Err(Error::Refused { .. })), "{name}");
    }
    assert!(matches!(concat(&[], &path("out")), Err(Error::Refused { .. })));
    assert!(matches!(concat(&[path("none")], &path("out")), Err(Error::Io { .. })));
    assert!(!path("out").exists());
}

#[test]
fn a_range_is_cut_at_keyframes() {
    let folder = tempfile::tempdir().unwrap();
    let (all, part) = (folder.path().join("all.mp4"), folder.path().join("part.mp4"));
    begin(&all, 0, 12).finish().unwrap();
    let written = cut(&all, 4.0 / 30.0, 9.0 / 30.0, &part).unwrap();
    assert_eq!((written.frames, written.bytes), (5, part.metadata().unwrap().len()));
    let mut reader = VideoReader::open(&part).unwrap();
    assert_eq!(*reader.info(), written.info);
    (0..5).for_each(|n| shows(&mut reader, n, n + 4));
    for (from, to) in [(5.0 / 30.0, 9.0 / 30.0), (1.0, 2.0), (0.3, 0.1), (f64::NAN, 1.0)] {
        assert!(matches!(cut(&all, from, to, &part), Err(Error::Refused { .. })), "{from} {to}");
    }
    let whole = cut(&all, 0.0, f64::INFINITY, &part).unwrap();
    assert_eq!(whole.frames, 12);
    assert_eq!(recover(&part, Some(12)).unwrap(), whole);
}
