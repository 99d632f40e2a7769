//! Encoders that get no processor: what waits for them is taken up after a kill as if they had kept up.

use std::time::Duration;

use super::*;
use crate::durable::watch::Watch;

/// A recording whose encoders stop, each at another step, as it lies on the disk once it says that
/// every frame pushed is durable.
fn killed(held: &'static str, before: u64, frames: u64, to: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let watch = Watch::begin(folder.path());
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    record(&mut writer, 0, 5);
    let recorder = writer.begin_episode().unwrap();
    let durable = |frames| {
        let mut rounds = 0;
        while recorder.durable() < frames {
            if rounds == 1000 {
                watch.hold(None);
                panic!("{held}: {} of {frames} frames", recorder.durable());
            }
            std::thread::sleep(Duration::from_millis(10));
            rounds += 1;
        }
    };
    (0..before).for_each(|number| recorder.push(&frame(1, number)).unwrap());
    if before > 0 {
        durable(before);
    }
    watch.hold(Some(held));
    (before..frames).for_each(|number| recorder.push(&frame(1, number)).unwrap());
    durable(frames);
    copy(&root, to);
    watch.hold(None);
}

/// The pictures of a camera are those that were pushed, up to what the codec takes.
fn shows(root: &Path, length: u64) {
    let dataset = Dataset::open(root).unwrap();
    let first = dataset.episodes()[1].from_index;
    for number in 0..length {
        let shown = dataset.image("observation.images.front", first + number).unwrap().to_rgb();
        let last = if number % 4 == 3 { number - 1 } else { number };
        let pushed = picture(last);
        let pairs = shown.pixels().iter().zip(pushed.pixels());
        let apart: i64 = pairs.map(|(a, b)| (i64::from(*a) - i64::from(*b)).abs()).sum();
        let apart = apart as f64 / pushed.pixels().len() as f64;
        assert!(apart < 12.0, "frame {number}: {apart}");
    }
}

#[test]
fn a_kill_takes_nothing_of_what_waits_for_an_encoder() {
    for (held, before) in [(".mp4", 0), (".mp4", 7), (".images", 8), (".counts", 19)] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("set");
        killed(held, before, 61, &root);
        let recovered = recover(&root).unwrap();
        let saved = Saved { episode: 1, frames: 61, lost: 0, repeated: 15, failure: None };
        assert_eq!(recovered.saved, [saved], "{held} after {before}");
        check(&root, &[5, 61]);
        shows(&root, 61);
    }
}

#[test]
fn recovering_can_be_cut_off_too() {
    let folder = tempfile::tempdir().unwrap();
    let (left, root) = (folder.path().join("left"), folder.path().join("set"));
    killed(".mp4", 7, 61, &left);
    copy(&left, &root);
    let watch = Watch::begin(&root);
    recover(&root).unwrap();
    let steps = watch.count();
    drop(watch);
    check(&root, &[5, 61]);
    for from in (0..steps).step_by(3) {
        let root = folder.path().join(format!("cut-{from}"));
        copy(&left, &root);
        let watch = Watch::begin(&root);
        watch.fail(Some((from, crate::durable::watch::Fault::Full)));
        let _cut_off = recover(&root);
        drop(watch);
        recover(&root).unwrap();
        check(&root, &[5, 61]);
    }
}
