//! Random sequences of edits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use proptest::prelude::*;

use super::UNSEEN;
use super::model::{Coded, Model, check_stats, fingerprint, make};
use crate::edit::{self, Share, Target, TaskChanges};
use crate::reader::place;
use crate::schema::{Dtype, Template, Version};
use crate::tables::episodes::{self, FileAt};
use crate::video::Coding;
use crate::{Dataset, Error};

const WORDS: [&[&str]; 2] = [&["lift", "place", "wait"], &["place", "push", "nobody does this"]];

/// Edits the dataset once, at random, and the model in the same way. None when the edit makes no
/// sense for it.
fn step(model: &mut Model, from: &Path, to: &Path, rng: &mut Rng) -> Option<&'static str> {
    let dataset = Dataset::open(from).unwrap();
    let count = model.0.len() as u64;
    match rng.u32(0..9) {
        0 if count > 1 => {
            let gone = rng.u64(0..count);
            edit::delete_episodes(from, &[gone, gone], Some(to), UNSEEN).unwrap();
            model.0.remove(gone as usize);
            Some("delete")
        }
        1 if count > 1 => {
            let mut list: Vec<u64> = (0..count).collect();
            rng.shuffle(&mut list);
            let others = list.split_off(rng.usize(1..list.len()));
            let share = |name: &str, list: &[u64]| (name.to_owned(), Share::Episodes(list.into()));
            let shares = [share("new", &list), share("other", &others)];
            let place = |name: &str| match name {
                "new" => to.to_owned(),
                _ => to.with_extension("other"),
            };
            edit::split(from, &shares, Some(&place), UNSEEN).unwrap();
            let of = |list: &[u64]| {
                let all = model.0.iter().zip(0..).filter(|(_, at)| list.contains(at));
                Model(all.map(|(episode, _)| episode.clone()).collect())
            };
            assert_eq!(Model::read(&place("other")), of(&others));
            *model = of(&list);
            Some("split")
        }
        2 => {
            let other = to.with_extension("more");
            make(&other, WORDS[1], Coded::Apart, rng);
            let merged = edit::merge(&[from, &other], Some(to), UNSEEN);
            let same = dataset.info().features.len() == 12
                && dataset.info().feature("wrist").unwrap().dtype == Dtype::Image
                && dataset.info().feature("front").unwrap().dtype == Dtype::Video;
            if !same {
                assert!(matches!(merged, Err(Error::Refused { .. })));
                return None;
            }
            merged.unwrap();
            model.0.extend(Model::read(&other).0);
            Some("merge")
        }
        3 => {
            let mine = dataset.info().features.iter().take(dataset.info().features.len() - 5);
            let names: Vec<String> = mine.map(|(name, _)| name.clone()).collect();
            let name = rng.choice(names)?;
            edit::remove_features(from, std::slice::from_ref(&name), Some(to), UNSEEN).unwrap();
            for frame in model.0.iter_mut().flatten() {
                frame.values.remove(&name);
                frame.images.remove(&name);
            }
            Some("remove")
        }
        4 => {
            let mut changes = TaskChanges::default();
            let task = rng.choice(dataset.tasks()).unwrap().clone();
            changes.renamed.insert(task.clone(), "renamed".into());
            changes.all = rng.bool().then(|| "for all".into());
            let single = rng.u64(0..count);
            changes.episodes = BTreeMap::from([(single, "single".into())]);
            edit::modify_tasks(from, &changes, Some(to), UNSEEN).unwrap();
            for (at, episode) in model.0.iter_mut().enumerate() {
                for frame in episode {
                    let renamed = (frame.task == task).then(|| "renamed".to_owned());
                    let single = (at as u64 == single).then(|| "single".to_owned());
                    let new = single.or(renamed).or_else(|| changes.all.clone());
                    frame.task = new.unwrap_or_else(|| frame.task.clone());
                }
            }
            Some("tasks")
        }
        5 => {
            let made = edit::compact(from, Some(to), UNSEEN).unwrap();
            assert_eq!((made.data_files, made.encoded), (1, 0));
            assert_eq!(Dataset::open(to).unwrap().tasks(), dataset.tasks());
            Some("compact")
        }
        6 => {
            let has_video = dataset.info().videos().next().is_some();
            let made = edit::reencode(from, &[], &Coding::default(), Some(to), UNSEEN);
            assert_eq!(made.is_ok(), has_video);
            has_video.then_some("reencode")
        }
        7 => {
            let target = if rng.bool() { Target::Images } else { Target::Videos };
            edit::convert(from, target, Some(to), UNSEEN).ok()?;
            Some(if target == Target::Images { "to images" } else { "to videos" })
        }
        _ => {
            let old = to.with_extension("old");
            edit::convert(from, Target::V21, Some(&old), UNSEEN).unwrap();
            assert_eq!(Dataset::open(&old).unwrap().info().version, Version::V21);
            assert_eq!(&Model::read(&old), model);
            edit::convert(&old, Target::Newest, Some(to), UNSEEN).unwrap();
            Some("there and back")
        }
    }
}

/// Takes the pixels of the new dataset where they had to change, but not by much.
fn adopt(model: &mut Model, before: &Path, after: &Path) {
    let (before, after) = (Dataset::open(before).unwrap(), Dataset::open(after).unwrap());
    let new = Model::read(after.root());
    for (frame, (old, new)) in
        model.0.iter_mut().flatten().zip(new.0.into_iter().flatten()).enumerate()
    {
        for camera in old.images.keys() {
            let image = |dataset: &Dataset| dataset.image(camera, frame as u64).unwrap().to_rgb();
            let (left, right) = (image(&before), image(&after));
            let apart = left.pixels().iter().zip(right.pixels());
            let apart: u64 = apart.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let mean = apart as f64 / left.pixels().len() as f64;
            assert!(mean < 16.0, "{camera}, frame {frame}: {mean}");
        }
        old.images = new.images;
    }
}

fn run(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::with_seed(seed);
    let mut at: PathBuf = folder.path().join("0");
    make(&at, WORDS[0], Coded::Apart, &mut rng);
    let mut model = Model::read(&at);
    let mut story = Vec::new();
    for n in 1..6 {
        let to = folder.path().join(n.to_string());
        let before = fingerprint(&at);
        let Some(what) = step(&mut model, &at, &to, &mut rng) else { continue };
        story.push(what);
        assert_eq!(before, fingerprint(&at), "{story:?}");
        if ["reencode", "to videos"].contains(&what) {
            adopt(&mut model, &at, &to);
        }
        assert_eq!(Model::read(&to), model, "{story:?}");
        check_stats(&to);
        let dataset = Dataset::open(&to).unwrap();
        assert_eq!(dataset.info().extra["license"], "ours");
        let names = std::fs::read_dir(folder.path()).unwrap();
        assert!(
            names
                .map(|entry| entry.unwrap().file_name())
                .all(|name| { !name.to_str().unwrap().starts_with('.') })
        );
        at = to;
    }
}

#[test]
fn episodes_without_a_keyframe_of_their_own_are_taken_along() {
    let mut refused = 0;
    for seed in 0..16 {
        let folder = tempfile::tempdir().unwrap();
        let (at, new) = (folder.path().join("0"), folder.path().join("1"));
        make(&at, WORDS[0], Coded::Together, &mut Rng::with_seed(seed));
        let model = Model::read(&at);
        assert_eq!(edit::compact(&at, Some(&new), UNSEEN).unwrap().encoded, 0);
        assert_eq!(Model::read(&new), model);
        let old = folder.path().join("old");
        match edit::convert(&at, Target::V21, Some(&old), UNSEEN) {
            Ok(_) => assert_eq!(Model::read(&old), model),
            Err(Error::Refused { what }) => {
                assert!(what.contains("reencode"), "{what}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        if model.0.len() > 1 {
            let less = folder.path().join("less");
            edit::delete_episodes(&at, &[0], Some(&less), UNSEEN).unwrap();
            let values = |model: &Model, from: usize| -> Vec<_> {
                let frames = model.0.iter().skip(from).flatten();
                frames.map(|frame| frame.values.clone()).collect()
            };
            assert_eq!(values(&Model::read(&less), 0), values(&model, 1));
        }
    }
    assert!(refused > 0, "no episode began without a keyframe");
}

#[test]
fn episodes_tell_what_is_done_in_them_though_the_source_did_not() {
    let folder = tempfile::tempdir().unwrap();
    let (at, new) = (folder.path().join("0"), folder.path().join("1"));
    make(&at, WORDS[0], Coded::Apart, &mut Rng::with_seed(0));
    let model = Model::read(&at);
    let mut table = Dataset::open_with_stats(&at).unwrap().episodes().to_vec();
    table.iter_mut().for_each(|episode| episode.tasks.clear());
    let place = place(Dataset::open(&at).unwrap().info(), FileAt::default(), "");
    episodes::write(&at.join(Template::episodes().path(&place)), &table).unwrap();
    edit::compact(&at, Some(&new), UNSEEN).unwrap();
    assert_eq!(Model::read(&new), model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_edits_do_what_they_say_and_no_more(seed: u64) {
        run(seed);
    }
}
