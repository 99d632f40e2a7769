//! A disk that is full, may not be written any more, or breaks, at any step: the error names the file
//! and the cause, and everything up to there is kept.

use super::*;
use crate::durable::watch::{Fault, Watch};

/// Records two episodes as far as it gets.
fn attempt(writer: &mut Writer, saved: &mut Vec<u64>) -> Result<()> {
    while saved.len() < 2 {
        let episode = saved.len() as u64;
        for number in 0..9 {
            writer.push(&frame(episode, number))?;
        }
        let done = writer.save_episode()?.unwrap();
        saved.push(done.frames);
        if let Some(failure) = done.failure {
            return Err(Error::Refused { what: failure });
        }
        writer.settle()?;
    }
    Ok(())
}

fn names_file_and_cause(error: &Error, root: &Path, fault: Fault) {
    let text = error.to_string();
    let cause = std::io::Error::from_raw_os_error(fault.code()).to_string();
    assert!(text.contains(&cause) && text.contains(root.to_str().unwrap()), "{fault:?}: {text}");
    match error {
        Error::Io { source, .. } => assert_eq!(source.raw_os_error(), Some(fault.code())),
        // An episode that is saved up to there tells of it in words.
        Error::Refused { .. } => {}
        other => panic!("{other:?} is no word of a disk"),
    }
}

/// The disk fails from a step on. Gives how many steps there were in all.
fn fail(fault: Fault, from: usize) -> usize {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_none| tempfile::tempdir()).unwrap();
    let root = folder.path().join("set");
    let watch = Watch::begin(folder.path());
    watch.fail(Some((from, fault)));
    let mut writer = match Writer::create(&root, info(), Options::default()) {
        Ok(writer) => writer,
        Err(error) => {
            names_file_and_cause(&error, folder.path(), fault);
            watch.fail(None);
            // It failed at its very end, or it can be tried again.
            let begun = root.join("meta/info.json").exists();
            let again = Writer::create(&root, info(), Options::default());
            assert_eq!(again.is_err(), begun);
            assert!(!begun || Dataset::open(&root).is_ok());
            return watch.count();
        }
    };
    let mut saved = Vec::new();
    let done = attempt(&mut writer, &mut saved);
    let before = saved.clone();
    if let Err(error) = &done {
        names_file_and_cause(error, &root, fault);
    }
    let all = watch.count();
    watch.fail(None);
    if from.is_multiple_of(2) {
        // The cause is gone: the same writer goes on.
        if let Some(late) = writer.save_episode().unwrap() {
            saved.push(late.frames);
        }
        let next = saved.len() as u64;
        saved.push(record(&mut writer, next, 3).frames);
        writer.finish().unwrap();
    } else {
        drop(writer);
        recover(&root).unwrap();
        let dataset = Dataset::open(&root).unwrap();
        saved = dataset.episodes().iter().map(|episode| episode.length).collect();
    }
    assert!(saved.starts_with(&before), "{fault:?} at {from}: {before:?}, now {saved:?}");
    check(&root, &saved);
    all
}

#[test]
fn whatever_the_disk_refuses_is_told_and_the_rest_is_kept() {
    let all = fail(Fault::Full, usize::MAX);
    assert!(all > 50, "{all} steps");
    let mut told = 0;
    for (first, fault) in Fault::ALL.into_iter().enumerate() {
        for from in (first..all).step_by(9) {
            fail(fault, from);
            told += 1;
        }
    }
    eprintln!("{told} faults");
}
